/* SPDX-License-Identifier: ISC */
/* Amounts as people read them, and back.
 * Knows: units. Does not know: what is counted. */
#pragma once

#include "wire/writer.h"

/* Bytes: "999", "1.2K", "99.9K", "100K", "12.1M", "3.4G", "5.6T": powers of 1000 as in
 * stdsocks.conf(5), cut off, never rounded up. */
void amount_put_bytes(struct writer *w, uint64_t bytes);

/* What is left of an amount there. */
uint64_t amount_shown(uint64_t bytes);

/* A span: "45s", "3m", "2h", "5d", cut off. */
void amount_put_span(struct writer *w, int64_t span_us);

/* What amount_put_bytes() wrote, len characters. False when it is nothing like it. */
bool amount_bytes(const char *text, size_t len, uint64_t *ret_bytes);

/* "1,234,567". */
void amount_put_grouped(struct writer *w, uint64_t value);
