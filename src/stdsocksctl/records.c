/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/records.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/when.h"
#include "text/amount.h"

enum { KEY_SINCE = 0x2000, KEY_UNTIL, KEY_FILE, KEY_REPLY, KEY_END };

enum {
	PROGRESS_RECORDS = 256,     /* the clock is read once for so many records */
	PROGRESS_PERIOD_US = 250000 /* between two lines of progress */
};

static const char *const message_ids[] = {"MESSAGE_ID=" RECORD_ID_SERVED,
	"MESSAGE_ID=" RECORD_ID_NOT_SERVED, "MESSAGE_ID=" RECORD_ID_FAILED};

static const struct argp_option list[] = {
	{"since", KEY_SINCE, "TIME", 0, "Only records from this time on", 0},
	{"until", KEY_UNTIL, "TIME", 0, "Only records up to this time", 0},
	{"reply", KEY_REPLY, "N,...", 0, "Only records with these replies (RFC 1928: 0 to 8)", 0},
	{"end", KEY_END, "WORD,...", 0, "Only records with these end reasons (stdsocks(8), RECORD)",
		0},
	{"directory", 'D', "DIR", 0, "Read the journal in this directory", 0},
	{"file", KEY_FILE, "FILE", 0, "Read this journal file; may be repeated", 0}, {0}};

static void read_time(struct argp_state *state, const char *name, const char *text, int64_t *ret_us)
{
	struct records_options *o = state->input;
	bool moves;

	if (!when_read(text, when_clock_us(CLOCK_REALTIME), ret_us, &moves))
		argp_error(state, "invalid %s \"%s\"; use " WHEN_FORMS, name, text);
	if (ret_us == &o->since_us)
		o->since_moves = moves;
}

static bool is_reply(const char *word)
{
	return word[0] >= '0' && word[0] <= '8' && !word[1];
}

static void check_end(const struct argp_state *state, const char *word)
{
	char text[512];
	struct writer w = writer_on(text, sizeof text);

	for (size_t i = 0; i < ENTRY_ENDS; i++) {
		if (strcmp(word, entry_ends[i]) == 0)
			return;
		writer_str(&w, i == 0 ? "" : ", ");
		writer_str(&w, entry_ends[i]);
	}
	argp_error(state, "invalid --end \"%s\"; use %.*s", word, (int)w.len, text);
}

