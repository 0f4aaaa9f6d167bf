/* SPDX-License-Identifier: ISC */
/* The option --trace: writes messages of SOCKS and DNS, and their meaning, to standard error. */
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

static void put_question(struct writer *w, const struct dns_query *query)
{
	writer_str(w, dns_type_text(query->type));
	writer_u8(w, ' ');
	dns_name_put(w, &query->name);
	writer_u8(w, '\n');
}

/* Writes the meaning of an answer, and as many of its addresses as there is space for. */
static void put_answer(struct writer *w, const struct dns_answer *answer, int64_t elapsed_us)
{
	struct dns_answer rest = *answer;
	struct addr found;

	writer_str(w, "  ");
	writer_str(w, dns_rcode_text(answer->rcode));
	writer_str(w, answer->is_truncated ? ", truncated, " : ", ");
	writer_decimal(w, answer->count, 1);
	writer_str(w, " results, TTL ");
	writer_decimal(w, answer->ttl_s, 1);
	writer_str(w, " s, after ");
	writer_decimal(w, (uint64_t)elapsed_us, 1);
	writer_str(w, " us\n");
	while (w->cap - w->len > (size_t)DNS_NAME_TEXT_MAX && dns_answer_next(&rest, &found)) {
		writer_str(w, "  ");
		addr_put_host(w, &found);
		writer_u8(w, '\n');
	}
}

void trace_dns(const struct addr *server, const struct dns_query *query,
	const struct dns_answer *answer, int64_t elapsed_us)
{
	char text[ANNOTATE_MAX];
	struct writer w = writer_on(text, sizeof text);

	if (answer) {
		addr_put_host(&w, server);
		writer_str(&w, " answers ");
	} else {
		writer_str(&w, "stdsocks asks ");
		addr_put_host(&w, server);
		writer_str(&w, " for ");
	}
	put_question(&w, query);
	if (answer)
		put_answer(&w, answer, elapsed_us);
	log_write_stderr(&w);
}
