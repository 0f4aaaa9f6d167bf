/* SPDX-License-Identifier: ISC */
#include "stdsocks/options.h"

#include <getopt.h>
#include <string.h>

#include "stdsocks/settings.h"
#include "text/words.h"

const char options_help[] =
	"usage: stdsocks [-f FILE] [-o 'KEYWORD VALUE']... [--trace] [--hex]\n"
	"       stdsocks [-f FILE] [-o 'KEYWORD VALUE']... --check\n"
	"       stdsocks [-f FILE] [-o 'KEYWORD VALUE']... --explain QUESTION | -\n"
	"       stdsocks --help | --version\n"
	"\n"
	"Serve one SOCKS connection on standard input and output, and exit. If standard\n"
	"input is a listening socket, serve its connections, each with its own process.\n"
	"\n"
	"  -f FILE       read the configuration from FILE\n"
	"                (default: " SETTINGS_DEFAULT_FILE ", if it exists)\n"
	"  -o LINE       add a line of configuration, such as 'timeout idle 10m'\n"
	"  --trace       show the decoded messages and the record on standard error\n"
	"  --hex         read hex text and write annotated hex text, for debugging\n"
	"  --check       check the configuration, print all errors, and exit\n"
	"  --explain Q   evaluate the access rules for a request, without a connection;\n"
	"                Q is, for example, 'from 192.0.2.7 user alice to example.com\n"
	"                port 443', or - to read questions from standard input\n"
	"  --help        print this help\n"
	"  --version     print the version\n"
	"\n"
	"Exit status: 0 connection closed, or refused; 64 usage error; 71 system error;\n"
	"78 configuration error. See stdsocks(8).\n";

const char options_on_a_terminal[] =
	"stdsocks: standard input is a terminal; start stdsocks from a super-server.\n"
	"\n"
	"A super-server starts stdsocks for each connection. To try it now:\n"
	"\n"
	"  systemd-socket-activate --accept --inetd -l 127.0.0.1:1080 stdsocks\n"
	"  tcpserver 127.0.0.1 1080 stdsocks\n"
	"\n"
	"then, in another terminal:\n"
	"\n"
	"  curl --socks5-hostname 127.0.0.1:1080 http://example.com/\n"
	"\n"
	"To send the bytes of a request by hand:\n"
	"\n"
	"  printf '05 01 00  05 01 00 03 0b \"example.com\" 00 50' | stdsocks --hex\n"
	"\n"
	"For installation and options, see stdsocks(8) and stdsocks --help.\n";

enum { OPTION_HEX = MODE_VERSION + 1, OPTION_TRACE };

/* Writes a message. Returns false. */
static bool usage_error(struct writer *problem, const char *what, const char *word)
{
	writer_str(problem, what);
	writer_escaped(problem, word, strnlen(word, WORDS_QUOTED_MAX));
	writer_str(problem,
		strlen(word) > WORDS_QUOTED_MAX ? "...; see stdsocks --help"
						: "; see stdsocks --help");
	return false;
}

/* Returns the option that getopt_long(3) has rejected. It sets optopt to the letter of a short one.
 */
static const char *rejected_option(char **argv)
{
	static char letter[3] = "-";
	if (optopt == 0 || (optopt >= MODE_SERVE && optopt <= OPTION_TRACE))
		return argv[optind - 1];
	letter[1] = (char)(optopt < 0x80 ? optopt : '?'); /* a part of a UTF-8 character */
	return letter;
}

bool options_parse(int argc, char **argv, struct options *o, struct writer *problem)
{
	static const struct option names[] = {
		{"hex", no_argument, NULL, OPTION_HEX},
		{"trace", no_argument, NULL, OPTION_TRACE},
		{"check", no_argument, NULL, MODE_CHECK},
		{"explain", required_argument, NULL, MODE_EXPLAIN},
		{"help", no_argument, NULL, MODE_HELP},
		{"version", no_argument, NULL, MODE_VERSION},
		{0},
	};
	*o = (struct options){.mode = MODE_SERVE};
	opterr = 0; /* standard error may be the connection */

	for (int c; (c = getopt_long(argc, argv, ":f:o:", names, NULL)) != -1;) {
		switch (c) {
		case 'f':
			o->file = optarg;
			break;
		case 'o':
			if (o->lines_count == OPTIONS_LINES_MAX)
				return usage_error(problem, "more than 64 options -o: ", optarg);
			o->lines[o->lines_count++] = optarg;
			break;
		case OPTION_HEX:
			o->hex = true;
			break;
		case OPTION_TRACE:
			o->trace = true;
			break;
		case MODE_CHECK:
		case MODE_EXPLAIN:
		case MODE_HELP:
		case MODE_VERSION:
			o->mode = (enum options_mode)c;
			o->question = optarg;
			break;
		case ':':
			return usage_error(
				problem, "missing argument after ", rejected_option(argv));
		default:
			return usage_error(problem, "unknown option ", rejected_option(argv));
		}
	}
	return optind == argc || usage_error(problem, "unexpected argument ", argv[optind]);
}
