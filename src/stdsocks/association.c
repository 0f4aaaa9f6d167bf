/* SPDX-License-Identifier: ISC */
/* The datagrams of UDP ASSOCIATE (RFC 1928 s7), in both directions.
 * Knows: whose are taken, where they may go, and names. Does not know: how it began, and what is
 * told of it. */
#include "stdsocks/association.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/lookups.h"
#include "net/wait.h"
#include "record/trace.h"
#include "stdsocks/destination.h"
#include "stdsocks/target.h"
#include "wire/large.h"

/* For an answer of the process for names that never comes. */
#define LOOKUP_GRACE_US INT64_C(1000000)

/* Bytes of datagrams that wait for a name: any one of them, or several that are smaller. */
#define WAITING_BYTES 65536

/* What a trace shows of a datagram that has no header. */
#define SHOWN_MAX 64

/* How long what had come is still passed on in the end. A client may send on and on. */
#define LAST_US INT64_C(200000)

/* A name that is looked up, and the datagrams that wait for it. */
struct waiting {
	int64_t deadline_us;
	size_t used, lens[ASSOCIATION_WAITING_MAX];
	uint32_t id; /* 0: none */
	unsigned count;
	struct addr name;
	uint8_t bytes[WAITING_BYTES];
};

static struct waiting lookups[ASSOCIATION_LOOKUPS_MAX] LARGE;
static struct targets targets LARGE;
static struct udp_batch batch LARGE;
static struct udp_queue to_ipv4 LARGE, to_ipv6 LARGE, to_client LARGE;

static void drop(struct association *a, enum record_drop why)
{
	a->counts.dropped[why]++;
}

/* -- What the rules say. */

/* The first denial is for the record. */
static enum target_state denied(struct association *a, const struct session_decision *decision)
{
	if (!a->session->denial.verdict.rule)
		a->session->denial = *decision;
	return TARGET_DENIED;
}

static void judge_address(struct association *a, struct target *t)
{
	const struct session_decision decision =
		destination_evaluate(a->session, &t->requested, &t->requested);

	t->state = decision.verdict.allowed == RULE_YES ? TARGET_ALLOWED : denied(a, &decision);
}

/* The first address that the rules allow, of a family that is reached. */
static void judge_addresses(
	struct association *a, struct target *t, const struct lookups_answer *answer)
{
	struct session_decision decision = {.verdict.rule = NULL};

	for (uint32_t i = 0; i < answer->count; i++) {
		const struct addr found = lookups_addr(answer, i, t->requested.port);
		if (found.kind == ADDR_NONE ||
			(found.kind == ADDR_IPV4 ? a->upstream_ipv4 : a->upstream_ipv6) < 0)
			continue;
		decision = destination_evaluate(a->session, &t->requested, &found);
		if (decision.verdict.allowed == RULE_YES) {
			t->state = TARGET_ALLOWED;
			t->found = found;
			return;
		}
	}
	t->state = decision.verdict.rule ? denied(a, &decision) : TARGET_UNRESOLVED;
}

/* -- Names. */

static struct waiting *lookup_of(const struct addr *name)
{
	for (unsigned i = 0; i < ASSOCIATION_LOOKUPS_MAX; i++)
		if (lookups[i].id && lookups[i].name.port == name->port &&
			addr_is_same_host(&lookups[i].name, name))
			return &lookups[i];
	return NULL;
}

/* Asks for a name, unless there are too many. */
static struct waiting *begin_lookup(struct association *a, const struct addr *name)
{
	static uint32_t last_id;
	struct waiting *w = lookups;

	while (w < lookups + ASSOCIATION_LOOKUPS_MAX && w->id)
		w++;
	if (w == lookups + ASSOCIATION_LOOKUPS_MAX || !lookups_ask(a->lookups_fd, ++last_id, name))
		return NULL;
	w->id = last_id;
	w->name = *name;
	w->deadline_us = clock_after(clock_now_us(), LOOKUPS_TIMEOUT_US + LOOKUP_GRACE_US);
	w->count = 0;
	w->used = 0;
	return w;
}

static void keep_waiting(struct association *a, struct waiting *w, const uint8_t *bytes, size_t len)
{
	if (!w || w->count == ASSOCIATION_WAITING_MAX || len > sizeof w->bytes - w->used) {
		drop(a, RECORD_DROP_UNRESOLVED);
		return;
	}
	memcpy(w->bytes + w->used, bytes, len);
	w->lens[w->count++] = len;
	w->used += len;
}

/* -- Up. */

static void post_to(const struct addr *to, const uint8_t *bytes, size_t len)
{
	union sockaddr_any at;

	sockaddr_write(&at, to);
	udp_write(to->kind == ADDR_IPV4 ? &to_ipv4 : &to_ipv6, &at,
		&(struct udp_payload){.bytes = bytes, .len = len});
}

