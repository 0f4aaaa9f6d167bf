/* SPDX-License-Identifier: ISC */
/* What --trace shows: each message with its meaning. Knows: standard error's form of it. */
#include "record/trace.h"

#include "record/log.h"
#include "text/annotate.h"

static const char *const names[] = {
	[SOCKS5_METHODS] = "methods",
	[SOCKS5_METHOD] = "method",
	[SOCKS5_LOGIN] = "login",
	[SOCKS5_LOGIN_STATUS] = "login status",
	[SOCKS5_REQUEST] = "request",
	[SOCKS5_REPLY] = "reply",
	[SOCKS4_REQUEST] = "SOCKS 4 request",
	[SOCKS4_REPLY] = "SOCKS 4 reply",
	[SOCKS5_DATAGRAM] = "datagram",
};

void trace_message(const char *who, enum socks5_message message, const uint8_t *bytes, size_t len)
{
	char text[ANNOTATE_MAX];
	struct writer w = writer_on(text, sizeof text);

	writer_str(&w, who);
	writer_str(&w, " sends ");
	writer_str(&w, names[message]);
	writer_str(&w, ":\n");
	annotate_message(&w, message, bytes, len);
	log_write_stderr(&w);
}
