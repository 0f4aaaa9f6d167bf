/* SPDX-License-Identifier: ISC */
/* Protects the memory of the process, which can contain passwords, from other processes. */
#include "sandbox/dumps.h"

#include <sys/prctl.h>
#include <sys/resource.h>

void dumps_disable(void)
{
	/* Both are needed: the kernel ignores the limit if core_pattern is a pipe, and execve(2)
	 * makes a process dumpable again. */
	const struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
