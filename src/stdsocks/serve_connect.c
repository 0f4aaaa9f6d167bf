/* SPDX-License-Identifier: ISC */
/* CONNECT (RFC 1928 s4). Knows: dialling. Does not know: what the bytes mean. */
#include "net/clock.h"
#include "stdsocks/serve.h"

static bool connect_upstream(struct session *s, struct resolve_list *list, struct addr *ret_local)
{
	const struct dial_source source = destination_source(s->config);
	int64_t start_us = clock_now_us();
	int64_t deadline_us = clock_after(start_us, s->config->connect_us);
	if (deadline_us > s->deadline_us)
		deadline_us = s->deadline_us;

	dial_order(list);
	int fd = dial(list, &source, deadline_us, &s->connected, ret_local);
	s->connect_us = clock_now_us() - start_us;
	if (fd < 0)
		return destination_failed(s, -fd, NULL);
	s->upstream = (struct endpoint){.in = fd, .out = fd, .in_socket = true, .out_socket = true};
	return true;
}

bool serve_connect(struct session *s, struct resolve_list *list)
{
	struct addr local;

	if (!destination_locate(s, list) || !connect_upstream(s, list, &local) ||
		!talk_reply(s, SOCKS5_SUCCEEDED, &local))
		return false;
	serve_relay(s);
	return true;
}
