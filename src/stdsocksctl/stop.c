/* SPDX-License-Identifier: ISC */
/* The command "stop": ends the processes of open connections, and shows which. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/list.h"
#include "stdsocksctl/memory.h"
#include "stdsocksctl/when.h"

/* A handler waits at most 10 s for a busy journal when it ends. */
enum { TERM_US = 15000000, KILL_US = 5000000 };

enum { KEY_ALL = 0x3000, KEY_DRY_RUN };

struct stop {
	struct list_options list;
	bool all, dry_run;
	char **units; /* named instead of a filter */
	size_t unit_count;
};

static const char service[] = ".service";

static bool is_service(const char *word)
{
	size_t len = strlen(word), end_len = sizeof service - 1;

	return len > end_len && strcmp(word + len - end_len, service) == 0;
}

/* No clause contains an "@". */
static bool is_unit(const char *word)
{
	return is_service(word) || (strchr(word, '@') && !word[strcspn(word, " \t\"")]);
}

/* The suffix ".service" may be missing, as in systemctl(1). */
static bool is_unit_of(const struct live_connection *c, const char *word)
{
	const size_t len = strlen(word);

	return strncmp(c->unit, word, len) == 0 &&
		(!c->unit[len] || strcmp(c->unit + len, service) == 0);
}

static error_t parse_word(struct stop *stop, char *word, struct argp_state *state)
{
	const struct filter *f = &stop->list.common.filter;
	bool is_named_unit = !filter_wants_value(f) && is_unit(word);

	if (is_named_unit ? f->words > 0 : stop->unit_count > 0)
		argp_error(state, "units and a filter given; use either");
	if (!is_named_unit)
		return ARGP_ERR_UNKNOWN; /* options_children adds it to the filter */
	stop->units = memory_or_exit(
		reallocarray(stop->units, stop->unit_count + 1, sizeof stop->units[0]));
	stop->units[stop->unit_count++] = word;
	return 0;
}

