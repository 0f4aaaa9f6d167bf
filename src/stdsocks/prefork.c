/* SPDX-License-Identifier: ISC */
/* The supervisor of prefork mode. It reads no byte of a client and no configuration. */
#include "stdsocks/prefork.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/wait.h"
#include "record/log.h"
#include "stdsocks/output.h"
#include "stdsocks/prefork_log.h"
#include "stdsocks/prefork_notify.h"
#include "stdsocks/prefork_strangers.h"
#include "stdsocks/prefork_zygote.h"
#include "stdsocks/slots.h"
#include "wire/large.h"

/* After a zygote has lived this long, the next pause begins at the minimum again. */
#define STABLE_US INT64_C(10000000)

/* At the end, how long the supervisor waits for the end of the processes that are ready. */
#define READY_END_US INT64_C(1000000)

struct supervisor {
	const struct options *options;
	char **argv;
	char path[PATH_MAX]; /* of this program, before it is replaced by another version */
	const struct prefork_listeners *listeners;
	int signals;    /* signalfd(2) */
	int handoff[2]; /* each child has handoff[1] open until it serves a connection */

	pid_t zygote; /* 0: it has ended */
	int control;  /* to the zygote; -1 without it */
	int64_t started_us;
	int64_t pause_us, restart_us; /* before the next zygote: the pause, and its end */
	struct prefork_report report;
	struct prefork_strangers strangers;
	unsigned orphans;      /* child processes other than the zygote */
	unsigned sent_orphans; /* that the zygote knows of */
	int64_t idle_since_us; /* INT64_MAX: there are connections, or no report yet */
	bool has_reported;     /* the zygote is ready, or an earlier one was */
	bool is_started;       /* this zygote has sent a report */
};

/* -- Messages. */

static void log_text(const char *text, const char *detail, const char *more)
{
	const struct log log = log_open(false);

	prefork_log(&log, text, detail, more);
	log_close(&log);
}

/* Logs how many connections have ended before a valid greeting, if any. */
static void report_strangers(struct supervisor *s)
{
	char bytes[128], id[] = "MESSAGE_ID=" PREFORK_STRANGERS_ID "\n";
	struct writer w = writer_on(bytes, sizeof bytes), fields = writer_on(id, sizeof id);

	if (s->strangers.count == 0)
		return;
	writer_str(&w, "connections that ended before a valid SOCKS greeting in the last minute: ");
	writer_decimal(&w, s->strangers.count, 1);
	fields.len = sizeof id - 1;
	struct log log = log_open(false);
	log.never_waits = true;
	log_write(&log, LOG_LEVEL_NOTICE, &w, &fields, false);
	log_close(&log);
	s->strangers.count = 0;
}

/* Sends a message to systemd that begins with state. */
static void notify_counts(const struct supervisor *s, const char *state)
{
	char bytes[128] = "";
	struct writer w = writer_on(bytes, sizeof bytes - 1);

	writer_str(&w, state);
	writer_str(&w, "STATUS=");
	writer_decimal(&w, s->report.serving + s->orphans, 1);
	writer_str(&w, " connections, ");
	writer_decimal(&w, s->report.ready, 1);
	writer_str(&w, " processes ready");
	prefork_notify(bytes);
}

/* RELOADING=1 needs the time (sd_notify(3)). */
static void notify_reloading(void)
{
	char bytes[64] = "";
	struct writer w = writer_on(bytes, sizeof bytes - 1);

	writer_str(&w, "RELOADING=1\nMONOTONIC_USEC=");
	writer_decimal(&w, (uint64_t)clock_now_us(), 1);
	prefork_notify(bytes);
}

/* -- The zygote. */

static _Noreturn void run_zygote(const struct supervisor *s, pid_t own, int control)
{
	static struct zygote zygote LARGE;

	close(s->signals);
	close(s->handoff[0]);
	zygote = (struct zygote){.options = s->options,
		.listeners = *s->listeners,
		.control = control,
		.handoff = s->handoff[1],
		.pool = {.orphans = s->orphans},
		.supervisor = own};
	_exit(prefork_zygote_run(&zygote));
}

int64_t prefork_next_pause(int64_t pause_us)
{
	return pause_us == 0 ? PREFORK_PAUSE_MIN_US
			     : clock_earlier(2 * pause_us, PREFORK_PAUSE_MAX_US);
}

