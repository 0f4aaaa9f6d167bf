/* SPDX-License-Identifier: ISC */
/* The destination of a request: its addresses, and whether the access rules allow it. */
#include "stdsocks/destination.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "net/address_selection.h"
#include "net/clock.h"
#include "net/route.h"
#include "policy/special.h"
#include "record/trace.h"
#include "stdsocks/reply.h"
#include "wire/large.h"

int destination_route(const struct config *config, const struct addr *resolved, unsigned n)
{
	const struct dial_source source = destination_source(config);
	const struct addr embedded = special_embedded(resolved, n);
	int type = route_type(&embedded, &source);

	if (type >= 0 && type != RTN_LOCAL && !addr_is_same_host(&embedded, resolved)) {
		const int outer = route_type(resolved, &source);
		type = outer < 0 || outer == RTN_LOCAL ? outer : type;
	}
	if (type < 0)
		return type;
	return type == RTN_LOCAL        ? SPECIAL_ROUTE_LOCAL
		: type == RTN_BROADCAST ? SPECIAL_ROUTE_BROADCAST
					: SPECIAL_ROUTE_OTHER;
}

void destination_decide(const struct settings *settings, struct session_decision *decision)
{
	struct rule_context *context = &decision->context;

	memset(context->routes, SPECIAL_ROUTE_UNKNOWN, sizeof context->routes);
	for (;;) {
		decision->verdict = rules_evaluate(&settings->rules, context, NULL);
		if (decision->verdict.allowed != RULE_MAYBE || context->resolved.kind == ADDR_NONE)
			return;
		const unsigned n = decision->verdict.unknown;
		const int route = destination_route(&settings->config, &context->resolved, n);
		if (route < 0) {
			decision->verdict = (struct rules_verdict){.allowed = RULE_NO};
			decision->error = -route;
			return;
		}
		context->routes[n] = (uint8_t)route;
	}
}

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

	destination_decide(s->input->settings, &decision);
	return decision;
}

const char *destination_why(const struct session_decision *denial)
{
	const struct rule_context *context = &denial->context;
	bool is_broadcast = false, is_local = false;

	if (denial->error)
		return "cannot ask the kernel whether the destination is this host; allow "
		       "AF_NETLINK sockets (systemd: RestrictAddressFamilies=)";
	for (unsigned n = 0; n < SPECIAL_EMBEDDED_MAX; n++) {
		is_local |= context->routes[n] == SPECIAL_ROUTE_LOCAL;
		is_broadcast |= context->routes[n] == SPECIAL_ROUTE_BROADCAST;
	}
	return is_local        ? "the destination is an address of this host"
		: is_broadcast ? "the destination is a broadcast address"
			       : NULL;
}

/* Refuses the request because of a rule. outcome_record() copies that rule and the suggested rule
 * into the record. */
static enum record_end refuse_denied(struct session *s, const struct session_decision *denial)
{
	s->denial = *denial;
	return reply_refuse(s, SOCKS5_NOT_ALLOWED, denial->error, destination_why(denial));
}

/* Evaluates the rules before a lookup. A name that is denied whatever its address is not looked up,
 * so that no query for it leaves this host. */
static enum record_end evaluate_name(struct session *s)
{
	const struct addr unknown = {.kind = ADDR_NONE};
	const struct session_decision decision = destination_evaluate(s, &s->requested, &unknown);

	return decision.verdict.allowed == RULE_NO ? refuse_denied(s, &decision) : RECORD_ONGOING;
}

/* Returns 1 if a connection to this address would reach this server again, otherwise 0. If the
 * kernel cannot be asked, returns -errno. */
static int is_loop(const struct session *s, const struct addr *to)
{
	if (s->request.command != SOCKS5_CONNECT || to->port != s->input->client->local_port)
		return 0;
	const int route = destination_route(s->config, to, 0);
	return route < 0 ? route : route == SPECIAL_ROUTE_LOCAL;
}

/* The selection of addresses, and why some were not selected. */
struct selection {
	struct session *session;
	/* The last denial. There is none if verdict.rule is NULL and error is 0. */
	struct session_decision denial;
	bool has_unspecified, has_loop;
};

/* Returns true if the command can use the address. BIND cannot use the unspecified ones, by which
 * clients mean any remote host. With version 4 only CONNECT can use IPv6, because its reply need
 * not contain the address. */
static bool is_usable(struct selection *x, const struct addr *a)
{
	const struct session *s = x->session;

	if (s->request.command == SOCKS5_BIND && addr_is_unspecified(a)) {
		x->has_unspecified = true;
		return false;
	}
	return !s->is_version_4 || s->request.command == SOCKS5_CONNECT || a->kind == ADDR_IPV4;
}

static bool is_permitted(struct selection *x, const struct addr *a)
{
	const struct session *s = x->session;
	const struct session_decision decision = destination_evaluate(s, &s->requested, a);

	if (decision.verdict.allowed != RULE_YES) {
		x->denial = decision;
		return false;
	}
	const int loop = is_loop(s, a);
	if (loop > 0)
		x->has_loop = true;
	if (loop < 0)
		x->denial = (struct session_decision){.error = -loop};
	return loop == 0;
}

/* Removes, from index first on, the addresses that the command cannot use or that the rules deny.
 * Keeps at most DIAL_FAMILY_MAX of each family, with BIND all. */
