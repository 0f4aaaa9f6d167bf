/* SPDX-License-Identifier: ISC */
/* Where a line about the connection goes: the journal, syslog or standard error.
 * Knows: their protocols and order. Does not know: what is said. */
#pragma once

#include <stdbool.h>

#include "wire/writer.h"

/* syslog(3)'s levels that are in use. The unit lets nothing below notice through, so that the
 * journal keeps the records and not PID 1's lines about starting and stopping. */
enum sink_level { SINK_ERROR = 3, SINK_NOTICE = 5 };

enum sink_kind { SINK_NONE, SINK_STDERR, SINK_JOURNAL, SINK_SYSLOG };

struct sink {
	enum sink_kind kind;
	int fd; /* ours for the process's life; -1 with SINK_NONE */
	/* Whether descriptor 2 is open and not what the client reads: inetd, xinetd and systemd hand
	 * the client's socket over as standard error, too. A terminal is always a person's. */
	bool stderr_is_ours;
};

/* The first that is there: standard error when it is wanted or a terminal; the journal; syslog;
 * standard error. Standard error only when it is ours. */
struct sink sink_open(bool want_stderr);

/* The same for a mistake of the operator's, before a client was heard: standard error, unless it is
 * a socket: the client's, or the journal's, which would take it for a mere information. That it is a
 * pipe or file which standard output is, too, does no harm. */
struct sink sink_open_for_mistakes(void);

/* One line, whole: message without a newline; fields as the journal wants them, "NAME=value\n" each,
 * perhaps none. Standard error gets the fields too when with_fields. A sink that does not take it
 * within SINK_PATIENCE_S is given up for standard error. */
#define SINK_PATIENCE_S 10
void sink_say(const struct sink *sink, enum sink_level level, const struct writer *message,
	const struct writer *fields, bool with_fields);

/* All of it to standard error, in pieces where it takes no more; given up when one takes longer than
 * SINK_STDERR_PATIENCE_S, or fails. */
#define SINK_STDERR_PATIENCE_S 1
void sink_write_stderr(const struct writer *text);
