/* SPDX-License-Identifier: ISC */
/* A session's state, what is heard from its client and what it is told.
 * Knows: how messages come and go, and what the record says when they do not. Does not know: their
 * order.
 *
 * Whatever answers bool here says whether the session goes on. When it does not, the record says
 * why. */
#pragma once

#include "stdsocks/session.h"

/* How the session has ended: sets that in the record. Always false. */
bool talk_end(struct session *s, enum record_end how, enum record_who who, int error);

/* The end of a session whose client went, fell silent or was told to; or which this host has
 * failed: error is endpoint_read_by()'s or endpoint_send_by()'s. Always false. */
bool talk_end_of_client(struct session *s, int error);

/* What the client has sent, and no message has used. */
const uint8_t *talk_unread(const struct session *s);
size_t talk_unread_len(const struct session *s);

/* More of the client's bytes, when a parser has asked for them. There is room: a full buffer holds
 * every message of a handshake whole. */
bool talk_hear(struct session *s, enum socks5_message message);

/* A message was parsed: its bytes are used. */
void talk_use(struct session *s, enum socks5_message message, size_t used);

/* No message, or a part of one: the bytes so far are shown as what they should have become; but as
 * a login, whose password is not shown, if they could be one that nobody asked for, and instead of
 * a greeting as a request of version 4, if they begin as one. */
void talk_show_rest(struct session *s, enum socks5_message message);

/* A message to the client. */
bool talk_say(struct session *s, enum socks5_message message, const struct writer *w);

/* The reply, in the client's version of the protocol. */
bool talk_reply(struct session *s, enum socks5_reply reply, const struct addr *bnd);

/* The last words to a client that is not served; error is the errno behind that, or 0, why a text
 * that stays, or NULL. Always false. */
bool talk_refuse(struct session *s, enum socks5_reply reply, int error, const char *why);

/* The same where it is this process that cannot: 01, and a failure in the record. */
bool talk_fail(struct session *s, int error, const char *why);

/* The same where the answer would be an address, or a name, that a reply of version 4 cannot hold.
 * Always false. */
bool talk_refuse_version_4(struct session *s);

/* Why nobody is served when the process cannot be locked as it goes on: a text that stays. */
const char *talk_no_stage(const char *part);
