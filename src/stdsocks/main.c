/* SPDX-License-Identifier: ISC */
/* stdsocks: a SOCKS server on standard input and output, for one connection.
 * Knows: the order of things, and what is said when they go wrong before the session. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/wait.h"
#include "record/log.h"
#include "sandbox/dumps.h"
#include "sandbox/privileges.h"
#include "sandbox/sandbox.h"
#include "stdsocks/debug_explain.h"
#include "stdsocks/debug_hex.h"
#include "stdsocks/options.h"
#include "stdsocks/session.h"
#include "wire/large.h"

/* Bytes of mistakes that are told: more than any file has that was meant as one. */
#define PROBLEM_MAX ((size_t)1024 * 1024)
static const char and_more[] = "there are more mistakes; mend these first\n";

static int show(int fd, const char *text, size_t len, int status)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n <= 0)
			return EXIT_SYSTEM;
		text += n;
		len -= (size_t)n;
	}
	return status;
}

static void complain_to(const struct log *log, const struct writer *problem)
{
	const struct writer no_fields = writer_on(NULL, 0);
	const char *end = problem->bytes + problem->len;

	for (const char *line = problem->bytes; line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t len = newline ? (size_t)(newline - line) : (size_t)(end - line);
		struct writer one = {.bytes = (char *)line, .cap = len, .len = len};
		log_write(log, LOG_LEVEL_ERROR, &one, &no_fields, false);
		line += len + 1;
	}
	if (problem->full) {
		const struct writer more = {.bytes = (char *)and_more, .len = sizeof and_more - 2};
		log_write(log, LOG_LEVEL_ERROR, &more, &no_fields, false);
	}
}

/* Says each line of the problem where the operator will find it: on standard error, and in the log
 * where there is one and nobody sits at a terminal. */
static void complain(const struct writer *problem)
{
	wait_block_write_signals();
	struct log mistakes = log_open_for_errors();
	struct log log = log_open(false);

	complain_to(&mistakes, problem);
	if (mistakes.kind == LOG_TO_STDERR &&
		(log.kind == LOG_TO_JOURNAL || log.kind == LOG_TO_SYSLOG))
		complain_to(&log, problem);
}

static int complain_of(const char *what, int status)
{
	struct writer problem = {.bytes = (char *)what, .len = strlen(what)};
	complain(&problem);
	return status;
}

/* --check: all mistakes on standard error, or what this host gives on standard output. */
static int show_check(const struct settings *settings, const struct writer *problem, bool right)
{
	char found[256];
	struct writer w = writer_on(found, sizeof found);

	if (right) {
		sandbox_put_kernel(&w);
		writer_u8(&w, '\n');
		privileges_put_user(&w, settings->config.user);
		writer_u8(&w, '\n');
		return show(STDOUT_FILENO, w.bytes, w.len, EXIT_OVER);
	}
	show(STDERR_FILENO, problem->bytes, problem->len, EXIT_OVER);
	if (problem->full)
		show(STDERR_FILENO, and_more, strlen(and_more), EXIT_OVER);
	return EXIT_CONFIG;
}

/* Why nobody can be served on these descriptors, or NULL. */
static const char *not_a_client(enum client_kind kind)
{
	switch (kind) {
	case CLIENT_LISTENING:
		return "standard input is a listening socket; have it accepted first "
		       "(systemd: Accept=yes, xinetd: wait = no, inetd: nowait)";
	case CLIENT_DATAGRAM:
		return "standard input is no stream socket; SOCKS begins on TCP "
		       "(systemd: ListenStream=, inetd: stream tcp)";
	case CLIENT_CLOSED:
		return "standard input or output is closed; start it from a super-server "
		       "or with pipes";
	case CLIENT_TERMINAL:
	case CLIENT_GONE:
	case CLIENT_INET:
	case CLIENT_UNIX:
	case CLIENT_OTHER:
	case CLIENT_STDIO:
		break;
	}
	return NULL;
}

