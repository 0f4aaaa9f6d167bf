/* SPDX-License-Identifier: ISC */
/* Log entries of the supervisor and the zygote, which have no connection. */
#pragma once

#include <stdint.h>

#include "record/log.h"

/* Logs a line with level error: the three texts one after another. Does not wait for the log: a
 * connection may wait for this process. */
void prefork_log(const struct log *log, const char *text, const char *detail, const char *more);

/* Returns a number as a text, which the next call overwrites. */
const char *prefork_log_number(uint64_t number);
