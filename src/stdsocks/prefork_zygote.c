/* SPDX-License-Identifier: ISC */
/* The zygote: reads the configuration, enters the sandbox and forks the children. */
#include "stdsocks/prefork_zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/wait.h"
#include "record/title.h"
#include "sandbox/dumps.h"
#include "sandbox/syscalls.h"
#include "stdsocks/confine.h"
#include "stdsocks/output.h"
#include "stdsocks/prefork_log.h"
#include "stdsocks/prefork_notify.h"
#include "stdsocks/slots.h"
#include "stdsocks/startup.h"
#include "wire/large.h"

/* oom_score_adj of a child: if memory is short, the kernel ends connections before it ends the
 * supervisor and the zygote. */
#define OOM_OF_CHILD "500"
#define OOM_FILE     "/proc/self/oom_score_adj"

#define TICK_US INT64_C(1000000)

/* The minimum time between two reports that a process cannot be started. At the limit of processes,
 * every end of a connection lets one start, and the next one fails. */
#define FAILURE_US INT64_C(60000000)

/* -- The start. */

/* Returns a copy of the path, because the process title overwrites the arguments. */
static const char *config_path(const struct options *o)
{
	static char path[PATH_MAX] LARGE;
	struct writer w = writer_on(path, sizeof path - 1);

	writer_str(&w, o->file ? o->file : SETTINGS_DEFAULT_FILE);
	return path;
}

/* The files of /proc/self belong to root while dumps are disabled. If this process is not root, it
 * enables them for a moment, before it reads passwords. */
static int open_oom(void)
{
	int fd = open(OOM_FILE, O_RDWR | O_CLOEXEC);

	if (fd >= 0 || errno != EACCES)
		return fd;
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	fd = open(OOM_FILE, O_RDWR | O_CLOEXEC);
	dumps_disable();
	return fd;
}

static void write_oom(int fd, const char *value)
{
	/* After an error, the kernel treats all processes alike. */
	if (fd >= 0 && write(fd, value, strlen(value)) < 0)
		errno = 0;
}

void prefork_zygote_raise_oom(void)
{
	const int fd = open_oom();

	write_oom(fd, OOM_OF_CHILD);
	if (fd >= 0)
		close(fd);
}

static void read_settings(struct zygote *z)
{
	static const struct timespec recent = {.tv_nsec = PREFORK_WATCH_RECENT_US * 1000L};
	struct writer errors = output_error_writer();

	z->watch.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	prefork_watch_add(&z->watch, config_path(z->options));
	prefork_watch_add(&z->watch, NAME_FILES_HOSTS);
	prefork_watch_add(&z->watch, NAME_FILES_RESOLV_CONF);
	if (prefork_watch_is_recent(&z->watch))
		ppoll(NULL, 0, &recent, NULL);
	if (!settings_read(z->options, &z->settings, &errors)) {
		output_errors(&errors);
		z->refusal.reason = SETTINGS_REFUSAL;
		z->refusal.exit_status = EXIT_CONFIG;
	}
	const struct settings *s = &z->settings;
	if (s->users_path && s->users_status.st_ino != 0)
		prefork_watch_add_read(&z->watch, s->users_path, &s->users_status);
	else if (s->users_path) /* it could not be opened */
		prefork_watch_add(&z->watch, s->users_path);
}

static void move_up(int *fd)
{
	const int above = *fd > SYSCALLS_HANDOFF_FD
		? -1
		: fcntl(*fd, F_DUPFD_CLOEXEC, SYSCALLS_HANDOFF_FD + 1);

	if (above < 0)
		return;
	close(*fd);
	*fd = above;
}

/* Gives the socket for connections its number of enum syscalls_fd, and keeps that of the log. */
static void arrange_descriptors(struct zygote *z)
{
	for (unsigned i = 0; i < z->listeners.count; i++)
		move_up(&z->listeners.fds[i]);
	slots_move_shared(SYSCALLS_HANDOFF_FD + 1);
	move_up(&z->control);
	move_up(&z->handoff);
	dup3(STDIN_FILENO, SYSCALLS_LOG_FD, O_CLOEXEC);
	if (dup3(z->handoff, SYSCALLS_HANDOFF_FD, O_CLOEXEC) < 0)
		return;
	close(z->handoff);
	z->handoff = SYSCALLS_HANDOFF_FD;
}

/* A log daemon that starts later, or was restarted, has another socket. */
static void open_log(struct zygote *z)
{
	prefork_watch_add_socket(&z->watch, LOG_JOURNAL);
	close(SYSCALLS_LOG_FD);
	z->log = log_open(z->options->trace);
	z->log.stderr_is_ours =
		true; /* it is not a client's, but may be /dev/null like the others */
	if (z->log.kind != LOG_TO_JOURNAL)
		prefork_watch_add_socket(&z->watch, LOG_SYSLOG);
}

