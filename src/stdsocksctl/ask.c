/* SPDX-License-Identifier: ISC */
/* What the command lines about live connections have in common: --unit and --sort, and what all have.
 * Knows: argp. */
#include "stdsocksctl/ask.h"

enum { KEY_SORT = 0x2000, KEY_UNIT };

static const struct argp_option list[] = {
	{"sort", KEY_SORT, "KEY", 0,
		"Sort by client, user, dst, up, down, rate, age, memory or cpu (default: age)", 0},
	{"unit", KEY_UNIT, "PATTERN", 0,
		"The units that are connections (default: " LIVE_PATTERN ")", 0},
	{0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct ask *ask = state->input;
	char keys[256];
	struct writer w = writer_on(keys, sizeof keys);

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &ask->common;
		return 0;
	case KEY_SORT:
		ask->sort = show_column_of_key(arg);
		show_put_keys(&w);
		if (!ask->sort)
			argp_error(state, "--sort takes one of %.*s", (int)w.len, keys);
		return 0;
	case KEY_UNIT:
		ask->pattern = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {.options = list, .parser = parse, .children = options_children};

const struct argp_child ask_children[] = {{&argp, 0, NULL, 0}, {0}};

struct ask ask_default(void)
{
	return (struct ask){.sort = show_column_of_key("age")};
}

int ask_live(sd_bus *bus, const struct ask *ask, struct live *ret_live)
{
	int r = live_gather(
		bus, ask->pattern ? ask->pattern : LIVE_PATTERN, &ask->common.filter, ret_live);

	if (r >= 0)
		show_sort(ret_live, ask->sort);
	return r;
}

int ask_live_once(const struct ask *ask, struct live *ret_live)
{
	sd_bus *bus = NULL;
	int r = live_bus(&bus);

	if (r >= 0)
		r = ask_live(bus, ask, ret_live);
	sd_bus_flush_close_unref(bus);
	return r;
}

void ask_show(const struct ask *ask, const struct live *live, FILE *to)
{
	if (ask->common.json)
		show_json(live, to);
	else
		show_table(live, to);
}