/* Waits longer before each further attempt. */
static void postpone(struct supervisor *s)
{
	s->pause_us = prefork_next_pause(s->pause_us);
	s->restart_us = clock_after(clock_now_us(), s->pause_us);
}

/* Without room in the queue, it is repeated in a later turn: the zygote then has reports to send.
 */
static void send_orphans(struct supervisor *s)
{
	if (s->control < 0 || s->orphans == s->sent_orphans ||
		send(s->control, &s->orphans, sizeof s->orphans, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
	s->sent_orphans = s->orphans;
	if (s->has_reported)
		notify_counts(s, "");
}

static void start_zygote(struct supervisor *s)
{
	const pid_t own = getpid();
	int ends[2] = {-1, -1};

	s->started_us = clock_now_us();
	s->is_started = false;
	const bool has_ends = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0;
	const pid_t pid = has_ends ? fork() : -1;
	if (pid == 0) {
		close(ends[0]);
		run_zygote(s, own, ends[1]);
	}
	if (pid < 0 && s->pause_us == 0)
		log_text("cannot start the zygote: ", strerror(errno),
			"; trying again; raise TasksMax= or LimitNOFILE= if they are too low");
	if (has_ends)
		close(ends[1]);
	if (pid > 0) {
		s->zygote = pid;
		s->control = ends[0];
		s->sent_orphans = s->orphans; /* it has inherited them */
		return;
	}
	if (has_ends)
		close(ends[0]);
	postpone(s);
}

static void log_end_of_zygote(int status)
{
	if (WIFSIGNALED(status))
		log_text("the zygote was ended by signal ",
			prefork_log_number((unsigned)WTERMSIG(status)),
			"; starting another one; connections are not affected");
	else
		log_text("the zygote has exited with status ",
			prefork_log_number((unsigned)WEXITSTATUS(status)),
			"; starting another one; connections are not affected");
}

static void read_reports(struct supervisor *s)
{
	struct prefork_report report;
	bool has_read = false;

	while (s->control >= 0 &&
		recv(s->control, &report, sizeof report, MSG_DONTWAIT) == sizeof report) {
		if (report.accepted != s->report.accepted)
			s->idle_since_us = INT64_MAX;
		prefork_strangers_add(
			&s->strangers, report.strangers - s->report.strangers, clock_now_us());
		s->report = report;
		has_read = true;
	}
	if (!has_read)
		return; /* the zygote has ended: SIGCHLD follows */
	s->is_started = true;
	s->pause_us = 0;
	notify_counts(s, s->has_reported ? "" : "READY=1\n");
	s->has_reported = true;
}

static void zygote_has_ended(struct supervisor *s, int status)
{
	const bool has_changed = WIFEXITED(status) && WEXITSTATUS(status) == PREFORK_EXIT_CHANGED;

	read_reports(s);
	s->zygote = 0;
	close(s->control);
	s->control = -1;
	s->report = (struct prefork_report){.idle_us = s->report.idle_us};
	s->restart_us = clock_now_us();
	if (s->restart_us - s->started_us > STABLE_US)
		s->pause_us = 0;
	if (has_changed && s->is_started)
		return;
	if (!has_changed)
		log_end_of_zygote(status);
	postpone(s);
}

/* Ends the zygote and waits for its end. Its ready children end with it. */
static void end_zygote(struct supervisor *s)
{
	if (s->zygote == 0)
		return;
	kill(s->zygote, SIGKILL);
	close(s->control); /* ends it also if this process is root without CAP_KILL */
	while (waitpid(s->zygote, NULL, 0) < 0 && errno == EINTR)
		;
	s->zygote = 0;
	s->control = -1;
}

/* -- Processes that serve connections. */

/* Whether a child process may have a connection: it is then the leader of a process group. A
 * process that a checkpassword program has left behind may be a child process, too, but is in the
 * group of that program, or in a session of its own. */
static bool may_serve(pid_t pid)
{
	return getpgid(pid) == pid && getsid(pid) == getsid(0);
}

/* Counts the child processes other than the zygote. After the end of a zygote, its children are
 * children of this process. Without /proc there seem to be none. */
static unsigned count_orphans(const struct supervisor *s)
{
	static char text[65536] LARGE;
	const int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	unsigned count = 0;
	pid_t pid = 0;
	ssize_t n;

	if (fd < 0)
		return 0;
	while ((n = read(fd, text, sizeof text)) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] != ' ') { /* a blank follows each number */
				pid = 10 * pid + (text[i] - '0');
				continue;
			}
			count += pid != s->zygote && may_serve(pid);
			pid = 0;
		}
	close(fd);
	return count;
}

