/* SPDX-License-Identifier: ISC */
/* RESOLVE and RESOLVE_PTR (Tor's socks-extensions): the answer is the address of the reply. */
#include "stdsocks/reply.h"
#include "stdsocks/serve.h"

/* Of several addresses that the rules allow, the answer is the first by RFC 6724. */
enum record_end serve_resolve(struct session *s, struct resolve_list *list)
{
	const bool is_reverse = s->request.command == SOCKS5_RESOLVE_PTR;
	enum record_end end = destination_locate(s, list);

	if (!end && is_reverse)
		end = destination_look_up_ptr(s, list);
	resolve_stop(s->lookup);
	if (end)
		return end;
	if (is_reverse && !addr_is_hostname(&list->addrs[0]))
		return reply_refuse(s, SOCKS5_HOST_UNREACHABLE, 0, "not a host name");
	struct addr answer = list->addrs[0];
	answer.port = 0;
	if (!is_reverse)
		s->record.connected = list->addrs[0];
	return outcome_last_message(s, reply_send(s, SOCKS5_SUCCEEDED, &answer), RECORD_CLOSED, 0);
}
