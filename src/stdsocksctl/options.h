/* SPDX-License-Identifier: ISC */
/* The arguments that all commands share: --json and a filter. */
#pragma once

#include <argp.h>
#include <stdbool.h>

#include "stdsocksctl/filter.h"

/* Follows the options in the output of --help. */
#define OPTIONS_FILTER_DOC "\vFILTER is clauses of an access rule. See stdsocksctl(8)."

struct options {
	bool json;
	struct filter filter;
};

/* For .children of a command's argp. The command's parser stores a pointer to its struct options in
 * state->child_inputs[0] at ARGP_KEY_INIT. An error ends the process with EX_USAGE. */
extern const struct argp_child options_children[];
