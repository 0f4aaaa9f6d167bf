/* SPDX-License-Identifier: ISC */
/* A stub resolver. A lookup finds the addresses of a name, or the name of an address. It searches
 * hosts(5) and, if that has no result, queries the name servers of resolv.conf(5). Apart from
 * resolve_wait() and resolve_wait_for_end(), no function blocks. */
#include "net/resolve.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "net/clock.h"
#include "net/endpoint.h"
#include "net/name_files.h"
#include "net/wait.h"

/* -- The end of a lookup. */

static void end(struct resolve *r, enum resolve_status status, const char *why, int error)
{
	for (unsigned i = 0; i < RESOLVE_FDS; i++)
		query_stop(&r->queries[i]);
	r->status = status;
	r->why = why;
	r->error = error;
}

void resolve_stop(struct resolve *r)
{
	if (r)
		end(r, r->status, r->why, r->error);
}

/* -- The names that are queried. */

static bool is_absolute(const struct addr *name)
{
	return name->bytes[name->len - 1] == '.';
}

static unsigned dots_of(const struct addr *name)
{
	unsigned dots = 0;

	for (unsigned i = 0; i < name->len; i++)
		dots += name->bytes[i] == '.';
	return dots;
}

static bool is_reverse(const struct resolve *r)
{
	return r->wanted.kind != ADDR_NAME;
}

/* The number of names that may be queried: the name itself, and unless it ends in a dot, the name
 * in each search domain. */
static unsigned names_count(const struct resolve *r, const struct resolv_conf *conf)
{
	return is_reverse(r) || is_absolute(&r->wanted) ? 1 : 1U + conf->domains_count;
}

/* Returns a search domain without a dot at its beginning, as glibc. "." becomes "", the root, which
 * means the name itself. */
static const char *search_domain(const struct resolv_conf *conf, size_t i)
{
	const char *domain = resolv_conf_domain(conf, i);

	return domain[0] == '.' ? domain + 1 : domain;
}

static bool has_root(const struct resolv_conf *conf)
{
	for (size_t i = 0; i < conf->domains_count; i++)
		if (search_domain(conf, i)[0] == '\0')
			return true;
	return false;
}

/* As in resolv.conf(5), a name with at least ndots dots is tried first as it is, and a name with
 * fewer dots last. */
static bool is_itself_first(const struct resolve *r, const struct resolv_conf *conf)
{
	return is_reverse(r) || is_absolute(&r->wanted) || dots_of(&r->wanted) >= conf->ndots;
}

/* Sets *ret_name to the nth name. If the list has the domain ".", the name as it is has only one
 * place. Returns false if there is no name to query in this place. */
static bool nth_name(const struct resolve *r, const struct resolv_conf *conf, unsigned n,
	struct dns_name *ret_name)
{
	struct dns_name domain;

	if (is_reverse(r)) {
		const struct addr address = addr_unmapped(&r->wanted);
		*ret_name = dns_name_reverse(&address);
		return true;
	}
	const bool itself_first = is_itself_first(r, conf);
	const unsigned itself = itself_first ? 0 : conf->domains_count;
	if (!dns_name_from_text(r->wanted.bytes, r->wanted.len, ret_name))
		return false;
	if (n == itself)
		return itself_first || !has_root(conf);
	const char *text = search_domain(conf, itself_first ? n - 1 : n);
	if (text[0] == '\0')
		return !itself_first;
	return !r->skips_domains && dns_name_from_text(text, strlen(text), &domain) &&
		dns_name_append(ret_name, &domain);
}

/* -- The queries. */

static void start_queries(
	struct resolve *r, const struct resolv_conf *conf, const struct dns_name *name)
{
	static const enum dns_type types[RESOLVE_FDS] = {DNS_A, DNS_AAAA};
	struct dns_query query = {.type = DNS_PTR, .name = *name};

	if (is_reverse(r)) {
		query_start(&r->queries[0], conf, &query, r->observe);
		return;
	}
	for (unsigned i = 0; i < RESOLVE_FDS; i++) {
		query.type = types[i];
		query_start(&r->queries[i], conf, &query, r->observe);
	}
}

