/* SPDX-License-Identifier: ISC */
/* The command "top": shows the open connections repeatedly. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/list.h"
#include "stdsocksctl/memory.h"
#include "stdsocksctl/screen.h"
#include "stdsocksctl/when.h"

#define HEADING_MAX 256

#define INTERVAL_S_MAX 86400 /* a day */

enum { KEY_INTERVAL = 0x4000, KEY_COUNT };

struct top {
	struct list_options list;
	int64_t interval_us;
	uint64_t count; /* of updates; 0: on a terminal no limit, else one */
};

static bool read_interval(const char *text, int64_t *ret_us)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end || !(s >= 0.1) || s > INTERVAL_S_MAX)
		return false;
	*ret_us = (int64_t)(s * 1e6);
	return true;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct top *top = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &top->list;
		return 0;
	case KEY_INTERVAL:
		if (!read_interval(arg, &top->interval_us))
			argp_error(state, "invalid --interval \"%s\"; use 0.1 to %d seconds", arg,
				INTERVAL_S_MAX);
		return 0;
	case KEY_COUNT:
		if (!words_number(arg, strlen(arg), UINT32_MAX, &top->count) || top->count == 0)
			argp_error(state, "invalid --count \"%s\"; use a number from 1", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void put_heading(struct writer *w, const struct top *top, const struct live *live)
{
	show_put_totals(w, live);
	writer_str(w, ", by ");
	writer_str(w, top->list.sort->key);
}

/* Returns false if the terminal cannot be written. */
static bool draw(const struct top *top, const struct live *live)
{
	char heading[HEADING_MAX], *table = NULL;
	struct writer w = writer_on(heading, sizeof heading - 1);
	size_t len = 0;
	FILE *to = memory_or_exit(open_memstream(&table, &len));

	put_heading(&w, top, live);
	writer_str(&w, "  (");
	show_put_letters(&w);
	writer_str(&w, ", q quits)");
	heading[w.len] = '\0';
	show_table(live, to);
	if (fclose(to) != 0)
		memory_or_exit(NULL);
	bool drawn = screen_draw(heading, table);
	free(table);
	return drawn;
}

/* Shows the connections until the next update is due. Returns false if it was the last. */
static bool show_until(struct top *top, struct live *live, int64_t next_us)
{
	bool drawn = draw(top, live);

	while (drawn) {
		int key = screen_wait(next_us);
		if (key == SCREEN_TIMEOUT || key == ' ')
			return true;
		if (key == 'q' || key == SCREEN_GONE)
			return false;
		const struct show_column *by = show_column(NULL, key);
		if (!by && key != SCREEN_REDRAW)
			continue;
		top->list.sort = by ? by : top->list.sort;
		show_sort(live, top->list.sort);
		drawn = draw(top, live);
	}
	return false;
}

/* Prints an update. Returns false if standard output cannot be written. */
static bool print(const struct top *top, const struct live *live, bool is_first)
{
	char heading[HEADING_MAX];
	struct writer w = writer_on(heading, sizeof heading);

	if (!top->list.common.json) {
		put_heading(&w, top, live);
		printf("%s%.*s\n", is_first ? "" : "\n", (int)w.len, heading);
	}
	list_print(&top->list, live, stdout);
	return fflush(stdout) == 0; /* main() prints the error */
}

static int run_updates(struct top *top, bool on_screen)
{
	const struct timespec pause = {
		.tv_sec = top->interval_us / 1000000, .tv_nsec = top->interval_us % 1000000 * 1000};
	bool continues = true;
	struct live live;

	for (uint64_t n = 1; continues; n++) {
		int r = list_gather(&top->list, &live);
		if (r < 0) {
			screen_leave();
			return live_print_error(r);
		}
		if (on_screen && n == 1)
			screen_enter();
		continues = on_screen
			? show_until(top, &live, when_clock_us(CLOCK_MONOTONIC) + top->interval_us)
			: print(top, &live, n == 1);
		live_free(&live);
		continues = continues && n != top->count;
		if (continues && !on_screen)
			nanosleep(&pause, NULL);
	}
	screen_leave();
	return EX_OK;
}

static int run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"interval", KEY_INTERVAL, "SECONDS", 0, "Time between updates (default: 2)", 0},
		{"count", KEY_COUNT, "N", 0,
			"Number of updates (default: on a terminal no limit, otherwise 1)", 0},
		{0}};
	static const struct argp argp = {.options = options,
		.parser = parse,
		.args_doc = "[FILTER]",
		.doc = "Shows the open connections repeatedly." OPTIONS_FILTER_DOC,
		.children = list_children};
	struct top top = {.interval_us = 2000000};

	argp_parse(&argp, argc, argv, 0, NULL, &top);
	const bool on_screen = screen_is_terminal(STDOUT_FILENO) && !top.list.common.json;
	if (top.count == 0 && !on_screen)
		top.count = 1;
	return run_updates(&top, on_screen);
}

const struct command top_command = {"top", "show the open connections repeatedly", run};
