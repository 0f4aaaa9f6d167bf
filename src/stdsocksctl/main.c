/* SPDX-License-Identifier: ISC */
/* stdsocksctl: what the operator asks about connections, those that live and those that were.
 * Knows: the names of the commands. Does not know: what they do. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "stdsocksctl/command.h"

static const struct command *const commands[] = {
	&list_command,
	&top_command,
	&stop_command,
	&log_command,
	&report_command,
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static int show_help(FILE *to, int status)
{
	fputs("usage: stdsocksctl COMMAND [OPTION]... [FILTER]\n"
	      "       stdsocksctl COMMAND --help\n"
	      "       stdsocksctl --help | --version\n"
	      "\n"
	      "Shows, ends and counts connections of stdsocks under systemd.\n"
	      "\n",
		to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->does);
	fputs("\n"
	      "FILTER is clauses of an access rule, and means the connections that it matches:\n"
	      "'from 192.0.2.0/24', 'user alice', 'to .example.com port 443'.\n"
	      "\n"
	      "Exit status: 0 done; 1 nothing was found to act upon; 64 usage; 66 no such "
	      "journal;\n"
	      "69 no systemd; 71 the system failed; 74 what is written could not be; 77 not "
	      "permitted.\n"
	      "See stdsocksctl(8).\n",
		to);
	return status;
}

static int run(int argc, char **argv)
{
	static char name[32];

	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i]->name) != 0)
			continue;
		snprintf(name, sizeof name, "stdsocksctl %s", commands[i]->name);
		argv[1] = name;
		return commands[i]->run(argc - 1, argv + 1);
	}
	fprintf(stderr, "stdsocksctl: no such command: \"%s\"; see stdsocksctl --help\n", argv[1]);
	return EX_USAGE;
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 2)
		return show_help(stderr, EX_USAGE);
	if (strcmp(argv[1], "--help") == 0)
		status = show_help(stdout, EX_OK);
	else if (strcmp(argv[1], "--version") == 0)
		status = puts("stdsocksctl " VERSION) < 0 ? EX_IOERR : EX_OK;
	else
		status = run(argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("stdsocksctl: standard output");
		return EX_IOERR;
	}
	return status;
}
