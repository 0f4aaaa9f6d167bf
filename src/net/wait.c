/* SPDX-License-Identifier: ISC */
/* The one place where the process sleeps, and where SIGTERM and SIGINT are heard.
 * Knows: poll, deadlines, those two signals. Does not know: what is waited for. */
#include "net/wait.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <time.h>

#include "net/clock.h"

/* Readable once SIGTERM or SIGINT has come, and never read: it stays so. A handler with ppoll's
 * signal mask would not do: a relay that always has something ready would never hear it. */
static int stop_fd = -1;

void wait_prepare(void)
{
	sigset_t stop, blocked;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	stop_fd = signalfd(-1, &stop, SFD_CLOEXEC);
	if (stop_fd >= 0) /* else they end the process as they always do, without its record */
		blocked = stop;
	else
		sigemptyset(&blocked);
	sigaddset(&blocked, SIGPIPE);
	sigaddset(&blocked, SIGXFSZ);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
}

int wait_poll(struct pollfd *fds, nfds_t count, int64_t deadline_us)
{
	fds[count] = (struct pollfd){.fd = stop_fd, .events = POLLIN};
	for (;;) {
		struct timespec left = {0};
		if (deadline_us != INT64_MAX) {
			int64_t left_us = deadline_us - clock_now_us();
			if (left_us > 0)
				left = (struct timespec){.tv_sec = left_us / 1000000,
					.tv_nsec = left_us % 1000000 * 1000};
		}
		int ready = ppoll(fds, count + 1, deadline_us == INT64_MAX ? NULL : &left, NULL);
		if (ready == 0)
			return -ETIMEDOUT;
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready > 0)
			return fds[count].revents ? -ECANCELED : ready;
	}
}

int wait_for(int fd, short events, int64_t deadline_us)
{
	struct pollfd fds[2] = {{.fd = fd, .events = events}};
	return wait_poll(fds, 1, deadline_us);
}
