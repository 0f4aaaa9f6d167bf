/* SPDX-License-Identifier: ISC */
/* What the command line asks for. Knows: the options (stdsocks(8)). */
#pragma once

#include "wire/writer.h"

/* sysexits(3), the ones that are in use. */
enum { EXIT_OVER = 0, EXIT_USAGE = 64, EXIT_SYSTEM = 71, EXIT_CONFIG = 78 };

enum options_mode { MODE_SERVE, MODE_CHECK, MODE_EXPLAIN, MODE_HELP, MODE_VERSION };

#define OPTIONS_LINES_MAX 64 /* of -o */

struct options {
	enum options_mode mode;
	bool hex, trace;
	const char *file;     /* NULL: the default one, if it exists */
	const char *question; /* of --explain */
	size_t lines_count;
	const char *lines[OPTIONS_LINES_MAX]; /* of -o, in order */
};

/* Reads the command line. False when it is wrong: what is, and what would do, is put into problem.
 */
bool options_parse(int argc, char **argv, struct options *ret_options, struct writer *problem);

/* The text of --help, and what is said to a person who starts it on a terminal. */
extern const char options_help[], options_on_a_terminal[];
