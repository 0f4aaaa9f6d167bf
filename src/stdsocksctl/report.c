/* SPDX-License-Identifier: ISC */
/* stdsocksctl report: records, counted.
 * Knows: which form goes where. Does not know: what is counted, and how the forms look. */
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
	int (*form)(const struct report *r, FILE *to); /* NULL: not said */
	const char *output;
	uint64_t top;
};

/* A report that has been made. */
struct text {
	char *bytes;
	size_t len;
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
		argp_error(state,
			"with --prometheus, --since has to be a time that stays, or today: where "
			"records drop out, counters shrink");
	if (o->form == report_prometheus && o->records.since_us == INT64_MIN)
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
	       "latencies." OPTIONS_FILTER_DOC,
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
		if ((found = figures_add(f, &e)) < 0)
			break;
	records_close(&r);
	if (found == -ENOMEM)
		memory_or_end(NULL);
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

/* All of it, and closes it. */
static bool write_text(int fd, const struct text *text)
{
	size_t done = 0;
	ssize_t n = 0;

	for (; fd >= 0 && done < text->len; done += (size_t)n) {
		n = write(fd, text->bytes + done, text->len - done);
		if (n < 0 && errno != EINTR)
			break;
		n = n < 0 ? 0 : n;
	}
	if (n < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return false;
	}
	return fd >= 0 && close(fd) == 0;
}

/* As the old file was; else as files are made. */
static bool give_mode(int fd, const struct stat *old)
{
	mode_t mask;

	if (old)
		return fchown(fd, old->st_uid, old->st_gid) == 0 &&
			fchmod(fd, old->st_mode & 07777) == 0;
	mask = umask(0);
	umask(mask);
	return fchmod(fd, 0666 & ~mask) == 0;
}

/* Readers of the file see the old report or the new one, whole. */
static int replace(const char *path, const struct stat *old, const struct text *text)
{
	char temporary[PATH_MAX + 8];
	bool fits =
		snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) < (int)sizeof temporary;

	errno = ENAMETOOLONG;
	int fd = fits ? mkostemp(temporary, O_CLOEXEC) : -1;
	if (fd < 0)
		return failed_to_write(path);
	bool given = give_mode(fd, old);
	int status = given ? EX_OK : failed_to_write(path);
	if (!write_text(fd, text) && given)
		status = failed_to_write(path);
	if (status == EX_OK && rename(temporary, path) < 0)
		status = failed_to_write(path);
	if (status != EX_OK)
		unlink(temporary);
	return status;
}

/* A signal that ends us finds the temporary file gone: it waits until then. */
static int replace_undisturbed(const char *path, const struct stat *old, const struct text *text)
{
	static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
	sigset_t blocked, before;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		sigaddset(&blocked, ends[i]);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	int status = replace(path, old, text);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

static int write_file(const char *path, const struct text *text)
{
	char real[PATH_MAX]; /* behind a symbolic link */
	struct stat old;
	bool exists = stat(path, &old) == 0;

	/* A device or a FIFO must not be replaced. */
	if (exists && !S_ISREG(old.st_mode))
		return write_text(open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY), text)
			? EX_OK
			: failed_to_write(path);
	return replace_undisturbed(
		exists && realpath(path, real) ? real : path, exists ? &old : NULL, text);
}

/* The report is made in memory, for that takes longer than to write it. */
static int write_report(const struct report_options *o, const struct report *r)
{
	struct text text = {NULL, 0};
	FILE *to = memory_or_end(open_memstream(&text.bytes, &text.len));
	int status = o->form(r, to);

	if (fclose(to) != 0)
		memory_or_end(NULL);
	if (status == EX_OK)
		status = write_file(o->output, &text);
	free(text.bytes);
	return status;
}

/* Whether there is a chance: it would be a pity to find out after a long pass. */
static int check_output(const char *path)
{
	char real[PATH_MAX], folder[PATH_MAX];
	struct stat old;
	bool exists = stat(path, &old) == 0;

	if (exists && !S_ISREG(old.st_mode)) {
		errno = EISDIR;
		return !S_ISDIR(old.st_mode) && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0
			? EX_OK
			: failed_to_write(path);
	}
	errno = ENAMETOOLONG;
	if (snprintf(folder, sizeof folder, "%s", exists && realpath(path, real) ? real : path) >=
		(int)sizeof folder)
		return failed_to_write(path);
	if (faccessat(AT_FDCWD, dirname(folder), W_OK | X_OK, AT_EACCESS) < 0)
		return failed_to_write(path);
	return EX_OK;
}

static int run(int argc, char **argv)
{
	static struct report_options o;
	static struct figures figures;
	int status = EX_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.output)
		status = check_output(o.output);
	if (status == EX_OK && o.form == report_html)
		status = plot_check();
	if (status == EX_OK)
		status = count_all(&o, &figures);
	if (status != EX_OK)
		return status;
	const struct report r = {.figures = &figures,
		.since_us = o.records.since_us,
		.until_us = o.records.until_us,
		.top = o.top};
	return o.output ? write_report(&o, &r) : o.form(&r, stdout);
}

const struct command report_command = {"report", "counts of connections that have ended", run};
