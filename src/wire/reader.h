/* SPDX-License-Identifier: ISC */
/* Reads integers and byte strings from a buffer that may be incomplete. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A position in a buffer that the caller owns. If a function below needs more bytes than are left,
 * it sets `ended`; from then on, all of them return 0 or NULL. A parser can therefore read a whole
 * message and check `ended` once. */
struct reader {
	const uint8_t *bytes;
	size_t len;
	size_t at; /* bytes read so far, at most len */
	bool ended;
};

/* Returns a reader at the beginning of a buffer of len bytes, which must outlive the reader. */
struct reader reader_of(const void *bytes, size_t len);

/* Read the next 8-bit integer, or the next 16-bit integer in network byte order. Return it, or 0 if
 * too few bytes are left. */
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);

/* Moves the position behind the next n bytes. Returns a pointer to them in the buffer, or NULL if
 * fewer are left. */
const uint8_t *reader_bytes(struct reader *r, size_t n);
