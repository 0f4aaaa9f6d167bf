/* SPDX-License-Identifier: ISC */
/* The one place where the process sleeps, and where SIGTERM and SIGINT are heard.
 * Knows: poll, deadlines, those two signals. Does not know: what is waited for. */
#pragma once

#include <poll.h>
#include <stdint.h>

/* From now on SIGTERM and SIGINT are heard by wait_poll() alone, and a pipe without a reader or a file that
 * may grow no more is an error of write(2), not the end of the process. Takes one descriptor for
 * the process's life. */
void wait_prepare(void);

/* ppoll(2) until something is ready (the number of ready entries), deadline_us of clock_now_us() is
 * past (-ETIMEDOUT), SIGTERM or SIGINT came (-ECANCELED, now and at every later call), or the kernel
 * fails (another -errno). INT64_MAX waits for ever. fds has count entries and room for one more,
 * which is used here. */
int wait_poll(struct pollfd *fds, nfds_t count, int64_t deadline_us);

/* wait_poll() for one descriptor. */
int wait_for(int fd, short events, int64_t deadline_us);
