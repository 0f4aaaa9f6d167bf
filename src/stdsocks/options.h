/* SPDX-License-Identifier: ISC */
/* Parses the command line: stdsocks(8), OPTIONS. */
#pragma once

#include "wire/writer.h"

/* Exit statuses: of a connection that is over, and EX_USAGE, EX_OSERR and EX_CONFIG of sysexits(3).
 */
enum { EXIT_OVER = 0, EXIT_USAGE = 64, EXIT_SYSTEM = 71, EXIT_CONFIG = 78 };

/* These are also return values of getopt_long(3). They are above 255, so that none of them is equal
 * to an option character. */
enum options_mode { MODE_SERVE = 256, MODE_CHECK, MODE_EXPLAIN, MODE_HELP, MODE_VERSION };

#define OPTIONS_LINES_MAX 64 /* of -o */

struct options {
	enum options_mode mode;
	bool hex, trace;
	const char *file;     /* NULL: SETTINGS_DEFAULT_FILE, if it exists */
	const char *question; /* of MODE_EXPLAIN */
	size_t lines_count;
	const char *lines[OPTIONS_LINES_MAX]; /* of -o, in order */
};

/* On error returns false and writes a message to problem. */
bool options_parse(int argc, char **argv, struct options *ret_options, struct writer *problem);

/* The text of --help, and the message if standard input is a terminal. */
extern const char options_help[], options_on_a_terminal[];
