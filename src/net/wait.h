/* SPDX-License-Identifier: ISC */
/* The one place where the process sleeps, and where the signals that end it are heard.
 * Knows: poll, deadlines, signals. Does not know: what is waited for. */
#pragma once

#include <poll.h>
#include <signal.h>
#include <stdint.h>

/* From now on the signals that end the process are heard by wait_poll() alone, and a pipe without a
 * reader or a file that may grow no more is an error of write(2), not the end of the process. Takes
 * one descriptor for the process's life. */
void wait_prepare(void);

/* A part of that: what cannot be written is an error of write(2) from now on, for who has something
 * to say before wait_prepare(). */
void wait_survive_writes(void);

/* Those that end it: SIGTERM, SIGINT, and SIGHUP unless it was ignored from the start. */
void wait_stop_signals(sigset_t *ret_set);

/* ppoll(2) until something is ready (the number of ready entries), deadline_us of clock_now_us() is
 * past (-ETIMEDOUT), a signal that ends it came (-ECANCELED, now and at every later call), or the
 * kernel fails (another -errno). INT64_MAX waits for ever. fds has count entries and room for one
 * more, which is used here. */
int wait_poll(struct pollfd *fds, nfds_t count, int64_t deadline_us);

/* wait_poll() for one descriptor. */
int wait_for(int fd, short events, int64_t deadline_us);
