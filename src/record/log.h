/* SPDX-License-Identifier: ISC */
/* Where a line about the connection goes: the journal, syslog or standard error.
 * Knows: their protocols and order. Does not know: what is said. */
#pragma once

#include <stdbool.h>

#include "wire/writer.h"

/* syslog(3)'s levels that are in use. The unit lets nothing below notice through, so that the
 * journal keeps the records and not PID 1's lines about starting and stopping. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_NOTICE = 5 };

enum log_kind { LOG_TO_NONE, LOG_TO_STDERR, LOG_TO_JOURNAL, LOG_TO_SYSLOG };

struct log {
	enum log_kind kind;
	int fd; /* ours for the process's life; -1 with LOG_TO_NONE */
	/* Whether descriptor 2 is open and not what the client reads: inetd, xinetd and systemd
	 * hand the client's socket over as standard error, too. A terminal is always a person's. */
	bool stderr_is_ours;
};

/* The first that is there: standard error when it is wanted or a terminal; the journal; syslog;
 * standard error. Standard error only when it is ours. */
struct log log_open(bool want_stderr);

/* The same for a mistake of the operator's, before a client was heard: standard error, unless it is
 * a socket: the client's, or the journal's, which would take it for a mere information. That it is
 * a pipe or file which standard output is, too, does no harm. */
struct log log_open_for_errors(void);

/* One line, whole: message without a newline; fields as the journal wants them, "NAME=value\n"
 * each, perhaps none. Standard error gets the fields too when with_fields. A log that does not take
 * it within LOG_PATIENCE_S is given up for standard error. */
#define LOG_PATIENCE_S 10
void log_write(const struct log *log, enum log_level level, const struct writer *message,
	const struct writer *fields, bool with_fields);

/* All of it to standard error, in pieces where it takes no more; given up when one takes longer
 * than LOG_STDERR_PATIENCE_S, or fails. */
#define LOG_STDERR_PATIENCE_S 1
void log_write_stderr(const struct writer *text);