static void count_sent(struct association *a, const struct udp_sent *sent)
{
	a->counts.dropped[RECORD_DROP_OVERSIZED] += sent->oversized;
	a->counts.dropped[RECORD_DROP_UNSENT] += sent->failed;
}

/* Something was sent there: from there, answers are taken. */
static void note_destination(struct association *a, const union sockaddr_any *at)
{
	const struct addr to = sockaddr_read(at);
	struct target *t = target_take(&targets, &to);

	if (t->was_sent_to)
		return;
	t->was_sent_to = true;
	if (a->counts.destinations++ == 0)
		a->session->connected = to;
}

static void note_destinations(struct association *a, const struct udp_queue *post, unsigned count)
{
	const struct udp_outgoing *noted = NULL;

	for (const struct udp_outgoing *one = post->datagrams; one < post->datagrams + count;
		one++) {
		if (!one->was_sent || (noted && memcmp(&one->to, &noted->to, one->to_len) == 0))
			continue;
		note_destination(a, &one->to);
		noted = one;
	}
}

static void send_up(struct association *a)
{
	struct udp_queue *const posts[] = {&to_ipv4, &to_ipv6};
	const int fds[] = {a->upstream_ipv4, a->upstream_ipv6};

	for (unsigned i = 0; i < 2; i++) {
		const unsigned count = posts[i]->count;
		if (count == 0)
			continue;
		struct udp_sent sent = udp_send(fds[i], posts[i]);
		note_destinations(a, posts[i], count);
		a->counts.up += sent.sent;
		a->session->relay.up.delivered += sent.sent_bytes;
		count_sent(a, &sent);
	}
}

/* To a name whose address is known, or will be, or not. */
static void pass_to_name(struct association *a, struct target *t, const uint8_t *bytes, size_t len)
{
	const int64_t now_us = clock_now_us();
	struct waiting *w = lookup_of(&t->requested);

	if (t->state == TARGET_NEW && !w) {
		const struct addr unknown = {.kind = ADDR_NONE};
		const struct session_decision decision =
			destination_evaluate(a->session, &t->requested, &unknown);
		if (decision.verdict.allowed == RULE_NO) { /* it is not looked up */
			t->state = denied(a, &decision);
			t->until_us = INT64_MAX;
		}
	}
	if (!w && now_us >= t->until_us)
		w = begin_lookup(a, &t->requested);
	if (t->state == TARGET_ALLOWED) /* goes on with the old address meanwhile */
		post_to(&t->found, bytes, len);
	else if (t->state == TARGET_NEW || w)
		keep_waiting(a, w, bytes, len);
	else
		drop(a, t->state == TARGET_DENIED ? RECORD_DROP_DENIED : RECORD_DROP_UNRESOLVED);
}

static void pass_on(struct association *a, const struct addr *dst, const uint8_t *bytes, size_t len)
{
	struct target *t = target_take(&targets, dst);

	if (dst->kind == ADDR_NAME) {
		pass_to_name(a, t, bytes, len);
		return;
	}
	if (t->state == TARGET_NEW)
		judge_address(a, t);
	if (t->state == TARGET_ALLOWED)
		post_to(dst, bytes, len);
	else
		drop(a, RECORD_DROP_DENIED);
}

/* Whether it comes from the client: from its own address, and, after the first one, from the same
 * port. */
static bool is_clients(const struct association *a, const union sockaddr_any *from)
{
	const struct addr source = sockaddr_read(from);
	return addr_is_same_host(&a->client, &source) &&
		(a->client.port == 0 || a->client.port == source.port);
}

/* The first one that is whole fixes where the client is. */
static void fix_client(struct association *a, const union sockaddr_any *from)
{
	if (a->client_at.sa.sa_family != AF_UNSPEC)
		return;
	a->client_at = *from;
	a->client.port = sockaddr_read(from).port;
}

/* Its header; or what there is in its place. */
static void show(const struct udp_datagram *d, size_t header_len)
{
	if (header_len == 0)
		header_len = d->len < SHOWN_MAX ? d->len : SHOWN_MAX;
	trace_message("client", SOCKS5_DATAGRAM, d->bytes, header_len);
}

