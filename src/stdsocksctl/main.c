/* SPDX-License-Identifier: ISC */
/* stdsocksctl, the administrator's tool: runs the command that its first argument names. */
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
	      "Shows, stops and summarizes connections of stdsocks under systemd.\n"
	      "\n",
		to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n"
	      "FILTER consists of clauses of an access rule, and selects the connections that the\n"
	      "rule matches: 'from 192.0.2.0/24', 'user alice', 'to .example.com port 443'.\n"
	      "\n"
	      "Exit status: 0 success; 1 nothing to act upon; 64 usage error; 66 file not\n"
	      "readable; 69 systemd or gnuplot not available; 71 system failure; 74 write error;\n"
	      "77 permission denied. See stdsocksctl(8).\n",
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
	fprintf(stderr, "stdsocksctl: unknown command \"%s\"; see stdsocksctl --help\n", argv[1]);
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
