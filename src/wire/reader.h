/* SPDX-License-Identifier: ISC */
/* Takes bytes, in order, from a buffer that may end anywhere.
 * Knows: how many bytes are left. Does not know: what they mean. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A position in a buffer that somebody else owns. Once a getter asked for more than was left,
 * `ended` stays true and every later getter gives zeros: ask once, at the end of a message. */
struct reader {
	const uint8_t *bytes;
	size_t len;
	size_t at; /* bytes taken so far; never more than len */
	bool ended;
};

/* Starts at the first of len bytes, which must outlive the reader. */
struct reader reader_of(const void *bytes, size_t len);

/* The next byte; the next two, most significant first (network order). 0 when too few are left. */
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);

/* The next n bytes, inside the buffer; NULL when fewer are left. */
const uint8_t *reader_bytes(struct reader *r, size_t n);
