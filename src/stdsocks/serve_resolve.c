/* SPDX-License-Identifier: ISC */
/* RESOLVE and RESOLVE_PTR (Tor's socks-extensions): the answer is the address of the reply. */
#include "stdsocks/serve.h"

/* Of several addresses the resolver's first one that the rules allow. */
bool serve_resolve(struct session *s, struct resolve_list *list)
{
	const bool is_reverse = s->request.command == SOCKS5_RESOLVE_PTR;

	if (!destination_locate(s, list) || (is_reverse && !destination_look_up(s, list)))
		return false;
	if (is_reverse && !addr_is_hostname(&list->addrs[0]))
		return talk_refuse(s, SOCKS5_HOST_UNREACHABLE, 0, "no host name");
	struct addr answer = list->addrs[0];
	answer.port = 0;
	if (!is_reverse)
		s->connected = list->addrs[0];
	if (talk_reply(s, SOCKS5_SUCCEEDED, &answer)) {
		talk_end(s, RECORD_CLOSED, RECORD_STDSOCKS, 0);
		endpoint_linger(&s->client, s->up);
	}
	return false;
}
