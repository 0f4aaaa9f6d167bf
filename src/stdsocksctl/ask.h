/* SPDX-License-Identifier: ISC */
/* What the command lines about live connections have in common: --unit and --sort, and what all have.
 * Knows: argp. */
#pragma once

#include "stdsocksctl/options.h"
#include "stdsocksctl/show.h"

struct ask {
	struct options common;
	const char *pattern; /* NULL: what there is */
	const struct show_column *sort;
};

/* As the input of ask_children: the oldest first. */
struct ask ask_default(void);

/* As options_children, for struct ask. */
extern const struct argp_child ask_children[];

/* The connections that were asked for, in the order that was asked for. Returns 0, or -errno. */
int ask_live(sd_bus *bus, const struct ask *ask, struct live *ret_live);

/* The same on a bus of its own. */
int ask_live_once(const struct ask *ask, struct live *ret_live);

/* A table, or with --json objects. */
void ask_show(const struct ask *ask, const struct live *live, FILE *to);
