/* SPDX-License-Identifier: ISC */
/* What the command line asks for. Knows: the options (stdsocks(8)). */
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
	"Serves one SOCKS connection on standard input and output, then exits.\n"
	"\n"
	"  -f FILE       read the configuration from FILE\n"
	"                (else from " SETTINGS_DEFAULT_FILE ", if it exists)\n"
	"  -o LINE       one more line of configuration, such as 'timeout idle 10m'\n"
	"  --trace       show every message, decoded, and the record on standard error\n"
	"  --hex         standard input is hex text, standard output annotated hex text\n"
	"  --check       read the configuration, name each mistake, and exit\n"
	"  --explain Q   tell what the access rules say, and why, without a connection;\n"
	"                Q is 'from 192.0.2.7 user alice to example.com port 443' or\n"
	"                the like; - reads many, one a line\n"
	"  --help        show this\n"
	"  --version     show the version\n"
	"\n"
	"Exit status: 0 the connection is over, whatever the client did; 64 usage;\n"
	"71 the system failed; 78 configuration. See stdsocks(8).\n";

const char options_on_a_terminal[] =
	"stdsocks: standard input is a terminal, not a client.\n"
	"\n"
	"A super-server starts stdsocks, once for each connection. To try it now:\n"
	"\n"
	"  systemd-socket-activate --accept --inetd -l 127.0.0.1:1080 stdsocks\n"
	"  tcpserver 127.0.0.1 1080 stdsocks\n"
	"\n"
	"then, elsewhere:  curl --socks5-hostname 127.0.0.1:1080 http://example.com/\n"
	"\n"
	"To speak SOCKS by hand, byte by byte:\n"
	"\n"
	"  printf '05 01 00  05 01 00 03 0b \"example.com\" 00 50' | stdsocks --hex\n"
	"\n"
	"To install it for good, and for everything else: stdsocks(8), stdsocks --help.\n";

enum { OPTION_HEX = 256, OPTION_TRACE, OPTION_CHECK, OPTION_EXPLAIN, OPTION_HELP, OPTION_VERSION };

static bool mistake(struct writer *problem, const char *what, const char *word)
{
	writer_str(problem, what);
	writer_escaped(problem, word, strnlen(word, WORDS_QUOTED_MAX));
	writer_str(problem,
		strlen(word) > WORDS_QUOTED_MAX ? "...; see stdsocks --help"
						: "; see stdsocks --help");
	return false;
}

/* The option that getopt_long(3) has just complained of: it tells a letter, and no long name. */
static const char *at_fault(char **argv)
{
	static char letter[3] = "-";
	if (optopt == 0 || (optopt >= OPTION_HEX && optopt <= OPTION_VERSION))
		return argv[optind - 1];
	letter[1] = (char)(optopt < 0x80 ? optopt : '?'); /* a part of some character */
	return letter;
}

bool options_parse(int argc, char **argv, struct options *o, struct writer *problem)
{
	static const struct option names[] = {
		{"hex", no_argument, NULL, OPTION_HEX},
		{"trace", no_argument, NULL, OPTION_TRACE},
		{"check", no_argument, NULL, OPTION_CHECK},
		{"explain", required_argument, NULL, OPTION_EXPLAIN},
		{"help", no_argument, NULL, OPTION_HELP},
		{"version", no_argument, NULL, OPTION_VERSION},
		{0},
	};
	*o = (struct options){.mode = MODE_SERVE};
	opterr = 0; /* standard error may be the client */

	for (int c; (c = getopt_long(argc, argv, ":f:o:", names, NULL)) != -1;) {
		switch (c) {
		case 'f':
			o->file = optarg;
			break;
		case 'o':
			if (o->lines_count == OPTIONS_LINES_MAX)
				return mistake(problem, "more than 64 times -o: ", optarg);
			o->lines[o->lines_count++] = optarg;
			break;
		case OPTION_HEX:
			o->hex = true;
			break;
		case OPTION_TRACE:
			o->trace = true;
			break;
		case OPTION_CHECK:
			o->mode = MODE_CHECK;
			break;
		case OPTION_EXPLAIN:
			o->mode = MODE_EXPLAIN;
			o->question = optarg;
			break;
		case OPTION_HELP:
			o->mode = MODE_HELP;
			break;
		case OPTION_VERSION:
			o->mode = MODE_VERSION;
			break;
		case ':':
			return mistake(problem, "an argument is missing after ", at_fault(argv));
		default:
			return mistake(problem, "no such option: ", at_fault(argv));
		}
	}
	return optind == argc || mistake(problem, "no argument is expected: ", argv[optind]);
}
