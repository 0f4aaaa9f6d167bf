/* SPDX-License-Identifier: ISC */
/* Receives the messages of a handshake from the client, and sends messages to it. */
#pragma once

#include "stdsocks/outcome.h"

/* Return the bytes that were received from the client and do not belong to an earlier message, and
 * their number. */
const uint8_t *message_unread(const struct session *s);
size_t message_unread_len(const struct session *s);

/* Receives more bytes of a message that is incomplete. Waits for them until s->deadline_us. Returns
 * RECORD_ONGOING; or, if no more bytes can be received, the reason of the session's end. The buffer
 * has room for all messages of a handshake. */
enum record_end message_receive(struct session *s, enum socks5_message message);

/* Removes a message, which was parsed and has `used` bytes, from the received bytes. With --trace,
 * writes it to standard error. */
void message_consume(struct session *s, enum socks5_message message, size_t used);

/* With --trace, writes the received bytes, which are an incomplete or malformed message, to
 * standard error. They are annotated as a message of the given type, with two exceptions. If they
 * begin like a username/password request (RFC 1929), they are annotated as one, so that no password
 * is shown. If a greeting is expected and they begin like a SOCKS 4 request, they are annotated as
 * one. */
void message_trace_rest(struct session *s, enum socks5_message message);

/* Sends a message before s->deadline_us. Returns RECORD_ONGOING; or, if it cannot be sent, the
 * reason of the session's end. With --trace, writes the message to standard error. */
enum record_end message_send(
	struct session *s, enum socks5_message message, const struct writer *w);
