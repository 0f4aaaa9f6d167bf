/* SPDX-License-Identifier: ISC */
/* The arguments that all commands have in common: --json and a filter. */
#pragma once

#include <argp.h>
#include <stdbool.h>

#include "stdsocksctl/filter.h"

/* The text that follows the options in the output of --help; argp prints the text after \v there.
 */
#define OPTIONS_FILTER_DOC "\vFILTER is clauses of an access rule. See stdsocksctl(8)."

struct options {
	bool json;
	struct filter filter;
};

/* The parser of these arguments, for the member `children` of a command's struct argp. At
 * ARGP_KEY_INIT, the command's parser must store a pointer to a struct options, all zero, in
 * state->child_inputs[0]. An error ends the process with EX_USAGE. */
extern const struct argp_child options_children[];
