/* SPDX-License-Identifier: ISC */
/* An association: relays the datagrams of the command UDP ASSOCIATE (RFC 1928 s7) in both
 * directions. */
#include "stdsocks/association.h"

#include <errno.h>
#include <string.h>

#include "net/clock.h"
#include "net/wait.h"
#include "record/trace.h"
#include "stdsocks/association_names.h"

/* Bytes that are traced of a datagram without a header. */
#define TRACED_MAX 64

/* How long arrived datagrams are relayed at the end, since a client may send on and on. */
#define DRAIN_US INT64_C(200000)

void association_drop(struct association *a, enum record_drop reason)
{
	a->counts.dropped[reason]++;
}

/* -- Up. */

void association_deny(
	struct association *a, struct dst *dst, const struct session_decision *decision)
{
	struct session *s = a->session;

	dst->state = DST_DENIED;
	if (!s->denial.verdict.rule)
		s->denial = *decision;
	if (!decision->error)
		return;
	s->record.error = decision->error;
	s->record.why = destination_why(decision);
}

void association_evaluate(
	struct association *a, struct dst *dst, const struct addr *address, int64_t now_us)
{
	if (now_us < dst->decision_us)
		return;
	const struct session_decision decision =
		destination_evaluate(a->session, &dst->requested, address);
	dst->decision_us = clock_after(now_us, ASSOCIATION_DECISION_US);
	if (decision.verdict.allowed == RULE_YES)
		dst->state = DST_ALLOWED;
	else
		association_deny(a, dst, &decision);
}

void association_queue(
	struct association *a, const struct addr *to, const uint8_t *bytes, size_t len)
{
	union sockaddr_any at;

	sockaddr_write(&at, to);
	if (!udp_write(to->kind == ADDR_IPV4 ? &a->to_ipv4 : &a->to_ipv6, &at,
		    &(struct udp_payload){.bytes = bytes, .len = len}))
		association_drop(a, RECORD_DROP_UNSENT);
}

static void count_unsent(struct association *a, const struct udp_sent *sent)
{
	a->counts.dropped[RECORD_DROP_OVERSIZED] += sent->oversized;
	a->counts.dropped[RECORD_DROP_UNSENT] += sent->failed;
}

/* From now on datagrams from this address are accepted. */
static void note_sent_to(struct association *a, const union sockaddr_any *at)
{
	const struct addr to = sockaddr_read(at);
	struct dst *dst = dst_table_get(&a->destinations, &to);

	if (dst->was_sent_to)
		return;
	dst->was_sent_to = true;
	if (a->counts.destinations++ == 0)
		a->session->record.connected = to;
}

static void note_all_sent_to(struct association *a, const struct udp_queue *queue, unsigned count)
{
	const struct udp_outgoing *noted = NULL;

	for (const struct udp_outgoing *one = queue->datagrams; one < queue->datagrams + count;
		one++) {
		if (!one->was_sent || (noted && memcmp(&one->to, &noted->to, one->to_len) == 0))
			continue;
		note_sent_to(a, &one->to);
		noted = one;
	}
}

void association_send_up(struct association *a)
{
	struct udp_queue *const queues[] = {&a->to_ipv4, &a->to_ipv6};
	const int fds[] = {a->upstream_ipv4, a->upstream_ipv6};

	for (unsigned i = 0; i < 2; i++) {
		const unsigned count = queues[i]->count;
		if (count == 0)
			continue;
		struct udp_sent sent = udp_send(fds[i], queues[i]);
		note_all_sent_to(a, queues[i], count);
		a->counts.up += sent.sent;
		a->session->relay.up.delivered += sent.sent_bytes;
		count_unsent(a, &sent);
	}
}

static void send_to_address(
	struct association *a, struct dst *dst, const uint8_t *bytes, size_t len)
{
	association_evaluate(a, dst, &dst->requested, a->received_us);
	if (dst->state == DST_ALLOWED)
		association_queue(a, &dst->requested, bytes, len);
	else
		association_drop(a, RECORD_DROP_DENIED);
}

/* Whether a datagram is from the client: from its address and, after the first datagram, its port.
 */
static bool is_from_client(const struct association *a, const union sockaddr_any *from)
{
	const struct addr source = sockaddr_read(from);

	return addr_is_same_host(&a->client, &source) &&
		(a->client.port == 0 || a->client.port == source.port);
}

