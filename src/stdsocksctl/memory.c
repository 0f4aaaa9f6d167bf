/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

void *memory_or_exit(void *memory)
{
	if (!memory) {
		fputs("stdsocksctl: out of memory; use a filter to select fewer connections\n",
			stderr);
		exit(EX_OSERR);
	}
	return memory;
}
