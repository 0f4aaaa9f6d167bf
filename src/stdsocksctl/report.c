/* SPDX-License-Identifier: ISC */
/* The command "report": reads the records, and writes statistics of them. */
#include "stdsocksctl/report.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/memory.h"
#include "stdsocksctl/plot.h"
#include "stdsocksctl/records.h"
#include "stdsocksctl/when.h"

enum { KEY_HTML = 0x3000, KEY_PROMETHEUS, KEY_OUTPUT, KEY_TOP };
enum { TOP_DEFAULT = 10 };

struct report_options {
	struct records_options records;
	int (*format)(const struct report *r, FILE *to); /* NULL: not given */
	const char *output;
	uint64_t top;
};

/* The file of --output. */
struct output {
	bool exists;
	struct stat old;
	char path[PATH_MAX];
};

static const struct argp_option list[] = {
	{"top", KEY_TOP, "N", 0, "Show N users, destinations, ... by name (default: 10)", 0},
	{"html", KEY_HTML, NULL, 0, "Write an HTML page with plots", 0},
	{"prometheus", KEY_PROMETHEUS, NULL, 0,
		"Write counters in the text format of Prometheus (default of --since: today)", 0},
	{"output", KEY_OUTPUT, "FILE", 0, "Write to this file, which is replaced at the end", 0},
	{0}};

static void set_format(struct argp_state *state, int (*format)(const struct report *r, FILE *to))
{
	struct report_options *o = state->input;

	if (o->format && o->format != format)
		argp_error(state, "use only one of --json, --html and --prometheus");
	o->format = format;
}

static void finish(struct argp_state *state)
{
	struct report_options *o = state->input;
	bool ignored;

	if (o->records.common.json)
		set_format(state, report_json);
	if (!o->format)
		o->format = report_text;
	/* Counters must not decrease, except for a restart from 0. */
	if (o->format == report_prometheus && o->records.since_moves)
		argp_error(state,
			"--since must be a fixed time with --prometheus, because counters must not "
			"decrease; use a date or today");
	if (o->format == report_prometheus && o->records.since_us == INT64_MIN)
		when_read("today", when_clock_us(CLOCK_REALTIME), &o->records.since_us, &ignored);
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
			argp_error(state, "invalid --top \"%s\"; use 1 to %d", arg, REPORT_TOP_MAX);
		return 0;
	case KEY_HTML:
		set_format(state, report_html);
		return 0;
	case KEY_PROMETHEUS:
		set_format(state, report_prometheus);
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
	.doc = "Summarizes the records of ended connections: users, destinations, bytes, failures, "
	       "latencies." OPTIONS_FILTER_DOC,
	.children = records_children};

void report_top(const struct report *r, const struct top_k *t, struct report_top *ret_top)
{
	struct top_k_counts others = t->all;

	ret_top->count = top_k_find(t, ret_top->items, r->top);
	for (size_t i = 0; i < ret_top->count; i++) {
		others.connections -= ret_top->items[i]->counts.connections;
		others.failed -= ret_top->items[i]->counts.failed;
		others.up -= ret_top->items[i]->counts.up;
		others.down -= ret_top->items[i]->counts.down;
	}
	ret_top->others = others;
}

static int read_records(const struct report_options *o, struct statistics *s)
{
	static struct entry e;
	struct records r;
	int found;
	int status = records_open(&o->records, &r);

	if (status != EX_OK)
		return status;
	r.shows_progress = isatty(STDERR_FILENO);
	while ((found = records_next(&r, &e)) > 0)
		if ((found = statistics_add(s, &e)) < 0)
			break;
	records_close(&r);
	if (found == -ENOMEM)
		memory_or_exit(NULL);
	if (found < 0) {
		fprintf(stderr, "stdsocksctl: cannot read the journal: %s\n", strerror(-found));
		return EX_OSERR;
	}
	return EX_OK;
}

static int print_write_error(const char *path)
{
	fprintf(stderr, "stdsocksctl: %s: %s\n", path, strerror(errno));
	return EX_IOERR;
}

