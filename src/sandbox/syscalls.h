/* SPDX-License-Identifier: ISC */
/* The system calls that are allowed in each stage of a connection (seccomp(2)). */
#pragma once

/* The stages of a connection, as bits. One of the first four lasts from the handshake to the reply;
 * as long as the request is not known, the union of those of the configured commands applies. One
 * of the last two follows, to the end of the process. Nothing follows SYSCALLS_RESOLVE. */
enum syscalls_stage {
	SYSCALLS_CONNECT = 1,    /* the command CONNECT */
	SYSCALLS_RESOLVE = 2,    /* the commands RESOLVE and RESOLVE_PTR */
	SYSCALLS_BIND = 4,       /* the command BIND */
	SYSCALLS_ASSOCIATE = 8,  /* the command UDP ASSOCIATE */
	SYSCALLS_RELAYING = 16,  /* after CONNECT and BIND: moves the bytes of the connection */
	SYSCALLS_DATAGRAMS = 32, /* after UDP ASSOCIATE: moves datagrams */
	/* Stages of prefork mode. They are combined (|) with those of the commands. */
	SYSCALLS_ACCEPT = 64, /* a process that waits for its connection */
	SYSCALLS_ZYGOTE = 128 /* the zygote, which forks these processes */
};

/* The numbers of the descriptors that the process has when its first stage begins. The rows of some
 * calls compare them, so that the program of a stage is constant. All AF_UNIX sockets, which can
 * pass descriptors and reach other processes by a path, have numbers below SYSCALLS_IP_FD.
 *   0, 1  the client; in prefork mode only 0
 *   2     standard error
 *   3     the log socket; without a log it is not connected
 *   4     a child of prefork mode, until it has accepted a connection: the socket to the supervisor
 * From 4 on: signals and files; then the sockets of the session, which are not AF_UNIX. */
enum syscalls_fd { SYSCALLS_LOG_FD = 3, SYSCALLS_HANDOFF_FD = 4, SYSCALLS_IP_FD = 4 };

/* Limits the process to the system calls that at least one of the given stages (bits) needs. Any
 * other call fails with EPERM; a call of another architecture (x32, int 0x80) kills the process.
 * Limits of earlier calls stay in force. The process may kill the process group checker_pid, unless
 * that is 0. PR_SET_NO_NEW_PRIVS must have been set before. Returns 0; -EINVAL if no stage is
 * given; or another -errno. On error nothing has changed. */
int syscalls_limit(unsigned stages, int checker_pid);

/* Denies every system call that only a row of SYSCALLS_ZYGOTE allows; other calls are not changed.
 * A child of the zygote inherits its filter and adds this short one. Returns 0 or -errno. */
int syscalls_deny_zygote(void);