static void check_selection(const struct stop *stop, struct argp_state *state)
{
	bool has_clause = stop->list.common.filter.words > 0;

	if (stop->all && has_clause)
		argp_error(state, "--all and a filter given; use either");
	if (stop->all && stop->unit_count > 0)
		argp_error(state, "--all and units given; use either");
	if (!stop->all && !has_clause && stop->unit_count == 0)
		argp_error(state, "no connection selected; add a filter, units, or --all");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct stop *stop = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &stop->list;
		return 0;
	case KEY_ALL:
		stop->all = true;
		return 0;
	case KEY_DRY_RUN:
		stop->dry_run = true;
		return 0;
	case ARGP_KEY_ARG:
		return parse_word(stop, arg, state);
	case ARGP_KEY_END:
		check_selection(stop, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool is_named(const struct live_connection *c, const void *input)
{
	const struct stop *stop = input;

	for (size_t i = 0; i < stop->unit_count; i++)
		if (is_unit_of(c, stop->units[i]))
			return true;
	return stop->unit_count == 0;
}

/* Prints which named units are not open connections. Returns EX_NOTHING if there are any. */
static int find_named(const struct stop *stop, const struct live *live)
{
	int status = EX_OK;

	for (size_t i = 0, at; i < stop->unit_count; i++) {
		for (at = 0; at < live->count; at++)
			if (is_unit_of(&live->connections[at], stop->units[i]))
				break;
		if (at < live->count)
			continue;
		fprintf(stderr, "stdsocksctl: %s: not an open connection\n", stop->units[i]);
		status = EX_NOTHING;
	}
	return status;
}

static bool is_stopped(const struct live_connection *c, const void *input)
{
	(void)input;
	return c->stop == LIVE_STOPPED;
}

/* Opens a pidfd. Returns it, or -errno. If the process has ended, returns -ESRCH, even if another
 * process has its PID now: that process has another start, or is not in the cgroup. */
static int open_process(const struct live_connection *c)
{
	struct process now;
	int pidfd = (int)syscall(SYS_pidfd_open, c->process.pid, 0);

	if (pidfd < 0)
		return -errno;
	if (process_read(c->process.pid, &now) && now.start_us == c->process.start_us &&
		process_is_in(c->process.pid, c->unit))
		return pidfd;
	close(pidfd);
	return -ESRCH;
}

/* Returns EX_OK, or prints an error and returns its exit status. It is not an error if the process
 * has ended already. */
static int send_signal(struct live_connection *c, int signal)
{
	int pidfd = open_process(c), error = pidfd < 0 ? -pidfd : 0;

	if (pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) != 0)
		error = errno;
	else if (pidfd >= 0) /* a process that SIGSTOP has stopped handles no SIGTERM */
		syscall(SYS_pidfd_send_signal, pidfd, SIGCONT, NULL, 0);
	if (pidfd >= 0)
		close(pidfd);
	if (error == 0)
		c->stop = LIVE_STOPPING;
	if (error == 0 || error == ESRCH)
		return EX_OK;
	fprintf(stderr, "stdsocksctl: cannot stop process %d of %s: %s\n", (int)c->process.pid,
		c->unit, strerror(error));
	return error == EPERM ? EX_NOPERM : EX_OSERR;
}

/* Waits until the process has ended. Returns false if it is still running at the deadline. */
static bool wait_for_end(struct live_connection *c, int64_t deadline_us)
{
	const int64_t left_ms = (deadline_us - when_clock_us(CLOCK_MONOTONIC) + 999) / 1000;
	struct pollfd pidfd = {.fd = open_process(c), .events = POLLIN};
	bool ended = pidfd.fd == -ESRCH;

	if (pidfd.fd >= 0) {
		ended = poll(&pidfd, 1, left_ms > 0 ? (int)left_ms : 0) > 0;
		close(pidfd.fd);
	}
	if (ended)
		c->stop = LIVE_STOPPED;
	return ended;
}

/* Waits until SIGTERM has ended the process; after the deadline, sends SIGKILL. Returns EX_OK, or
 * prints an error and returns its exit status. */
static int end(struct live_connection *c, int64_t deadline_us)
{
	if (wait_for_end(c, deadline_us))
		return EX_OK;
	fprintf(stderr, "stdsocksctl: process %d of %s did not end within %d s; sending SIGKILL\n",
		(int)c->process.pid, c->unit, TERM_US / 1000000);
	int status = send_signal(c, SIGKILL);
	if (status != EX_OK || wait_for_end(c, when_clock_us(CLOCK_MONOTONIC) + KILL_US))
		return status;
	fprintf(stderr, "stdsocksctl: process %d of %s did not end after SIGKILL\n",
		(int)c->process.pid, c->unit);
	return EX_OSERR;
}

/* Stops the connections, and waits until their processes have ended. Removes the connections that
 * have not been stopped from *live. Returns the exit status. */
static int stop_all(struct live *live)
{
	const int64_t deadline_us = when_clock_us(CLOCK_MONOTONIC) + TERM_US;
	int status = EX_OK, failed;

	for (size_t i = 0; i < live->count && status != EX_NOPERM; i++)
		if ((failed = send_signal(&live->connections[i], SIGTERM)))
			status = failed;
	for (size_t i = 0; i < live->count; i++)
		if (live->connections[i].stop == LIVE_STOPPING &&
			(failed = end(&live->connections[i], deadline_us)))
			status = failed;
	live_keep(live, is_stopped, NULL);
	return status;
}

static int act(const struct stop *stop)
{
	struct live live;
	int status = EX_OK, r = list_gather(&stop->list, &live);

	if (r < 0)
		return live_print_error(r);
	live_keep(&live, is_named, stop);
	int missing = find_named(stop, &live);
	if (!stop->dry_run)
		status = stop_all(&live);
	if (live.count > 0)
		list_print(&stop->list, &live, stdout);
	else if (status == EX_OK && !missing)
		fputs("stdsocksctl: no open connection matches\n", stderr);
	if (status == EX_OK)
		status = live.count == 0 ? EX_NOTHING : missing;
	live_free(&live);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"all", KEY_ALL, NULL, 0, "Stop all open connections", 0},
		{"dry-run", KEY_DRY_RUN, NULL, 0, "Show which connections would be stopped", 0},
		{0}};
	static const struct argp argp = {.options = options,
		.parser = parse,
		.args_doc = "FILTER\nUNIT...\n--all",
		.doc = "Stops open connections, and shows them as they were." OPTIONS_FILTER_DOC,
		.children = list_children};
	struct stop stop = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &stop);
	if (stop.unit_count > 0 && !stop.list.pattern)
		stop.list.pattern = "*"; /* named units need not be those of stdsocks */
	int status = act(&stop);
	free(stop.units);
	return status;
}

const struct command stop_command = {"stop", "stop open connections", run};
