/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/list.h"

#include "stdsocksctl/command.h"

enum { KEY_SORT = 0x2000, KEY_UNIT };

static const struct argp_option options[] = {
	{"sort", KEY_SORT, "KEY", 0, "Sort by " SHOW_KEYS " (default: age)", 0},
	{"unit", KEY_UNIT, "PATTERN", 0, "Select units by name (default: those of stdsocks)", 0},
	{0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct list_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		o->sort = show_column("age", 0);
		return 0;
	case KEY_SORT:
		o->sort = show_column(arg, 0);
		if (!o->sort)
			argp_error(state, "invalid --sort \"%s\"; use " SHOW_KEYS, arg);
		return 0;
	case KEY_UNIT:
		o->pattern = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp child = {
	.options = options, .parser = parse, .children = options_children};

const struct argp_child list_children[] = {{&child, 0, NULL, 0}, {0}};

int list_gather(const struct list_options *o, struct live *ret_live)
{
	int r = live_gather(o->pattern, &o->common.filter, ret_live);

	if (r == 0)
		show_sort(ret_live, o->sort);
	return r;
}

void list_print(const struct list_options *o, const struct live *live, FILE *to)
{
	if (o->common.json)
		show_json(live, to);
	else
		show_table(live, to);
}

static int run(int argc, char **argv)
{
	static const struct argp argp = {.options = options,
		.parser = parse,
		.args_doc = "[FILTER]",
		.doc = "Shows the open connections." OPTIONS_FILTER_DOC,
		.children = options_children};
	struct list_options o = {0};
	struct live live;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	int r = list_gather(&o, &live);
	if (r < 0)
		return live_print_error(r);
	list_print(&o, &live, stdout);
	if (live.ready > 0 && !o.common.json)
		printf("%zu ready\n", live.ready);
	live_free(&live);
	return EX_OK;
}

const struct command list_command = {"list", "show the open connections", run};
