/* SPDX-License-Identifier: ISC */
/* Parses the command line: stdsocks(8), OPTIONS. */
#pragma once

#include "wire/writer.h"

/* Exit statuses. EXIT_OVER means that the connection is over, whether it was served or not. The
 * others are EX_USAGE, EX_OSERR and EX_CONFIG of sysexits(3). */
enum { EXIT_OVER = 0, EXIT_USAGE = 64, EXIT_SYSTEM = 71, EXIT_CONFIG = 78 };

/* The task of the process: to serve a client, or the task of an option. The values are also return
 * values of getopt_long(3). They are above 255, so that none of them is equal to an option
 * character. */
enum options_mode { MODE_SERVE = 256, MODE_CHECK, MODE_EXPLAIN, MODE_HELP, MODE_VERSION };

#define OPTIONS_LINES_MAX 64 /* upper limit of the options -o */

struct options {
	enum options_mode mode;
	bool hex, trace;
	const char *file;     /* of -f; NULL: SETTINGS_DEFAULT_FILE, if it exists */
	const char *question; /* of --explain */
	size_t lines_count;
	const char *lines[OPTIONS_LINES_MAX]; /* the arguments of -o, in order */
};

/* Parses the arguments of main(). *ret_options points into argv. On error returns false and writes
 * a message to *problem. */
bool options_parse(int argc, char **argv, struct options *ret_options, struct writer *problem);

/* The text for --help, and the text that is printed if standard input is a terminal. */
extern const char options_help[], options_on_a_terminal[];