static void select_addresses(struct selection *x, struct resolve_list *list, size_t first)
{
	const bool is_limited = x->session->request.command != SOCKS5_BIND;
	size_t kept = first, counts[2] = {0};

	for (size_t i = first; i < list->count; i++) {
		const struct addr *a = &list->addrs[i];
		size_t *count = &counts[a->kind == ADDR_IPV4];
		if ((is_limited && *count == DIAL_FAMILY_MAX) || !is_usable(x, a) ||
			!is_permitted(x, a))
			continue;
		++*count;
		list->addrs[kept++] = *a;
	}
	list->count = kept;
}

void destination_permit(void *session, struct resolve_list *list, size_t first)
{
	struct selection x = {.session = session};

	select_addresses(&x, list, first);
}

static enum record_end refuse_all(const struct selection *x)
{
	struct session *s = x->session;

	if (x->denial.verdict.rule || x->denial.error)
		return refuse_denied(s, &x->denial);
	if (x->has_loop)
		return reply_refuse(
			s, SOCKS5_NOT_ALLOWED, 0, "the destination is this server itself");
	if (x->has_unspecified)
		return reply_refuse(s, SOCKS5_NOT_ALLOWED, 0,
			"BIND needs the address or name of the remote host that may connect");
	return reply_refuse_version_4(s);
}

static void trace_event(const struct query_event *event)
{
	trace_dns(event->server, event->query, event->answer, event->elapsed_us);
}

void (*destination_observer(const struct session *s))(const struct query_event *event)
{
	return s->input->trace ? trace_event : NULL;
}

/* Begins to look up a name or an address. */
static void start_lookup(struct session *s, struct resolve_list *list)
{
	static struct resolve lookup LARGE;

	list->count = 0;
	s->lookup = &lookup;
	s->lookup_us = clock_now_us();
	resolve_start(s->lookup, &s->requested, s->deadline_us, list, destination_observer(s));
	s->lookup->waits_for_both = s->request.command != SOCKS5_CONNECT;
}

/* Waits with resolve_wait() or resolve_wait_for_end(), and records the result. Returns
 * RECORD_ONGOING; or refuses the client and returns the reason of the end. */
static enum record_end await_lookup(struct session *s, struct resolve_list *list,
	int (*wait)(struct resolve *r, struct resolve_list *list))
{
	const struct resolve *lookup = s->lookup;
	int error = wait(s->lookup, list);

	s->record.resolve_us = clock_now_us() - s->lookup_us;
	if (error == -ECANCELED || error == -ENOTCONN)
		return outcome_client_error(s, error);
	if (error < 0)
		return reply_refuse(s, SOCKS5_GENERAL_FAILURE, -error, NULL);
	s->record.resolver = lookup->source;
	switch (lookup->status) {
	case RESOLVE_PENDING:
	case RESOLVE_DONE:
		break;
	case RESOLVE_NO_NAME:
	case RESOLVE_NO_ANSWER:
		return reply_refuse(s, SOCKS5_HOST_UNREACHABLE, lookup->error, lookup->why);
	case RESOLVE_FAILED:
		return reply_refuse(s, SOCKS5_GENERAL_FAILURE, lookup->error, lookup->why);
	}
	return RECORD_ONGOING;
}

enum record_end destination_look_up_ptr(struct session *s, struct resolve_list *ret_list)
{
	start_lookup(s, ret_list);
	return await_lookup(s, ret_list, resolve_wait_for_end);
}

/* Returns true if the rest of the lookup is needed: none of the addresses that were selected so far
 * can be used. Only CONNECT goes on with the lookup while it tries addresses without a route. */
static bool needs_rest(
	const struct session *s, const struct resolve_list *list, const struct dial_source *source)
{
	if (s->lookup->status != RESOLVE_PENDING)
		return false;
	return list->count == 0 ||
		(s->request.command != SOCKS5_CONNECT &&
			!address_selection_has_route(list->addrs, list->count, source));
}

/* Selects addresses as soon as the lookup has some. */
static enum record_end select_from_lookup(
	struct selection *x, struct resolve_list *list, const struct dial_source *source)
{
	enum record_end end;

	start_lookup(x->session, list);
	if ((end = await_lookup(x->session, list, resolve_wait)))
		return end;
	select_addresses(x, list, 0);
	if (!needs_rest(x->session, list, source))
		return RECORD_ONGOING;
	if ((end = await_lookup(x->session, list, resolve_wait_for_end)))
		return end;
	select_addresses(x, list, 0);
	return RECORD_ONGOING;
}

enum record_end destination_locate(struct session *s, struct resolve_list *ret_list)
{
	struct dial_source source = destination_source(s->config);
	struct selection x = {.session = s};
	enum record_end end;

	source.is_not_set = s->request.command == SOCKS5_RESOLVE; /* SYSCALLS_RESOLVE */
	if (s->requested.kind == ADDR_NAME) {
		if ((end = evaluate_name(s)) || (end = select_from_lookup(&x, ret_list, &source)))
			return end;
	} else {
		ret_list->addrs[0] = s->requested;
		ret_list->count = 1;
		select_addresses(&x, ret_list, 0);
	}
	if (ret_list->count == 0)
		return refuse_all(&x);
	address_selection_sort(ret_list->addrs, ret_list->count, &source);
	return RECORD_ONGOING;
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
	if (error == ECANCELED || error == ENOTCONN)
		return outcome_client_error(s, -error);
	if (error == EADDRNOTAVAIL)
		why = "cannot use the configured source: it must be an address or device of this "
		      "host with free ports, and a mark needs CAP_NET_RAW";
	return reply_refuse(s, reply_for(error), error, why);
}
