/* SPDX-License-Identifier: ISC */
/* The conversation with one client, from its greeting to the record.
 * Knows: the protocol and the sockets; no other file knows both. */
#include "stdsocks/session.h"

#include <errno.h>
#include <string.h>

#include "guard/lock.h"
#include "net/clock.h"
#include "net/dial.h"
#include "net/relay.h"
#include "net/sockaddr.h"
#include "policy/special.h"
#include "record/trace.h"
#include "wire/large.h"
#include "wire/socks4.h"

/* Bytes that a trace shows of what is no message: as many as the longest one that could be. */
#define SHOWN_MAX SOCKS4_REQUEST_MAX

struct session {
	const struct session_input *input;
	const struct config *config;
	struct record *record;
	struct rule_facts facts;
	int64_t deadline_us; /* of the handshake */
	struct peer client, upstream;
	struct socks5_request request;
	bool is_version_4;
	bool is_other_user; /* than the one that it says, of version 4 */
	struct addr bound;  /* RFC 1928 s6: BND, our end of the connection to upstream */
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

/* The end of a session whose client went, fell silent or was told to; or which this host has failed:
 * error is peer_read_by()'s or peer_send_by()'s. */
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
		return peer_error_is_ours(-error)
			? end(s, RECORD_FAILED, RECORD_STDSOCKS, -error)
			: end(s, RECORD_CLIENT_GONE, RECORD_CLIENT, -error);
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
	if (s->input->trace)
		trace_message("client", message, unread(), used);
	up.start += used;
}

/* No message, or a part of one: the bytes so far are shown as what they should have become; but as a
 * login, whose password is not shown, if they could be one that nobody asked for. */
