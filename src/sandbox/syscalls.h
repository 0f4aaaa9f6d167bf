/* SPDX-License-Identifier: ISC */
/* The system calls that each stage of a connection may make (seccomp). */
#pragma once

/* Bits. The first four are the handshake and the work of one command, until its reply. From there
 * to the end of the process, RELAYING moves the bytes of a connection and DATAGRAMS those of an
 * association. Each stage allows fewer calls than the stage before it. */
enum syscalls_stage {
	SYSCALLS_CONNECT = 1,
	SYSCALLS_RESOLVE = 2,
	SYSCALLS_BIND = 4,
	SYSCALLS_ASSOCIATE = 8,
	SYSCALLS_RELAYING = 16,
	SYSCALLS_DATAGRAMS = 32,
	/* In prefork mode, together with stages of the first four: a child that waits for its
	 * connection, and the zygote that forks the children. */
	SYSCALLS_ACCEPT = 64,
	SYSCALLS_ZYGOTE = 128
};

/* Limits the process to the calls that the table has for at least one of these stages (bits). Every
 * other call fails with EPERM; a call with the numbers of another architecture (x32, int 0x80)
 * kills the process. checker_pid is a process group that may be killed, 0 for none. The process
 * must have set PR_SET_NO_NEW_PRIVS. Returns 0; or -errno, -EINVAL for no stage at all, and then
 * nothing has changed. */
int syscalls_limit(unsigned stages, int checker_pid);

/* Denies every system call that only SYSCALLS_ZYGOTE has rows for; other calls are not changed. A
 * child of the zygote inherits its filter and adds this short one. Returns 0 or -errno. */
int syscalls_deny_zygote(void);