/* What is opened from now on must not become descriptor 0, 1 or 2. */
static void fill_standard_descriptors(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* Standard error is what the client reads: whatever may yet be said there, by a C library that
 * gives up for one, goes nowhere. 0, or -errno. */
static int silence_standard_error(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int error = dup2(fd, STDERR_FILENO) < 0 ? -errno : 0;
	close(fd);
	return error;
}

/* The connection, from who is there to its record. */
static int serve(struct session_input *input, const struct options *options, const struct log *log)
{
	struct record record;
	static char message_bytes[RECORD_MESSAGE_MAX] LARGE, fields_bytes[RECORD_FIELDS_MAX] LARGE;

	session_run(input, &record);

	struct writer message = writer_on(message_bytes, sizeof message_bytes);
	struct writer fields = writer_on(fields_bytes, sizeof fields_bytes);
	record_put_message(&message, &record);
	record_put_fields(&fields, &record);
	bool failed = record.end == RECORD_FAILED;
	log_write(log, failed ? LOG_LEVEL_ERROR : LOG_LEVEL_NOTICE, &message, &fields,
		options->trace);
	return failed ? EXIT_SYSTEM : EXIT_OVER;
}

static const char config_is_wrong[] = "the configuration is wrong; stdsocks --check tells where";
static const char no_null[] =
	"standard error is the client's connection, and there is no /dev/null to "
	"put in its place; StandardError=journal or 2>FILE would do";
static const char no_checker[] =
	"no process for the checkpassword program; a higher limit would do "
	"(TasksMax=, LimitNOFILE=, ulimit -u, ulimit -n)";

/* Nobody is served as root. Why nobody is served, or NULL. */
static const char *leave_root(const struct config *config)
{
	static char why[256];
	struct writer w = writer_on(why, sizeof why - 1);
	const bool marks = config->mark != 0 && config->commands != COMMAND_RESOLVE;
	const char *reason = privileges_leave_root(config->user, marks);

	if (!reason || config->sandbox_best_effort)
		return NULL;
	writer_str(&w, "started as root, and cannot become ");
	writer_escaped(&w, config->user, strlen(config->user));
	writer_str(&w, ": ");
	writer_str(&w, reason);
	writer_str(&w, "; \"user NAME\" takes another, \"sandbox best-effort\" stays root");
	return why;
}

/* What the session needs beside the client, as long as somebody is to be served. */
static void make_ready(struct session_input *input, const struct log *log)
{
	int error = log->stderr_is_ours ? 0 : silence_standard_error();
	if (error < 0 && !input->why_not) {
		input->why_not = no_null;
		input->error = -error;
	}
	if (input->why_not)
		return;
	error = login_prepare(
		input->login->settings, input->client, log->stderr_is_ours, input->login);
	if (error < 0) {
		input->why_not = no_checker;
		input->error = -error;
	}
}

/* From here on the process can do no more than the first stage lets it; or nobody is served. */
static void lock_in(struct session_input *input)
{
	static char why[256];
	struct writer w = writer_on(why, sizeof why - 1);
	const struct checker *checker = &input->login->checker;
	const char *part;
	int error = sandbox_start(session_stages(&input->settings->config),
		input->login->splits ? checker->pid : 0, &part);

	if (error == 0 || input->settings->config.sandbox_best_effort || input->why_not)
		return;
	login_over(input->login); /* nobody is asked for a password that lets nobody in */
	writer_str(&w, "no sandbox, for want of ");
	writer_str(&w, part);
	writer_str(&w, ": ");
	writer_str(&w, strerror(-error));
	writer_str(&w, "; \"sandbox best-effort\" serves without");
	input->why_not = why;
	input->error = -error;
}

/* Everything from the descriptors on. Settings that are wrong serve nobody, and say so. */
static int meet_client(const struct options *options, struct settings *settings,
	const char *why_not, int64_t start_us)
{
	bool right = why_not != config_is_wrong;
	struct login login = {.settings = settings};
	struct client client = client_on_stdio();
	struct session_input input = {.settings = settings,
		.why_not = why_not,
		.login = &login,
		.client = &client,
		.start_us = start_us,
		.two_replies = hexmode_two_replies()};

	if (client.kind == CLIENT_TERMINAL && right)
		return show(STDERR_FILENO, options_on_a_terminal, strlen(options_on_a_terminal),
			EXIT_USAGE);
	if (client.kind == CLIENT_TERMINAL)
		return EXIT_CONFIG;
	if (client.kind == CLIENT_CLOSED || fcntl(STDERR_FILENO, F_GETFD) < 0)
		fill_standard_descriptors();
	if (not_a_client(client.kind))
		return complain_of(not_a_client(client.kind), EXIT_USAGE);
	struct log log = log_open(options->trace || options->hex);
	input.trace = options->trace && log.stderr_is_ours;
	make_ready(&input, &log);
	struct status status = status_open();
	input.status = &status;
	wait_prepare();
	lock_in(&input);
	int exit_status = serve(&input, options, &log);
	return right ? exit_status : EXIT_CONFIG;
}

int main(int argc, char **argv)
{
	int64_t start_us = clock_now_us();
	static char problem_bytes[PROBLEM_MAX] LARGE;
	struct writer problem = writer_on(problem_bytes, sizeof problem_bytes);
	static struct options options;
	static struct settings settings;

	dumps_disable();
	if (!options_parse(argc, argv, &options, &problem)) {
		complain(&problem);
		return EXIT_USAGE;
	}
	if (options.mode == MODE_HELP)
		return show(STDOUT_FILENO, options_help, strlen(options_help), EXIT_OVER);
	if (options.mode == MODE_VERSION)
		return show(STDOUT_FILENO, "stdsocks " VERSION "\n", sizeof "stdsocks " VERSION,
			EXIT_OVER);

	bool right = settings_read(&options, &settings, &problem);
	if (options.mode == MODE_CHECK)
		return show_check(&settings, &problem, right);
	if (!right)
		complain(&problem);
	const char *why_not = leave_root(&settings.config);
	if (!right)
		why_not = config_is_wrong;
	if (options.mode == MODE_EXPLAIN)
		return right ? debug_explain(&settings.rules, options.question) : EXIT_CONFIG;

	sandbox_close_inherited(); /* not before: the configuration may be one of them */
	if (options.hex && !hexmode_enter())
		return complain_of(strerror(errno), EXIT_SYSTEM);
	int status = meet_client(&options, &settings, why_not, start_us);
	return options.hex ? hexmode_leave(status) : status;
}
