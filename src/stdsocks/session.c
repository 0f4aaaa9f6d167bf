/* SPDX-License-Identifier: ISC */
/* The conversation with one client, from its greeting to the record.
 * Knows: the protocol and the sockets; no other file knows both. */
#include "stdsocks/session.h"

#include <errno.h>

#include "net/clock.h"
#include "net/dial.h"
#include "net/relay.h"
#include "record/trace.h"
#include "stdsocks/large.h"

/* Bytes that a trace shows of what is no message: as many as the longest one that could be. */
#define SHOWN_MAX SOCKS5_LOGIN_MAX

struct session {
	const struct config *config;
	struct record *record;
	bool trace;
	int64_t deadline_us; /* of the handshake */
	struct peer client, upstream;
	struct socks5_request request;
	struct addr bound; /* RFC 1928 s6: BND, our end of the connection to upstream */
};

/* What was read and not yet delivered, in each direction. */
static struct buffer up LARGE, down LARGE;

static bool end(struct session *s, enum record_end how, enum record_who who, int error)
{
	s->record->end = how;
	s->record->closed_by = who;
	s->record->error = error;
	return false;
}

/* The end of a session whose client went, fell silent or was told to: error is peer_read_by()'s or
 * peer_send_by()'s. */
static bool end_of_client(struct session *s, int error)
{
	switch (-error) {
	case 0:
		return end(s, RECORD_CLIENT_GONE, RECORD_CLIENT, 0);
	case ETIMEDOUT:
		return end(s, RECORD_HANDSHAKE_TIMEOUT, RECORD_STDSOCKS, 0);
	case ECANCELED:
		return end(s, RECORD_TERMINATED, RECORD_STDSOCKS, 0);
	default:
		return end(s, RECORD_CLIENT_GONE, RECORD_CLIENT, -error);
	}
}

static const uint8_t *unread(void)
{
	return up.bytes + up.start;
}

static size_t unread_len(void)
{
	return up.end - up.start;
}

/* A message was parsed: its bytes are used. */
static void use(struct session *s, enum socks5_message message, size_t used)
{
	if (s->trace)
		trace_message("client", message, unread(), used);
	up.start += used;
}

/* No message, or a part of one: the bytes so far are shown as what they should have become. */
static void show_rest(struct session *s, enum socks5_message message)
{
	if (s->trace && unread_len() > 0)
		trace_message("client", message, unread(),
			unread_len() < SHOWN_MAX ? unread_len() : SHOWN_MAX);
}

/* More of the client's bytes, when a parser has asked for them. There is room: a full buffer holds
 * every message of a handshake whole. */
static bool hear(struct session *s, enum socks5_message message)
{
	int n = peer_read_by(&s->client, &up, s->deadline_us);
	if (n > 0)
		return true;
	show_rest(s, message);
	return end_of_client(s, n);
}

static bool say(struct session *s, enum socks5_message message, const struct writer *w)
{
	if (s->trace)
		trace_message("stdsocks", message, (const uint8_t *)w->bytes, w->len);
	int error = peer_send_by(&s->client, w->bytes, w->len, s->deadline_us);
	return error == 0 || end_of_client(s, error);
}

static bool say_method(struct session *s, enum socks5_method method)
{
	char bytes[2];
	struct writer w = writer_on(bytes, sizeof bytes);
	socks5_put_method(&w, method);
	return say(s, SOCKS5_METHOD, &w);
}

static bool say_reply(struct session *s, enum socks5_reply reply, const struct addr *bnd)
{
	char bytes[SOCKS5_REPLY_MAX];
	struct writer w = writer_on(bytes, sizeof bytes);
	socks5_put_reply(&w, reply, bnd);
	if (!say(s, SOCKS5_REPLY, &w))
		return false;
	s->record->reply = (int)reply;
	return true;
}

/* The last words to a client that is not served. Always false. */
static bool refuse_method(struct session *s, enum record_end how)
{
	if (say_method(s, SOCKS5_NO_ACCEPTABLE_METHODS)) {
		end(s, how, RECORD_STDSOCKS, 0);
		peer_linger(&s->client, &up);
	}
	return false;
}

static bool refuse(struct session *s, enum socks5_reply reply, int error, const char *why)
{
	const struct addr none = {.kind = ADDR_NONE};
	bool ours = error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
		error == EADDRNOTAVAIL;

	s->record->why = why;
	if (say_reply(s, reply, &none)) {
		end(s, ours ? RECORD_FAILED : RECORD_REFUSED, RECORD_STDSOCKS, error);
		peer_linger(&s->client, &up);
	}
	return false;
}

/* RFC 1928 s3: which method both can do. */
static bool negotiate(struct session *s)
{
	struct socks5_methods methods;
	enum parse verdict;
	size_t used;

	while ((verdict = socks5_parse_methods(unread(), unread_len(), &used, &methods)) ==
		PARSE_MORE)
		if (!hear(s, SOCKS5_METHODS))
			return false;
	if (verdict == PARSE_BAD) {
		show_rest(s, SOCKS5_METHODS);
		return refuse_method(s, RECORD_NOT_SOCKS5);
	}
	bool offered = socks5_offers(&methods, SOCKS5_NO_AUTHENTICATION_REQUIRED);
	use(s, SOCKS5_METHODS, used);
	if (!offered)
		return refuse_method(s, RECORD_NO_METHOD);
	return say_method(s, SOCKS5_NO_AUTHENTICATION_REQUIRED);
}

