/* SPDX-License-Identifier: ISC */
/* Where a request may go: its name, the addresses of that, and what the rules say of them.
 * Knows: that rules are asked before and after a lookup. Does not know: what is done there. */
#include "stdsocks/destination.h"

#include <errno.h>

#include "net/clock.h"
#include "net/sockaddr.h"
#include "policy/special.h"
#include "wire/large.h"

static struct rule_context context_of(
	const struct session *s, const struct addr *requested, const struct addr *resolved)
{
	static const enum rule_client kinds[] = {
		[CLIENT_INET] = RULE_CLIENT_IP,
		[CLIENT_UNIX] = RULE_CLIENT_UNIX,
		[CLIENT_STDIO] = RULE_CLIENT_STDIO,
		[CLIENT_OTHER] = RULE_CLIENT_OTHER,
	};
	const struct client *client = s->input->client;

	return (struct rule_context){.client_kind = kinds[client->kind],
		.client = client->remote,
		.uid = client->uid,
		.user = s->is_authenticated ? s->user : NULL,
		.command = s->request.command,
		.requested = *requested,
		.resolved = *resolved};
}

struct session_decision destination_evaluate(
	const struct session *s, const struct addr *requested, const struct addr *resolved)
{
	const struct rule_context context = context_of(s, requested, resolved);

	return (struct session_decision){
		.verdict = rules_evaluate(&s->input->settings->rules, &context, NULL),
		.requested = *requested,
		.resolved = *resolved};
}

void destination_put_suggestion(struct writer *w, const struct session *s)
{
	const struct rule_context context =
		context_of(s, &s->denial.requested, &s->denial.resolved);

	rules_put_suggestion(w, &context);
}

static bool refuse_denied(struct session *s, const struct session_decision *denial)
{
	s->denial = *denial;
	return talk_refuse(s, SOCKS5_NOT_ALLOWED, 0, NULL);
}

/* Judges the request by all that is known before a lookup. A name that no address could make
 * allowed is not looked up: nothing leaves this host for it. */
static bool judge_request(struct session *s)
{
	const struct addr unknown = {.kind = ADDR_NONE};

	if (s->requested.kind != ADDR_NAME)
		return true; /* judged as the one address of its list */
	const struct session_decision decision = destination_evaluate(s, &s->requested, &unknown);
	return decision.verdict.allowed != RULE_NO || refuse_denied(s, &decision);
}

/* Whether a connection there would come back here, and go on until nothing is left to connect with.
 */
static bool is_loop(const struct session *s, const struct addr *to)
{
	const struct addr inside = special_embedded(to, 0);
	return to->port == s->input->client->local_port &&
		(sockaddr_is_own(to) || sockaddr_is_own(&inside));
}

/* Keeps the addresses that the command can be about, whatever the rules say of them: of BIND, those
 * that name somebody; of version 4, those that its reply has room for, which CONNECT's need not
 * tell. */
static bool keep_fitting(struct session *s, struct resolve_list *list)
{
	const bool is_bind = s->request.command == SOCKS5_BIND;
	const bool takes_ipv4 = s->is_version_4 && s->request.command != SOCKS5_CONNECT;
	bool anybody = false;
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (is_bind && addr_is_unspecified(&list->addrs[i]))
			anybody = true; /* by which clients mean whoever calls */
		else if (!takes_ipv4 || list->addrs[i].kind == ADDR_IPV4)
			list->addrs[kept++] = list->addrs[i];
	}
	list->count = kept;
	if (kept > 0)
		return true;
	if (anybody)
		return talk_refuse(s, SOCKS5_NOT_ALLOWED, 0,
			"only a peer may call whose address or name the client has said");
	return talk_refuse_version_4(s);
}

/* How many addresses a command has use for. */
static size_t most_wanted(uint8_t command)
{
	switch (command) {
	case SOCKS5_CONNECT:
		return DIAL_MAX;
	case SOCKS5_BIND:
		return RESOLVE_MAX;
	default: /* the answer is one */
		return 1;
	}
}

