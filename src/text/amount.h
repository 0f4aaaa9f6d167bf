/* SPDX-License-Identifier: ISC */
/* Amounts of bytes and time in a short form, and back. */
#pragma once

#include "wire/writer.h"

/* Writes a number of bytes, rounded down: "999", "1.2K", "99.9K", "100K", "12.1M", "3.4G", "5.6T".
 * The units are powers of 1000, as in stdsocks.conf(5). */
void amount_put_bytes(struct writer *w, uint64_t bytes);

/* Writes a span of time in one unit, rounded down: "45s", "3m", "2h", "5d". The span is not
 * negative. */
void amount_put_span(struct writer *w, int64_t span_us);

/* Parses a text of len characters that is a number of bytes in the form of amount_put_bytes().
 * Returns false if it has another form; then *ret_bytes is unchanged. */
bool amount_bytes(const char *text, size_t len, uint64_t *ret_bytes);

/* Writes a number with a comma between groups of three digits: "1,234,567". */
void amount_put_grouped(struct writer *w, uint64_t value);