static void show_rest(struct session *s, enum socks5_message message)
{
	if (unread_len() > 0 && unread()[0] == SOCKS5_LOGIN_VERSION)
		message = SOCKS5_LOGIN;
	if (s->input->trace && unread_len() > 0)
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
	if (s->input->trace)
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

/* Version 4 has one word for all that can go wrong, and the record keeps the one of version 5. */
static enum socks4_reply reply4(const struct session *s, enum socks5_reply reply)
{
	return reply == SOCKS5_SUCCEEDED ? SOCKS4_GRANTED
		: s->is_other_user       ? SOCKS4_OTHER_USER
					 : SOCKS4_REJECTED;
}

static bool say_reply(struct session *s, enum socks5_reply reply, const struct addr *bnd)
{
	char bytes[SOCKS5_REPLY_MAX];
	struct writer w = writer_on(bytes, sizeof bytes);
	if (s->is_version_4)
		socks4_put_reply(&w, reply4(s, reply), bnd);
	else
		socks5_put_reply(&w, reply, bnd);
	if (!say(s, s->is_version_4 ? SOCKS4_REPLY : SOCKS5_REPLY, &w))
		return false;
	s->record->reply = (int)reply;
	return true;
}

/* The last words to a client that is not served. Always false. */
static bool refuse_method(struct session *s, enum record_end how)
{
	login_over(s->input->login);
	if (s->input->why_not) {
		how = RECORD_FAILED;
		s->record->why = s->input->why_not;
	}
	if (say_method(s, SOCKS5_NO_ACCEPTABLE_METHODS)) {
		end(s, how, RECORD_STDSOCKS, 0);
		peer_linger(&s->client, &up);
	}
	return false;
}

static bool refuse(struct session *s, enum socks5_reply reply, int error, const char *why)
{
	const struct addr none = {.kind = ADDR_NONE};
	bool ours = peer_error_is_ours(error) || error == EADDRNOTAVAIL || s->input->why_not;

	s->record->why = why;
	if (say_reply(s, reply, &none)) {
		end(s, ours ? RECORD_FAILED : RECORD_REFUSED, RECORD_STDSOCKS, error);
		peer_linger(&s->client, &up);
	}
	return false;
}

/* RFC 1928 s3: the method that says most of who the client is, of those that both can do. A user
 * whom the kernel knows needs no password. */
static enum socks5_method choose_method(struct session *s, const struct socks5_methods *methods)
{
	const unsigned any = CONFIG_AUTH_NONE | CONFIG_AUTH_PASSWORD;
	const unsigned auth = s->input->why_not ? any : s->config->auth;
	bool none_will_do = auth & CONFIG_AUTH_NONE || s->input->client->uid >= 0;

	if (s->input->why_not && socks5_offers(methods, SOCKS5_NO_AUTHENTICATION_REQUIRED))
		return SOCKS5_NO_AUTHENTICATION_REQUIRED; /* a request is answered more clearly */
	if (auth & CONFIG_AUTH_PASSWORD && socks5_offers(methods, SOCKS5_USERNAME_PASSWORD))
		return SOCKS5_USERNAME_PASSWORD;
	if (none_will_do && socks5_offers(methods, SOCKS5_NO_AUTHENTICATION_REQUIRED))
		return SOCKS5_NO_AUTHENTICATION_REQUIRED;
	s->record->why = none_will_do ? NULL : "a password is required";
	return SOCKS5_NO_ACCEPTABLE_METHODS;
}

static bool negotiate(struct session *s, enum socks5_method *ret_method)
{
	struct socks5_methods methods;
	enum parse verdict;
	size_t used;

	while ((verdict = socks5_parse_methods(unread(), unread_len(), &used, &methods)) ==
		PARSE_MORE)
		if (!hear(s, SOCKS5_METHODS))
			return false;
	if (verdict == PARSE_BAD || !(s->config->versions & CONFIG_VERSION_5)) {
		show_rest(s, SOCKS5_METHODS);
		return refuse_method(s, RECORD_NOT_SOCKS5);
	}
	*ret_method = choose_method(s, &methods);
	use(s, SOCKS5_METHODS, used);
	if (*ret_method == SOCKS5_NO_ACCEPTABLE_METHODS)
		return refuse_method(s, RECORD_NO_METHOD);
	return say_method(s, *ret_method);
}

static bool say_login_status(struct session *s, uint8_t status)
{
	char bytes[2];
	struct writer w = writer_on(bytes, sizeof bytes);
	socks5_put_login_status(&w, status);
	return say(s, SOCKS5_LOGIN_STATUS, &w);
}

/* RFC 1929 s2: a failure, and the end. What the client has sent behind it is not looked at. */
static bool refuse_login(struct session *s, enum record_end how, const char *why)
{
	s->record->why = why;
	if (say_login_status(s, 1)) {
		end(s, how, RECORD_STDSOCKS, 0);
		peer_linger(&s->client, &up);
	}
	return false;
}

/* The name, for the rules and the record. */
static void note_user(struct session *s, const void *name, size_t len)
{
	static char user[UINT8_MAX + 1] LARGE;
	memcpy(user, name, len);
	user[len] = '\0';
	s->record->user = user;
	s->record->user_len = len;
}

/* RFC 1929 s2: who the client says it is, and whether that is so. */
static bool hear_login(struct session *s)
{
	struct socks5_login login;
	enum parse verdict;
	size_t used;
	const char *why = NULL;

	while ((verdict = socks5_parse_login(unread(), unread_len(), &used, &login)) == PARSE_MORE)
		if (!hear(s, SOCKS5_LOGIN))
			return false;
	if (verdict == PARSE_BAD) {
		if (s->input->trace) /* what follows a wrong version may be a password all the same */
			trace_message("client", SOCKS5_LOGIN, unread(), 1);
		login_over(s->input->login);
		explicit_bzero(up.bytes + up.start, unread_len());
		return refuse_login(s, RECORD_LOGIN_FAILED, "not a login of RFC 1929");
	}
	note_user(s, login.name, login.name_len);
	enum login_verdict answer = login_ask(s->input->login, &login, s->deadline_us, &why);
	uint8_t *message = up.bytes + up.start;
	use(s, SOCKS5_LOGIN, used);
	explicit_bzero(message, used);
	if (s->input->why_not)
		return refuse_login(s, RECORD_FAILED, s->input->why_not);
	switch (answer) {
	case LOGIN_RIGHT:
		s->facts.user = s->record->user;
		return say_login_status(s, 0);
	case LOGIN_WRONG:
		return refuse_login(s, RECORD_LOGIN_FAILED, NULL);
	case LOGIN_FAILED:
		return refuse_login(s, RECORD_FAILED, why);
	case LOGIN_LATE:
		return end_of_client(s, -ETIMEDOUT);
	case LOGIN_STOPPED:
		break;
	}
	return end_of_client(s, -ECANCELED);
}

/* What the kernel knows of the client holds until it has logged in as somebody else. */
static void take_system_user(struct session *s)
{
	login_over(s->input->login);
	s->facts.user = s->input->login->system_user;
	if (s->facts.user)
		note_user(s, s->facts.user, strnlen(s->facts.user, UINT8_MAX));
}

static bool identify(struct session *s, enum socks5_method method)
{
	if (method == SOCKS5_USERNAME_PASSWORD)
		return hear_login(s);
	take_system_user(s);
	return true;
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
	if (s->input->why_not)
		return refuse(s, SOCKS5_GENERAL_FAILURE, s->input->error, s->input->why_not);
	return true;
}

/* What a client of version 4 says that it is. Nobody is let in for it; but where the kernel knows better,
 * it is wrong. */
static bool check_userid(struct session *s, const struct socks4_request *request)
{
	static char userid[SOCKS4_USERID_MAX] LARGE;

	memcpy(userid, request->userid, request->userid_len);
	s->record->userid = userid;
	s->record->userid_len = request->userid_len;
	s->is_other_user = s->facts.user && request->userid_len > 0 &&
		(s->record->user_len != request->userid_len ||
			memcmp(s->facts.user, userid, request->userid_len) != 0);
	return !s->is_other_user;
}

/* SOCKS 4 and 4A: greeting, user and request are one message. It has no password, so it is no way
 * round one. */
static bool hear_request4(struct session *s)
{
	struct socks4_request request;
	enum parse verdict;
	size_t used;

	s->is_version_4 = true;
	while ((verdict = socks4_parse_request(unread(), unread_len(), &used, &request)) ==
		PARSE_MORE)
		if (!hear(s, SOCKS4_REQUEST))
			return false;
	take_system_user(s);
	if (verdict == PARSE_BAD) {
		show_rest(s, SOCKS4_REQUEST);
		return refuse(s, SOCKS5_GENERAL_FAILURE, 0, "not a request of SOCKS 4");
	}
	s->request = (struct socks5_request){.command = request.command, .dst = request.dst};
	s->record->command = request.command;
	s->record->dst = request.dst;
	bool is_right = check_userid(s, &request);
	use(s, SOCKS4_REQUEST, used);
	if (s->input->why_not)
		return refuse(s, SOCKS5_GENERAL_FAILURE, s->input->error, s->input->why_not);
	if (!(s->config->auth & CONFIG_AUTH_NONE) && s->input->client->uid < 0)
		return refuse(
			s, SOCKS5_NOT_ALLOWED, 0, "a password is required, and version 4 has none");
	if (!is_right)
		return refuse(
			s, SOCKS5_NOT_ALLOWED, 0, "the system says that the user is another one");
	return true;
}

/* Everything up to a request, in the version that the first byte tells. */
static bool hear_client(struct session *s)
{
	enum socks5_method method = SOCKS5_NO_ACCEPTABLE_METHODS;

	if (!hear(s, SOCKS5_METHODS))
		return false;
	if (unread()[0] == SOCKS4_VERSION && s->config->versions & CONFIG_VERSION_4)
		return hear_request4(s);
	return negotiate(s, &method) && identify(s, method) && hear_request(s);
}

/* Whether the command is one of those that are configured. */
static bool is_served(const struct session *s)
{
	switch (s->request.command) {
	case SOCKS5_CONNECT:
		return s->config->commands & CONFIG_CONNECT;
	case SOCKS5_RESOLVE:
	case SOCKS5_RESOLVE_PTR:
		return s->config->commands & CONFIG_RESOLVE;
	default:
		return false;
	}
}

/* Whether it can be wanted at all, before anything is looked up. */
static bool check_request(struct session *s)
{
	struct addr *dst = &s->request.dst;

	if (!is_served(s))
		return refuse(s, SOCKS5_COMMAND_NOT_SUPPORTED, 0, NULL);
	*dst = addr_from_literal(dst);
	if (s->request.command == SOCKS5_RESOLVE_PTR && dst->kind == ADDR_NAME)
		return refuse(s, SOCKS5_ATYP_NOT_SUPPORTED, 0, "only an address has a PTR");
	if (dst->kind == ADDR_NAME && !addr_is_hostname(dst))
		return refuse(s, SOCKS5_HOST_UNREACHABLE, 0, "no host name");
	if (s->request.command == SOCKS5_CONNECT && dst->port == 0)
		return refuse(s, SOCKS5_CONNECTION_REFUSED, 0, "port 0");
	return true;
}

/* The refusal of a rule, which the record names, with the line that would have allowed it. */
static bool refuse_by(struct session *s, const struct judge_verdict *verdict)
{
	static char remedy_bytes[RECORD_REMEDY_MAX] LARGE;

	s->record->rule = verdict->rule->place;
	s->record->rule_line = verdict->rule->number;
	s->record->remedy = writer_on(remedy_bytes, sizeof remedy_bytes);
	judge_put_remedy(&s->record->remedy, &s->facts);
	return refuse(s, SOCKS5_NOT_ALLOWED, 0, NULL);
}

/* Judges the request by all that is known before a lookup. A name that no address could make
 * allowed is not looked up: nothing leaves this host for it. */
static bool judge_request(struct session *s)
{
	s->facts.command = s->request.command;
	s->facts.asked = s->request.dst;
	if (s->request.dst.kind != ADDR_NAME)
		return true; /* judged as the one address of its list */
	struct judge_verdict verdict = judge(&s->input->settings->rules, &s->facts, NULL);
	return verdict.allowed != RULE_NO || refuse_by(s, &verdict);
}

/* Whether a connection there would come back here, and go on until nothing is left to connect with. */
static bool is_loop(const struct session *s, const struct addr *to)
{
	const struct addr inside = special_inside(to, 0);
	return to->port == s->input->client->local_port &&
		(sockaddr_is_own(to) || sockaddr_is_own(&inside));
}

/* Judges the addresses of the list one by one, and keeps those that may be connected to, DIAL_MAX at the
 * most. */
static bool judge_addresses(struct session *s, struct resolve_list *list)
{
	struct judge_verdict verdict, denied = {0};
	size_t kept = 0, last_denied = 0;

	for (size_t i = 0; i < list->count && kept < DIAL_MAX; i++) {
		s->facts.reached = list->addrs[i];
		verdict = judge(&s->input->settings->rules, &s->facts, NULL);
		if (verdict.allowed != RULE_YES) {
			denied = verdict;
			last_denied = i;
		} else if (s->request.command != SOCKS5_CONNECT || !is_loop(s, &list->addrs[i])) {
			list->addrs[kept++] = list->addrs[i];
		}
	}
	list->count = kept;
	if (kept > 0)
		return true;
	if (denied.rule) {
		s->facts.reached = list->addrs[last_denied];
		return refuse_by(s, &denied);
	}
	return refuse(s, SOCKS5_NOT_ALLOWED, 0, "this server itself listens there");
}

/* The addresses of a name, or the name of an address. */
static bool look_up(struct session *s, struct resolve_list *ret_list)
{
	const struct addr *dst = &s->request.dst;
	int64_t start_us = clock_now_us();
	enum resolve_status status = dst->kind == ADDR_NAME
		? resolve_name(dst, s->deadline_us, ret_list)
		: resolve_address(dst, s->deadline_us, ret_list);
	s->record->resolve_us = clock_now_us() - start_us;
	switch (status) {
	case RESOLVE_DONE:
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

/* The addresses of the destination. */
static bool resolve(struct session *s, struct resolve_list *ret_list)
{
	if (s->request.dst.kind == ADDR_NAME)
		return look_up(s, ret_list);
	ret_list->addrs[0] = s->request.dst;
	ret_list->count = 1;
	return true;
}

/* RFC 1928 s6: the reply that tells the truth about a connect that failed. */
static enum socks5_reply reply_for(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:  /* it was accepted, and reset before we looked */
	case ENOPROTOOPT: /* RFC 1812 s5.2.7.1: protocol unreachable */
		return SOCKS5_CONNECTION_REFUSED;
	case ENETUNREACH:
	case ENONET: /* the same: source host isolated */
		return SOCKS5_NETWORK_UNREACHABLE;
	case EHOSTUNREACH:
	case EHOSTDOWN: /* the same: destination host unknown */
	case ETIMEDOUT:
		return SOCKS5_HOST_UNREACHABLE;
	case EACCES:
	case EPERM:
		return SOCKS5_NOT_ALLOWED;
	default:
		return SOCKS5_GENERAL_FAILURE;
	}
}

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

/* Where the request may go. */
static bool locate(struct session *s, struct resolve_list *ret_list)
{
	return judge_request(s) && resolve(s, ret_list) && judge_addresses(s, ret_list);
}

/* Down to moving bytes; or both sides are reset, for the client has its reply. */
static bool lock_in(struct session *s)
{
	static char why[80] LARGE;
	struct writer w = writer_on(why, sizeof why - 1);
	const char *part;
	int error = lock_enter(SYSCALLS_RELAYING, 0, &part);

	if (error == 0 || s->config->sandbox_best_effort)
		return true;
	writer_str(&w, "no second stage of the sandbox, for want of ");
	writer_str(&w, part);
	s->record->why = why;
	peer_reset(&s->client);
	peer_reset(&s->upstream);
	return end(s, RECORD_FAILED, RECORD_STDSOCKS, -error);
}

/* What can be told of the connection so far. */
static void note_moved(struct session *s, const struct relay *r, int64_t now_us)
{
	s->record->up = r->up.delivered;
	s->record->down = r->down.delivered;
	s->record->total_us = now_us - s->input->start_us;
}

/* The relay to its end; from time to time a line says how it goes. */
static enum relay_end relay_and_tell(struct session *s, struct relay *r)
{
	enum relay_end how;

	if (status_begin(s->input->status, r->moved_us - s->input->start_us))
		r->tick_us = r->moved_us + STATUS_PAUSE_US;
	while ((how = relay_run(r)) == RELAY_TICK) {
		int64_t now_us = clock_now_us();
		note_moved(s, r, now_us);
		r->tick_waits = status_say(s->input->status, s->record);
		r->tick_us = now_us + STATUS_PAUSE_US;
	}
	note_moved(s, r, clock_now_us());
	return how;
}

static void end_of_relay(struct session *s, const struct relay *r, enum relay_end how)
{
	static const enum record_end ends[] = {
		[RELAY_CLOSED] = RECORD_CLOSED,
		[RELAY_BROKEN] = RECORD_RESET,
		[RELAY_IDLE] = RECORD_IDLE_TIMEOUT,
		[RELAY_HALF_CLOSED] = RECORD_HALF_CLOSED_TIMEOUT,
		[RELAY_LIFETIME] = RECORD_LIFETIME,
		[RELAY_STOPPED] = RECORD_TERMINATED,
		[RELAY_FAILED] = RECORD_FAILED,
	};
	const struct peer *who = how == RELAY_CLOSED || how == RELAY_BROKEN ? r->first : NULL;
	int error = (how == RELAY_BROKEN || how == RELAY_FAILED) && r->first ? r->first->error : 0;

	end(s, error == ETIMEDOUT ? RECORD_VANISHED : ends[how],
		!who                        ? RECORD_STDSOCKS
			: who == &s->client ? RECORD_CLIENT
					    : RECORD_UPSTREAM,
		error);
}

static void relay(struct session *s)
{
	peer_keep(&s->client);
	peer_keep(&s->upstream);
	peer_pace(&s->upstream, s->config->rate_up);
	peer_pace(&s->client, s->config->rate_down);
	if (!lock_in(s))
		return;

	int64_t start_us = clock_now_us();
	struct relay r = {
		.up = {.from = &s->client, .to = &s->upstream, .buffer = &up},
		.down = {.from = &s->upstream, .to = &s->client, .buffer = &down},
		.idle_us = s->config->idle_us,
		.half_closed_us = s->config->half_closed_us,
		.lifetime_deadline_us = clock_after(start_us, s->config->lifetime_us),
		.moved_us = start_us,
		.tick_us = INT64_MAX,
	};
	end_of_relay(s, &r, relay_and_tell(s, &r));
}

/* RFC 1928 s4: a connection, and what goes over it. False when the client is still there, and is to
 * hear the end. */
static bool serve_connect(struct session *s, struct resolve_list *list)
{
	if (!locate(s, list) || !connect_upstream(s, list) ||
		!say_reply(s, SOCKS5_SUCCEEDED, &s->bound))
		return false;
	relay(s);
	return true;
}

/* Tor's RESOLVE and RESOLVE_PTR: the answer is the address of the reply. Of several, the resolver's first one
 * that the rules allow; of version 4, that has room for IPv4 only, of those. Always false. */
static bool serve_resolve(struct session *s, struct resolve_list *list)
{
	bool is_reverse = s->request.command == SOCKS5_RESOLVE_PTR;
	size_t i = 0;

	if (!locate(s, list) || (is_reverse && !look_up(s, list)))
		return false;
	while (s->is_version_4 && i < list->count && list->addrs[i].kind != ADDR_IPV4)
		i++;
	if (i == list->count)
		return refuse(s, SOCKS5_ATYP_NOT_SUPPORTED, 0,
			"nothing but what version 4 has no room for");
	s->bound = list->addrs[i];
	s->bound.port = 0;
	if (!is_reverse)
		s->record->reached = list->addrs[i];
	if (say_reply(s, SOCKS5_SUCCEEDED, &s->bound)) {
		end(s, RECORD_CLOSED, RECORD_STDSOCKS, 0);
		peer_linger(&s->client, &up);
	}
	return false;
}

static bool serve(struct session *s)
{
	static struct resolve_list list LARGE;

	return s->request.command == SOCKS5_CONNECT ? serve_connect(s, &list)
						    : serve_resolve(s, &list);
}

static struct rule_facts facts_of(const struct client *client)
{
	static const enum rule_client kinds[] = {
		[CLIENT_INET] = RULE_CLIENT_IP,
		[CLIENT_UNIX] = RULE_CLIENT_UNIX,
		[CLIENT_STDIO] = RULE_CLIENT_STDIO,
		[CLIENT_OTHER] = RULE_CLIENT_OTHER,
	};
	return (struct rule_facts){
		.client_kind = kinds[client->kind], .client = client->remote, .uid = client->uid};
}

void session_run(const struct session_input *input, struct record *ret_record)
{
	struct session s = {
		.input = input,
		.config = &input->settings->config,
		.record = ret_record,
		.facts = facts_of(input->client),
		.deadline_us = clock_after(input->start_us, input->settings->config.handshake_us),
		.client = input->client->peer,
	};

	if (!hear_client(&s) || !check_request(&s) || !serve(&s))
		peer_shutdown(&s.client);
	ret_record->total_us = clock_now_us() - input->start_us;
}
