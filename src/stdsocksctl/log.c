/* SPDX-License-Identifier: ISC */
/* stdsocksctl log: records, one a line.
 * Knows: the columns, and how to wait for more. Does not know: where records come from. */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/records.h"
#include "stdsocksctl/screen.h"
#include "stdsocksctl/when.h"
#include "text/amount.h"

enum { FOLLOW_LAST = 10, COUNT_MAX = 1000000000 };

struct log_options {
	struct records_options records;
	bool follow, has_count;
	uint64_t count; /* with has_count, how many of the last ones */
};

static const struct argp_option list[] = {
	{"follow", 'f', NULL, 0, "Go on with records as they are made; begins with the last 10", 0},
	{"lines", 'n', "N", 0, "Only the last N", 0}, {0}};

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
			argp_error(state, "-n \"%s\" is no number", arg);
		o->has_count = true;
		return 0;
	case ARGP_KEY_END:
		if (o->follow && o->records.until_us != INT64_MAX)
			argp_error(state, "--follow has no end: not with --until");
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
	.doc = "Records of connections that have ended, one a line, the oldest first: time, "
	       "client, user, "
	       "destination, reply, end, bytes up, bytes down, seconds, rule." OPTIONS_FILTER_DOC,
	.children = records_children};

/* A text as one column: without blanks, "-" where there is none. */
static void put_column(struct writer *w, const char *text, size_t width)
{
	size_t start = w->len;

	for (; *text; text++) {
		if (*text == ' ')
			writer_str(w, "\\x20");
		else
			writer_u8(w, (uint8_t)*text);
	}
	if (w->len == start)
		writer_u8(w, '-');
	while (w->len - start < width)
		writer_u8(w, ' ');
	writer_u8(w, ' ');
}

static void put_dst(struct writer *w, const struct entry *e, size_t width)
{
	char text[ENTRY_TEXT_MAX + 32];
	int64_t port;
	const char *dst = entry_destination(e, &port);
	bool ipv6 = strchr(dst, ':') != NULL;

	if (dst[0] && port >= 0)
		snprintf(text, sizeof text, ipv6 ? "[%s]:%lld" : "%s:%lld", dst, (long long)port);
	else
		snprintf(text, sizeof text, "%s", dst);
	put_column(w, text, width);
}

/* A number at the right of its column; "-" where there is none. */
static void put_right(struct writer *w, const struct writer *number, size_t width)
{
	for (size_t len = number->len ? number->len : 1; len < width; len++)
		writer_u8(w, ' ');
	writer_bytes(w, number->len ? number->bytes : "-", number->len ? number->len : 1);
	writer_u8(w, ' ');
}

static void put_bytes(struct writer *w, int64_t bytes)
{
	char text[32];
	struct writer number = writer_on(text, sizeof text);

	if (bytes >= 0)
		amount_put_bytes(&number, (uint64_t)bytes);
	put_right(w, &number, 6);
}

static void put_seconds(struct writer *w, int64_t us)
{
	char text[32];
	struct writer number = writer_on(text, sizeof text);

	if (us >= 0) {
		writer_decimal(&number, (uint64_t)us / 1000000, 1);
		writer_u8(&number, '.');
		writer_decimal(&number, (uint64_t)us / 1000 % 1000, 3);
	}
	put_right(w, &number, 9);
}

static void print_line(const struct entry *e)
{
	static char line[8 * (ENTRY_TEXT_MAX + 1) * 4];
	struct writer w = writer_on(line, sizeof line);
	char time[WHEN_TEXT_MAX], reply[24] = "";

	when_local(e->time_us, time);
	if (e->reply >= 0)
		snprintf(reply, sizeof reply, "%lld", (long long)e->reply);
	put_column(&w, time, 19);
	put_column(&w, e->client, 15);
	put_column(&w, e->user, 8);
	put_dst(&w, e, 28);
	put_column(&w, reply, 5);
	put_column(&w, e->end, 12);
	put_bytes(&w, e->up);
	put_bytes(&w, e->down);
	put_seconds(&w, e->total_us);
	writer_str(&w, e->rule[0] ? e->rule : "-"); /* the last one may have blanks */
	writer_u8(&w, '\n');
	fwrite(line, 1, w.len, stdout);
}

static void print_titles(void)
{
	const bool bold = screen_is_one(STDOUT_FILENO);
	fputs(bold ? "\033[1m" : "", stdout);
	printf("%-19s %-15s %-8s %-28s %-5s %-12s %6s %6s %9s %s%s\n", "TIME", "CLIENT", "USER",
		"DESTINATION", "REPLY", "END", "UP", "DOWN", "SECONDS", "RULE",
		bold ? "\033[0m" : "");
}

static int print_json(const struct entry *e)
{
	char time[WHEN_TEXT_MAX];
	json_t *object = json_object();
	int failed = 0;

	when_utc(e->time_us, time);
	failed |= json_object_set_new(object, "time", json_string(time));
	for (size_t i = 0; i < entry_fields_count; i++) {
		const struct entry_field *f = &entry_fields[i];
		if (f->is_text && entry_text_of(e, f)[0])
			failed |= json_object_set_new(
				object, f->word, json_string(entry_text_of(e, f)));
		if (!f->is_text && entry_number_of(e, f) != ENTRY_NONE)
			failed |= json_object_set_new(
				object, f->word, json_integer(entry_number_of(e, f)));
	}
	if (!failed && json_dumpf(object, stdout, JSON_COMPACT) == 0)
		putchar('\n');
	json_decref(object);
	return failed ? -ENOMEM : 0;
}

/* Waits until the journal has changed: 1; 0 when nobody reads us any more; -errno. */
static int wait_for_more(sd_journal *journal)
{
	uint64_t until_us;
	struct pollfd fds[2] = {{.fd = sd_journal_get_fd(journal), .events = POLLIN},
		{.fd = STDOUT_FILENO, .events = 0}};
	int timeout_ms = -1, events = sd_journal_get_events(journal);

	if (fds[0].fd < 0 || events < 0)
		return fds[0].fd < 0 ? fds[0].fd : events;
	fds[0].events = (short)events;
	/* Where inotify tells nothing, as on a network's file system, it wants to be asked in time. */
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
				return 0; /* main says so */
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
	r.shows_progress = isatty(STDERR_FILENO) && !o.follow;
	r.shares_terminal = isatty(STDOUT_FILENO);
	if (o.has_count)
		error = records_last(&r, o.count, &e);
	if (!o.records.common.json && isatty(STDOUT_FILENO))
		print_titles();
	fflush(stdout);
	if (error >= 0)
		error = print_all(&r, &o, &e);
	records_close(&r);
	if (error < 0) {
		fprintf(stderr, "stdsocksctl: the journal: %s\n", strerror(-error));
		return EX_OSERR;
	}
	return EX_OK;
}

const struct command log_command = {"log", "records of connections that have ended", run};
