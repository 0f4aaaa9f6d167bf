/* SPDX-License-Identifier: ISC */
/* What the command line asks for, and the configuration that comes of it.
 * Knows: the options (stdsocks(8)), the configuration's file. */
#include "stdsocks/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "stdsocks/large.h"

const char options_help[] =
	"usage: stdsocks [-f FILE] [-o 'KEYWORD VALUE']... [--trace] [--hex]\n"
	"       stdsocks [-f FILE] [-o 'KEYWORD VALUE']... --check\n"
	"       stdsocks --help | --version\n"
	"\n"
	"Serves one SOCKS 5 connection on standard input and output, then exits.\n"
	"\n"
	"  -f FILE       read the configuration from FILE\n"
	"                (else from " OPTIONS_DEFAULT_FILE ", if it exists)\n"
	"  -o LINE       one more line of configuration, such as 'timeout idle 10m'\n"
	"  --trace       show every message, decoded, and the record on standard error\n"
	"  --hex         standard input is hex text, standard output annotated hex text\n"
	"  --check       read the configuration, name each mistake, and exit\n"
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

/* A mistake: such a word, escaped; what would do; and a place of PATH_MAX. */
#define MISTAKE_MAX (4 * CONFIG_QUOTED_MAX + 512 + 4096)

enum { OPTION_HEX = 256, OPTION_TRACE, OPTION_CHECK, OPTION_HELP, OPTION_VERSION };

static bool mistake(struct writer *problem, const char *what, const char *word)
{
	writer_str(problem, what);
	writer_escaped(problem, word, strnlen(word, CONFIG_QUOTED_MAX));
	writer_str(problem,
		strlen(word) > CONFIG_QUOTED_MAX ? "...; see stdsocks --help"
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

/* One line of configuration and where it stands. */
struct line {
	const char *text;
	size_t len;
	const char *place; /* the file, or "-o" */
	size_t number;     /* 0: it has none */
};

/* A mistake becomes one line of problem: "PLACE:LINE: what; what would do". */
static bool apply(const struct line *line, struct config *config, struct writer *problem)
{
	static char what_bytes[MISTAKE_MAX] LARGE, text[MISTAKE_MAX] LARGE;
	struct writer what = writer_on(what_bytes, sizeof what_bytes);
	struct writer w = writer_on(text, sizeof text);

	if (config_line(config, line->text, line->len, &what))
		return true;
	writer_str(&w, line->place);
	if (line->number > 0) {
		writer_u8(&w, ':');
		writer_decimal(&w, line->number, 1);
	}
	writer_str(&w, ": ");
	writer_bytes(&w, what.bytes, what.len);
	writer_u8(&w, '\n');
	writer_bytes(problem, w.bytes, w.len); /* whole, or not at all */
	return false;
}

static bool unreadable(struct writer *problem, const char *file, const char *why)
{
	writer_str(problem, file);
	writer_str(problem, ": ");
	writer_str(problem, why);
	writer_str(problem, "; make it a readable file of at most 64K, or name another with -f\n");
	return false;
}

/* Reads to the end of a file or pipe: the number of bytes, at most OPTIONS_FILE_MAX + 1, or -errno.
 * A pipe has OPTIONS_PIPE_MS to say more; one that says nothing at all is no configuration. */
static ssize_t read_all(int fd, char *bytes)
{
	struct pollfd more = {.fd = fd, .events = POLLIN};
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, bytes + len, OPTIONS_FILE_MAX + 1 - len)) != 0) {
		if (n > 0)
			len += (size_t)n;
		else if (errno != EAGAIN)
			return -errno;
		else if (poll(&more, 1, OPTIONS_PIPE_MS) <= 0)
			return -ETIMEDOUT;
	}
	return len == 0 && lseek(fd, 0, SEEK_CUR) < 0 ? -ENODATA : (ssize_t)len;
}

/* The file's bytes; none when the default file does not exist. */
static bool read_file(
	const char *file, bool must_exist, char *bytes, size_t *ret_len, struct writer *problem)
{
	*ret_len = 0;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT && !must_exist)
		return true;
	if (fd < 0)
		return unreadable(problem, file, strerror(errno));

	ssize_t len = read_all(fd, bytes);
	close(fd);
	if (len < 0)
		return unreadable(problem, file, strerror((int)-len));
	if ((size_t)len > OPTIONS_FILE_MAX)
		return unreadable(problem, file, "too large");
	*ret_len = (size_t)len;
	return true;
}

static bool apply_file(
	const char *file, bool must_exist, struct config *config, struct writer *problem)
{
	static char bytes[OPTIONS_FILE_MAX + 1] LARGE;
	size_t len;
	bool right = read_file(file, must_exist, bytes, &len, problem);
	struct line line = {.text = bytes, .place = file};

	while (line.text < bytes + len) {
		size_t left = (size_t)(bytes + len - line.text);
		const char *newline = memchr(line.text, '\n', left);
		line.len = newline ? (size_t)(newline - line.text) : left;
		line.number++;
		right &= apply(&line, config, problem);
		line.text += line.len + 1;
	}
	return right;
}

bool options_config(const struct options *o, struct config *ret_config, struct writer *problem)
{
	*ret_config = config_default();
	if (o->hex) /* a person types */
		ret_config->handshake_us = OPTIONS_HEX_HANDSHAKE_US;

	bool right = apply_file(
		o->file ? o->file : OPTIONS_DEFAULT_FILE, o->file != NULL, ret_config, problem);
	for (size_t i = 0; i < o->lines_count; i++) {
		struct line line = {.text = o->lines[i], .len = strlen(o->lines[i]), .place = "-o"};
		right &= apply(&line, ret_config, problem);
	}
	return right;
}
