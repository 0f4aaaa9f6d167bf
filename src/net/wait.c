/* SPDX-License-Identifier: ISC */
/* Waits for descriptors until a deadline, until a signal that ends the process, or until a watched
 * connection has ended. These signals are SIGTERM, SIGINT, SIGQUIT, SIGALRM, SIGXCPU and, unless it
 * was ignored when the process started, SIGHUP. */
#include "net/wait.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "net/clock.h"

/* Readable while a signal is pending. A signal handler and ppoll's signal mask would not do: ppoll
 * delivers no signal if a descriptor is always ready. */
static int signal_fd = -1;

/* A signal that ends the process has arrived. */
static bool stopped;

/* The descriptor of the watched connection, or -1. */
static int watched_fd = -1;

/* Sets *ret_set to the signals that end the process: requests to end it, and the ends of a time
 * limit, which another program can set before it executes this one. */
static void set_stop_signals(sigset_t *ret_set)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGALRM, SIGXCPU};
	struct sigaction hangup;

	sigemptyset(ret_set);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		sigaddset(ret_set, numbers[i]);
	/* nohup(1) ignores SIGHUP so that the program continues. */
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		sigaddset(ret_set, SIGHUP);
}

void wait_block_write_signals(void)
{
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGPIPE);
	sigaddset(&blocked, SIGXFSZ);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
}

void wait_block_signals(void)
{
	static const int others[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP,
		SIGTSTP, SIGTTIN, SIGTTOU};
	/* The kernel's set: those of the C libraries omit some real-time signals. */
	uint64_t blocked = UINT64_MAX;

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		blocked &= ~(UINT64_C(1) << (others[i] - 1));
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &blocked, NULL, sizeof blocked);
}

void wait_prepare(void)
{
	sigset_t watched;

	set_stop_signals(&watched);
	/* After SIGSTOP and SIGCONT, ppoll(2) resumes with the timeout that was left before. With
	 * SIGCONT in the set it returns, and the deadline is checked again. */
	sigaddset(&watched, SIGCONT);
	signal_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd >= 0)
		wait_block_signals();
	else /* other signals end the process without a record */
		wait_block_write_signals();
}

/* Reads the pending signal. Returns true if it ends the process; SIGCONT does not. */
static bool read_signal(void)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof info) == sizeof info && info.ssi_signo != SIGCONT)
		stopped = true;
	return stopped;
}

void wait_watch(int fd)
{
	watched_fd = fd;
}

int wait_poll(struct pollfd *fds, nfds_t count, int64_t deadline_us)
{
	struct pollfd *watched = &fds[count], *signals = &fds[count + 1];

	/* Without events, poll(2) reports POLLERR and POLLHUP, but neither data nor a FIN. */
	*watched = (struct pollfd){.fd = watched_fd};
	*signals = (struct pollfd){.fd = signal_fd, .events = POLLIN};
	while (!stopped) {
		struct timespec left = {0};
		if (deadline_us != INT64_MAX) {
			int64_t left_us = deadline_us - clock_now_us();
			if (left_us > 0)
				left = (struct timespec){.tv_sec = left_us / 1000000,
					.tv_nsec = left_us % 1000000 * 1000};
		}
		int ready = ppoll(
			fds, count + WAIT_OWN_FDS, deadline_us == INT64_MAX ? NULL : &left, NULL);
		if (ready == 0)
			return -ETIMEDOUT;
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready > 0 && signals->revents) {
			if (read_signal())
				break;
			ready--;
		}
		if (ready > 0 && watched->revents)
			return -ENOTCONN;
		if (ready > 0)
			return ready;
	}
	return -ECANCELED;
}

int wait_for(int fd, short events, int64_t deadline_us)
{
	struct pollfd fds[1 + WAIT_OWN_FDS] = {{.fd = fd, .events = events}};
	return wait_poll(fds, 1, deadline_us);
}