/* Opens what the sandbox does not allow to open later. Returns false if the zygote cannot work. */
static bool open_descriptors(struct zygote *z)
{
	sigset_t child;

	open_log(z);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	z->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	startup_map_memory(&z->settings.config, &z->refusal);
	name_files_open();
	return z->signals >= 0 && pipe2(z->accepted, O_CLOEXEC | O_NONBLOCK) == 0;
}

static void enter_sandbox(struct zygote *z)
{
	const struct config *c = &z->settings.config;

	z->has_checkpassword =
		c->auth & CONFIG_AUTH_PASSWORD && c->passwords == CONFIG_CHECKPASSWORD;
	z->is_outside_sandbox = z->has_checkpassword || z->listeners.has_unix;
	if (z->is_outside_sandbox)
		return;
	prefork_child_limit_memory();
	const struct refusal refusal =
		confine_enter(c, session_stages(c) | SYSCALLS_ACCEPT | SYSCALLS_ZYGOTE, 0);
	if (!z->refusal.reason)
		z->refusal = refusal;
}

/* Returns EXIT_OVER if the zygote can go on, or the exit status. */
static int start(struct zygote *z)
{
	int error;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != z->supervisor) /* it has ended before */
		return EXIT_SYSTEM;
	z->pid = getpid();
	arrange_descriptors(z);
	prefork_notify_forget();
	z->oom = open_oom();
	if (z->oom >= 0 && read(z->oom, z->own_oom, sizeof z->own_oom - 1) <= 0)
		memcpy(z->own_oom, "0", sizeof "0");
	read_settings(z);
	/* A file has changed since it was read, or will not seem to have changed if it does so now.
	 * The next user of this process may not see the passwords file. */
	if (prefork_watch_has_changed(&z->watch) || prefork_watch_is_recent(&z->watch)) {
		z->passes_all = true;
		z->renew_us = clock_after(clock_now_us(), PREFORK_WATCH_RECENT_US);
	}
	const struct refusal root = confine_leave_root(&z->settings.config);
	if (!z->refusal.reason)
		z->refusal = root;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of user resets it */
	if (!open_descriptors(z)) {
		prefork_log(&z->log, "cannot start the zygote: ", strerror(errno),
			"; raise LimitNOFILE= if it is too low");
		return EXIT_SYSTEM;
	}
	z->passes_all |= prefork_watch_remove_hidden(&z->watch);
	z->passes_all |= name_files_unreadable(&error) != NULL;
	z->passes_all |= z->refusal.reason != NULL;
	/* This reason is not examined again: without the default limit of this mode, the supervisor
	 * would serve the client. */
	if (!z->refusal.reason)
		z->refusal = slots_open_for_prefork(&z->settings.config);
	wait_prepare();
	prefork_child_catch_signals();
	enter_sandbox(z);
	if (!z->has_checkpassword)
		title_role(TITLE_ZYGOTE);
	z->pool = prefork_pool_of(&z->settings.config, z->pool.orphans);
	z->report.idle_us = z->settings.config.prefork_idle_us;
	return EXIT_OVER;
}

/* -- Children. */

/* A child inherits the value of the time when it is forked. */
static void set_oom_of_children(const struct zygote *z, const char *value)
{
	write_oom(z->oom, value);
}

/* Forks without the C library, whose fork(2) makes further system calls. Does not return in the
 * child. Returns the PID or -errno. */
static pid_t fork_child(struct zygote *z)
{
	const long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);

	if (pid == 0)
		_exit(prefork_child_run(z));
	return pid < 0 ? -errno : (pid_t)pid;
}

/* Reports a failure, at most once in FAILURE_US, and doubles the pause. */
static void fork_failed(struct zygote *z, int error)
{
	const int64_t now_us = clock_now_us();

	if (now_us >= z->failure_us) {
		z->failure_us = clock_after(now_us, FAILURE_US);
		prefork_log(&z->log, "cannot start a process, with ",
			prefork_log_number(z->pool.ready + z->pool.serving),
			error == EAGAIN
				? " running; raise TasksMax= or ulimit -u, or lower \"prefork "
				  "connections\""
				: " running; the host lacks memory");
	}
	z->pause_us = prefork_next_pause(z->pause_us);
	z->retry_us = clock_after(now_us, z->pause_us);
}

static void fork_missing(struct zygote *z)
{
	unsigned missing = prefork_pool_missing(&z->pool);

	if (missing == 0 || (z->retry_us && clock_now_us() < z->retry_us))
		return;
	set_oom_of_children(z, OOM_OF_CHILD);
	for (z->retry_us = 0; missing > 0 && z->retry_us == 0; missing--) {
		const pid_t pid = fork_child(z);
		if (pid < 0) {
			fork_failed(z, -pid);
		} else {
			z->pause_us = 0;
			prefork_pool_add(&z->pool, pid);
		}
	}
	set_oom_of_children(z, z->own_oom);
}