static bool is_any(const struct resolve *r, enum query_state state)
{
	return r->queries[0].state == state || r->queries[1].state == state;
}

/* Returns the errno of a query that was not answered, or 0. */
static int error_of(const struct query *q)
{
	return q->state == QUERY_TIMED_OUT ? q->error : 0;
}

/* Returns the errno of the queries that were not answered, or 0. */
static int queries_error(const struct resolve *r)
{
	const int first = error_of(&r->queries[0]), second = error_of(&r->queries[1]);

	return endpoint_error_is_local(second) || !first ? second : first;
}

/* Remembers how the queries for a name have ended. As res_search(3), the search goes on if the
 * servers have returned errors, or have not answered for the name itself; if they have not answered
 * in a domain, only the name itself is tried after it. */
static void note_end_of_queries(struct resolve *r, const struct resolv_conf *conf)
{
	if (is_any(r, QUERY_TIMED_OUT))
		r->doubt = "the name servers have not answered every query";
	if (is_any(r, QUERY_REFUSED))
		r->doubt = "the name servers have returned errors";
	if (is_any(r, QUERY_ANSWERED) || is_any(r, QUERY_REFUSED))
		r->is_answered = true;
	else if (r->names_tried > (is_itself_first(r, conf) ? 1U : 0U))
		r->skips_domains = true;
}

static void end_search(struct resolve *r)
{
	if (!r->doubt)
		end(r, RESOLVE_NO_NAME, "no such name", 0);
	else if (r->is_answered)
		end(r, RESOLVE_NO_ANSWER, r->doubt, 0);
	else
		end(r, RESOLVE_NO_ANSWER, "no name server has answered", queries_error(r));
}

/* Queries the next names, until a query is pending or the lookup has ended. A lack of descriptors
 * or memory ends it, because that is an error of this host. */
static void search(struct resolve *r, const struct resolv_conf *conf)
{
	struct dns_name name;

	while (!is_any(r, QUERY_PENDING)) {
		const int error = queries_error(r);
		note_end_of_queries(r, conf);
		if (endpoint_error_is_local(error)) {
			end(r, RESOLVE_FAILED, "cannot query a name server", error);
			return;
		}
		do {
			if (r->names_tried == names_count(r, conf)) {
				end_search(r);
				return;
			}
		} while (!nth_name(r, conf, r->names_tried++, &name));
		start_queries(r, conf, &name);
	}
}

/* -- The lookup. */

/* Returns true for "localhost" and names that end in ".localhost": unless /etc/hosts has them, they
 * have the loopback addresses (RFC 6761 s6.3). */
static bool is_localhost(const struct addr *name)
{
	static const char localhost[] = "localhost";
	const size_t wanted = sizeof localhost - 1;
	const size_t len = name->len - (is_absolute(name) ? 1U : 0U);
	const char *text = (const char *)name->bytes;

	return len >= wanted && strncasecmp(text + len - wanted, localhost, wanted) == 0 &&
		(len == wanted || text[len - wanted - 1] == '.');
}

static void append(struct resolve *r, struct resolve_list *list, struct addr found)
{
	if (list->count == RESOLVE_MAX)
		return;
	found.port = r->wanted.port;
	list->addrs[list->count++] = found;
}

static void append_loopback(struct resolve *r, struct resolve_list *list)
{
	append(r, list, addr_loopback_ipv6);
	append(r, list, addr_loopback);
}

void resolve_start(struct resolve *r, const struct addr *wanted, int64_t deadline_us,
	struct resolve_list *list, void (*observe)(const struct query_event *event))
{
	const size_t before = list->count;

	*r = (struct resolve){.status = RESOLVE_PENDING,
		.wanted = *wanted,
		.deadline_us = deadline_us,
		.observe = observe,
		.ttl_s = UINT32_MAX};
	int error = name_files_find_host(wanted, list);
	if (error < 0) {
		end(r, RESOLVE_FAILED, "cannot read " NAME_FILES_HOSTS, -error);
		return;
	}
	if (list->count > before)
		r->source = addr_of(ADDR_NAME, NAME_FILES_HOSTS, sizeof NAME_FILES_HOSTS - 1, 0);
	else if (!is_reverse(r) && is_localhost(wanted))
		append_loopback(r, list);
	if (list->count > before) {
		r->status = RESOLVE_DONE;
		return;
	}
	const struct resolv_conf *conf = name_files_resolv_conf(&error);
	if (conf)
		search(r, conf);
	else
		end(r, RESOLVE_FAILED, "cannot read " NAME_FILES_RESOLV_CONF, -error);
}

