/* SPDX-License-Identifier: ISC */
/* Messages of the handshake: receives them from the client and sends them to it. */
#pragma once

#include "stdsocks/outcome.h"

/* The bytes that were received from the client and not used by a message yet. */
const uint8_t *message_unread(const struct session *s);
size_t message_unread_len(const struct session *s);

/* Receives more bytes of a message that is incomplete. The buffer has room for them: it holds every
 * message of a handshake. Returns RECORD_ONGOING, or the reason of the end. */
enum record_end message_receive(struct session *s, enum socks5_message message);

/* Uses up a message of `used` bytes, which was parsed. */
void message_consume(struct session *s, enum socks5_message message, size_t used);

/* Traces an incomplete or malformed message. Bytes that begin like an RFC 1929 login are traced as
 * a login, so that no password is shown; and in place of a greeting, bytes that begin like a
 * version 4 request are traced as that. */
void message_trace_rest(struct session *s, enum socks5_message message);

/* Sends a message. Returns as message_receive(). */
enum record_end message_send(
	struct session *s, enum socks5_message message, const struct writer *w);
