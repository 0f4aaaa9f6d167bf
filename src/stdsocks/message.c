/* SPDX-License-Identifier: ISC */
/* Receives the messages of a handshake from the client, and sends messages to it. */
#include "stdsocks/message.h"

#include "record/trace.h"
#include "wire/socks4.h"

/* Bytes that are traced of a malformed message: as many as the longest message has. */
#define TRACED_MAX SOCKS4_REQUEST_MAX

const uint8_t *message_unread(const struct session *s)
{
	return s->up->bytes + s->up->start;
}

size_t message_unread_len(const struct session *s)
{
	return s->up->end - s->up->start;
}

void message_consume(struct session *s, enum socks5_message message, size_t used)
{
	if (s->input->trace)
		trace_message("client", message, message_unread(s), used);
	s->up->start += used;
}

void message_trace_rest(struct session *s, enum socks5_message message)
{
	const size_t len = message_unread_len(s);

	if (!s->input->trace || len == 0)
		return;
	const uint8_t *bytes = message_unread(s);
	if (bytes[0] == SOCKS5_LOGIN_VERSION)
		message = SOCKS5_LOGIN;
	if (bytes[0] == SOCKS4_VERSION && message == SOCKS5_METHODS)
		message = SOCKS4_REQUEST; /* version 4 is not configured */
	trace_message("client", message, bytes, len < TRACED_MAX ? len : TRACED_MAX);
}

enum record_end message_receive(struct session *s, enum socks5_message message)
{
	int n = endpoint_read_by(&s->client, s->up, s->deadline_us);

	if (n > 0)
		return RECORD_ONGOING;
	message_trace_rest(s, message);
	return outcome_client_error(s, n);
}

enum record_end message_send(struct session *s, enum socks5_message message, const struct writer *w)
{
	if (s->input->trace)
		trace_message("stdsocks", message, (const uint8_t *)w->bytes, w->len);
	int error = endpoint_send_by(&s->client, w->bytes, w->len, s->deadline_us);
	return error == 0 ? RECORD_ONGOING : outcome_client_error(s, error);
}