/* RFC 1928 s4: what the client wants. */
static bool hear_request(struct session *s)
{
	enum parse verdict;
	enum socks5_reply reply;
	size_t used;

	while ((verdict = socks5_parse_request(
			unread(), unread_len(), &used, &s->request, &reply)) == PARSE_MORE)
		if (!hear(s, SOCKS5_REQUEST))
			return false;
	if (verdict == PARSE_BAD) {
		show_rest(s, SOCKS5_REQUEST);
		return refuse(s, reply, 0, "not a request of RFC 1928");
	}
	use(s, SOCKS5_REQUEST, used);
	s->record->command = s->request.command;
	s->record->dst = s->request.dst;
	return true;
}

/* Whether it can be wanted at all, before anything is looked up. */
static bool check_request(struct session *s)
{
	struct addr *dst = &s->request.dst;

	if (s->request.command != SOCKS5_CONNECT)
		return refuse(s, SOCKS5_COMMAND_NOT_SUPPORTED, 0, NULL);
	*dst = addr_from_literal(dst);
	if (dst->kind == ADDR_NAME && !addr_is_hostname(dst))
		return refuse(s, SOCKS5_HOST_UNREACHABLE, 0, "no host name");
	if (dst->port == 0)
		return refuse(s, SOCKS5_CONNECTION_REFUSED, 0, "port 0");
	return true;
}

/* The addresses of the destination. */
static bool resolve(struct session *s, struct resolve_list *ret_list)
{
	if (s->request.dst.kind != ADDR_NAME) {
		ret_list->addrs[0] = s->request.dst;
		ret_list->count = 1;
		return true;
	}

	int64_t start_us = clock_now_us();
	enum resolve_status status = resolve_name(&s->request.dst, s->deadline_us, ret_list);
	s->record->resolve_us = clock_now_us() - start_us;
	switch (status) {
	case RESOLVE_DONE:
		dial_order(ret_list);
		return true;
	case RESOLVE_NO_NAME:
	case RESOLVE_NO_ANSWER:
		return refuse(s, SOCKS5_HOST_UNREACHABLE, ret_list->error, ret_list->why);
	case RESOLVE_FAILED:
		return refuse(s, SOCKS5_GENERAL_FAILURE, ret_list->error, ret_list->why);
	case RESOLVE_STOPPED:
		break;
	}
	return end(s, RECORD_TERMINATED, RECORD_STDSOCKS, 0);
}

/* RFC 1928 s6: the reply that tells the truth about a connect that failed. */
static enum socks5_reply reply_for(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return SOCKS5_CONNECTION_REFUSED;
	case ENETUNREACH:
		return SOCKS5_NETWORK_UNREACHABLE;
	case EHOSTUNREACH:
	case ETIMEDOUT:
		return SOCKS5_HOST_UNREACHABLE;
	case EACCES:
	case EPERM:
		return SOCKS5_NOT_ALLOWED;
	default:
		return SOCKS5_GENERAL_FAILURE;
	}
}

static bool connect_upstream(struct session *s, const struct resolve_list *list)
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

	int fd = dial(list, &source, deadline_us, &s->record->reached, &s->bound);
	s->record->connect_us = clock_now_us() - start_us;
	if (fd == -ECANCELED)
		return end(s, RECORD_TERMINATED, RECORD_STDSOCKS, 0);
	if (fd == -EADDRNOTAVAIL)
		return refuse(s, SOCKS5_GENERAL_FAILURE, -fd,
			"no such source: it must be an address or device of this host, or a mark "
			"with CAP_NET_ADMIN; or all its ports are taken");
	if (fd < 0)
		return refuse(s, reply_for(-fd), -fd, NULL);
	s->upstream = (struct peer){.in = fd, .out = fd, .in_socket = true, .out_socket = true};
	return true;
}

static bool reach(struct session *s)
{
	static struct resolve_list list LARGE;
	return resolve(s, &list) && connect_upstream(s, &list);
}

static void relay(struct session *s)
{
	struct relay r = {
		.up = {.from = &s->client, .to = &s->upstream, .buffer = &up},
		.down = {.from = &s->upstream, .to = &s->client, .buffer = &down},
		.idle_us = s->config->idle_us,
		.half_closed_us = s->config->half_closed_us,
		.lifetime_us = s->config->lifetime_us,
	};
	static const enum record_end ends[] = {
		[RELAY_CLOSED] = RECORD_CLOSED,
		[RELAY_BROKEN] = RECORD_RESET,
		[RELAY_IDLE] = RECORD_IDLE_TIMEOUT,
		[RELAY_HALF_CLOSED] = RECORD_HALF_CLOSED_TIMEOUT,
		[RELAY_LIFETIME] = RECORD_LIFETIME,
		[RELAY_STOPPED] = RECORD_TERMINATED,
		[RELAY_FAILED] = RECORD_FAILED,
	};

	peer_keep(&s->client);
	peer_keep(&s->upstream);
	enum relay_end how = relay_run(&r);

	const struct peer *who = how == RELAY_CLOSED || how == RELAY_BROKEN ? r.first : NULL;
	int error = how == RELAY_BROKEN && who ? who->error : 0;
	end(s, error == ETIMEDOUT ? RECORD_VANISHED : ends[how],
		!who                        ? RECORD_STDSOCKS
			: who == &s->client ? RECORD_CLIENT
					    : RECORD_UPSTREAM,
		error);
	s->record->up = r.up.delivered;
	s->record->down = r.down.delivered;
}

void session_run(const struct config *config, const struct client *client, int64_t start_us,
	bool trace, struct record *ret_record)
{
	struct session s = {
		.config = config,
		.record = ret_record,
		.trace = trace,
		.deadline_us = clock_after(start_us, config->handshake_us),
		.client = client->peer,
	};

	if (negotiate(&s) && hear_request(&s) && check_request(&s) && reach(&s) &&
		say_reply(&s, SOCKS5_SUCCEEDED, &s.bound))
		relay(&s);
	else
		peer_shutdown(&s.client);
	ret_record->total_us = clock_now_us() - start_us;
}