/* A process has ended that may have had a connection. */
static void end_of_process(struct supervisor *s, int status)
{
	if (WIFSIGNALED(status))
		log_text("a process was ended by signal ",
			prefork_log_number((unsigned)WTERMSIG(status)),
			"; the connection that it served is lost");
	else if (WEXITSTATUS(status) == PREFORK_EXIT_STRANGER)
		prefork_strangers_add(&s->strangers, 1, clock_now_us());
	else if (WEXITSTATUS(status) != EXIT_OVER && WEXITSTATUS(status) != PREFORK_EXIT_CHANGED)
		log_text("a process has exited with status ",
			prefork_log_number((unsigned)WEXITSTATUS(status)), "; see its record");
}

static void reap(struct supervisor *s)
{
	siginfo_t info = {.si_pid = 0};

	/* The process group of a process is known until it is removed. */
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0) {
		const pid_t pid = info.si_pid;
		const bool may_have_served = may_serve(pid);
		int status = 0;

		waitpid(pid, &status, 0);
		info.si_pid = 0;
		if (pid == s->zygote)
			zygote_has_ended(s, status);
		else if (may_have_served)
			end_of_process(s, status);
	}
	s->orphans = count_orphans(s);
}

/* Returns the descriptor in a message of a child, or -errno; -EPIPE if there will be no more. */
static int receive_connection(int socket)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	int fd = -EBADMSG;
	struct iovec one = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &one,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control};

	const ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(header), sizeof fd);
	return fd;
}

/* Executes this program for a connection, as a super-server would. */
static _Noreturn void run_handler(const struct supervisor *s, int fd)
{
	sigset_t none;

	setpgid(0, 0); /* as a child of the zygote that has accepted a connection */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prefork_notify_forget();
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	prefork_zygote_raise_oom();
	if (dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
		execv(s->path, s->argv);
	log_text("cannot execute this program for a connection: ", strerror(errno),
		"; the connection is lost");
	_exit(EXIT_SYSTEM);
}

/* Starts a process for a connection, and closes fd. */
static void serve_connection(const struct supervisor *s, int fd)
{
	const pid_t pid = fork();

	if (pid == 0)
		run_handler(s, fd);
	if (pid < 0)
		log_text("cannot start a process for a connection: ", strerror(errno),
			"; the connection is lost");
	close(fd);
}

/* Serves the connections of children that have found a change of the configuration. Returns false
 * if there will be no more. */
static bool serve_handed_off(struct supervisor *s)
{
	int fd;

	while ((fd = receive_connection(s->handoff[0])) >= 0 || fd == -EBADMSG) {
		if (fd >= 0)
			serve_connection(s, fd);
		else
			log_text("cannot take a connection from another process", "",
				"; raise LimitNOFILE= if it is too low; the connection is lost");
	}
	s->orphans = count_orphans(s);
	return fd != -EPIPE;
}

/* -- The supervisor. */

static void update_idle(struct supervisor *s)
{
	if (!s->has_reported || s->report.serving + s->orphans > 0)
		s->idle_since_us = INT64_MAX;
	else if (s->idle_since_us == INT64_MAX)
		s->idle_since_us = clock_now_us();
}

/* Returns when the supervisor ends because there was no connection. */
static int64_t idle_until_us(const struct supervisor *s)
{
	return s->idle_since_us == INT64_MAX ? INT64_MAX
					     : clock_after(s->idle_since_us, s->report.idle_us);
}

static bool open_handoff(struct supervisor *s)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->handoff) == 0;
}

/* Ends the zygote, and waits for the end of its ready children, at most READY_END_US. Then no other
 * process has a listening socket, and all connections that children have passed are served. */
static void stop_accepting(struct supervisor *s)
{
	const int64_t until_us = clock_after(clock_now_us(), READY_END_US);

	end_zygote(s);
	close(s->handoff[1]);
	while (wait_for(s->handoff[0], POLLIN, until_us) > 0 && serve_handed_off(s))
		;
}