/* The first valid datagram decides to which port the client is sent. */
static void note_client_port(struct association *a, const union sockaddr_any *from)
{
	if (a->client_at.sa.sa_family != AF_UNSPEC)
		return;
	a->client_at = *from;
	a->client.port = sockaddr_read(from).port;
}

/* Traces the header of a datagram, or its first bytes if it has none. */
static void trace_datagram(const struct udp_datagram *d, size_t header_len)
{
	if (header_len == 0)
		header_len = d->len < TRACED_MAX ? d->len : TRACED_MAX;
	trace_message("client", SOCKS5_DATAGRAM, d->bytes, header_len);
}

/* Parses a datagram from the client. Returns the reason to drop it, or RECORD_DROP_COUNT. */
static enum record_drop parse_up(
	struct association *a, const struct udp_datagram *d, size_t *ret_used, struct addr *ret_to)
{
	if (!is_from_client(a, d->from))
		return RECORD_DROP_STRANGER;
	if (d->is_truncated)
		return RECORD_DROP_OVERSIZED;
	*ret_used = 0;
	enum socks5_datagram kind = socks5_parse_datagram(d->bytes, d->len, ret_used, ret_to);
	if (a->session->input->trace)
		trace_datagram(d, *ret_used);
	if (kind == SOCKS5_DATAGRAM_FRAGMENT)
		return RECORD_DROP_FRAGMENT;
	if (kind != SOCKS5_DATAGRAM_WHOLE || ret_to->port == 0 || sockaddr_read(d->from).port == 0)
		return RECORD_DROP_MALFORMED;
	return RECORD_DROP_COUNT;
}

static void relay_up(struct association *a, const struct udp_datagram *d)
{
	struct addr to;
	size_t used;
	enum record_drop reason = parse_up(a, d, &used, &to);

	if (reason != RECORD_DROP_COUNT) {
		association_drop(a, reason);
		return;
	}
	to = addr_from_literal(&to);
	note_client_port(a, d->from);
	if (to.kind == ADDR_NAME && !addr_is_hostname(&to)) {
		association_drop(a, RECORD_DROP_UNRESOLVED);
		return;
	}
	struct dst *dst = dst_table_get(&a->destinations, &to);
	if (to.kind == ADDR_NAME)
		association_names_send(a, dst, d->bytes + used, d->len - used);
	else
		send_to_address(a, dst, d->bytes + used, d->len - used);
}

/* Relays one batch from the client. Returns the number of datagrams received. */
static unsigned relay_batch_up(struct association *a)
{
	udp_receive(a->client_fd, &a->received); /* an error concerns an earlier datagram */
	a->received_us = clock_now_us();
	for (unsigned i = 0; i < a->received.count; i++)
		relay_up(a, &a->received.datagrams[i]);
	association_send_up(a);
	return a->received.count;
}

/* -- Down. */

static void relay_down(struct association *a, const struct udp_datagram *d, size_t header_len)
{
	const struct addr from = sockaddr_read(d->from);
	const struct dst *dst = dst_table_find(&a->destinations, &from);
	uint8_t *start = d->header_end - header_len;
	struct writer header = writer_on(start, header_len);

	if (!dst || !dst->was_sent_to) {
		association_drop(a, RECORD_DROP_UNASKED);
		return;
	}
	if (d->is_truncated) {
		association_drop(a, RECORD_DROP_OVERSIZED);
		return;
	}
	socks5_put_datagram(&header, &from);
	if (a->session->input->trace)
		trace_message("stdsocks", SOCKS5_DATAGRAM, start, header_len);
	if (!udp_write(&a->to_client, &a->client_at,
		    &(struct udp_payload){start, d->bytes, header_len, d->len}))
		association_drop(a, RECORD_DROP_UNSENT);
}

/* Relays one batch to the client. Returns the number of datagrams received. */
static unsigned relay_batch_down(struct association *a, int fd, size_t header_len)
{
	udp_receive(fd, &a->received);
	for (unsigned i = 0; i < a->received.count; i++)
		relay_down(a, &a->received.datagrams[i], header_len);
	struct udp_sent sent = udp_send(a->client_fd, &a->to_client);
	a->counts.down += sent.sent;
	a->session->relay.down.delivered += sent.sent_bytes - sent.sent * header_len;
	count_unsent(a, &sent);
	return a->received.count;
}

/* -- The loop. */

/* Descriptors that are polled. Those of lookups are behind them. */
enum { IN, OUT, CLIENT, IPV4, IPV6, POLLED };

