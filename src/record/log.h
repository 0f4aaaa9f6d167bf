/* SPDX-License-Identifier: ISC */
/* Writes lines to the journal, to syslog or to standard error. */
#pragma once

#include <stdbool.h>

#include "wire/writer.h"

/* Levels of syslog(3). The systemd units have LogLevelMax=notice: the journal keeps the records of
 * connections, and drops those with level info, and PID 1's lines about starting and stopping
 * units, whose level is also info. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6 };

/* The sockets of the journal and of syslog. */
#define LOG_JOURNAL "/run/systemd/journal/socket"
#define LOG_SYSLOG  "/dev/log"

enum log_kind { LOG_TO_NONE, LOG_TO_STDERR, LOG_TO_JOURNAL, LOG_TO_SYSLOG };

struct log {
	enum log_kind kind;
	/* The socket to the journal or to syslog, which is not connected if kind is neither of
	 * them; or -1. */
	int fd;
	/* Standard error can be written: it is open, and it is a terminal or not the client's
	 * connection. inetd, xinetd and systemd can pass the client's socket as standard error,
	 * too. */
	bool stderr_is_ours;
	/* Drop a message that cannot be written at once. */
	bool never_waits;
};

/* Opens the first log of this list that is available. If there is none, kind is LOG_TO_NONE. In any
 * case opens a socket, which keeps its number: the sandbox has rows for it.
 * - standard error, if it is a terminal or want_stderr is true;
 * - the journal;
 * - syslog;
 * - standard error.
 *
 * Standard error is available only if stderr_is_ours is true. */
struct log log_open(bool want_stderr);

/* Replaces the socket by a new one with the same number, which no other process has. The
 * descriptors below that number must be open. If that fails, or the log does not listen any more,
 * messages are written to standard error. Without a socket to the journal or to syslog does
 * nothing. */
void log_reopen(const struct log *log);

/* Closes the socket. */
void log_close(const struct log *log);

/* Opens the log for errors in the configuration and on the command line, before the client is
 * served. If standard error is open and is not a socket, it is the log, even if it is the same pipe
 * or file as standard output. Otherwise returns log_open(false): a socket is either the client's,
 * or the journal's, which would store the lines with priority info. */
struct log log_open_for_errors(void);

/* Seconds that log_write() waits for the journal or syslog. */
#define LOG_PATIENCE_S 10

/* Milliseconds that log_write() waits after it has sent a message with level info to the journal.
 * The process should not exit earlier: to apply the LogLevelMax= of a unit, journald looks for the
 * unit of the sender in /proc, and without a unit it stores the message. */
#define LOG_EXAMINED_MS 100

/* Writes a message, which is a line without its newline. The journal also gets the fields, each of
 * which is "NAME=value\n". Standard error gets them only if with_fields is true, and syslog never.
 * If the journal or syslog does not accept the message within LOG_PATIENCE_S, it is written to
 * standard error, if stderr_is_ours. */
void log_write(const struct log *log, enum log_level level, const struct writer *message,
	const struct writer *fields, bool with_fields);

/* Seconds that log_write_stderr() waits, in all, for room in standard error. */
#define LOG_STDERR_PATIENCE_S 1

/* Writes the text to standard error, in pieces of at most PIPE_BUF unless it is a file. If a write
 * fails, or there is no room within LOG_STDERR_PATIENCE_S, drops the rest. The next text is then
 * dropped at once, unless there is room. */
void log_write_stderr(const struct writer *text);
