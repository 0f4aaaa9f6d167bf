/* SPDX-License-Identifier: ISC */
/* stdsocksctl list: the connections that live. */
#include "stdsocksctl/ask.h"
#include "stdsocksctl/command.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = state->input;
	return 0;
}

static int run(int argc, char **argv)
{
	static const struct argp argp = {.parser = parse,
		.args_doc = "[FILTER]",
		.doc = "Shows the connections that live." OPTIONS_FILTER_DOC,
		.children = ask_children};
	struct ask ask = ask_default();
	struct live live;

	argp_parse(&argp, argc, argv, 0, NULL, &ask);
	int r = ask_live_once(&ask, &live);
	if (r < 0)
		return live_failed(r);
	ask_show(&ask, &live, stdout);
	live_free(&live);
	return EX_OK;
}

const struct command list_command = {"list", "show the connections that live", run};
