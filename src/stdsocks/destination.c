/* SPDX-License-Identifier: ISC */
/* Where a request may go: its name, the addresses of that, and what the rules say of them.
 * Knows: that rules are asked before and after a lookup. Does not know: what is done there. */
#include "stdsocks/destination.h"

#include <errno.h>

#include "net/clock.h"
#include "net/sockaddr.h"
#include "policy/special.h"
#include "wire/large.h"

void destination_note_denial(struct session *s, const struct rules_verdict *verdict)
{
	static char remedy_bytes[RECORD_SUGGESTED_RULE_MAX] LARGE;

	s->record->rule = verdict->rule->location;
	s->record->rule_line = verdict->rule->number;
	s->record->suggested_rule = writer_on(remedy_bytes, sizeof remedy_bytes);
	rules_put_suggestion(&s->record->suggested_rule, &s->context);
}

bool destination_refuse_by(struct session *s, const struct rules_verdict *verdict)
{
	destination_note_denial(s, verdict);
	return talk_refuse(s, SOCKS5_NOT_ALLOWED, 0, NULL);
}

/* Judges the request by all that is known before a lookup. A name that no address could make
 * allowed is not looked up: nothing leaves this host for it. */
static bool judge_request(struct session *s)
{
	s->context.command = s->request.command;
	s->context.requested = s->request.dst;
	if (s->request.dst.kind != ADDR_NAME)
		return true; /* judged as the one address of its list */
	struct rules_verdict verdict =
		rules_evaluate(&s->input->settings->rules, &s->context, NULL);
	return verdict.allowed != RULE_NO || destination_refuse_by(s, &verdict);
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
	struct rules_verdict verdict, denied = {0};
	size_t kept = 0, last_denied = 0;

	for (size_t i = 0; i < list->count && kept < most; i++) {
		s->context.resolved = list->addrs[i];
		verdict = rules_evaluate(&s->input->settings->rules, &s->context, NULL);
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
		s->context.resolved = list->addrs[last_denied];
		return destination_refuse_by(s, &denied);
	}
	return talk_refuse(s, SOCKS5_NOT_ALLOWED, 0, "this server itself listens there");
}

bool destination_look_up(struct session *s, struct resolve_list *ret_list)
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
	if (s->request.dst.kind == ADDR_NAME)
		return destination_look_up(s, ret_list);
	ret_list->addrs[0] = s->request.dst;
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
