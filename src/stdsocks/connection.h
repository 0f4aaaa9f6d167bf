/* SPDX-License-Identifier: ISC */
/* A connection: its session, and the log entry of that. */
#pragma once

#include "record/log.h"
#include "stdsocks/session.h"

/* Runs the session and logs its record. with_fields writes the fields to standard error, too.
 * Returns the exit status of the process. */
int connection_run(const struct session_input *input, const struct log *log, bool with_fields);
