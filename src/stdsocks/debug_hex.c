/* SPDX-License-Identifier: ISC */
/* --hex: the same handler between two translators, as a shell would join them:
 * hex text -> bytes | stdsocks | bytes -> annotated hex text.
 * Knows: pipes, what a server sends in which order. Does not know: sessions. */
#include "stdsocks/debug_hex.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stdsocks/options.h"
#include "text/annotate.h"
#include "text/hex.h"
#include "wire/socks4.h"

enum { CHUNK = 4096 }; /* bytes read at a time; more than any message of a server has */

/* Memory that the server shares with its translators; NULL without them. */
static bool *two_replies;

bool *hexmode_two_replies(void)
{
	return two_replies;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static int complain_of_hex(const struct hex *h)
{
	char text[256];
	struct writer w = writer_on(text, sizeof text);
	writer_str(&w, "stdsocks: standard input:");
	writer_decimal(&w, h->line, 1);
	writer_u8(&w, ':');
	writer_decimal(&w, h->column, 1);
	writer_str(&w, ": ");
	writer_str(&w, h->what);
	writer_u8(&w, '\n');
	write_all(STDERR_FILENO, w.bytes, w.len);
	return EXIT_USAGE;
}

/* Hex text on standard input -> bytes into `to`. The exit status. */
static int decode(int to)
{
	char text[CHUNK], bytes[CHUNK];
	struct hex h = hex_start();
	ssize_t n;

	while ((n = read(STDIN_FILENO, text, sizeof text)) > 0) {
		struct writer w = writer_on(bytes, sizeof bytes);
		bool right = hex_read(&h, text, (size_t)n, &w);
		if (!write_all(to, w.bytes, w.len))
			return EXIT_OVER; /* the server has closed; that is its right */
		if (!right)
			return complain_of_hex(&h);
	}
	return hex_end(&h) ? EXIT_OVER : complain_of_hex(&h);
}

/* How long the next message of a server is; 0 while too little of it is there to tell. */
static size_t message_len(enum socks5_message message, const uint8_t *bytes, size_t len)
{
	if (message == SOCKS4_REPLY)
		return SOCKS4_REPLY_LEN;
	if (message != SOCKS5_REPLY)
		return 2;
	if (len < 5)
		return 0;
	switch (bytes[3]) {
	case SOCKS5_IPV4:
		return 4 + 4 + 2;
	case SOCKS5_IPV6:
		return 4 + 16 + 2;
	case SOCKS5_DOMAINNAME:
		return 4 + 1 + (size_t)bytes[4] + 2;
	default:
		return len;
	}
}

/* Shows one message, if it is there whole, and moves on to what follows it. */
static bool show_message(struct writer *w, struct reader *r, enum socks5_message *message)
{
	const uint8_t *bytes = r->bytes + r->at;
	/* The first byte tells: an answer of version 4 begins with 0. */
	if (*message == SOCKS5_METHOD && r->len > r->at && bytes[0] == 0)
		*message = SOCKS4_REPLY;
	size_t len = message_len(*message, bytes, r->len - r->at);
	if (len == 0 || len > r->len - r->at)
		return false;
	annotate_message(w, *message, bytes, len);
	reader_bytes(r, len);
	if (*message == SOCKS5_METHOD && bytes[1] == SOCKS5_USERNAME_PASSWORD)
		*message = SOCKS5_LOGIN_STATUS;
	else if (*message != SOCKS4_REPLY)
		*message = SOCKS5_REPLY;
	return true;
}

/* Bytes of the server from `from` -> annotated hex text on standard output. */
static void annotate(int from)
{
	uint8_t bytes[CHUNK];
	char text[CHUNK * 16]; /* 16 bytes make a line of at most 120 */
	enum socks5_message message = SOCKS5_METHOD;
	bool relaying = false;
	unsigned replies = 0;
	size_t len = 0;

	for (ssize_t n; (n = read(from, bytes + len, sizeof bytes - len)) >= 0;) {
		struct writer w = writer_on(text, sizeof text);
		struct reader r = reader_of(bytes, len += (size_t)n);
		while (!relaying) {
			bool was_reply = message == SOCKS5_REPLY;
			if (!show_message(&w, &r, &message))
				break;
			replies += was_reply || message == SOCKS4_REPLY;
			relaying = replies == (*two_replies ? 2 : 1);
		}
		if (relaying || n == 0) {
			annotate_data(&w, bytes + r.at, len - r.at);
			r.at = len;
		}
		len -= r.at;
		memmove(bytes, bytes + r.at, len);
		if (!write_all(STDOUT_FILENO, w.bytes, w.len) || n == 0)
			break;
	}
}

static pid_t decoder, annotator;

/* What a terminal's ^C and a closed pipe mean is the server's to say. */
static void become_translator(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
}

static pid_t start_decoder(const int up[2], const int down[2])
{
	pid_t process = fork();
	if (process != 0)
		return process;
	become_translator();
	close(up[0]);
	close(down[0]);
	close(down[1]);
	_exit(decode(up[1]));
}

static pid_t start_annotator(const int up[2], const int down[2])
{
	pid_t process = fork();
	if (process != 0)
		return process;
	become_translator();
	close(up[0]);
	close(up[1]);
	close(down[1]);
	annotate(down[0]);
	kill(decoder, SIGTERM); /* the server will say no more; the person need not go on */
	_exit(EXIT_OVER);
}

bool hexmode_enter(void)
{
	int up[2], down[2];
	void *shared = mmap(NULL, sizeof *two_replies, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || pipe2(up, O_CLOEXEC) < 0 || pipe2(down, O_CLOEXEC) < 0)
		return false;
	two_replies = shared;
	decoder = start_decoder(up, down);
	if (decoder < 0)
		return false;
	annotator = start_annotator(up, down);
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

int hexmode_leave(int status)
{
	int decoded = 0;
	close(STDIN_FILENO);
	close(STDOUT_FILENO); /* the annotator's end of file */
	waitpid(annotator, NULL, 0);
	waitpid(decoder, &decoded, 0);
	return WIFEXITED(decoded) && WEXITSTATUS(decoded) != EXIT_OVER ? WEXITSTATUS(decoded)
								       : status;
}
