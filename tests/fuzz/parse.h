/* SPDX-License-Identifier: ISC */
/* The parsers of wire/socks5 and wire/socks4 behind one function.
 * Knows: which parser a message has. Does not know: what is right. */
#pragma once

#include "wire/socks4.h"

union parsed {
	struct socks5_methods methods;
	struct socks5_login login;
	struct socks5_request request;
	struct socks4_request request4;
};

/* Parses a client's message. ret_reply is set for a SOCKS5_REQUEST that is BAD. */
static inline enum parse parse_client(enum socks5_message message, const uint8_t *bytes, size_t len,
	size_t *ret_used, union parsed *ret_parsed, enum socks5_reply *ret_reply)
{
	if (message == SOCKS5_METHODS)
		return socks5_parse_methods(bytes, len, ret_used, &ret_parsed->methods);
	if (message == SOCKS5_LOGIN)
		return socks5_parse_login(bytes, len, ret_used, &ret_parsed->login);
	if (message == SOCKS4_REQUEST)
		return socks4_parse_request(bytes, len, ret_used, &ret_parsed->request4);
	return socks5_parse_request(bytes, len, ret_used, &ret_parsed->request, ret_reply);
}
