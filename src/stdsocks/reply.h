/* SPDX-License-Identifier: ISC */
/* Replies to a request (RFC 1928 s6), in the client's version of the protocol. */
#pragma once

#include "stdsocks/outcome.h"

/* Sends a reply with the address *bnd (BND.ADDR, BND.PORT). Returns RECORD_ONGOING; or, if it
 * cannot be sent, the reason of the session's end. */
enum record_end reply_send(struct session *s, enum socks5_reply reply, const struct addr *bnd);

/* Sends a reply of failure and ends the session. error is the errno that belongs to the failure, or
 * 0. why is a static text for the record, or NULL. Returns the reason of the session's end:
 * - RECORD_FAILED if error means that this host lacks resources or its configured source address;
 * - RECORD_FAILED if service is refused to every client (s->input->refusal), whose reason and errno
 *   then replace why and error;
 * - another reason if the reply cannot be sent;
 * - otherwise RECORD_REFUSED. */
enum record_end reply_refuse(
	struct session *s, enum socks5_reply reply, int error, const char *why);

/* Like reply_refuse() with SOCKS5_GENERAL_FAILURE, but returns RECORD_FAILED in place of
 * RECORD_REFUSED: for a failure of this host or this process. */
enum record_end reply_fail(struct session *s, int error, const char *why);

/* Like reply_refuse() with SOCKS5_ATYP_NOT_SUPPORTED: for a SOCKS 4 client whose reply would have
 * to contain an IPv6 address or a name, which it cannot. */
enum record_end reply_refuse_version_4(struct session *s);
