/* SPDX-License-Identifier: ISC */
/* Writes protocol messages and text to a buffer of fixed size. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A buffer that the caller owns. A value that does not fit is not written, not even in part: `full`
 * is set, and all later values are ignored. The contents are therefore complete unless `full` is
 * set. They do not end with a NUL. */
struct writer {
	char *bytes;
	size_t cap;
	size_t len; /* bytes written so far, at most cap */
	bool full;
};

/* Returns an empty writer on a buffer of cap bytes, which must outlive the writer. */
struct writer writer_on(void *bytes, size_t cap);

/* Append an 8-bit integer, a 16-bit integer in network byte order, and n bytes. */
void writer_u8(struct writer *w, uint8_t byte);
void writer_u16(struct writer *w, uint16_t value);
void writer_bytes(struct writer *w, const void *bytes, size_t n);

/* Append a string without its NUL; a decimal number, which is padded with leading zeros to `digits`
 * digits (at most 20); a byte as two hexadecimal digits. */
void writer_str(struct writer *w, const char *text);
void writer_decimal(struct writer *w, uint64_t value, unsigned digits);
void writer_hex(struct writer *w, uint8_t byte);

/* Appends n untrusted bytes as printable ASCII, at most four characters a byte. The escapes are \n,
 * \r, \t, \\ and \"; any other byte that is not printable is written as \xHH. The result stays on
 * one line and inside double quotes, and cannot control a terminal. hex_read() can read it back. */
void writer_escaped(struct writer *w, const void *bytes, size_t n);

/* Returns true for a text of at least one byte that has only letters, digits, '.', '-', '_' and
 * '@'. */
bool writer_is_plain(const void *bytes, size_t n);

/* Appends n untrusted bytes: a plain text as it is, and any other one as writer_escaped() writes
 * it, in double quotes. Different texts have different results, and a reader finds the end of each:
 * the first byte that is not plain, or the first double quote that no backslash escapes. */
void writer_quoted(struct writer *w, const void *bytes, size_t n);
