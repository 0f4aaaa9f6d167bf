/* SPDX-License-Identifier: ISC */
/* The destination of a request: the decision of the rules, and its addresses. */
#include "stdsocks/destination.h"

#include <errno.h>

#include "net/clock.h"
#include "net/sockaddr.h"
#include "policy/special.h"
#include "stdsocks/reply.h"

struct session_decision destination_evaluate(
	const struct session *s, const struct addr *requested, const struct addr *resolved)
{
	static const enum rule_client kinds[] = {
		[CLIENT_INET] = RULE_CLIENT_IP,
		[CLIENT_UNIX] = RULE_CLIENT_UNIX,
		[CLIENT_STDIO] = RULE_CLIENT_STDIO,
		[CLIENT_OTHER] = RULE_CLIENT_OTHER,
	};
	const struct client *client = s->input->client;
	struct session_decision decision = {
		.context = {.client_kind = kinds[client->kind],
			.client = client->remote,
			.uid = client->uid,
			.user = s->is_authenticated ? s->record.user : NULL,
			.command = s->request.command,
			.requested = *requested,
			.resolved = *resolved}};

	decision.verdict = rules_evaluate(&s->input->settings->rules, &decision.context, NULL);
	return decision;
}

/* outcome_record() copies the rule and the suggestion into the record. */
static enum record_end refuse_denied(struct session *s, const struct session_decision *denial)
{
	s->denial = *denial;
	return reply_refuse(s, SOCKS5_NOT_ALLOWED, 0, NULL);
}

/* Evaluates the rules before a lookup. A name that is denied whatever its address is not looked up,
 * so that no query for it leaves this host. */
static enum record_end evaluate_name(struct session *s)
{
	const struct addr unknown = {.kind = ADDR_NONE};
	const struct session_decision decision = destination_evaluate(s, &s->requested, &unknown);

	return decision.verdict.allowed == RULE_NO ? refuse_denied(s, &decision) : RECORD_ONGOING;
}

/* Whether a connection to this address would come back to this server, which would connect again.
 */
static bool is_loop(const struct session *s, const struct addr *to)
{
	const struct addr embedded = special_embedded(to, 0);

	return to->port == s->input->client->local_port &&
		(sockaddr_is_own(to) || sockaddr_is_own(&embedded));
}

/* Removes the addresses that the command cannot use: with BIND the unspecified ones, by which
 * clients mean any remote host; with version 4 all but IPv4, because the reply has no room for them
 * (CONNECT's reply need not contain the address). */
static enum record_end keep_usable(struct session *s, struct resolve_list *list)
{
	const bool is_bind = s->request.command == SOCKS5_BIND;
	const bool needs_ipv4 = s->is_version_4 && s->request.command != SOCKS5_CONNECT;
	bool had_unspecified = false;
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (is_bind && addr_is_unspecified(&list->addrs[i]))
			had_unspecified = true;
		else if (!needs_ipv4 || list->addrs[i].kind == ADDR_IPV4)
			list->addrs[kept++] = list->addrs[i];
	}
	list->count = kept;
	if (kept > 0)
		return RECORD_ONGOING;
	if (had_unspecified)
		return reply_refuse(s, SOCKS5_NOT_ALLOWED, 0,
			"BIND needs the address or name of the remote host that may connect");
	return reply_refuse_version_4(s);
}

/* Evaluates the rules for each address, and keeps those that are allowed. */
static enum record_end evaluate_addresses(struct session *s, struct resolve_list *list)
{
	const bool is_connect = s->request.command == SOCKS5_CONNECT;
	const bool is_bind = s->request.command == SOCKS5_BIND;
	/* A lookup needs one, which is the answer. */
	const size_t max = is_connect ? DIAL_MAX : is_bind ? RESOLVE_MAX : 1;
	struct session_decision decision, denial = {.verdict.rule = NULL};
	size_t kept = 0;

	for (size_t i = 0; i < list->count && kept < max; i++) {
		decision = destination_evaluate(s, &s->requested, &list->addrs[i]);
		if (decision.verdict.allowed != RULE_YES)
			denial = decision;
		else if (!is_connect || !is_loop(s, &list->addrs[i]))
			list->addrs[kept++] = list->addrs[i];
	}
	list->count = kept;
	if (kept > 0)
		return RECORD_ONGOING;
	if (denial.verdict.rule)
		return refuse_denied(s, &denial);
	return reply_refuse(s, SOCKS5_NOT_ALLOWED, 0, "the destination is this server itself");
}

enum record_end destination_look_up(struct session *s, struct resolve_list *ret_list)
{
	const struct addr *dst = &s->requested;
	int64_t start_us = clock_now_us();
	enum resolve_status status = dst->kind == ADDR_NAME
		? resolve_name(dst, s->deadline_us, ret_list)
		: resolve_address(dst, s->deadline_us, ret_list);

	s->record.resolve_us = clock_now_us() - start_us;
	if (status == RESOLVE_DONE)
		return RECORD_ONGOING;
	if (status == RESOLVE_STOPPED)
		return outcome_end(s, RECORD_TERMINATED, RECORD_STDSOCKS, 0);
	const enum socks5_reply reply =
		status == RESOLVE_FAILED ? SOCKS5_GENERAL_FAILURE : SOCKS5_HOST_UNREACHABLE;
	return reply_refuse(s, reply, ret_list->error, ret_list->why);
}

enum record_end destination_locate(struct session *s, struct resolve_list *ret_list)
{
	enum record_end end;

	if (s->requested.kind == ADDR_NAME) {
		if ((end = evaluate_name(s)) || (end = destination_look_up(s, ret_list)))
			return end;
	} else {
		ret_list->addrs[0] = s->requested;
		ret_list->count = 1;
	}
	if ((end = keep_usable(s, ret_list)))
		return end;
	return evaluate_addresses(s, ret_list);
}

/* RFC 1928 s6: the reply for the errno of a failed connect. */
static enum socks5_reply reply_for(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:  /* accepted, and reset at once */
	case ENOPROTOOPT: /* RFC 1812 s5.2.7.1: protocol unreachable */
		return SOCKS5_CONNECTION_REFUSED;
	case ENETUNREACH:
	case ENONET: /* RFC 1812 s5.2.7.1: source host isolated */
	case EINVAL: /* connect(2): fe80::1 without a scope; a blackhole route */
		return SOCKS5_NETWORK_UNREACHABLE;
	case EHOSTUNREACH:
	case EHOSTDOWN: /* RFC 1812 s5.2.7.1: destination host unknown */
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

enum record_end destination_failed(struct session *s, int error, const char *why)
{
	if (error == ECANCELED)
		return outcome_end(s, RECORD_TERMINATED, RECORD_STDSOCKS, 0);
	if (error == EADDRNOTAVAIL)
		why = "cannot use the configured source: it must be an address or device of this "
		      "host with free ports, and a mark needs CAP_NET_ADMIN";
	return reply_refuse(s, reply_for(error), error, why);
}
