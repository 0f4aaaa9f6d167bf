/* SPDX-License-Identifier: ISC */
/* The commands of stdsocksctl, each in a file of its own, and their exit statuses. */
#pragma once

/* For EX_USAGE 64, EX_NOINPUT 66, EX_UNAVAILABLE 69, EX_OSERR 71, EX_IOERR 74, EX_NOPERM 77. */
#include <sysexits.h>

#define EX_NOTHING 1 /* of "stop": there is no such connection to stop */

struct command {
	const char *name, *summary; /* the summary is for --help */
	/* Runs the command. argv[0] is "stdsocksctl NAME". Returns the exit status. */
	int (*run)(int argc, char **argv);
};

extern const struct command list_command, top_command, stop_command, log_command, report_command;
