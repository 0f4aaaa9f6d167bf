/* SPDX-License-Identifier: ISC */
/* The command "list", and the options that it has in common with "top" and "stop". */
#pragma once

#include "stdsocksctl/options.h"
#include "stdsocksctl/show.h"

struct list_options {
	struct options common;
	const char *pattern;            /* of --unit; NULL: the default */
	const struct show_column *sort; /* of --sort */
};

/* The parser of these options, for the member `children` of a command's struct argp. At
 * ARGP_KEY_INIT, the command's parser must store a pointer to a struct list_options, all zero, in
 * state->child_inputs[0]. An error ends the process with EX_USAGE. */
extern const struct argp_child list_children[];

/* Reads the connections that the options select, and sorts them. The caller frees *ret_live with
 * live_free(). Returns 0, or -errno; on error *ret_live is unchanged. */
int list_gather(const struct list_options *o, struct live *ret_live);

/* Prints the connections as a table, or with --json as JSON. */
void list_print(const struct list_options *o, const struct live *live, FILE *to);