void resolve_poll(const struct resolve *r, struct pollfd ret_fds[RESOLVE_FDS])
{
	for (unsigned i = 0; i < RESOLVE_FDS; i++)
		ret_fds[i] = query_poll(&r->queries[i]);
}

/* Addresses of one family have arrived, and wait for the other. */
static bool is_alone(const struct resolve *r)
{
	const bool waits = r->queries[1].state == QUERY_PENDING ||
		(r->waits_for_both && r->queries[0].state == QUERY_PENDING);

	return r->has_results && waits && clock_now_us() < r->alone_until_us;
}

bool resolve_is_ready(const struct resolve *r)
{
	return r->status != RESOLVE_PENDING || (r->has_results && !is_alone(r));
}

int64_t resolve_until_us(const struct resolve *r)
{
	int64_t until_us = is_alone(r) ? r->alone_until_us : r->deadline_us;

	for (unsigned i = 0; i < RESOLVE_FDS; i++)
		if (r->queries[i].state == QUERY_PENDING && r->queries[i].until_us < until_us)
			until_us = r->queries[i].until_us;
	return until_us < r->deadline_us ? until_us : r->deadline_us;
}

/* An answer without addresses determines the source and the TTL only until there is one with them.
 */
static void take_answer(struct resolve *r, const struct query *q, struct dns_answer *answer,
	struct resolve_list *list)
{
	struct addr found;

	if (answer->count == 0 && r->has_results)
		return;
	if (!r->has_results)
		r->source = *query_server(q);
	if (answer->ttl_s < r->ttl_s || (answer->count > 0 && !r->has_results))
		r->ttl_s = answer->ttl_s;
	if (answer->count == 0)
		return;
	r->has_results = true;
	r->alone_until_us = clock_now_us() + RESOLVE_DELAY_US;
	while (dns_answer_next(answer, &found))
		append(r, list, found);
}

static void end_in_time(struct resolve *r)
{
	if (r->has_results)
		end(r, RESOLVE_DONE, NULL, 0);
	else
		end(r, RESOLVE_NO_ANSWER, "no name server has answered in time", ETIMEDOUT);
}

void resolve_continue(
	struct resolve *r, const struct pollfd fds[RESOLVE_FDS], struct resolve_list *list)
{
	struct dns_answer answer;

	for (unsigned i = 0; i < RESOLVE_FDS; i++) {
		struct query *q = &r->queries[i];
		if (q->state != QUERY_PENDING)
			continue;
		query_continue(q, fds[i].revents, &answer);
		if (q->state == QUERY_ANSWERED)
			take_answer(r, q, &answer, list);
	}
	if (r->has_results && !is_any(r, QUERY_PENDING))
		end(r, RESOLVE_DONE, NULL, 0);
	else if (clock_now_us() >= r->deadline_us)
		end_in_time(r);
	else if (!r->has_results)
		search(r, name_files_resolv_conf(NULL)); /* resolve_start() has read it */
}

static int wait_once(struct resolve *r, struct resolve_list *list)
{
	struct pollfd fds[RESOLVE_FDS + WAIT_OWN_FDS];

	resolve_poll(r, fds);
	int ready = wait_poll(fds, RESOLVE_FDS, resolve_until_us(r));
	if (ready < 0 && ready != -ETIMEDOUT)
		return ready;
	resolve_continue(r, fds, list);
	return 0;
}

int resolve_wait(struct resolve *r, struct resolve_list *list)
{
	int error = 0;

	while (error == 0 && !resolve_is_ready(r))
		error = wait_once(r, list);
	return error;
}

int resolve_wait_for_end(struct resolve *r, struct resolve_list *list)
{
	int error = 0;

	while (error == 0 && r->status == RESOLVE_PENDING)
		error = wait_once(r, list);
	return error;
}
