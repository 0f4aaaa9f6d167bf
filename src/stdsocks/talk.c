/* SPDX-License-Identifier: ISC */
/* A session's state, what is heard from its client and what it is told.
 * Knows: how messages come and go, and what the record says when they do not. Does not know: their
 * order. */
#include "stdsocks/talk.h"

#include <errno.h>

#include "record/trace.h"
#include "wire/large.h"
#include "wire/socks4.h"

/* Bytes that a trace shows of what is no message: as many as the longest one that could be. */
#define SHOWN_MAX SOCKS4_REQUEST_MAX

bool talk_end(struct session *s, enum record_end how, enum record_who who, int error)
{
	s->end = how;
	s->closed_by = who;
	s->error = error;
	return false;
}

bool talk_end_of_client(struct session *s, int error)
{
	switch (-error) {
	case 0:
		return talk_end(s, RECORD_CLIENT_GONE, RECORD_CLIENT, 0);
	case ETIMEDOUT:
		return talk_end(s, RECORD_HANDSHAKE_TIMEOUT, RECORD_STDSOCKS, 0);
	case ECANCELED:
		return talk_end(s, RECORD_TERMINATED, RECORD_STDSOCKS, 0);
	default:
		return endpoint_error_is_local(-error)
			? talk_end(s, RECORD_FAILED, RECORD_STDSOCKS, -error)
			: talk_end(s, RECORD_CLIENT_GONE, RECORD_CLIENT, -error);
	}
}

const uint8_t *talk_unread(const struct session *s)
{
	return s->up->bytes + s->up->start;
}

size_t talk_unread_len(const struct session *s)
{
	return s->up->end - s->up->start;
}

void talk_use(struct session *s, enum socks5_message message, size_t used)
{
	if (s->input->trace)
		trace_message("client", message, talk_unread(s), used);
	s->up->start += used;
}

void talk_show_rest(struct session *s, enum socks5_message message)
{
	const uint8_t first = talk_unread_len(s) > 0 ? talk_unread(s)[0] : 0;

	if (first == SOCKS5_LOGIN_VERSION)
		message = SOCKS5_LOGIN;
	if (first == SOCKS4_VERSION && message == SOCKS5_METHODS)
		message = SOCKS4_REQUEST; /* which is not configured */
	if (s->input->trace && talk_unread_len(s) > 0)
		trace_message("client", message, talk_unread(s),
			talk_unread_len(s) < SHOWN_MAX ? talk_unread_len(s) : SHOWN_MAX);
}

bool talk_hear(struct session *s, enum socks5_message message)
{
	int n = endpoint_read_by(&s->client, s->up, s->deadline_us);
	if (n > 0)
		return true;
	talk_show_rest(s, message);
	return talk_end_of_client(s, n);
}

bool talk_say(struct session *s, enum socks5_message message, const struct writer *w)
{
	if (s->input->trace)
		trace_message("stdsocks", message, (const uint8_t *)w->bytes, w->len);
	int error = endpoint_send_by(&s->client, w->bytes, w->len, s->deadline_us);
	return error == 0 || talk_end_of_client(s, error);
}

/* Version 4 has one word for all that can go wrong, and the record keeps the one of version 5. */
static enum socks4_reply reply4(const struct session *s, enum socks5_reply reply)
{
	return reply == SOCKS5_SUCCEEDED ? SOCKS4_GRANTED
		: s->userid_is_wrong     ? SOCKS4_OTHER_USER
					 : SOCKS4_REJECTED;
}

bool talk_reply(struct session *s, enum socks5_reply reply, const struct addr *bnd)
{
	char bytes[SOCKS5_REPLY_MAX];
	struct writer w = writer_on(bytes, sizeof bytes);
	if (s->is_version_4)
		socks4_put_reply(&w, reply4(s, reply), bnd);
	else
		socks5_put_reply(&w, reply, bnd);
	if (!talk_say(s, s->is_version_4 ? SOCKS4_REPLY : SOCKS5_REPLY, &w))
		return false;
	s->reply = (int)reply;
	return true;
}

static bool answer_and_end(
	struct session *s, enum socks5_reply reply, enum record_end how, int error)
{
	const struct addr none = {.kind = ADDR_NONE};

	if (talk_reply(s, reply, &none)) {
		talk_end(s, how, RECORD_STDSOCKS, error);
		endpoint_linger(&s->client, s->up);
	}
	return false;
}

bool talk_refuse(struct session *s, enum socks5_reply reply, int error, const char *why)
{
	bool ours = endpoint_error_is_local(error) || error == EADDRNOTAVAIL || s->input->why_not;

	s->why = why;
	return answer_and_end(s, reply, ours ? RECORD_FAILED : RECORD_REFUSED, error);
}

bool talk_fail(struct session *s, int error, const char *why)
{
	s->why = why;
	return answer_and_end(s, SOCKS5_GENERAL_FAILURE, RECORD_FAILED, error);
}

bool talk_refuse_version_4(struct session *s)
{
	return talk_refuse(
		s, SOCKS5_ATYP_NOT_SUPPORTED, 0, "nothing but what version 4 has no room for");
}

const char *talk_no_stage(const char *part)
{
	static char why[80] LARGE;
	struct writer w = writer_on(why, sizeof why - 1);

	writer_str(&w, "no further stage of the sandbox, for want of ");
	writer_str(&w, part);
	return why;
}