/* The words, separated by commas, are alternative values of the field. */
static void add_matches(struct argp_state *state, const char *field, char *words)
{
	struct records_options *o = state->input;
	const bool is_number = strcmp(field, "STDSOCKS_REPLY") == 0;
	char *rest = words;

	for (char *word = strsep(&rest, ","); word; word = strsep(&rest, ",")) {
		if (is_number && !is_reply(word))
			argp_error(state, "invalid --reply \"%s\"; use 0 to 8", word);
		if (!is_number)
			check_end(state, word);
		if (o->matches_count == RECORDS_MATCHES_MAX)
			argp_error(state, "too many replies and end reasons; use at most %d",
				RECORDS_MATCHES_MAX);
		snprintf(
			o->matches[o->matches_count++], sizeof o->matches[0], "%s=%s", field, word);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct records_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		o->since_us = INT64_MIN;
		o->until_us = INT64_MAX;
		state->child_inputs[0] = &o->common;
		return 0;
	case KEY_SINCE:
		read_time(state, "--since", arg, &o->since_us);
		return 0;
	case KEY_UNTIL:
		read_time(state, "--until", arg, &o->until_us);
		return 0;
	case KEY_REPLY:
		add_matches(state, "STDSOCKS_REPLY", arg);
		return 0;
	case KEY_END:
		add_matches(state, "STDSOCKS_END", arg);
		return 0;
	case 'D':
		o->location.directory = arg;
		return 0;
	case KEY_FILE:
		if (o->location.files_count == JOURNAL_FILES_MAX)
			argp_error(state, "too many files; use at most %d, or --directory",
				JOURNAL_FILES_MAX);
		o->location.files[o->location.files_count++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (o->location.directory && o->location.files_count)
			argp_error(state, "--directory and --file given; use either");
		if (o->since_us > o->until_us)
			argp_error(state, "--since is later than --until");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {.options = list, .parser = parse, .children = options_children};

const struct argp_child records_children[] = {{&argp, 0, NULL, 0}, {0}};

static bool prepare_search(sd_journal *journal, const struct records_options *o)
{
	bool failed = false;

	/* Values of one field are alternatives; all fields have to match. */
	for (size_t i = 0; i < sizeof message_ids / sizeof message_ids[0]; i++)
		failed |= sd_journal_add_match(journal, message_ids[i], 0) < 0;
	for (size_t i = 0; i < o->matches_count; i++)
		failed |= sd_journal_add_match(journal, o->matches[i], 0) < 0;
	if (o->since_us != INT64_MIN)
		failed |= sd_journal_seek_realtime_usec(journal, (uint64_t)o->since_us) < 0;
	/* Decompresses a large field only as far as it is used. */
	sd_journal_set_data_threshold(journal, sizeof "MESSAGE=" + RECORD_MESSAGE_MAX);
	return !failed;
}

int records_open(const struct records_options *options, struct records *ret_records)
{
	*ret_records = (struct records){.options = options};
	int status = journal_open(&options->location, &ret_records->journal);

	if (status == EX_OK && !prepare_search(ret_records->journal, options)) {
		fputs("stdsocksctl: cannot search the journal\n", stderr);
		records_close(ret_records);
		status = EX_OSERR;
	}
	return status;
}

/* A line of progress that wraps could not be erased. */
static int stderr_columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void show_progress(struct records *r, int64_t time_us)
{
	const int64_t now_us = when_clock_us(CLOCK_MONOTONIC);
	char text[WHEN_TEXT_MAX], count[32], line[96];
	struct writer w = writer_on(count, sizeof count - 1);

	if (now_us < r->next_us)
		return;
	if (r->next_us > 0) {
		when_local(time_us, text);
		amount_put_grouped(&w, r->seen);
		count[w.len] = '\0';
		snprintf(line, sizeof line, "%s records, %s", count, text);
		fprintf(stderr, "\r%.*s", stderr_columns() - 1, line);
		r->is_shown = true;
	}
	r->next_us = now_us + PROGRESS_PERIOD_US;
}

void records_close(struct records *r)
{
	if (r->is_shown)
		fputs("\r\033[K", stderr);
	if (r->journal)
		sd_journal_close(r->journal);
	r->journal = NULL;
}

static int read_entry(struct records *r, struct entry *e)
{
	const void *data;
	uint64_t time_us;
	size_t len;
	int error = sd_journal_get_realtime_usec(r->journal, &time_us);

	entry_clear(e);
	if (error < 0)
		return error;
	e->time_us = time_us < WHEN_MAX_US ? (int64_t)time_us : WHEN_MAX_US;
	/* sd_journal_get_data() would search all fields for each of ours. */
	sd_journal_restart_data(r->journal);
	while ((error = sd_journal_enumerate_available_data(r->journal, &data, &len)) > 0)
		entry_store(e, data, len);
	if (!e->rule[0]) /* a name in the message can contain the text before a suggested rule */
		e->suggested_rule[0] = '\0';
	return error;
}

static int read_next(struct records *r, struct entry *e)
{
	int error = read_entry(r, e);

	if (error >= 0 && r->shows_progress && ++r->seen % PROGRESS_RECORDS == 0)
		show_progress(r, e->time_us);
	return error;
}

static bool is_selected(const struct records *r, const struct entry *e)
{
	const struct records_options *o = r->options;
	int64_t port;
	const char *dst = entry_destination(e, &port);
	const struct filter_connection c = {.client = e->client,
		.user = e->user[0] ? e->user : NULL,
		.command = e->command,
		.dst = dst,
		.address = e->connected,
		.port = port > 0 && port <= UINT16_MAX ? (unsigned)port : 0};

	if (e->time_us < o->since_us || e->time_us > o->until_us)
		return false;
	return filter_matches(&o->common.filter, &c);
}

int records_next(struct records *r, struct entry *e)
{
	int found;

	while ((found = sd_journal_next(r->journal)) > 0) {
		found = read_next(r, e);
		if (found < 0)
			break;
		if (is_selected(r, e))
			return 1;
		if (e->time_us > r->options->until_us)
			return 0;
	}
	return found;
}

int records_last(struct records *r, uint64_t count, struct entry *scratch)
{
	uint64_t selected = 0;
	int found = sd_journal_seek_tail(r->journal);

	if (found >= 0 && r->options->until_us != INT64_MAX)
		found = sd_journal_seek_realtime_usec(
			r->journal, (uint64_t)r->options->until_us + 1);
	if (found < 0)
		return found;
	/* Goes back to the record before them, so that sd_journal_next() returns the first. */
	while ((found = sd_journal_previous(r->journal)) > 0) {
		found = read_next(r, scratch);
		if (found < 0)
			return found;
		if (selected == count || scratch->time_us < r->options->since_us)
			return 0;
		selected += is_selected(r, scratch);
	}
	return found < 0 ? found : sd_journal_seek_head(r->journal);
}
