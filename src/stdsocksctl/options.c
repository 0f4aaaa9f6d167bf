/* SPDX-License-Identifier: ISC */
/* What every command's line has: --json, and a filter of words.
 * Knows: argp. Does not know: the commands. */
#include "stdsocksctl/options.h"

enum { KEY_JSON = 0x1000 };

static const struct argp_option list[] = {{"json", KEY_JSON, NULL, 0, "Write JSON", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char wrong[WORDS_LINE_MAX];
	struct writer problem = writer_on(wrong, sizeof wrong);

	switch (key) {
	case KEY_JSON:
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!filter_add(&o->filter, arg, &problem))
			argp_error(state, "%.*s", (int)problem.len, problem.bytes);
		return 0;
	case ARGP_KEY_END:
		if (!filter_check(&o->filter, &problem))
			argp_error(state, "%.*s", (int)problem.len, problem.bytes);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {.options = list, .parser = parse};

const struct argp_child options_children[] = {{&argp, 0, NULL, 0}, {0}};
