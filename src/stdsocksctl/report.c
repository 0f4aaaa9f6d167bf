/* SPDX-License-Identifier: ISC */
/* stdsocksctl report: records, counted.
 * Knows: which form goes where. Does not know: what is counted, and how the forms look. */
#include "stdsocksctl/report.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/records.h"
#include "stdsocksctl/when.h"

enum { KEY_HTML = 0x3000, KEY_PROMETHEUS, KEY_OUTPUT, KEY_TOP, TOP_DEFAULT = 10 };

struct report_options {
	struct records_options records;
	int (*form)(const struct report *r, FILE *to); /* NULL: not said */
	const char *output;
	uint64_t top;
};

static const struct argp_option list[] = {
	{"top", KEY_TOP, "N", 0, "How many users, destinations, ... are told by name; 10", 0},
	{"html", KEY_HTML, NULL, 0, "Write one self-contained page, with plots", 0},
	{"prometheus", KEY_PROMETHEUS, NULL, 0,
		"Write counters in Prometheus' text format; --since is today unless said", 0},
	{"output", KEY_OUTPUT, "FILE", 0, "Write there; the file is replaced when it is whole", 0},
	{0}};

static void choose(struct argp_state *state, int (*form)(const struct report *r, FILE *to))
{
	struct report_options *o = state->input;

	if (o->form && o->form != form)
		argp_error(state, "only one of --json, --html and --prometheus");
	o->form = form;
}

static void finish(struct argp_state *state)
{
	struct report_options *o = state->input;
	bool ignored;

	if (o->records.common.json)
		choose(state, report_json);
	if (!o->form)
		o->form = report_text;
	/* Counters have to grow, or to start again: a start that moves on would let them shrink. */
	if (o->form == report_prometheus && o->records.since_moves)
		argp_error(state, "with --prometheus, --since has to be a time that stays: today");
	if (o->form == report_prometheus && o->records.since_us == 0)
		when_read("today", when_now_us(), &o->records.since_us, &ignored);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct report_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		o->top = TOP_DEFAULT;
		state->child_inputs[0] = &o->records;
		return 0;
	case KEY_TOP:
		if (!words_number(arg, strlen(arg), REPORT_TOP_MAX, &o->top) || o->top == 0)
			argp_error(state, "--top \"%s\" is not 1 to %d", arg, REPORT_TOP_MAX);
		return 0;
	case KEY_HTML:
		choose(state, report_html);
		return 0;
	case KEY_PROMETHEUS:
		choose(state, report_prometheus);
		return 0;
	case KEY_OUTPUT:
		o->output = arg;
		return 0;
	case ARGP_KEY_END:
		finish(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {.options = list,
	.parser = parse,
	.args_doc = "[FILTER]",
	.doc = "Connections that have ended, counted: users, destinations, bytes, failures, "
	       "latencies.\v"
	       "FILTER is clauses of an access rule. See stdsocksctl(8).",
	.children = records_children};

void report_top(const struct report *r, const struct heavy *t, struct report_top *ret_top)
{
	struct heavy_counts others = t->all;

	ret_top->count = heavy_heaviest(t, ret_top->items, r->top);
	for (size_t i = 0; i < ret_top->count; i++) {
		others.connections -= ret_top->items[i]->counts.connections;
		others.failed -= ret_top->items[i]->counts.failed;
		others.up -= ret_top->items[i]->counts.up;
		others.down -= ret_top->items[i]->counts.down;
	}
	ret_top->others = others;
}

void report_put_span(char *text, size_t cap, int64_t us)
{
	if (us < 1000)
		snprintf(text, cap, "%lld us", (long long)us);
	else if (us < 1000000)
		snprintf(text, cap, us < 100000 ? "%.1f ms" : "%.0f ms", (double)us / 1e3);
	else
		snprintf(text, cap, us < 100000000 ? "%.1f s" : "%.0f s", (double)us / 1e6);
}

static int count_all(const struct report_options *o, struct figures *f)
{
	static struct entry e;
	struct records r;
	int found;
	int status = records_open(&o->records, &r);

	if (status != EX_OK)
		return status;
	r.shows_progress = isatty(STDERR_FILENO);
	while ((found = records_next(&r, &e)) > 0)
		figures_add(f, &e);
	records_close(&r);
	if (found < 0) {
		fprintf(stderr, "stdsocksctl: the journal: %s\n", strerror(-found));
		return EX_OSERR;
	}
	return EX_OK;
}

static int failed_to_write(const char *path)
{
	fprintf(stderr, "stdsocksctl: %s: %s\n", path, strerror(errno));
	return EX_IOERR;
}

/* A device or a FIFO, which must not be replaced. */
static int write_into(const struct report_options *o, const struct report *r)
{
	FILE *to = fopen(o->output, "we");
	if (!to)
		return failed_to_write(o->output);
	int made = o->form(r, to);
	bool written = !ferror(to);
	written = fclose(to) == 0 && written;
	return made == EX_OK && !written ? failed_to_write(o->output) : made;
}

/* Readers of the file see the old report or the new one, whole. */
static int replace(const char *path, const struct report_options *o, const struct report *r)
{
	char temporary[PATH_MAX + 8];
	mode_t mask = umask(0);

	umask(mask);
	bool fits =
		snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) < (int)sizeof temporary;
	errno = ENAMETOOLONG;
	int fd = fits ? mkstemp(temporary) : -1;
	FILE *to = fd < 0 ? NULL : fdopen(fd, "w");
	if (!to)
		return failed_to_write(path);
	int status = o->form(r, to);
	bool written = fchmod(fd, 0666 & ~mask) == 0 && !ferror(to);
	written = fclose(to) == 0 && written;
	if (status == EX_OK && (!written || rename(temporary, path) < 0))
		status = failed_to_write(path);
	if (status != EX_OK)
		unlink(temporary);
	return status;
}

static int write_file(const struct report_options *o, const struct report *r)
{
	char real[PATH_MAX]; /* behind a symbolic link */
	struct stat old;
	bool exists = stat(o->output, &old) == 0;

	if (exists && !S_ISREG(old.st_mode))
		return write_into(o, r);
	return replace(exists && realpath(o->output, real) ? real : o->output, o, r);
}

static int run(int argc, char **argv)
{
	static struct report_options o;
	static struct figures figures;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	int status = count_all(&o, &figures);
	if (status != EX_OK)
		return status;
	const struct report r = {.figures = &figures,
		.since_us = o.records.since_us,
		.until_us = o.records.until_us,
		.top = o.top};
	return o.output ? write_file(&o, &r) : o.form(&r, stdout);
}

const struct command report_command = {"report", "counts of connections that have ended", run};
