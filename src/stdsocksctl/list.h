/* SPDX-License-Identifier: ISC */
/* The command "list", and the options that it shares with "top" and "stop". */
#pragma once

#include "stdsocksctl/options.h"
#include "stdsocksctl/show.h"

struct list_options {
	struct options common;
	const char *pattern; /* of unit names */
	const struct show_column *sort;
};

/* As options_children, for a struct list_options that is all zero. */
extern const struct argp_child list_children[];

/* Reads the selected connections, sorted. If bus is NULL, opens a connection to the bus for this
 * call. Returns 0, or -errno; on error *ret_live is unchanged. */
int list_gather(sd_bus *bus, const struct list_options *o, struct live *ret_live);

/* Prints the connections as a table, or with --json as objects. */
void list_print(const struct list_options *o, const struct live *live, FILE *to);
