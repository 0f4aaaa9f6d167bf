/* SPDX-License-Identifier: ISC */
/* Waits for descriptors until a deadline, or until a signal that ends the process. These signals
 * are SIGTERM, SIGINT, SIGQUIT, SIGALRM, SIGXCPU and, unless it was ignored when the process
 * started, SIGHUP. */
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

/* Waits with ppoll(2) until one of count descriptors is ready. fds must have space for one more
 * entry, which this function uses for its signalfd(2). deadline_us is a point of clock_now_us();
 * INT64_MAX means never. Returns the number of ready entries; -ETIMEDOUT if none is ready at the
 * deadline; -ECANCELED if a signal that ends the process has arrived, and then from every later
 * call, too; or another -errno. */
int wait_poll(struct pollfd *fds, nfds_t count, int64_t deadline_us);

/* Calls wait_poll() for one descriptor, and returns as it does. */
int wait_for(int fd, short events, int64_t deadline_us);
