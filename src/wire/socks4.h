/* SPDX-License-Identifier: ISC */
/* The messages of SOCKS 4 and 4A. Neither has an RFC; the sources are "SOCKS: A protocol for TCP
 * proxy across firewalls" and "SOCKS 4A: A Simple Extension to SOCKS 4 Protocol" by Ying-Da Lee.
 * The commands CONNECT and BIND have the numbers of SOCKS 5. */
#pragma once

#include "wire/socks5.h"

#define SOCKS4_VERSION 4

enum socks4_reply {
	SOCKS4_GRANTED = 0x5a,
	SOCKS4_REJECTED = 0x5b,  /* rejected or failed */
	SOCKS4_NO_IDENTD = 0x5c, /* identd on the client's host does not answer */
	SOCKS4_OTHER_USER = 0x5d /* identd reports a different user id */
};

/* Bytes. SOCKS 4 has no limit for USERID; this is the limit of a user name in RFC 1929. */
#define SOCKS4_USERID_MAX 255

/* Bytes of the longest request, which is one of SOCKS 4A: VN, CD, DSTPORT, DSTIP (8), USERID, NUL,
 * a name, NUL. */
#define SOCKS4_REQUEST_MAX (8 + SOCKS4_USERID_MAX + 1 + ADDR_NAME_MAX + 1)
#define SOCKS4_REPLY_LEN   8 /* bytes */

struct socks4_request {
	uint8_t command; /* any value */
	struct addr dst; /* DSTIP or, with SOCKS 4A, the name, which is not checked; and DSTPORT */
	/* Points into the bytes that were parsed. Can contain any bytes except NUL. */
	const uint8_t *userid;
	uint8_t userid_len;
};

/* Returns true if DSTIP, of 4 bytes, is 0.0.0.x and x is not 0. A name then follows USERID (SOCKS
 * 4A). */
bool socks4_has_name(const uint8_t *dstip);

/* Parses a request. Returns PARSE_DONE, and sets *ret_used to its length, if it is complete;
 * PARSE_MORE if it is incomplete; or PARSE_BAD if the version is not 4, or USERID or the name has
 * more than 255 bytes. The reply to an invalid request is SOCKS4_REJECTED. Unless PARSE_DONE is
 * returned, the outputs are unchanged. */
enum parse socks4_parse_request(
	const uint8_t *bytes, size_t len, size_t *ret_used, struct socks4_request *ret_request);

/* Appends a reply with an address and its port. SOCKS 4 has only IPv4 addresses: if bnd is not one,
 * the reply has 0.0.0.0 and the port of bnd. */
void socks4_put_reply(struct writer *w, enum socks4_reply reply, const struct addr *bnd);

/* Returns the meaning of a reply code in words, such as "request granted", or "unassigned": a
 * static string. */
const char *socks4_reply_text(uint8_t reply);
