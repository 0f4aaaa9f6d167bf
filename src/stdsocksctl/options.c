/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/options.h"

enum { KEY_JSON = 0x1000 };

static const struct argp_option list[] = {{"json", KEY_JSON, NULL, 0, "Write JSON", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char text[WORDS_LINE_MAX];
	struct writer problem = writer_on(text, sizeof text);
	bool valid = true;

	if (key == KEY_JSON)
		o->json = true;
	else if (key == ARGP_KEY_ARG)
		valid = filter_add(&o->filter, arg, &problem);
	else if (key == ARGP_KEY_END)
		valid = filter_check(&o->filter, &problem);
	else
		return ARGP_ERR_UNKNOWN;
	if (!valid)
		argp_error(state, "%.*s", (int)problem.len, problem.bytes);
	return 0;
}

static const struct argp argp = {.options = list, .parser = parse};

const struct argp_child options_children[] = {{&argp, 0, NULL, 0}, {0}};
