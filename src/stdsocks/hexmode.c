/* SPDX-License-Identifier: ISC */
/* --hex: the same handler between two translators, as a shell would join them:
 * hex text -> bytes | stdsocks | bytes -> annotated hex text.
 * Knows: pipes, what a server sends in which order. Does not know: sessions. */
#include "stdsocks/hexmode.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stdsocks/options.h"
#include "wire/annotate.h"
#include "wire/hex.h"

enum { CHUNK = 4096 }; /* bytes read at a time; more than any message of a server has */

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
		if (!hex_read(&h, text, (size_t)n, &w))
			return complain_of_hex(&h);
		if (!write_all(to, w.bytes, w.len))
			return EXIT_OVER; /* the server has closed; that is its right */
	}
	return hex_end(&h) ? EXIT_OVER : complain_of_hex(&h);
}

/* How long the next message of a server is; 0 while too little of it is there to tell. */
static size_t message_len(enum socks5_message message, const uint8_t *bytes, size_t len)
{
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
	size_t len = message_len(*message, bytes, r->len - r->at);
	if (len == 0 || len > r->len - r->at)
		return false;
	annotate_message(w, *message, bytes, len);
	reader_bytes(r, len);
	*message = *message == SOCKS5_METHOD && bytes[1] == SOCKS5_USERNAME_PASSWORD
		? SOCKS5_LOGIN_STATUS
		: SOCKS5_REPLY;
	return true;
}

/* Bytes of the server from `from` -> annotated hex text on standard output. */
static void annotate(int from)
{
	uint8_t bytes[CHUNK];
	char text[CHUNK * 16]; /* 16 bytes make a line of at most 120 */
	enum socks5_message message = SOCKS5_METHOD;
	bool relaying = false;
	size_t len = 0;

	for (ssize_t n; (n = read(from, bytes + len, sizeof bytes - len)) >= 0;) {
		struct writer w = writer_on(text, sizeof text);
		struct reader r = reader_of(bytes, len += (size_t)n);
		while (!relaying) {
			bool was_reply = message == SOCKS5_REPLY;
			if (!show_message(&w, &r, &message))
				break;
			relaying = was_reply;
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

static int status_of(pid_t process)
{
	int status = 0;
	waitpid(process, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_OVER;
}

bool hexmode_enter(void)
{
	int up[2], down[2];
	if (pipe2(up, O_CLOEXEC) < 0 || pipe2(down, O_CLOEXEC) < 0)
		return false;

	pid_t decoder = fork();
	if (decoder == 0) {
		close(up[0]);
		close(down[0]);
		close(down[1]);
		signal(SIGPIPE, SIG_IGN);
		_exit(decode(up[1]));
	}
	pid_t server = decoder > 0 ? fork() : -1;
	if (server == 0) {
		dup2(up[0], STDIN_FILENO);
		dup2(down[1], STDOUT_FILENO);
	}
	close(up[0]);
	close(up[1]);
	close(down[1]);
	if (server != 0 && decoder > 0)
		annotate(down[0]);
	close(down[0]);
	if (server == 0)
		return true;
	if (server < 0)
		return false;

	/* The conversation is over; a decoder that still waits for a person need not. */
	int status = status_of(server);
	kill(decoder, SIGTERM);
	int decoded = status_of(decoder);
	_exit(decoded != EXIT_OVER ? decoded : status);
}
