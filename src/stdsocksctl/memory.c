/* SPDX-License-Identifier: ISC */
/* Memory that there is, or the end of the process. */
#include "stdsocksctl/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

void *memory_or_end(void *memory)
{
	if (!memory) {
		fputs("stdsocksctl: no memory for so much; a filter would do\n", stderr);
		exit(EX_OSERR);
	}
	return memory;
}