static void take_up(struct association *a, const struct udp_datagram *d)
{
	const union sockaddr_any *from = d->from;
	struct addr dst;
	size_t used = 0;

	if (!is_clients(a, from)) {
		drop(a, RECORD_DROP_STRANGER);
		return;
	}
	if (d->is_truncated) {
		drop(a, RECORD_DROP_OVERSIZED);
		return;
	}
	enum socks5_datagram kind = socks5_parse_datagram(d->bytes, d->len, &used, &dst);
	if (a->session->input->trace)
		show(d, used);
	if (kind != SOCKS5_DATAGRAM_WHOLE) {
		drop(a,
			kind == SOCKS5_DATAGRAM_FRAGMENT ? RECORD_DROP_FRAGMENT
							 : RECORD_DROP_MALFORMED);
		return;
	}
	dst = addr_from_literal(&dst);
	if (dst.port == 0 || sockaddr_read(from).port == 0) {
		drop(a, RECORD_DROP_MALFORMED);
		return;
	}
	fix_client(a, from);
	if (dst.kind == ADDR_NAME && !addr_is_hostname(&dst))
		drop(a, RECORD_DROP_UNRESOLVED);
	else
		pass_on(a, &dst, d->bytes + used, d->len - used);
}

/* What there is, as far as a batch has room. How many datagrams that were. */
static unsigned take_all_up(struct association *a)
{
	udp_receive(a->client_fd, &batch); /* an error is a datagram's, not ours */
	for (unsigned i = 0; i < batch.count; i++)
		take_up(a, &batch.datagrams[i]);
	send_up(a);
	return batch.count;
}

/* -- Down. */

static void take_down(struct association *a, const struct udp_datagram *d, size_t header_len)
{
	const struct addr from = sockaddr_read(d->from);
	const struct target *t = target_find(&targets, &from);
	uint8_t *start = d->header_end - header_len;
	struct writer header = writer_on(start, header_len);

	if (!t || !t->was_sent_to) {
		drop(a, RECORD_DROP_UNASKED);
		return;
	}
	if (d->is_truncated) {
		drop(a, RECORD_DROP_OVERSIZED);
		return;
	}
	socks5_put_datagram(&header, &from);
	if (a->session->input->trace)
		trace_message("stdsocks", SOCKS5_DATAGRAM, start, header_len);
	udp_write(&to_client, &a->client_at,
		&(struct udp_payload){start, d->bytes, header_len, d->len});
}

/* The same. */
static unsigned take_all_down(struct association *a, int fd, size_t header_len)
{
	udp_receive(fd, &batch);
	for (unsigned i = 0; i < batch.count; i++)
		take_down(a, &batch.datagrams[i], header_len);
	struct udp_sent sent = udp_send(a->client_fd, &to_client);
	a->counts.down += sent.sent;
	a->session->relay.down.delivered += sent.sent_bytes - sent.sent * header_len;
	count_sent(a, &sent);
	return batch.count;
}

/* -- Answers of the process for names. */

/* What has waited goes, or is dropped. */
static void end_lookup(struct association *a, struct waiting *w, const struct target *t)
{
	size_t at = 0;

	for (unsigned i = 0; i < w->count; at += w->lens[i++]) {
		if (t->state == TARGET_ALLOWED)
			post_to(&t->found, w->bytes + at, w->lens[i]);
		else
			drop(a,
				t->state == TARGET_DENIED ? RECORD_DROP_DENIED
							  : RECORD_DROP_UNRESOLVED);
	}
	send_up(a);
	w->id = 0;
}

static void take_answer(struct association *a, const struct lookups_answer *answer)
{
	struct waiting *w = lookups;

	while (w < lookups + ASSOCIATION_LOOKUPS_MAX && w->id != answer->id)
		w++;
	if (w == lookups + ASSOCIATION_LOOKUPS_MAX)
		return;
	struct target *t = target_take(&targets, &w->name);
	const bool is_found = answer->count > 0;
	if (is_found || t->state != TARGET_ALLOWED) /* an address serves until there is another */
		judge_addresses(a, t, answer);
	t->until_us = clock_after(
		clock_now_us(), is_found ? ASSOCIATION_FOUND_US : ASSOCIATION_NOT_FOUND_US);
	end_lookup(a, w, t);
}

/* Those that there are, as many as can have been asked for. False when there will be none any more.
 */
static bool take_answers(struct association *a)
{
	static struct lookups_answer answer LARGE;
	int n = 1;

	for (unsigned i = 0; i < ASSOCIATION_LOOKUPS_MAX && n > 0; i++) {
		n = lookups_hear(a->lookups_fd, &answer);
		if (n > 0)
			take_answer(a, &answer);
	}
	return n != 0;
}

/* Those that were never answered. The next one that is, or INT64_MAX. */
static int64_t end_late_lookups(struct association *a, int64_t now_us)
{
	const struct target none = {.state = TARGET_UNRESOLVED};
	int64_t next_us = INT64_MAX;

	for (unsigned i = 0; i < ASSOCIATION_LOOKUPS_MAX; i++) {
		struct waiting *w = &lookups[i];
		if (w->id && now_us >= w->deadline_us)
			end_lookup(a, w, &none);
		else if (w->id && w->deadline_us < next_us)
			next_us = w->deadline_us;
	}
	return next_us;
}

