/* SPDX-License-Identifier: ISC */
/* Shows the bytes of a message in hexadecimal, field by field, with the field names of the RFCs. */
#pragma once

#include "wire/socks5.h"

/* Writes a line for each field of a message; if a field has more than 16 bytes, several lines:
 *
 *	05                                               # VER 5
 *	01                                               # CMD CONNECT
 *
 * Each byte of a password is written as "**". Apart from that, hex_read() can read the result. The
 * message may be incomplete. Bytes after its end, or after an unknown address type, are written
 * without a field name. */
void annotate_message(
	struct writer *w, enum socks5_message message, const uint8_t *bytes, size_t len);

/* Writes bytes that are not a message of SOCKS: 16 in a line, in hexadecimal and as
 * writer_escaped() writes them. */
void annotate_data(struct writer *w, const uint8_t *bytes, size_t len);

/* Bytes of the longest text that annotate_message() writes for a message of a handshake, a
 * greeting: 257 lines of at most 96 bytes. */
#define ANNOTATE_MAX (257 * 96)
