/* SPDX-License-Identifier: ISC */
/* The option --hex, a debugging tool: the client is a person or a script that writes hex text. Two
 * child processes, the translators, convert standard input from hex text to bytes, and the bytes
 * for standard output to annotated hex text. */
#include "stdsocks/debug_hex.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stdsocks/output.h"
#include "text/annotate.h"
#include "text/hex.h"
#include "wire/socks4.h"

enum { CHUNK = 4096 }; /* bytes per read; longer than any message of a server */

/* Memory that the handler shares with its translators; NULL without --hex. */
static bool *two_replies;

bool *debug_hex_two_replies(void)
{
	return two_replies;
}

static int report_bad_hex(const struct hex *h)
{
	dprintf(STDERR_FILENO, "stdsocks: standard input:%zu:%zu: %s\n", h->line, h->column,
		h->what);
	return EXIT_USAGE;
}

/* Translates hex text on standard input to bytes. Returns the exit status. */
static int decode(int to)
{
	char text[CHUNK], bytes[CHUNK];
	struct hex h = hex_start();
	ssize_t n;

	while ((n = read(STDIN_FILENO, text, sizeof text)) > 0) {
		struct writer w = writer_on(bytes, sizeof bytes);
		bool is_valid = hex_read(&h, text, (size_t)n, &w);
		if (!output_bytes(to, w.bytes, w.len))
			return EXIT_OVER; /* the handler has closed its input */
		if (!is_valid)
			return report_bad_hex(&h);
	}
	return hex_end(&h) ? EXIT_OVER : report_bad_hex(&h);
}

/* The length of a server's message; 0 if it is incomplete. */
static size_t message_len(enum socks5_message message, const uint8_t *bytes, size_t len)
{
	const size_t fixed = message == SOCKS4_REPLY ? SOCKS4_REPLY_LEN : 2;
	struct socks5_request form; /* a reply has the form of a request */
	enum socks5_reply error;
	size_t used = 0;

	if (message != SOCKS5_REPLY)
		return len < fixed ? 0 : fixed;
	socks5_parse_request(bytes, len, &used, &form, &error);
	return used;
}

/* Writes one message, if it is complete, sets *message to the kind of the next one, and counts the
 * replies to requests. */
static bool annotate_next(
	struct writer *w, struct reader *r, enum socks5_message *message, unsigned *replies)
{
	const uint8_t *bytes = r->bytes + r->at;
	/* A version 4 reply begins with 0. */
	if (*message == SOCKS5_METHOD && r->len > r->at && bytes[0] == 0)
		*message = SOCKS4_REPLY;
	const size_t len = message_len(*message, bytes, r->len - r->at);
	if (len == 0)
		return false;
	annotate_message(w, *message, bytes, len);
	reader_bytes(r, len);
	*replies += *message == SOCKS5_REPLY || *message == SOCKS4_REPLY;
	if (*message == SOCKS5_METHOD && bytes[1] == SOCKS5_USERNAME_PASSWORD)
		*message = SOCKS5_LOGIN_STATUS;
	else if (*message != SOCKS4_REPLY)
		*message = SOCKS5_REPLY;
	return true;
}

static pid_t decoder, annotator;

/* Translates bytes of the handler to annotated hex text on standard output, and then ends the
 * decoder, which may still wait for input. Returns the exit status. */
static int annotate(int from)
{
	uint8_t bytes[CHUNK];
	char text[CHUNK * 16]; /* 16 bytes make a line of at most 120 */
	enum socks5_message message = SOCKS5_METHOD;
	unsigned replies = 0;
	size_t len = 0;

	for (ssize_t n; (n = read(from, bytes + len, sizeof bytes - len)) >= 0;) {
		struct writer w = writer_on(text, sizeof text);
		struct reader r = reader_of(bytes, len += (size_t)n);
		const unsigned expected = *two_replies ? 2 : 1;
		while (replies < expected && annotate_next(&w, &r, &message, &replies))
			continue;
		if (replies == expected || n == 0) {
			annotate_data(&w, bytes + r.at, len - r.at);
			r.at = len;
		}
		len -= r.at;
		memmove(bytes, bytes + r.at, len);
		if (!output_bytes(STDOUT_FILENO, w.bytes, w.len) || n == 0)
			break;
	}
	kill(decoder, SIGTERM);
	return EXIT_OVER;
}

/* Starts a translator on one end of a pipe, and closes the other ends in it. */
static pid_t start(int (*translate)(int fd), int fd, const int others[3])
{
	pid_t process = fork();
	if (process != 0)
		return process;
	signal(SIGPIPE, SIG_IGN); /* the handler reacts to these */
	signal(SIGINT, SIG_IGN);
	for (size_t i = 0; i < 3; i++)
		close(others[i]);
	_exit(translate(fd));
}

bool debug_hex_enter(void)
{
	int up[2], down[2];
	void *shared = mmap(NULL, sizeof *two_replies, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || pipe2(up, O_CLOEXEC) < 0 || pipe2(down, O_CLOEXEC) < 0)
		return false;
	two_replies = shared;
	decoder = start(decode, up[1], (int[]){up[0], down[0], down[1]});
	if (decoder < 0)
		return false;
	annotator = start(annotate, down[0], (int[]){up[0], up[1], down[1]});
	if (annotator < 0) {
		kill(decoder, SIGTERM);
		return false;
	}
	dup2(up[0], STDIN_FILENO);
	dup2(down[1], STDOUT_FILENO);
	close(up[0]);
	close(up[1]);
	close(down[0]);
	close(down[1]);
	return true;
}

int debug_hex_leave(int status)
{
	int decoded = 0;
	close(STDIN_FILENO);
	close(STDOUT_FILENO); /* end of file for the annotator */
	waitpid(annotator, NULL, 0);
	waitpid(decoder, &decoded, 0);
	return WIFEXITED(decoded) && WEXITSTATUS(decoded) != EXIT_OVER ? WEXITSTATUS(decoded)
								       : status;
}
