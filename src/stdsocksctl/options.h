/* SPDX-License-Identifier: ISC */
/* What every command's line has: --json, and a filter of words.
 * Knows: argp. Does not know: the commands. */
#pragma once

#include <argp.h>
#include <stdbool.h>

#include "stdsocksctl/filter.h"

/* Below the options of --help. */
#define OPTIONS_FILTER_DOC "\vFILTER is clauses of an access rule. See stdsocksctl(8)."

struct options {
	bool json;
	struct filter filter;
};

/* For the argp of a command, as .children = options_children; its parser passes its struct options on by
 * state->child_inputs[0] at ARGP_KEY_INIT. A mistake ends the process with EX_USAGE. */
extern const struct argp_child options_children[];
