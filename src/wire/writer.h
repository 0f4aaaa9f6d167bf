/* SPDX-License-Identifier: ISC */
/* Puts bytes, in order, into a buffer of fixed size: messages of the protocol and lines of text.
 * Knows: how much room is left. Does not know: who will read it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A buffer that somebody else owns, filled from its start. What does not fit whole is left out
 * whole, `full` stays true, and nothing is put after it: a result is complete or says that it is
 * not. There is no NUL at the end; len tells. */
struct writer {
	char *bytes;
	size_t cap;
	size_t len; /* bytes put so far; never more than cap */
	bool full;
};

/* Starts empty on cap bytes, which must outlive the writer. */
struct writer writer_on(void *bytes, size_t cap);

void writer_u8(struct writer *w, uint8_t byte);
void writer_u16(struct writer *w, uint16_t value); /* most significant byte first */
void writer_bytes(struct writer *w, const void *bytes, size_t n);

/* Text: a NUL-terminated string; a decimal number, with leading zeros up to `digits` (at most 20);
 * two hex digits. */
void writer_str(struct writer *w, const char *text);
void writer_decimal(struct writer *w, uint64_t value, unsigned digits);
void writer_hex(struct writer *w, uint8_t byte);

/* n bytes from a stranger as harmless text: printable ASCII as it is, the rest as \n, \r, \t or
 * \xHH, a backslash and a double quote behind a backslash. So it stays one line, one field, one
 * text in quotes, says nothing to a terminal, and can be read back (text/hex.h has the same
 * escapes). At most four characters a byte. */
void writer_escaped(struct writer *w, const void *bytes, size_t n);
