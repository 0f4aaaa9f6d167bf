/* SPDX-License-Identifier: ISC */
/* Waits for descriptors until a deadline, until a signal that ends the process, or until a watched
 * connection has ended. These signals are SIGTERM, SIGINT, SIGQUIT, SIGALRM, SIGXCPU and, unless it
 * was ignored when the process started, SIGHUP. */
#pragma once

#include <poll.h>
#include <signal.h>
#include <stdint.h>

/* Calls wait_block_signals(). From now on, the signals that end the process have no effect except
 * that wait_poll() and wait_for() return -ECANCELED, and most others have none. Keeps one
 * descriptor open until the process exits. */
void wait_prepare(void);

/* Blocks all signals, except those by which the kernel reports a fault of the program, and those
 * that stop it. */
void wait_block_signals(void);

/* Blocks SIGPIPE and SIGXFSZ: write(2) then fails with EPIPE or EFBIG instead of ending the
 * process. Needed only for output before wait_prepare(). */
void wait_block_write_signals(void);

/* Watches a connection: from now on, wait_poll() and wait_for() return -ENOTCONN if it has ended,
 * so that no process works for a client that cannot receive the result. fd is the descriptor to
 * write to; -1 ends the watch, which must be done before this process shuts down a direction. The
 * connection has ended after a reset of TCP, after a full close of AF_UNIX, and if a pipe has no
 * reader. It has not ended after a FIN, because a client may end its direction after its request.
 * With AF_VSOCK, poll(2) does not distinguish a reset from a FIN, and the function has no effect.
 */
void wait_watch(int fd);

/* The number of entries that wait_poll() adds. */
#define WAIT_OWN_FDS 2

/* Waits with ppoll(2) until one of count descriptors is ready. fds must have space for WAIT_OWN_FDS
 * more entries: the watched descriptor, and a signalfd(2). deadline_us is a point of
 * clock_now_us(); INT64_MAX means never. Returns the number of ready entries; -ETIMEDOUT if none is
 * ready at the deadline; -ECANCELED if a signal that ends the process has arrived, and then from
 * every later call, too; -ENOTCONN if the watched connection has ended, even if entries are ready;
 * or another -errno. */
int wait_poll(struct pollfd *fds, nfds_t count, int64_t deadline_us);

/* Calls wait_poll() for one descriptor, and returns as it does. */
int wait_for(int fd, short events, int64_t deadline_us);
