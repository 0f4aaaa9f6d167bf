/* SPDX-License-Identifier: ISC */
/* The messages of SOCKS 4 and 4A. */
#include "wire/socks4.h"

#include <string.h>

/* Reads at most max bytes and their NUL. Returns NULL if the NUL is missing: r->ended is set if
 * more bytes can complete the text, and not if it is too long. */
static const uint8_t *read_text(struct reader *r, size_t max, uint8_t *ret_len)
{
	const uint8_t *text = r->bytes + r->at;
	size_t left = r->len - r->at;
	const uint8_t *nul = left > 0 ? memchr(text, '\0', left < max + 1 ? left : max + 1) : NULL;

	if (!nul) {
		r->ended = left <= max;
		return NULL;
	}
	*ret_len = (uint8_t)(nul - text);
	return reader_bytes(r, (size_t)*ret_len + 1);
}

bool socks4_has_name(const uint8_t *dstip)
{
	return dstip[0] == 0 && dstip[1] == 0 && dstip[2] == 0 && dstip[3] != 0;
}

enum parse socks4_parse_request(
	const uint8_t *bytes, size_t len, size_t *ret_used, struct socks4_request *ret_request)
{
	struct reader r = reader_of(bytes, len);
	struct socks4_request request;

	if (reader_u8(&r) != SOCKS4_VERSION && !r.ended)
		return PARSE_BAD;
	request.command = reader_u8(&r);
	uint16_t port = reader_u16(&r);
	const uint8_t *ip = reader_bytes(&r, 4);
	if (r.ended)
		return PARSE_MORE;
	request.userid = read_text(&r, SOCKS4_USERID_MAX, &request.userid_len);
	if (!request.userid)
		return r.ended ? PARSE_MORE : PARSE_BAD;
	request.dst = addr_of(ADDR_IPV4, ip, 4, port);
	if (socks4_has_name(ip)) {
		uint8_t name_len;
		const uint8_t *name = read_text(&r, ADDR_NAME_MAX, &name_len);
		if (!name)
			return r.ended ? PARSE_MORE : PARSE_BAD;
		request.dst = addr_of(ADDR_NAME, name, name_len, port);
	}
	*ret_request = request;
	*ret_used = r.at;
	return PARSE_DONE;
}

void socks4_put_reply(struct writer *w, enum socks4_reply reply, const struct addr *bnd)
{
	static const uint8_t nowhere[4];

	writer_u8(w, 0); /* VN: the version of replies is 0 */
	writer_u8(w, (uint8_t)reply);
	writer_u16(w, bnd->port);
	writer_bytes(w, bnd->kind == ADDR_IPV4 ? bnd->bytes : nowhere, 4);
}

const char *socks4_reply_text(uint8_t reply)
{
	static const char *const texts[] = {
		"request granted",
		"request rejected or failed",
		"no identd on the client's host",
		"different user id",
	};
	const unsigned i = (unsigned)reply - SOCKS4_GRANTED;
	return i < sizeof texts / sizeof texts[0] ? texts[i] : "unassigned";
}