/* -- The loop. */

/* What comes on the connection now means nothing. Whether it has ended. */
static bool has_ended(struct association *a, const struct pollfd *in, const struct pollfd *out)
{
	struct endpoint *client = &a->session->client;

	a->session->up->start = a->session->up->end = 0;
	if (in->revents) {
		int n = endpoint_read(client, a->session->up);
		return n == 0 || (n < 0 && n != -EAGAIN);
	}
	return out->revents;
}

static uint64_t passed_on(const struct association *a)
{
	return a->counts.up + a->counts.down;
}

/* What is waited for: their places in what poll(2) is given. */
enum { IN, OUT, CLIENT, IPV4, IPV6, LOOKUPS, PLACES };

/* One turn, by what poll(2) said: 1; 0 when the client's connection has ended; or -ECHILD without
 * the process for names. */
static int turn(struct association *a, const struct pollfd fds[PLACES])
{
	const uint64_t before = passed_on(a);
	bool can_ask = true;

	if (fds[CLIENT].revents)
		take_all_up(a);
	if (fds[IPV4].revents)
		take_all_down(a, a->upstream_ipv4, SOCKS5_DATAGRAM_IPV4_LEN);
	if (fds[IPV6].revents)
		take_all_down(a, a->upstream_ipv6, SOCKS5_DATAGRAM_IPV6_LEN);
	if (fds[LOOKUPS].revents)
		can_ask = take_answers(a);
	if (passed_on(a) != before) {
		a->moved_us = clock_now_us();
		a->tick_waits = false;
	}
	return has_ended(a, &fds[IN], &fds[OUT]) ? 0 : can_ask ? 1 : -ECHILD;
}

static int64_t earlier(int64_t a_us, int64_t b_us)
{
	return a_us < b_us ? a_us : b_us;
}

static int run(struct association *a)
{
	const struct endpoint *client = &a->session->client;

	for (;;) {
		/* The clock decides, and not wait_poll(): while there is always something ready, it
		 * never is late. */
		const int64_t now_us = clock_now_us();
		const int64_t idle_us = clock_after(a->moved_us, a->session->config->idle_us);
		const int64_t tick_us = a->tick_waits ? INT64_MAX : a->tick_us;
		int64_t until_us = earlier(idle_us, a->lifetime_deadline_us);
		if (now_us >= until_us)
			return idle_us < a->lifetime_deadline_us ? -ETIMEDOUT : -ETIME;
		if (now_us >= tick_us)
			return -EAGAIN;
		until_us = earlier(earlier(until_us, tick_us), end_late_lookups(a, now_us));
		struct pollfd fds[PLACES + 1] = {
			[IN] = {.fd = client->in, .events = POLLIN},
			[OUT] = {.fd = client->in_socket ? -1 : client->out},
			[CLIENT] = {.fd = a->client_fd, .events = POLLIN},
			[IPV4] = {.fd = a->upstream_ipv4, .events = POLLIN},
			[IPV6] = {.fd = a->upstream_ipv6, .events = POLLIN},
			[LOOKUPS] = {.fd = a->lookups_fd, .events = POLLIN},
		};
		int ready = wait_poll(fds, PLACES, until_us);
		if (ready == -ETIMEDOUT)
			continue;
		int how = ready < 0 ? ready : turn(a, fds);
		if (how <= 0)
			return how;
	}
}

/* What had come by the end is passed on, and what is not is counted. */
static void wind_up(struct association *a)
{
	const int fds[] = {a->client_fd, a->upstream_ipv4, a->upstream_ipv6};
	const int64_t until_us = clock_after(clock_now_us(), LAST_US);
	unsigned taken = 1;

	take_answers(a);
	close(a->lookups_fd); /* nothing more is asked */
	a->lookups_fd = -1;
	while (taken > 0 && clock_now_us() < until_us)
		taken = take_all_up(a) +
			take_all_down(a, a->upstream_ipv4, SOCKS5_DATAGRAM_IPV4_LEN) +
			take_all_down(a, a->upstream_ipv6, SOCKS5_DATAGRAM_IPV6_LEN);
	for (unsigned i = 0; i < ASSOCIATION_LOOKUPS_MAX; i++)
		if (lookups[i].id) /* too late for these */
			a->counts.dropped[RECORD_DROP_UNRESOLVED] += lookups[i].count;
	for (unsigned i = 0; i < 3; i++)
		a->counts.dropped[RECORD_DROP_OVERFLOW] += udp_overflowed(fds[i]);
}

int association_run(struct association *a)
{
	int how = run(a);

	if (how != -EAGAIN)
		wind_up(a);
	return how;
}
