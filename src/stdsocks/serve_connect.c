/* SPDX-License-Identifier: ISC */
/* CONNECT (RFC 1928 s4). Knows: dialling. Does not know: what the bytes mean. */
#include <errno.h>

#include "net/clock.h"
#include "net/dial.h"
#include "stdsocks/serve.h"

static bool connect_upstream(struct session *s, struct resolve_list *list)
{
	const struct config *c = s->config;
	const struct dial_source source = {
		.ipv4 = c->source_ipv4.kind ? &c->source_ipv4 : NULL,
		.ipv6 = c->source_ipv6.kind ? &c->source_ipv6 : NULL,
		.device = c->device[0] ? c->device : NULL,
		.mark = c->mark,
	};
	int64_t start_us = clock_now_us();
	int64_t deadline_us = clock_after(start_us, c->connect_us);
	if (deadline_us > s->deadline_us)
		deadline_us = s->deadline_us;

	dial_order(list);
	int fd = dial(list, &source, deadline_us, &s->record->reached, &s->bound);
	s->record->connect_us = clock_now_us() - start_us;
	if (fd == -ECANCELED)
		return talk_end(s, RECORD_TERMINATED, RECORD_STDSOCKS, 0);
	if (fd == -EADDRNOTAVAIL)
		return talk_refuse(s, SOCKS5_GENERAL_FAILURE, -fd,
			"no such source: it must be an address or device of this host, or a mark "
			"with CAP_NET_ADMIN; or all its ports are taken");
	if (fd < 0)
		return talk_refuse(s, destination_reply_for(-fd), -fd, NULL);
	s->upstream = (struct peer){.in = fd, .out = fd, .in_socket = true, .out_socket = true};
	return true;
}

bool serve_connect(struct session *s, struct resolve_list *list)
{
	if (!destination_locate(s, list) || !connect_upstream(s, list) ||
		!talk_reply(s, SOCKS5_SUCCEEDED, &s->bound))
		return false;
	serve_relay(s);
	return true;
}