/* Also closes the descriptor, which may be -1. On error returns false and sets errno. */
static bool write_text(int fd, const char *text, size_t len)
{
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (!file)
		return false;
	const bool is_written = fwrite(text, 1, len, file) == len;
	return fclose(file) == 0 && is_written;
}

/* Sets mode and owner of the replaced file; if there is none, the default mode. */
static bool set_mode(int fd, const struct output *o)
{
	if (o->exists)
		return fchown(fd, o->old.st_uid, o->old.st_gid) == 0 &&
			fchmod(fd, o->old.st_mode & 07777) == 0;
	const mode_t mask = umask(0);
	umask(mask);
	return fchmod(fd, 0666 & ~mask) == 0;
}

/* Readers of the file see either the old report or the new one. */
static int replace(const struct output *o, const char *text, size_t len)
{
	char temporary[PATH_MAX + 8];

	snprintf(temporary, sizeof temporary, "%s.XXXXXX", o->path);
	int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return print_write_error(o->path);
	const bool is_set = set_mode(fd, o);
	int status = is_set ? EX_OK : print_write_error(o->path);
	if (!write_text(fd, text, len) && is_set)
		status = print_write_error(o->path);
	if (status == EX_OK && rename(temporary, o->path) < 0)
		status = print_write_error(o->path);
	if (status != EX_OK)
		unlink(temporary);
	return status;
}

static int write_output(const struct output *o, const char *text, size_t len)
{
	sigset_t ends, before;

	/* Devices and FIFOs are written, not replaced. */
	if (o->exists && !S_ISREG(o->old.st_mode))
		return write_text(open(o->path, O_WRONLY | O_CLOEXEC | O_NOCTTY), text, len)
			? EX_OK
			: print_write_error(o->path);
	/* Signals that would end the process and leave the temporary file. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGHUP);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGQUIT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, &before);
	int status = replace(o, text, len);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

/* Creates the report in memory, so that signals are blocked only for a short time. */
static int write_report(
	const struct report_options *o, const struct output *output, const struct report *r)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = memory_or_exit(open_memstream(&text, &len));
	int status = o->format(r, to);

	if (fclose(to) != 0)
		memory_or_exit(NULL);
	if (status == EX_OK)
		status = write_output(output, text, len);
	free(text);
	return status;
}

/* Detects most errors before the records are read, which takes long. */
static int prepare_output(const char *path, struct output *ret_output)
{
	struct output o = {.exists = stat(path, &o.old) == 0};
	char folder[PATH_MAX];

	if (o.exists && S_ISDIR(o.old.st_mode)) {
		errno = EISDIR;
		return print_write_error(path);
	}
	const bool is_file = !o.exists || S_ISREG(o.old.st_mode);
	errno = ENAMETOOLONG;
	/* A symbolic link remains; its target is replaced. */
	if ((!o.exists || !is_file || !realpath(path, o.path)) &&
		snprintf(o.path, sizeof o.path, "%s", path) >= (int)sizeof o.path)
		return print_write_error(path);
	snprintf(folder, sizeof folder, "%s", o.path);
	if (faccessat(AT_FDCWD, is_file ? dirname(folder) : path, is_file ? W_OK | X_OK : W_OK,
		    AT_EACCESS) < 0)
		return print_write_error(path);
	*ret_output = o;
	return EX_OK;
}

static int run(int argc, char **argv)
{
	static struct report_options o;
	static struct output output;
	/* As a variable, it would make the executable too large for a limited address space. */
	static struct statistics *statistics;
	int status = EX_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	statistics =
		memory_or_exit(calloc(1, sizeof *statistics)); /* until the end of the process */
	if (o.output)
		status = prepare_output(o.output, &output);
	if (status == EX_OK && o.format == report_html)
		status = plot_check();
	if (status == EX_OK)
		status = read_records(&o, statistics);
	if (status != EX_OK)
		return status;
	const struct report r = {.statistics = statistics,
		.since_us = o.records.since_us,
		.until_us = o.records.until_us,
		.top = o.top};
	return o.output ? write_report(&o, &output, &r) : o.format(&r, stdout);
}

const struct command report_command = {"report", "summarize the records of ended connections", run};