/* Whether the client's connection has ended. Bytes on it have no meaning and are discarded. */
static bool has_ended(struct association *a, const struct pollfd fds[POLLED])
{
	struct session *s = a->session;

	s->up->start = s->up->end = 0;
	if (fds[IN].revents) {
		int n = endpoint_read(&s->client, s->up);
		return n == 0 || (n < 0 && n != -EAGAIN);
	}
	return fds[OUT].revents;
}

/* One turn of the loop. Returns RELAY_TICK if the association has not ended. */
static enum relay_end turn(struct association *a, const struct pollfd fds[POLLED])
{
	struct relay *r = &a->session->relay;
	const uint64_t before = a->counts.up + a->counts.down;

	association_names_continue(a, fds + POLLED); /* before new lookups start */

	if (fds[CLIENT].revents)
		relay_batch_up(a);
	if (fds[IPV4].revents)
		relay_batch_down(a, a->upstream_ipv4, SOCKS5_DATAGRAM_IPV4_LEN);
	if (fds[IPV6].revents)
		relay_batch_down(a, a->upstream_ipv6, SOCKS5_DATAGRAM_IPV6_LEN);
	if (a->counts.up + a->counts.down != before) {
		r->moved_us = clock_now_us();
		r->tick_waits = false;
	}
	if (!has_ended(a, fds))
		return RELAY_TICK;
	r->first = &a->session->client;
	return r->first->error ? RELAY_BROKEN : RELAY_CLOSED;
}

static enum relay_end run_loop(struct association *a)
{
	const struct relay *r = &a->session->relay;
	const struct endpoint *client = &a->session->client;

	for (;;) {
		/* The timers are compared with the clock, because wait_poll() does not time out
		 * while a descriptor is always ready. */
		const int64_t now_us = clock_now_us();
		const int64_t idle_us = clock_after(r->moved_us, r->idle_us);
		const int64_t tick_us = r->tick_waits ? INT64_MAX : r->tick_us;
		int64_t until_us = clock_earlier(idle_us, r->lifetime_deadline_us);
		if (now_us >= until_us)
			return idle_us < r->lifetime_deadline_us ? RELAY_IDLE : RELAY_LIFETIME;
		if (now_us >= tick_us)
			return RELAY_TICK;
		struct pollfd fds[POLLED + ASSOCIATION_NAMES_FDS + WAIT_OWN_FDS];
		fds[IN] = (struct pollfd){.fd = client->in, .events = POLLIN};
		fds[OUT] = (struct pollfd){.fd = client->in_socket ? -1 : client->out};
		fds[CLIENT] = (struct pollfd){.fd = a->client_fd, .events = POLLIN};
		fds[IPV4] = (struct pollfd){.fd = a->upstream_ipv4, .events = POLLIN};
		fds[IPV6] = (struct pollfd){.fd = a->upstream_ipv6, .events = POLLIN};
		int64_t names_us;
		unsigned names = association_names_poll(a, fds + POLLED, &names_us);
		int ready = wait_poll(fds, POLLED + names,
			clock_earlier(clock_earlier(until_us, tick_us), names_us));
		if (ready == -ECANCELED)
			return RELAY_STOPPED;
		if (ready < 0 && ready != -ETIMEDOUT) {
			a->session->record.error = -ready;
			return RELAY_FAILED;
		}
		const enum relay_end how = turn(a, fds);
		if (how != RELAY_TICK)
			return how;
	}
}

/* Relays the datagrams that have arrived, and counts those that are lost. */
static void drain(struct association *a)
{
	const int fds[] = {a->client_fd, a->upstream_ipv4, a->upstream_ipv6};
	const int64_t until_us = clock_after(clock_now_us(), DRAIN_US);
	unsigned received = 1;

	association_names_end(a);
	while (received > 0 && clock_now_us() < until_us)
		received = relay_batch_up(a) +
			relay_batch_down(a, a->upstream_ipv4, SOCKS5_DATAGRAM_IPV4_LEN) +
			relay_batch_down(a, a->upstream_ipv6, SOCKS5_DATAGRAM_IPV6_LEN);
	for (unsigned i = 0; i < 3; i++)
		a->counts.dropped[RECORD_DROP_OVERFLOW] += udp_overflowed(fds[i]);
}

enum relay_end association_run(struct association *a)
{
	enum relay_end how = run_loop(a);

	if (how != RELAY_TICK)
		drain(a);
	return how;
}
