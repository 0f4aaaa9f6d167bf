/* SPDX-License-Identifier: ISC */
/* Prefork mode: three kinds of processes serve the connections of listening sockets. The supervisor
 * is the process that the super-server started. It starts the zygote, which reads the configuration
 * and forks children. Each child accepts one connection, serves it and exits. */
#pragma once

#include <sys/types.h>

#include "net/client.h"
#include "stdsocks/options.h"

/* Listening sockets of one service. */
#define PREFORK_LISTENERS_MAX 16

/* Bytes of address space of the zygote and of each child. Static variables take a third of it. */
#define PREFORK_MEMORY_MAX ((size_t)64 * 1024 * 1024)

/* The first pause, and the longest, before a failed fork is repeated or a dead zygote is replaced.
 */
#define PREFORK_PAUSE_MIN_US INT64_C(10000)
#define PREFORK_PAUSE_MAX_US INT64_C(5000000)

/* Returns the pause after one more failure: twice the previous one, which is 0 before the first. */
int64_t prefork_next_pause(int64_t pause_us);

/* The minimum time between two reports of the zygote to the supervisor, or a quarter of the idle
 * timeout if that is less. */
#define PREFORK_REPORT_US INT64_C(1000000)

/* The exit status of a zygote, or of one of its children, that has found a change of the files that
 * the zygote has read. */
#define PREFORK_EXIT_CHANGED 1

/* The exit status of a child whose client has sent no valid greeting. */
#define PREFORK_EXIT_STRANGER 2

struct prefork_listeners {
	unsigned count;
	int fds[PREFORK_LISTENERS_MAX];
	/* One of them is of AF_UNIX. Its clients have a user, whose name only a process outside the
	 * sandbox can find. */
	bool has_unix;
};

/* From the zygote to the supervisor. */
struct prefork_report {
	unsigned ready, serving;
	uint64_t accepted;  /* connections since the zygote started */
	uint64_t strangers; /* those of them that ended before a valid greeting */
	int64_t idle_us;    /* "prefork idle-exit" */
};

/* Returns true and sets *ret_listeners if the client on standard input is a listening stream
 * socket, or if all descriptors of $LISTEN_FDS are and $LISTEN_PID is this process. Then moves them
 * to the descriptors from 3 on, closes all others above standard error, and replaces standard input
 * and output by /dev/null, and standard error if it is a listening socket. If there are more than
 * PREFORK_LISTENERS_MAX, changes nothing else; if /dev/null cannot be opened, sets the count to 0.
 * prefork_run() then reports an error. */
bool prefork_find_listeners(const struct client *client, struct prefork_listeners *ret_listeners);

/* Serves connections until a signal or the idle timeout ends that. Returns the exit status. */
int prefork_run(
	const struct options *options, char **argv, const struct prefork_listeners *listeners);
