/* SPDX-License-Identifier: ISC */
/* What of this process others may see: nothing. Knows: core dumps, ptrace. */
#include "sandbox/dumps.h"

#include <sys/prctl.h>
#include <sys/resource.h>

void dumps_disable(void)
{
	/* Neither alone would do: a core_pattern with a pipe in it does not ask for the limit, and
	 * executing a program makes it dumpable again. */
	const struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
