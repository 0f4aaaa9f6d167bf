/* SPDX-License-Identifier: ISC */
/* The one place where the process sleeps, and where the signals that end it are heard.
 * Knows: poll, deadlines, signals. Does not know: what is waited for. */
#include "net/wait.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "net/clock.h"

/* Readable while a signal of ours waits. A handler with ppoll's signal mask would not do: a relay
 * that always has something ready would never hear it. */
static int signal_fd = -1;

/* One of those that end it has come. */
static bool stopped;

void wait_stop_signals(sigset_t *ret_set)
{
	struct sigaction hangup;

	sigemptyset(ret_set);
	sigaddset(ret_set, SIGTERM);
	sigaddset(ret_set, SIGINT);
	/* nohup(1) means that it goes on. */
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		sigaddset(ret_set, SIGHUP);
}

/* Those that a failing write(2) sends beside its error. */
static void add_write_signals(sigset_t *set)
{
	sigaddset(set, SIGPIPE);
	sigaddset(set, SIGXFSZ);
}

void wait_survive_writes(void)
{
	sigset_t blocked;

	sigemptyset(&blocked);
	add_write_signals(&blocked);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
}

void wait_prepare(void)
{
	sigset_t ours, blocked;

	wait_stop_signals(&ours);
	/* ppoll(2) goes on after SIGSTOP with the time that was left before it. */
	sigaddset(&ours, SIGCONT);
	signal_fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd >= 0) /* else they end the process as they always do, without its record */
		blocked = ours;
	else
		sigemptyset(&blocked);
	add_write_signals(&blocked);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
}

/* Whether what has come ends it. SIGCONT does not: it is only time to look at the clock. */
static bool hear_signal(void)
{
	struct signalfd_siginfo heard;

	if (read(signal_fd, &heard, sizeof heard) == sizeof heard && heard.ssi_signo != SIGCONT)
		stopped = true;
	return stopped;
}

int wait_poll(struct pollfd *fds, nfds_t count, int64_t deadline_us)
{
	fds[count] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
	while (!stopped) {
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
		if (ready > 0 && fds[count].revents) {
			if (hear_signal())
				break;
			ready--;
		}
		if (ready > 0)
			return ready;
	}
	return -ECANCELED;
}

int wait_for(int fd, short events, int64_t deadline_us)
{
	struct pollfd fds[2] = {{.fd = fd, .events = events}};
	return wait_poll(fds, 1, deadline_us);
}
