/* SPDX-License-Identifier: ISC */
/* stdsocksctl top: the connections that live, again and again.
 * Knows: its keys. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stdsocksctl/ask.h"
#include "stdsocksctl/command.h"
#include "stdsocksctl/memory.h"
#include "stdsocksctl/screen.h"

#define HEAD_MAX 256

#define INTERVAL_S_MAX 86400 /* a day */

enum { KEY_INTERVAL = 0x4000, KEY_COUNT };

struct top {
	struct ask ask;
	int64_t interval_us;
	uint64_t count; /* of rounds; 0: on a terminal until somebody quits, else one */
};

/* Seconds, with a fraction or without. */
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
		state->child_inputs[0] = &top->ask;
		return 0;
	case KEY_INTERVAL:
		if (!read_interval(arg, &top->interval_us))
			argp_error(state, "--interval takes seconds, 0.1 to %d", INTERVAL_S_MAX);
		return 0;
	case KEY_COUNT:
		if (!words_number(arg, strlen(arg), UINT32_MAX, &top->count) || top->count == 0)
			argp_error(state, "--count takes a number from 1");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void put_head(struct writer *w, const struct top *top, const struct live *live)
{
	show_put_totals(w, live);
	writer_str(w, ", by ");
	writer_str(w, top->ask.sort->key);
}

static void draw(const struct top *top, const struct live *live, bool *drawn)
{
	char head[HEAD_MAX], *table = NULL;
	struct writer w = writer_on(head, sizeof head - 1);
	size_t len = 0;
	FILE *to = memory_or_end(open_memstream(&table, &len));

	put_head(&w, top, live);
	writer_str(&w, "  (");
	show_put_letters(&w);
	writer_str(&w, ", q quits)");
	head[w.len] = '\0';
	show_table(live, to);
	if (fclose(to) != 0)
		memory_or_end(NULL);
	*drawn = screen_draw(head, table);
	free(table);
}

/* Shows this round until the next one is due. False when it was the last one. */
static bool stay(struct top *top, struct live *live, int64_t next_us)
{
	const struct show_column *by;
	bool drawn;

	draw(top, live, &drawn);
	while (drawn) {
		int key = screen_wait(next_us);
		if (key == SCREEN_TIME || key == ' ')
			return true;
		if (key == 'q' || key == SCREEN_GONE)
			return false;
		by = show_column_of_letter(key);
		if (!by && key != SCREEN_CHANGED)
			continue;
		top->ask.sort = by ? by : top->ask.sort;
		show_sort(live, top->ask.sort);
		draw(top, live, &drawn);
	}
	return false;
}

static int on_screen(struct top *top)
{
	struct live live;
	bool goes_on = true;

	for (uint64_t n = 1; goes_on; n++) {
		int r = ask_live_once(&top->ask, &live);
		if (r < 0) {
			screen_leave(); /* what is said now is to stay */
			return live_failed(r);
		}
		if (n == 1)
			screen_enter();
		goes_on = stay(top, &live, screen_now_us() + top->interval_us) && n != top->count;
		live_free(&live);
	}
	screen_leave();
	return EX_OK;
}

static void print(const struct top *top, const struct live *live)
{
	char head[HEAD_MAX];
	struct writer w = writer_on(head, sizeof head);

	if (!top->ask.common.json) {
		put_head(&w, top, live);
		printf("%.*s\n", (int)w.len, head);
	}
	ask_show(&top->ask, live, stdout);
}

/* Rounds one after the other, until nobody reads them. */
static int on_paper(const struct top *top)
{
	const struct timespec pause = {
		.tv_sec = top->interval_us / 1000000, .tv_nsec = top->interval_us % 1000000 * 1000};
	uint64_t count = top->count ? top->count : 1;
	struct live live;

	for (uint64_t n = 1;; n++) {
		int r = ask_live_once(&top->ask, &live);
		if (r < 0)
			return live_failed(r);
		print(top, &live);
		live_free(&live);
		if (n == count || fflush(stdout) != 0)
			return EX_OK; /* main looks whether all was written */
		nanosleep(&pause, NULL);
		if (!top->ask.common.json)
			putchar('\n');
	}
}

static int run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"interval", KEY_INTERVAL, "SECONDS", 0, "Look again after so long (default: 2)",
			0},
		{"count", KEY_COUNT, "N", 0,
			"Look N times (default: until q on a terminal, else once)", 0},
		{0}};
	static const struct argp argp = {.options = options,
		.parser = parse,
		.args_doc = "[FILTER]",
		.doc = "Shows the connections that live, again and again." OPTIONS_FILTER_DOC,
		.children = ask_children};
	struct top top = {.ask = ask_default(), .interval_us = 2000000};

	argp_parse(&argp, argc, argv, 0, NULL, &top);
	return screen_possible() && !top.ask.common.json ? on_screen(&top) : on_paper(&top);
}

const struct command top_command = {"top", "the same, again and again", run};
