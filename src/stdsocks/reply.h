/* SPDX-License-Identifier: ISC */
/* Replies to a request (RFC 1928 s6), in the client's version of the protocol. */
#pragma once

#include "stdsocks/outcome.h"

/* Sends a reply. Returns RECORD_ONGOING, or the reason of the end if it cannot be sent. */
enum record_end reply_send(struct session *s, enum socks5_reply reply, const struct addr *bnd);

/* The functions below send a failure and end the session. Each returns the reason of the end:
 * RECORD_REFUSED or RECORD_FAILED, or another one if the reply cannot be sent. */

/* error is the errno behind the failure, or 0. why is a static text for the record, or NULL. The
 * reason is RECORD_FAILED if this host lacks resources or its configured source address; and if
 * service is refused (session_input), whose reason and error replace why and error. */
enum record_end reply_refuse(
	struct session *s, enum socks5_reply reply, int error, const char *why);

/* This host or process failed: general failure, and RECORD_FAILED. */
enum record_end reply_fail(struct session *s, int error, const char *why);

/* The answer would be an address or a name that a version 4 reply cannot contain. */
enum record_end reply_refuse_version_4(struct session *s);
