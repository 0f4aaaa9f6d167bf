/* SPDX-License-Identifier: ISC */
/* Shows a message to a person: its bytes in hexadecimal, field by field, with their meaning.
 * Knows: the names that the RFCs give to fields. Does not know: where the text goes. */
#pragma once

#include "wire/socks5.h"

/* One line a field (more, at 16 bytes a line, for a long one):
 *
 *	05                                               # VER 5
 *	01                                               # CMD CONNECT
 *
 * which is hex text again (text/hex.h). A password's bytes are shown as "**". Bytes that do not
 * make up the message, because it is cut or no such message, are shown as what they are. */
void annotate_message(
	struct writer *w, enum socks5_message message, const uint8_t *bytes, size_t len);

/* Bytes of the relay: 16 a line, with what is printable in quotes. */
void annotate_data(struct writer *w, const uint8_t *bytes, size_t len);

/* Room that no message of a handshake exceeds: a greeting has 257 lines of at most 96 bytes. */
#define ANNOTATE_MAX (257 * 96)
