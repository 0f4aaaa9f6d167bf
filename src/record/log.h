/* SPDX-License-Identifier: ISC */
/* Writes lines to the journal, to syslog or to standard error. */
#pragma once

#include <stdbool.h>

#include "wire/writer.h"

/* Levels of syslog(3). The unit has LogLevelMax=notice: the journal keeps the records, and drops
 * PID 1's lines about starting and stopping units. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_NOTICE = 5 };

/* The sockets of the journal and of syslog. */
#define LOG_JOURNAL "/run/systemd/journal/socket"
#define LOG_SYSLOG  "/dev/log"

enum log_kind { LOG_TO_NONE, LOG_TO_STDERR, LOG_TO_JOURNAL, LOG_TO_SYSLOG };

struct log {
	enum log_kind kind;
	int fd; /* stays open until the process exits; -1 with LOG_TO_NONE */
	/* Descriptor 2 is open and is not the client's connection: inetd, xinetd and systemd pass
	 * the client's socket as standard error, too. True for a terminal. */
	bool stderr_is_ours;
};

/* Opens the first available log: standard error if it is a terminal or want_stderr is set; the
 * journal; syslog; standard error. Standard error is used only if stderr_is_ours. */
struct log log_open(bool want_stderr);

/* Opens the log for errors in the configuration and on the command line, before the client is
 * served: standard error unless it is a socket, or else log_open(false). A socket is the client's,
 * or the journal's, which would store the line with priority info. Unlike log_open(), it may be the
 * same pipe or file as standard output. */
struct log log_open_for_errors(void);

/* Writes one line: the message, without a newline, and the fields for the journal, "NAME=value\n"
 * each. with_fields writes the fields to standard error, too. If the journal or syslog does not
 * accept the line within LOG_PATIENCE_S seconds, it is written to standard error. */
#define LOG_PATIENCE_S 10
void log_write(const struct log *log, enum log_level level, const struct writer *message,
	const struct writer *fields, bool with_fields);

/* Writes the text to standard error. Drops the rest if a write fails or blocks for more than
 * LOG_STDERR_PATIENCE_S seconds. */
#define LOG_STDERR_PATIENCE_S 1
void log_write_stderr(const struct writer *text);
