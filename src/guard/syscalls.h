/* SPDX-License-Identifier: ISC */
/* Which system calls each stage of a connection may make, and why. Knows: seccomp.
 * Does not know: when a stage begins. */
#pragma once

/* From the client's first byte to the reply; from then to the end. Each takes away from the one
 * before, for ever. */
enum syscalls_stage { SYSCALLS_DIALING = 1, SYSCALLS_RELAYING = 2 };

/* From now on a call that the stage's table does not have fails with EPERM and is not made, and one by
 * another architecture's numbers (x32, int 0x80) kills the process. checker_pid is a process
 * group that may be killed while dialing, 0 for none. No new privileges must be in force
 * (PR_SET_NO_NEW_PRIVS). 0, or -errno when the kernel refuses: then nothing has changed. */
int syscalls_limit(enum syscalls_stage stage, int checker_pid);
