/* SPDX-License-Identifier: ISC */
/* What can be asked of stdsocksctl: one command a file, and main's list of them.
 * Knows: what all of them have. */
#pragma once

#include <sysexits.h> /* EX_USAGE 64, EX_NOINPUT 66, EX_UNAVAILABLE 69, EX_OSERR 71, EX_IOERR 74, EX_NOPERM 77 */

#define EX_NOTHING 1 /* nothing was found that the command was to act upon */

struct command {
	const char *name, *does;
	/* argv[0] is "stdsocksctl NAME", the rest is the command's own. Returns the exit status. */
	int (*run)(int argc, char **argv);
};

extern const struct command list_command, top_command, stop_command, log_command, report_command;
