/* SPDX-License-Identifier: ISC */
/* The command "log": prints records, one per line. */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stdsocksctl/column.h"
#include "stdsocksctl/command.h"
#include "stdsocksctl/records.h"
#include "stdsocksctl/screen.h"
#include "stdsocksctl/when.h"
#include "text/amount.h"

enum { FOLLOW_LAST = 10, COUNT_MAX = 1000000000 };

struct log_options {
	struct records_options records;
	bool follow, has_count;
	uint64_t count; /* if has_count: print only so many of the last records */
};

static const struct argp_option list[] = {
	{"follow", 'f', NULL, 0, "Wait for new records; start with the last 10", 0},
	{"lines", 'n', "N", 0, "Only the last N records", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct log_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->records;
		return 0;
	case 'f':
		o->follow = true;
		return 0;
	case 'n':
		if (!words_number(arg, strlen(arg), COUNT_MAX, &o->count))
			argp_error(state, "invalid --lines \"%s\"; use a number", arg);
		o->has_count = true;
		return 0;
	case ARGP_KEY_END:
		if (o->follow && o->records.until_us != INT64_MAX)
			argp_error(state, "--follow and --until given; use either");
		if (o->follow && !o->has_count && o->records.since_us == INT64_MIN) {
			o->has_count = true;
			o->count = FOLLOW_LAST;
		}
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {.options = list,
	.parser = parse,
	.args_doc = "[FILTER]",
	.doc = "Prints the records of ended connections, one per line, the oldest first: time, "
	       "client, user, destination, reply, end, bytes up, bytes down, seconds, "
	       "rule." OPTIONS_FILTER_DOC,
	.children = records_children};

/* The last column may contain blanks. */
#define LINE "%-19s %-15s %-8s %-28s %-5s %-12s %6s %6s %9s %s"

/* A byte can become \x20, and quotes are added. */
enum { COLUMN_MAX = 4 * ENTRY_TEXT_MAX + 64 };

/* Ends the text of a column. An absent value is "-". */
static const char *complete(struct writer *w)
{
	w->bytes[w->len] = '\0';
	return w->len > 0 ? w->bytes : "-";
}

static const char *column(char buffer[COLUMN_MAX], const char *text)
{
	struct writer w = writer_on(buffer, COLUMN_MAX - 1);

	column_put(&w, text);
	return complete(&w);
}

static const char *user(char buffer[COLUMN_MAX], const struct entry *e)
{
	struct writer w = writer_on(buffer, COLUMN_MAX - 1);

	column_put_name(&w, e->user);
	return complete(&w);
}

static const char *destination(char buffer[COLUMN_MAX], const struct entry *e)
{
	struct writer w = writer_on(buffer, COLUMN_MAX - 1);
	int64_t port;
	const char *dst = entry_destination(e, &port);

	column_put_destination(&w, dst, port);
	return complete(&w);
}

static const char *bytes(char buffer[COLUMN_MAX], int64_t value)
{
	struct writer w = writer_on(buffer, COLUMN_MAX - 1);

	if (value < 0)
		return "-";
	amount_put_bytes(&w, (uint64_t)value);
	buffer[w.len] = '\0';
	return buffer;
}

static void print_line(const struct entry *e)
{
	static char client[COLUMN_MAX], name[COLUMN_MAX], dst[COLUMN_MAX], end[COLUMN_MAX];
	static char up[COLUMN_MAX], down[COLUMN_MAX];
	char time[WHEN_TEXT_MAX], reply[32] = "-", seconds[32] = "-";

	when_local(e->time_us, time);
	if (e->reply >= 0)
		snprintf(reply, sizeof reply, "%lld", (long long)e->reply);
	if (e->total_us >= 0)
		snprintf(seconds, sizeof seconds, "%lld.%03d", (long long)(e->total_us / 1000000),
			(int)(e->total_us / 1000 % 1000));
	printf(LINE "\n", time, column(client, e->client), user(name, e), destination(dst, e),
		reply, column(end, e->end), bytes(up, e->up), bytes(down, e->down), seconds,
		e->rule[0] ? e->rule : "-");
}

static void print_titles(void)
{
	const bool is_bold = screen_is_terminal(STDOUT_FILENO);

	printf("%s" LINE "%s\n", is_bold ? "\033[1m" : "", "TIME", "CLIENT", "USER", "DESTINATION",
		"REPLY", "END", "UP", "DOWN", "SECONDS", "RULE", is_bold ? "\033[0m" : "");
}

/* Returns 0 or -ENOMEM. */
static int print_json(const struct entry *e)
{
	char time[WHEN_TEXT_MAX];
	json_t *object = json_object();
	int failed = 0;

	when_utc(e->time_us, time);
	failed |= json_object_set_new(object, "time", json_string(time));
#define TEXT(name, word, member)                                                                   \
	failed |= e->member[0] && json_object_set_new(object, word, json_string(e->member));
#define NUMBER(name, word, member, max)                                                            \
	failed |= e->member != ENTRY_NONE &&                                                       \
		json_object_set_new(object, word, json_integer(e->member));
	ENTRY_FIELDS(TEXT, NUMBER)
#undef TEXT
#undef NUMBER
	if (!failed && json_dumpf(object, stdout, JSON_COMPACT) == 0)
		putchar('\n');
	json_decref(object);
	return failed ? -ENOMEM : 0;
}

/* Waits until the journal has changed. Returns 1, or 0 if the reader of standard output has closed
 * it, or -errno. */
static int wait_for_more(sd_journal *journal)
{
	uint64_t until_us;
	struct pollfd fds[2] = {{.fd = sd_journal_get_fd(journal), .events = POLLIN},
		{.fd = STDOUT_FILENO, .events = 0}};
	int timeout_ms = -1, events = sd_journal_get_events(journal);

	if (fds[0].fd < 0 || events < 0)
		return fds[0].fd < 0 ? fds[0].fd : events;
	fds[0].events = (short)events;
	/* On a file system without inotify, the journal has to be polled. */
	if (sd_journal_get_timeout(journal, &until_us) >= 0 && until_us != UINT64_MAX)
		timeout_ms = 1000;
	if (poll(fds, 2, timeout_ms) < 0 && errno != EINTR)
		return -errno;
	if (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL))
		return 0;
	int changed = sd_journal_process(journal);
	return changed < 0 ? changed : 1;
}

static int print_all(struct records *r, const struct log_options *o, struct entry *e)
{
	int more = 1, error;

	do {
		while ((error = records_next(r, e)) > 0) {
			if (!o->records.common.json)
				print_line(e);
			else if ((error = print_json(e)) < 0)
				return error;
			if (o->follow)
				fflush(stdout);
			if (ferror(stdout))
				return 0; /* main() prints the error */
		}
		if (error == 0 && o->follow)
			error = more = wait_for_more(r->journal);
	} while (o->follow && error >= 0 && more > 0);
	return error;
}

static int run(int argc, char **argv)
{
	static struct log_options o;
	static struct entry e;
	struct records r;
	int error = 0;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	int status = records_open(&o.records, &r);
	if (status != EX_OK)
		return status;
	r.shows_progress = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO) && !o.follow;
	if (o.has_count)
		error = records_last(&r, o.count, &e);
	if (!o.records.common.json && isatty(STDOUT_FILENO))
		print_titles();
	fflush(stdout);
	if (error >= 0)
		error = print_all(&r, &o, &e);
	records_close(&r);
	if (error < 0) {
		fprintf(stderr, "stdsocksctl: cannot read the journal: %s\n", strerror(-error));
		return EX_OSERR;
	}
	return EX_OK;
}

const struct command log_command = {"log", "print the records of ended connections", run};
