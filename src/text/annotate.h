/* SPDX-License-Identifier: ISC */
/* Shows the bytes of a message in hexadecimal, field by field, with the names of the RFCs. */
#pragma once

#include "wire/socks5.h"

/* Writes one line for each field, or several with 16 bytes each:
 *
 *	05                                               # VER 5
 *	01                                               # CMD CONNECT
 *
 * The result is hex text (text/hex.h), but the bytes of a password are replaced by "**". Bytes
 * after the message, or after its first invalid field, are shown without a name. */
void annotate_message(
	struct writer *w, enum socks5_message message, const uint8_t *bytes, size_t len);

/* Writes relayed bytes: 16 in a line, with the printable ones as text. */
void annotate_data(struct writer *w, const uint8_t *bytes, size_t len);

/* Bytes that are enough for each message of a handshake: a greeting has 257 lines of at most 96. */
#define ANNOTATE_MAX (257 * 96)
