/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/list.h"

#include <errno.h>
#include <string.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/group.h"

#define DEFAULT_CONFIG SYSCONFDIR "/stdsocks/stdsocks.conf"

enum { KEY_SORT = 0x2000, KEY_UNIT, KEY_BY, KEY_CONFIG };

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

struct list_command {
	struct list_options list;
	bool is_grouped;
	enum group_by by;
	const char *config;
};

static error_t parse_command(int key, char *arg, struct argp_state *state)
{
	struct list_command *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->list;
		return 0;
	case KEY_BY:
		o->is_grouped = true;
		if (!group_by_key(arg, &o->by))
			argp_error(state, "invalid --by \"%s\"; use " GROUP_KEYS, arg);
		return 0;
	case KEY_CONFIG:
		o->config = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Returns the exit status. */
static int print_groups(const struct list_command *o, const struct live *live)
{
	struct limit limit;
	const int r = group_read_limit(o->config, &limit);

	if (r < 0) {
		fprintf(stderr, "stdsocksctl: cannot read the limits: %s: %s\n", o->config,
			strerror(-r));
		return r == -EACCES ? EX_NOPERM : EX_NOINPUT;
	}
	group_print(live, o->by, &limit, o->list.common.json, stdout);
	return EX_OK;
}

static int print_all(const struct list_command *o, const struct live *live)
{
	list_print(&o->list, live, stdout);
	if (live->ready > 0 && !o->list.common.json)
		printf("%zu ready\n", live->ready);
	return EX_OK;
}

static int run(int argc, char **argv)
{
	static const struct argp_option own_options[] = {
		{"by", KEY_BY, "KEY", 0,
			"Count the connections of each " GROUP_KEYS ", beside their limits", 0},
		{"config", KEY_CONFIG, "FILE", 0,
			"Read the limits from FILE (default: " DEFAULT_CONFIG ")", 0},
		{0}};
	static const struct argp argp = {.options = own_options,
		.parser = parse_command,
		.args_doc = "[FILTER]",
		.doc = "Shows the open connections." OPTIONS_FILTER_DOC,
		.children = list_children};
	struct list_command o = {.config = DEFAULT_CONFIG};
	struct live live;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	int r = list_gather(&o.list, &live);
	if (r < 0)
		return live_print_error(r);
	const int status = o.is_grouped ? print_groups(&o, &live) : print_all(&o, &live);
	live_free(&live);
	return status;
}

const struct command list_command = {"list", "show the open connections", run};
