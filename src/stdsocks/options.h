/* SPDX-License-Identifier: ISC */
/* What the command line asks for, and the configuration that comes of it.
 * Knows: the options (stdsocks(8)), the configuration's file. */
#pragma once

#include "policy/config.h"

/* sysexits(3), the ones that are in use. */
enum { EXIT_OVER = 0, EXIT_USAGE = 64, EXIT_SYSTEM = 71, EXIT_CONFIG = 78 };

enum options_mode { MODE_SERVE, MODE_CHECK, MODE_HELP, MODE_VERSION };

/* Of -o; and of the file: its size in bytes. */
#define OPTIONS_LINES_MAX        64
#define OPTIONS_FILE_MAX         ((size_t)64 * 1024)
/* With --hex a person types: the handshake's time where nothing else is configured. */
#define OPTIONS_HEX_HANDSHAKE_US (INT64_C(600) * 1000000)
/* How long a pipe in the file's place may take for its next bytes. */
#define OPTIONS_PIPE_MS          1000
#define OPTIONS_DEFAULT_FILE     SYSCONFDIR "/stdsocks/stdsocks.conf"

struct options {
	enum options_mode mode;
	bool hex, trace;
	const char *file; /* NULL: the default one, if it exists */
	size_t lines_count;
	const char *lines[OPTIONS_LINES_MAX]; /* of -o, in order */
};

/* Reads the command line. False when it is wrong: what is, and what would do, is put into problem. */
bool options_parse(int argc, char **argv, struct options *ret_options, struct writer *problem);

/* The configuration: what is built in, then the file, then -o. False when any line is wrong or the
 * file cannot be read: then every mistake is put into problem, a line each, as far as they fit: problem->full tells. */
bool options_config(
	const struct options *options, struct config *ret_config, struct writer *problem);

/* The text of --help, and what is said to a person who starts it on a terminal. */
extern const char options_help[], options_on_a_terminal[];
