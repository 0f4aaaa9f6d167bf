/* SPDX-License-Identifier: ISC */
/* Protects the memory of the process, which can contain passwords, from other processes. */
#pragma once

/* Disables core dumps, and access to this process by other processes of the same user (ptrace(2),
 * /proc/PID/mem). A child process inherits this; if it executes another program, it is accessible
 * again, but still makes no core dump. */
void dumps_disable(void);
