/* SPDX-License-Identifier: ISC */
/* Waiting for descriptors until a deadline, and the signals that end the process. */
#pragma once

#include <poll.h>
#include <signal.h>
#include <stdint.h>

/* Blocks the signals that end the process: from now on only wait_poll() reports them. Also calls
 * wait_block_write_signals(). Uses one descriptor until the process exits. */
void wait_prepare(void);

/* Blocks SIGPIPE and SIGXFSZ: write(2) then fails with EPIPE or EFBIG instead of ending the
 * process. For output before wait_prepare(). */
void wait_block_write_signals(void);

/* Waits until a descriptor is ready, with ppoll(2). Returns the number of ready entries; -ETIMEDOUT
 * if clock_now_us() has passed deadline_us (INT64_MAX: never); -ECANCELED if a signal that ends the
 * process has arrived, and then from every later call, too; or another -errno. fds has count
 * entries and space for one more, which the function uses for its signalfd(2). */
int wait_poll(struct pollfd *fds, nfds_t count, int64_t deadline_us);

/* Calls wait_poll() for one descriptor. */
int wait_for(int fd, short events, int64_t deadline_us);