/* Executes this program again, perhaps another version of it. Returns only after an error. */
static void execute_again(struct supervisor *s)
{
	notify_reloading();
	stop_accepting(s);
	report_strangers(s);
	setenv("LISTEN_PID", prefork_log_number((uint64_t)getpid()), 1);
	setenv("LISTEN_FDS", prefork_log_number(s->listeners->count), 1);
	for (unsigned i = 0; i < s->listeners->count; i++)
		fcntl(s->listeners->fds[i], F_SETFD, 0);
	slots_keep_shared(true);
	execv(s->path, s->argv);
	slots_keep_shared(false);
	log_text("cannot execute this program again: ", strerror(errno),
		"; continuing with the running one");
	for (unsigned i = 0; i < s->listeners->count; i++)
		fcntl(s->listeners->fds[i], F_SETFD, FD_CLOEXEC);
	close(s->handoff[0]);
	if (!open_handoff(s))
		s->handoff[0] = s->handoff[1] = -1; /* after a change, connections are refused */
	s->has_reported = false;                    /* systemd waits for READY=1 */
	s->restart_us = clock_now_us();
}

/* Reads the signals. Returns false if one of them ends the supervisor. */
static bool handle_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof info) == sizeof info)
		switch (info.ssi_signo) {
		case SIGTERM:
		case SIGINT:
		case SIGQUIT:
			return false;
		case SIGHUP:
			execute_again(s);
			break;
		default:
			break;
		}
	reap(s);
	return true;
}

/* One turn of the loop. Returns false at the end. */
static bool turn(struct supervisor *s)
{
	enum { SIGNALS, CONTROL, HANDOFF, POLLED };

	if (s->zygote == 0 && clock_now_us() >= s->restart_us)
		start_zygote(s);
	send_orphans(s);
	update_idle(s);
	int64_t until_us = idle_until_us(s);
	if (clock_now_us() >= until_us)
		return false;
	if (clock_now_us() >= prefork_strangers_due_us(&s->strangers))
		report_strangers(s);
	until_us = clock_earlier(until_us, prefork_strangers_due_us(&s->strangers));
	if (s->zygote == 0)
		until_us = clock_earlier(until_us, s->restart_us);
	struct pollfd fds[POLLED + WAIT_OWN_FDS] = {
		[SIGNALS] = {.fd = s->signals, .events = POLLIN},
		[CONTROL] = {.fd = s->control, .events = POLLIN},
		[HANDOFF] = {.fd = s->handoff[0], .events = POLLIN},
	};
	if (wait_poll(fds, POLLED, until_us) <= 0)
		return true;
	if (fds[CONTROL].revents)
		read_reports(s);
	if (fds[HANDOFF].revents)
		serve_handed_off(s);
	return !fds[SIGNALS].revents || handle_signals(s);
}

static bool prepare(struct supervisor *s)
{
	sigset_t signals;
	ssize_t len = readlink("/proc/self/exe", s->path, sizeof s->path - 1);

	if (len > 0)
		s->path[len] = '\0';
	else if (strlen(s->argv[0]) < sizeof s->path)
		memcpy(s->path, s->argv[0], strlen(s->argv[0]) + 1);
	wait_block_write_signals();
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGQUIT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	signal(SIGCHLD, SIG_DFL); /* if it is ignored, the ends of processes are not reported */
	wait_block_signals();
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	s->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals >= 0 && open_handoff(s);
}

int prefork_run(
	const struct options *options, char **argv, const struct prefork_listeners *listeners)
{
	static struct supervisor s LARGE;

	if (listeners->count > PREFORK_LISTENERS_MAX)
		return output_error("LISTEN_FDS has more than 16 sockets; use fewer ListenStream= "
				    "lines, or several services",
			EXIT_USAGE);
	if (listeners->count == 0)
		return output_error("cannot replace the standard descriptors; provide /dev/null, "
				    "and at least 32 descriptors (LimitNOFILE=)",
			EXIT_SYSTEM);
	s = (struct supervisor){.options = options,
		.argv = argv,
		.listeners = listeners,
		.control = -1,
		.idle_since_us = INT64_MAX};
	slots_create_shared(); /* the first descriptors behind the sockets */
	if (!prepare(&s)) {
		log_text("cannot start prefork mode: ", strerror(errno),
			"; raise LimitNOFILE= if it is too low");
		return EXIT_SYSTEM;
	}
	s.orphans = count_orphans(&s); /* after execute_again(), there may be some */
	while (turn(&s))
		;
	prefork_notify("STOPPING=1");
	stop_accepting(&s);
	report_strangers(&s);
	return EXIT_OVER;
}