/* Judges the addresses of the list one by one, and keeps those that the rules allow, as many as are
 * wanted. */
static bool judge_addresses(struct session *s, struct resolve_list *list)
{
	const size_t most = most_wanted(s->request.command);
	struct session_decision decision, denied = {.verdict.rule = NULL};
	size_t kept = 0;

	for (size_t i = 0; i < list->count && kept < most; i++) {
		decision = destination_evaluate(s, &s->requested, &list->addrs[i]);
		if (decision.verdict.allowed != RULE_YES)
			denied = decision;
		else if (s->request.command != SOCKS5_CONNECT || !is_loop(s, &list->addrs[i]))
			list->addrs[kept++] = list->addrs[i];
	}
	list->count = kept;
	if (kept > 0)
		return true;
	if (denied.verdict.rule)
		return refuse_denied(s, &denied);
	return talk_refuse(s, SOCKS5_NOT_ALLOWED, 0, "this server itself listens there");
}

bool destination_look_up(struct session *s, struct resolve_list *ret_list)
{
	const struct addr *dst = &s->requested;
	int64_t start_us = clock_now_us();
	enum resolve_status status = dst->kind == ADDR_NAME
		? resolve_name(dst, s->deadline_us, ret_list)
		: resolve_address(dst, s->deadline_us, ret_list);
	s->resolve_us = clock_now_us() - start_us;
	switch (status) {
	case RESOLVE_DONE:
		return true;
	case RESOLVE_NO_NAME:
	case RESOLVE_NO_ANSWER:
		return talk_refuse(s, SOCKS5_HOST_UNREACHABLE, ret_list->error, ret_list->why);
	case RESOLVE_FAILED:
		return talk_refuse(s, SOCKS5_GENERAL_FAILURE, ret_list->error, ret_list->why);
	case RESOLVE_STOPPED:
		break;
	}
	return talk_end(s, RECORD_TERMINATED, RECORD_STDSOCKS, 0);
}

/* The addresses of the destination. */
static bool resolve(struct session *s, struct resolve_list *ret_list)
{
	if (s->requested.kind == ADDR_NAME)
		return destination_look_up(s, ret_list);
	ret_list->addrs[0] = s->requested;
	ret_list->count = 1;
	return true;
}

bool destination_locate(struct session *s, struct resolve_list *ret_list)
{
	return judge_request(s) && resolve(s, ret_list) && keep_fitting(s, ret_list) &&
		judge_addresses(s, ret_list);
}

/* RFC 1928 s6: the reply that tells the truth about a connect that failed with this errno. */
static enum socks5_reply reply_for(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:  /* it was accepted, and reset before we looked */
	case ENOPROTOOPT: /* RFC 1812 s5.2.7.1: protocol unreachable */
		return SOCKS5_CONNECTION_REFUSED;
	case ENETUNREACH:
	case ENONET: /* the same: source host isolated */
	case EINVAL: /* of connect(2): fe80::1, whose network no interface tells; a blackhole route
		      */
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

struct dial_source destination_source(const struct config *c)
{
	return (struct dial_source){
		.ipv4 = c->source_ipv4.kind ? &c->source_ipv4 : NULL,
		.ipv6 = c->source_ipv6.kind ? &c->source_ipv6 : NULL,
		.device = c->device[0] ? c->device : NULL,
		.mark = c->mark,
	};
}

bool destination_failed(struct session *s, int error, const char *why)
{
	if (error == ECANCELED)
		return talk_end(s, RECORD_TERMINATED, RECORD_STDSOCKS, 0);
	if (error == EADDRNOTAVAIL)
		why = "no such source: it must be an address or device of this host, or a mark "
		      "with CAP_NET_ADMIN; or all its ports are taken";
	return talk_refuse(s, reply_for(error), error, why);
}
