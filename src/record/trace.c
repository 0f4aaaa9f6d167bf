/* SPDX-License-Identifier: ISC */
/* --trace: writes each message with the meaning of its bytes to standard error. */
#include "record/trace.h"

#include "record/log.h"
#include "text/annotate.h"

static const char *const names[] = {
	[SOCKS5_METHODS] = "greeting",
	[SOCKS5_METHOD] = "method",
	[SOCKS5_LOGIN] = "username and password",
	[SOCKS5_LOGIN_STATUS] = "authentication status",
	[SOCKS5_REQUEST] = "request",
	[SOCKS5_REPLY] = "reply",
	[SOCKS4_REQUEST] = "SOCKS 4 request",
	[SOCKS4_REPLY] = "SOCKS 4 reply",
	[SOCKS5_DATAGRAM] = "datagram",
};

void trace_message(
	const char *sender, enum socks5_message message, const uint8_t *bytes, size_t len)
{
	char text[ANNOTATE_MAX];
	struct writer w = writer_on(text, sizeof text);

	writer_str(&w, sender);
	writer_str(&w, " sends ");
	writer_str(&w, names[message]);
	writer_str(&w, ":\n");
	annotate_message(&w, message, bytes, len);
	log_write_stderr(&w);
}
