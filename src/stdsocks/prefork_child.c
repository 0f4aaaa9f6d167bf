/* SPDX-License-Identifier: ISC */
/* A child of the zygote: accepts and serves one connection. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/wait.h"
#include "record/title.h"
#include "stdsocks/confine.h"
#include "stdsocks/connection.h"
#include "stdsocks/prefork_zygote.h"
#include "stdsocks/startup.h"

/* The pause after an error of accept4(2) that may last: no descriptors, no memory, or a socket that
 * shutdown(2) has ended. */
#define PAUSE_NS 100000000

/* The listening sockets, until a connection was accepted; none after a signal. */
static struct prefork_listeners listeners;

/* The zygote has ended, or this process is not needed. Closing the sockets ends the wait for a
 * connection, whenever the signal comes; a connection that accept4(2) has just returned is served.
 */
static void stop_accepting(int number)
{
	const int error = errno;

	(void)number;
	for (unsigned i = 0; i < listeners.count; i++)
		close(listeners.fds[i]);
	listeners.count = 0;
	errno = error;
}

static void change_mask(int how)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, PREFORK_SURPLUS};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		sigaddset(&set, numbers[i]);
	sigprocmask(how, &set, NULL);
}

void prefork_child_catch_signals(void)
{
	const struct sigaction action = {.sa_handler = stop_accepting, .sa_flags = SA_RESTART};

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(PREFORK_SURPLUS, &action, NULL);
	/* A child unblocks them after it has copied the sockets. musl's sigaction(3) unblocks two
	 * other signals. */
	wait_block_signals();
}

void prefork_child_limit_memory(void)
{
#ifndef __SANITIZE_ADDRESS__ /* it reserves terabytes */
	const struct rlimit limit = {PREFORK_MEMORY_MAX, PREFORK_MEMORY_MAX};
	setrlimit(RLIMIT_AS, &limit);
#endif
}

/* Waits until one of several sockets has a connection, or has been shut down. Returns its index.
 * Neither a busy socket nor one that was shut down may keep all children from the others, so each
 * search begins at another socket. */
static unsigned wait_for_any(void)
{
	static unsigned first;
	struct pollfd fds[PREFORK_LISTENERS_MAX];
	const unsigned count = listeners.count;

	if (first == 0)
		first = (unsigned)getpid();
	for (unsigned i = 0; i < count; i++)
		fds[i] = (struct pollfd){.fd = listeners.fds[i], .events = POLLIN};
	ppoll(fds, count, NULL, NULL);
	for (unsigned i = first; i < first + count; i++)
		if (fds[i % count].revents) {
			first = i + 1;
			return i % count;
		}
	return 0;
}

/* Returns a connection, or -1 after a signal. */
static int accept_one(void)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_NS};

	while (listeners.count > 0) {
		const unsigned i = listeners.count > 1 ? wait_for_any() : 0;
		const int fd = accept4(listeners.fds[i], NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			return fd;
		/* Another child was faster. With one socket, another process has set O_NONBLOCK. */
		if (errno == EAGAIN)
			wait_for_any();
		else if (errno != EINTR && errno != ECONNABORTED && listeners.count > 0)
			ppoll(NULL, 0, &pause, NULL);
	}
	return -1;
}

/* Passes a connection to the supervisor, which starts a process for it. */
static bool hand_off(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof fd)];
	} control = {.bytes = {0}};
	struct iovec one = {.iov_base = "", .iov_len = 1};
	struct msghdr message = {.msg_iov = &one,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	return sendmsg(socket, &message, MSG_NOSIGNAL) >= 0;
}

/* Closes what only the zygote needs, and gives up the system calls that only the zygote needs.
 * Returns false if the zygote has ended. */
static bool leave_zygote(struct zygote *z)
{
	prctl(PR_SET_PDEATHSIG, (unsigned long)SIGTERM);
	if (getppid() != z->pid)
		return false;
	close(z->control);
	close(z->accepted[0]);
	close(z->signals);
	if (z->oom >= 0)
		close(z->oom);
	if (z->watch.fd >= 0)
		close(z->watch.fd);
	log_reopen(&z->log); /* a child that is taken over cannot disconnect that of others */
	close(STDIN_FILENO); /* accept4(2) then returns this number */
	if (!z->has_checkpassword)
		title_role(TITLE_READY);
	if (z->is_outside_sandbox)
		return true;
	const struct refusal refusal = confine_leave_zygote(&z->settings.config);
	if (!z->refusal.reason)
		z->refusal = refusal;
	return true;
}

/* Returns true if the supervisor serves the connection. Otherwise it is refused, rather than served
 * by files that have changed. */
static bool leave_to_supervisor(struct zygote *z, int fd)
{
	if (hand_off(z->handoff, fd))
		return true;
	if (!z->refusal.reason)
		z->refusal = (struct refusal){.error = errno,
			.reason = "the connection needs a new process, and the supervisor cannot "
				  "take it"};
	return false;
}

/* Returns a connection to serve, or -1 if there is none. Then sets *ret_status if the exit status
 * is not EXIT_OVER. */
static int wait_for_connection(struct zygote *z, int *ret_status)
{
	const pid_t own = getpid();

	change_mask(SIG_UNBLOCK);
	const int fd = accept_one();
	if (fd < 0)
		return -1;
	prctl(PR_SET_PDEATHSIG, 0UL); /* it lives on alone */
	/* Before the first byte of the client, for stdsocksctl: it tells connections from ready
	 * processes by the group, which the sandbox allows no process to join again. */
	setpgid(0, 0);
	change_mask(SIG_BLOCK);
	/* If the pipe is full, the zygote learns it when the process ends. */
	if (write(z->accepted[1], &own, sizeof own) < 0)
		errno = 0;
	close(z->accepted[1]);
	stop_accepting(0);
	const bool has_changed = prefork_watch_has_changed(&z->watch);
	if ((has_changed || z->passes_all) && leave_to_supervisor(z, fd)) {
		if (has_changed)
			*ret_status = PREFORK_EXIT_CHANGED;
		return -1;
	}
	close(z->handoff);
	return fd;
}

int prefork_child_run(struct zygote *z)
{
	listeners = z->listeners;
	if (!leave_zygote(z)) {
		/* Before handoff: when all copies of that are closed, the supervisor assumes that
		 * no child has the listening sockets. */
		stop_accepting(0);
		return EXIT_OVER;
	}
	int status = EXIT_OVER;
	const int fd = wait_for_connection(z, &status);
	if (fd < 0)
		return status;

	const int64_t start_us = clock_now_us();
	struct login login = {.settings = &z->settings};
	const struct client client = client_on(fd, fd);
	struct session_input input = {.settings = &z->settings,
		.refusal = z->refusal,
		.login = &login,
		.client = &client,
		.start_us = start_us,
		.stranger_status = PREFORK_EXIT_STRANGER,
		.trace = z->options->trace && z->log.stderr_is_ours};

	startup_prepare(&input, &z->log);
	if (z->is_outside_sandbox) {
		prefork_child_limit_memory(); /* only now: a checkpassword program has no limit */
		startup_enter_sandbox(&input);
	}
	return connection_run(&input, &z->log, z->options->trace);
}
