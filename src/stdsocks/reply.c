/* SPDX-License-Identifier: ISC */
/* Replies to a request (RFC 1928 s6), in the client's version of the protocol. */
#include "stdsocks/reply.h"

#include <errno.h>

#include "stdsocks/message.h"
#include "wire/socks4.h"

/* Version 4 has one code for most failures. The record keeps the code of version 5. */
static enum socks4_reply version_4_code(const struct session *s, enum socks5_reply reply)
{
	return reply == SOCKS5_SUCCEEDED ? SOCKS4_GRANTED
		: s->userid_is_wrong     ? SOCKS4_OTHER_USER
					 : SOCKS4_REJECTED;
}

enum record_end reply_send(struct session *s, enum socks5_reply reply, const struct addr *bnd)
{
	char bytes[SOCKS5_REPLY_MAX];
	struct writer w = writer_on(bytes, sizeof bytes);

	if (s->is_version_4)
		socks4_put_reply(&w, version_4_code(s, reply), bnd);
	else
		socks5_put_reply(&w, reply, bnd);
	enum record_end end = message_send(s, s->is_version_4 ? SOCKS4_REPLY : SOCKS5_REPLY, &w);
	if (!end)
		s->record.reply = (int)reply;
	return end;
}

enum record_end reply_refuse(struct session *s, enum socks5_reply reply, int error, const char *why)
{
	const struct addr none = {.kind = ADDR_NONE};
	const bool is_local = endpoint_error_is_local(error) || error == EADDRNOTAVAIL;
	const enum record_end sent = reply_send(s, reply, &none);

	return outcome_refused(s, sent, is_local ? RECORD_FAILED : RECORD_REFUSED, error, why);
}

enum record_end reply_fail(struct session *s, int error, const char *why)
{
	const struct addr none = {.kind = ADDR_NONE};
	const enum record_end sent = reply_send(s, SOCKS5_GENERAL_FAILURE, &none);

	return outcome_refused(s, sent, RECORD_FAILED, error, why);
}

enum record_end reply_refuse_version_4(struct session *s)
{
	return reply_refuse(s, SOCKS5_ATYP_NOT_SUPPORTED, 0,
		"version 4 has no room for the address in a reply");
}