/* The oldest one ends, unless it has just accepted a connection. */
static void end_surplus(struct zygote *z)
{
	for (pid_t pid; (pid = prefork_pool_take_surplus(&z->pool)) > 0;)
		kill(pid, PREFORK_SURPLUS);
}

static void read_accepted(struct zygote *z)
{
	pid_t pids[256];
	ssize_t n;

	while ((n = read(z->accepted[0], pids, sizeof pids)) > 0)
		for (size_t i = 0; i < (size_t)n / sizeof pids[0]; i++)
			z->report.accepted += prefork_pool_accepted(&z->pool, pids[i]);
}

/* Returns false if a child has found a change of the files: not every one makes an event. */
static bool reap(struct zygote *z)
{
	struct signalfd_siginfo info;
	bool changed = false;
	int status;
	pid_t pid;

	while (read(z->signals, &info, sizeof info) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		const bool was_ready = prefork_pool_ended(&z->pool, pid);
		if (WIFSIGNALED(status))
			prefork_log(&z->log, "a process was ended by signal ",
				prefork_log_number((unsigned)WTERMSIG(status)),
				was_ready ? "; it served no connection"
					  : "; the connection that it served is lost");
		else if (WEXITSTATUS(status) == PREFORK_EXIT_CHANGED)
			changed = true;
		else if (WEXITSTATUS(status) == PREFORK_EXIT_STRANGER)
			z->report.strangers++;
		else if (WEXITSTATUS(status) != EXIT_OVER)
			prefork_log(&z->log, "a process has exited with status ",
				prefork_log_number((unsigned)WEXITSTATUS(status)),
				"; see its record");
	}
	return !changed || !prefork_watch_has_changed(&z->watch);
}

/* -- The supervisor. */

/* Reads the number of connections that are served outside of this zygote. Returns false if the
 * supervisor has ended. */
static bool read_control(struct zygote *z)
{
	unsigned orphans;
	ssize_t n;

	while ((n = recv(z->control, &orphans, sizeof orphans, MSG_DONTWAIT)) == sizeof orphans)
		z->pool.orphans = orphans;
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Sends the counts if they have changed. */
static void send_report(struct zygote *z)
{
	const int64_t now_us = clock_now_us();

	z->report.ready = z->pool.ready;
	z->report.serving = z->pool.serving;
	if (memcmp(&z->report, &z->reported, sizeof z->report) == 0 || now_us < z->report_us)
		return;
	/* Without room in the queue it is repeated at that time. */
	if (send(z->control, &z->report, sizeof z->report, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		z->reported = z->report;
	z->report_us = clock_after(now_us, clock_earlier(PREFORK_REPORT_US, z->report.idle_us / 4));
}

/* Returns the exit status after a change of the files. */
static int end_changed(struct zygote *z)
{
	z->report_us = 0;
	send_report(z);
	return PREFORK_EXIT_CHANGED;
}

/* -- The loop. */

/* Returns when the next turn is due if nothing happens. */
static int64_t until_us(const struct zygote *z)
{
	int64_t us = z->pool.target > z->pool.base ? z->tick_us : INT64_MAX;

	if (memcmp(&z->report, &z->reported, sizeof z->report) != 0)
		us = clock_earlier(us, z->report_us);
	if (z->renew_us)
		us = clock_earlier(us, z->renew_us);
	return z->retry_us ? clock_earlier(us, z->retry_us) : us;
}

static void tick(struct zygote *z)
{
	if (clock_now_us() < z->tick_us)
		return;
	prefork_pool_tick(&z->pool);
	z->tick_us = clock_after(clock_now_us(), TICK_US);
}

int prefork_zygote_run(struct zygote *z)
{
	enum { CONTROL, ACCEPTED, SIGNALS, WATCH, POLLED };

	const int status = start(z);
	if (status != EXIT_OVER)
		return status;
	for (;;) {
		if (z->renew_us && clock_now_us() >= z->renew_us)
			return end_changed(z);
		tick(z);
		end_surplus(z);
		fork_missing(z);
		send_report(z);
		struct pollfd fds[POLLED + WAIT_OWN_FDS] = {
			[CONTROL] = {.fd = z->control, .events = POLLIN},
			[ACCEPTED] = {.fd = z->accepted[0], .events = POLLIN},
			[SIGNALS] = {.fd = z->signals, .events = POLLIN},
			[WATCH] = {.fd = z->watch.fd, .events = POLLIN},
		};
		const int ready = wait_poll(fds, POLLED, until_us(z));
		if (ready == -ECANCELED)
			return EXIT_OVER;
		if (ready < 0)
			continue;
		if (fds[CONTROL].revents && !read_control(z))
			return EXIT_OVER;
		if (fds[WATCH].revents && prefork_watch_read(&z->watch))
			return end_changed(z);
		read_accepted(z); /* before reap(): a child may have ended since */
		if (fds[SIGNALS].revents && !reap(z))
			return end_changed(z);
	}
}
