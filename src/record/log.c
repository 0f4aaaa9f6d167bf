/* SPDX-License-Identifier: ISC */
/* Writes lines to the journal, to syslog or to standard error. */
#include "record/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "record/log_socket.h"
#include "wire/large.h"

#define FACILITY_DAEMON 3 /* RFC 5424 s6.2.1 */

/* Bytes of one line with its fields. */
#define LINE_MAX_BYTES 65536

/* Not on the stack, whose limit may be smaller. */
static char line[LINE_MAX_BYTES] LARGE;

/* Returns true also if fstat(2) fails: log lines must never reach the client. */
static bool is_same_file(const struct stat *a, int fd)
{
	struct stat b;
	return fstat(fd, &b) < 0 || (a->st_dev == b.st_dev && a->st_ino == b.st_ino);
}

/* The bytes of one write to standard error. poll(2) promises room for PIPE_BUF. A file always has
 * room, and lines of several processes are then not mixed. */
static size_t piece_max = PIPE_BUF;

static bool is_ours(int fd)
{
	struct stat own;

	if (fstat(fd, &own) < 0)
		return false;
	if (S_ISREG(own.st_mode))
		piece_max = SIZE_MAX;
	return !is_same_file(&own, STDIN_FILENO) && !is_same_file(&own, STDOUT_FILENO);
}

struct log log_open(bool want_stderr)
{
	bool is_terminal = isatty(STDERR_FILENO);
	struct log log = {.kind = LOG_TO_STDERR,
		.fd = log_socket_open(),
		.stderr_is_ours = is_terminal || is_ours(STDERR_FILENO)};
	if (is_terminal || (want_stderr && log.stderr_is_ours))
		return log;

	if (log.fd >= 0 && log_socket_connect(log.fd, LOG_JOURNAL))
		log.kind = LOG_TO_JOURNAL;
	else if (log.fd >= 0 && log_socket_connect(log.fd, LOG_SYSLOG))
		log.kind = LOG_TO_SYSLOG;
	else if (!log.stderr_is_ours)
		log.kind = LOG_TO_NONE;
	return log;
}

void log_reopen(const struct log *log)
{
	if (log->kind != LOG_TO_JOURNAL && log->kind != LOG_TO_SYSLOG)
		return;
	close(log->fd);
	const int fd = log_socket_open();
	if (fd >= 0)
		log_socket_connect(fd, log->kind == LOG_TO_JOURNAL ? LOG_JOURNAL : LOG_SYSLOG);
}

void log_close(const struct log *log)
{
	if (log->fd >= 0)
		close(log->fd);
}

struct log log_open_for_errors(void)
{
	struct stat own;
	if (fstat(STDERR_FILENO, &own) == 0 && !S_ISSOCK(own.st_mode))
		return (struct log){.kind = LOG_TO_STDERR, .fd = -1, .stderr_is_ours = true};
	return log_open(false);
}

/* https://systemd.io/JOURNAL_NATIVE_PROTOCOL: a field without a newline in its value is a line. */
static void put_journal(struct writer *w, enum log_level level, const struct writer *message,
	const struct writer *fields)
{
	writer_str(w, "MESSAGE=");
	writer_bytes(w, message->bytes, message->len);
	writer_str(w, "\nPRIORITY=");
	writer_decimal(w, level, 1);
	writer_str(w, "\nSYSLOG_FACILITY=");
	writer_decimal(w, FACILITY_DAEMON, 1);
	writer_str(w, "\nSYSLOG_IDENTIFIER=stdsocks\n");
	writer_bytes(w, fields->bytes, fields->len);
}

/* RFC 3164 s4.1, without time and host, which the daemon behind /dev/log adds. */
static void put_syslog(struct writer *w, enum log_level level, const struct writer *message)
{
	writer_u8(w, '<');
	writer_decimal(w, FACILITY_DAEMON * 8 + level, 1);
	writer_str(w, ">stdsocks[");
	writer_decimal(w, (uint64_t)getpid(), 1);
	writer_str(w, "]: ");
	writer_bytes(w, message->bytes, message->len);
}

static void put_stderr(struct writer *w, const struct writer *message, const struct writer *fields,
	bool with_fields)
{
	writer_str(w, "stdsocks: ");
	writer_bytes(w, message->bytes, message->len);
	writer_u8(w, '\n');
	if (with_fields)
		writer_bytes(w, fields->bytes, fields->len);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until standard error has room for PIPE_BUF bytes, or has an error. Returns false if that
 * takes longer than until_ms. */
static bool wait_for_room(int64_t until_ms)
{
	struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
	int ready;

	do {
		const int64_t left_ms = until_ms - now_ms();
		const struct timespec left = {.tv_sec = left_ms > 0 ? left_ms / 1000 : 0,
			.tv_nsec = left_ms > 0 ? left_ms % 1000 * 1000000 : 0};
		ready = ppoll(&room, 1, &left, NULL);
	} while (ready < 0 && errno == EINTR);
	return ready != 0; /* without poll(2), the text is written nevertheless */
}

static ssize_t send_all(int fd, const struct writer *w, int flags)
{
	ssize_t sent;
	do
		sent = send(fd, w->bytes, w->len, flags | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent;
}

/* Sends one datagram, and waits if the reader's queue is full. The wait is in send(2): the kernel
 * then wakes one sender at a time, whereas poll(2) would wake thousands for one free slot. */
static bool send_waiting(int fd, const struct writer *w, bool never_waits)
{
	const struct timeval patience = {.tv_sec = LOG_PATIENCE_S};

	if (send_all(fd, w, MSG_DONTWAIT) >= 0)
		return true;
	return errno == EAGAIN && !never_waits &&
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
		send_all(fd, w, 0) >= 0;
}

/* Waits once in a row of texts: after a text was dropped, the next one is dropped at once. */
static void write_stderr(const struct writer *text, int patience_s)
{
	static bool is_stalled;
	const int64_t until_ms = now_ms() + (is_stalled ? 0 : patience_s * INT64_C(1000));

	for (size_t done = 0; done < text->len;) {
		is_stalled = !wait_for_room(until_ms);
		if (is_stalled)
			return;
		const size_t left = text->len - done;
		const ssize_t n = write(
			STDERR_FILENO, text->bytes + done, left < piece_max ? left : piece_max);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || (errno != EINTR && errno != EAGAIN))
			return;
	}
}

void log_write_stderr(const struct writer *text)
{
	write_stderr(text, LOG_STDERR_PATIENCE_S);
}

static void wait_until_examined(void)
{
	const struct timespec pause = {.tv_nsec = LOG_EXAMINED_MS * 1000000L};

	ppoll(NULL, 0, &pause, NULL);
}

void log_write(const struct log *log, enum log_level level, const struct writer *message,
	const struct writer *fields, bool with_fields)
{
	struct writer w = writer_on(line, sizeof line);

	if (log->kind == LOG_TO_JOURNAL)
		put_journal(&w, level, message, fields);
	else if (log->kind == LOG_TO_SYSLOG)
		put_syslog(&w, level, message);
	if (w.len > 0 && send_waiting(log->fd, &w, log->never_waits)) {
		if (log->kind == LOG_TO_JOURNAL && level == LOG_LEVEL_INFO)
			wait_until_examined();
		return;
	}
	if (!log->stderr_is_ours)
		return;

	w = writer_on(line, sizeof line);
	put_stderr(&w, message, fields, with_fields);
	write_stderr(&w, log->never_waits ? 0 : LOG_STDERR_PATIENCE_S);
}
