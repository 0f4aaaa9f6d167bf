/* SPDX-License-Identifier: ISC */
/* Amounts of bytes and time in a short form, and back. */
#pragma once

#include "wire/writer.h"

/* Writes bytes in units of powers of 1000, as in stdsocks.conf(5): "999", "1.2K", "99.9K", "100K",
 * "12.1M", "3.4G", "5.6T". The number is rounded down. */
void amount_put_bytes(struct writer *w, uint64_t bytes);

/* Returns the number of bytes that amount_put_bytes() writes, after rounding down. */
uint64_t amount_shown(uint64_t bytes);

/* Writes a span of time, rounded down: "45s", "3m", "2h", "5d". */
void amount_put_span(struct writer *w, int64_t span_us);

/* Parses len characters in the form of amount_put_bytes(). On error returns false; then *ret_bytes
 * is unchanged. */
bool amount_bytes(const char *text, size_t len, uint64_t *ret_bytes);

/* Writes "1,234,567". */
void amount_put_grouped(struct writer *w, uint64_t value);
