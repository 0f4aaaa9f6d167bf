/* SPDX-License-Identifier: ISC */
/* CONNECT (RFC 1928 s4). */
#include "net/clock.h"
#include "stdsocks/reply.h"
#include "stdsocks/serve.h"

static enum record_end connect_upstream(
	struct session *s, struct resolve_list *list, struct addr *ret_local)
{
	const struct dial_source source = destination_source(s->config);
	int64_t start_us = clock_now_us();
	int64_t deadline_us = clock_after(start_us, s->config->connect_us);
	if (deadline_us > s->deadline_us)
		deadline_us = s->deadline_us;

	const struct dial_lookup lookup = {s->lookup, destination_permit, s};
	struct dial_ends ends;

	dial_order(list->addrs, list->count);
	int fd = dial(list, &source, &lookup, deadline_us, &ends);
	resolve_stop(s->lookup);
	s->record.connect_us = clock_now_us() - start_us;
	if (fd < 0)
		return destination_failed(s, -fd, NULL);
	s->record.connected = ends.remote;
	*ret_local = ends.local;
	s->upstream = (struct endpoint){.in = fd, .out = fd, .in_socket = true, .out_socket = true};
	return RECORD_ONGOING;
}

enum record_end serve_connect(struct session *s, struct resolve_list *list)
{
	struct addr local;
	enum record_end end;

	if ((end = destination_locate(s, list)) || (end = connect_upstream(s, list, &local)) ||
		(end = reply_send(s, SOCKS5_SUCCEEDED, &local)))
		return end;
	return serve_relay(s);
}
