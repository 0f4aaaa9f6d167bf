/* SPDX-License-Identifier: ISC */
/* Writes protocol messages and text to a buffer of fixed size. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A buffer that the caller owns. A value that does not fit is not written, not even in part: it
 * sets `full`, and all later values are ignored. The result is therefore either complete or marked
 * as truncated. It does not end in NUL. */
struct writer {
	char *bytes;
	size_t cap;
	size_t len; /* bytes written so far, at most cap */
	bool full;
};

/* Returns an empty writer for cap bytes, which must outlive it. */
struct writer writer_on(void *bytes, size_t cap);

/* Append an 8-bit integer, a 16-bit integer in network byte order, and n bytes. */
void writer_u8(struct writer *w, uint8_t byte);
void writer_u16(struct writer *w, uint16_t value);
void writer_bytes(struct writer *w, const void *bytes, size_t n);

/* Append a NUL-terminated string without its NUL, a decimal number padded with zeros to `digits`
 * (at most 20), and a byte as two hexadecimal digits. */
void writer_str(struct writer *w, const char *text);
void writer_decimal(struct writer *w, uint64_t value, unsigned digits);
void writer_hex(struct writer *w, uint8_t byte);

/* Appends n untrusted bytes as printable ASCII, at most four characters a byte: \n, \r, \t, \\, \"
 * and \xHH for all bytes that are not printable. The result stays on one line and inside quotes,
 * cannot control a terminal, and can be read back: text/hex.h accepts the same escapes. */
void writer_escaped(struct writer *w, const void *bytes, size_t n);
