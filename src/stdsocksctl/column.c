/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/column.h"

#include <arpa/inet.h>
#include <string.h>

void column_put(struct writer *w, const char *text)
{
	for (; *text; text++) {
		if (*text == ' ')
			writer_str(w, "\\x20");
		else
			writer_u8(w, (uint8_t)*text);
	}
}

void column_put_name(struct writer *w, const char *name)
{
	const char *quote = !name[0] || writer_is_plain(name, strlen(name)) ? "" : "\"";

	writer_str(w, quote);
	column_put(w, name);
	writer_str(w, quote);
}

void column_put_destination(struct writer *w, const char *host, int64_t port)
{
	uint8_t ip[16];
	const bool is_ipv6 = inet_pton(AF_INET6, host, ip) == 1;
	const bool has_brackets = is_ipv6 && port >= 0;

	if (!host[0])
		return;
	writer_str(w, has_brackets ? "[" : "");
	if (is_ipv6)
		column_put(w, host);
	else
		column_put_name(w, host);
	writer_str(w, has_brackets ? "]" : "");
	if (port < 0)
		return;
	writer_u8(w, ':');
	writer_decimal(w, (uint64_t)port, 1);
}
