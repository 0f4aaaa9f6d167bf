/* SPDX-License-Identifier: ISC */
/* RESOLVE and RESOLVE_PTR (Tor's socks-extensions): the answer is the address of the reply. */
#include "stdsocks/serve.h"

/* Of several addresses the resolver's first one that the rules allow; of version 4, that has room for IPv4 only, of those. */
bool serve_resolve(struct session *s, struct resolve_list *list)
{
	bool is_reverse = s->request.command == SOCKS5_RESOLVE_PTR;
	size_t i = 0;

	if (!destination_locate(s, list) || (is_reverse && !destination_look_up(s, list)))
		return false;
	while (s->is_version_4 && i < list->count && list->addrs[i].kind != ADDR_IPV4)
		i++;
	if (i == list->count)
		return talk_refuse_version_4(s);
	if (is_reverse && !addr_is_hostname(&list->addrs[i]))
		return talk_refuse(s, SOCKS5_HOST_UNREACHABLE, 0, "no host name");
	s->bound = list->addrs[i];
	s->bound.port = 0;
	if (!is_reverse)
		s->record->reached = list->addrs[i];
	if (talk_reply(s, SOCKS5_SUCCEEDED, &s->bound)) {
		talk_end(s, RECORD_CLOSED, RECORD_STDSOCKS, 0);
		peer_linger(&s->client, s->up);
	}
	return false;
}
