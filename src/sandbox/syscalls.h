/* SPDX-License-Identifier: ISC */
/* Which system calls each stage of a connection may make, and why. Knows: seccomp.
 * Does not know: when a stage begins. */
#pragma once

/* Bits. From the client's first byte to the reply, a stage for each command: what its handshake
 * takes. From there to the end, what moving takes: bytes of a connection, datagrams of an
 * association; and the names of datagrams are looked up by a process of its own. Each takes away
 * from the one before, for ever. */
enum syscalls_stage {
	SYSCALLS_CONNECT = 1,
	SYSCALLS_RESOLVE = 2,
	SYSCALLS_BIND = 4,
	SYSCALLS_ASSOCIATE = 8,
	SYSCALLS_RELAYING = 16,
	SYSCALLS_DATAGRAMS = 32,
	SYSCALLS_LOOKUPS = 64
};

/* From now on a call that the table has for none of these stages (bits) fails with EPERM and is not
 * made, and one by another architecture's numbers (x32, int 0x80) kills the process. checker_pid is
 * a process group that may be killed, 0 for none. No new privileges must be in force
 * (PR_SET_NO_NEW_PRIVS). 0, or -errno when the kernel refuses, or -EINVAL for no stage at all: then
 * nothing has changed. */
int syscalls_limit(unsigned stages, int checker_pid);
