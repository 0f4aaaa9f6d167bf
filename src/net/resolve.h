/* SPDX-License-Identifier: ISC */
/* A stub resolver. A lookup finds the addresses of a name, or the name of an address. It searches
 * hosts(5) and, if that has no result, queries the name servers of resolv.conf(5). Apart from
 * resolve_wait() and resolve_wait_for_end(), no function blocks. */
#pragma once

#include "net/query.h"

/* Upper limit of the addresses that one lookup finds; further ones are ignored. Real hosts have
 * fewer than ten. The limit is high because the rules may allow only one of many addresses. */
#define RESOLVE_MAX 1024

/* How long a lookup that has found addresses of one family waits for those of the other family: the
 * Resolution Delay that RFC 8305 s8 recommends. */
#define RESOLVE_DELAY_US INT64_C(50000)

/* The number of queries of one lookup, for A and for AAAA records. Each has an entry for poll(2).
 */
#define RESOLVE_FDS 2

/* A list of addresses. The result of looking up an address is a list with one name. */
struct resolve_list {
	size_t count;
	struct addr addrs[RESOLVE_MAX];
};

enum resolve_status {
	RESOLVE_PENDING,   /* the lookup has not ended, but may have found addresses */
	RESOLVE_DONE,      /* at least one result was found */
	RESOLVE_NO_NAME,   /* what was looked up does not exist, or has no address */
	RESOLVE_NO_ANSWER, /* no name server has answered in time, or none has a usable answer */
	RESOLVE_FAILED     /* hosts(5) or resolv.conf(5) cannot be read, or socket(2) has failed */
};

/* A lookup. */
struct resolve {
	enum resolve_status status;
	struct addr wanted; /* the name or address that is looked up */
	int64_t deadline_us;
	/* The queries for A and AAAA records. If an address is looked up, the first one is the
	 * query for PTR records, and the second one is not used. */
	struct query queries[RESOLVE_FDS];
	/* How many names were queried or skipped: the name itself, and the name in each search
	 * domain. */
	unsigned names_tried;
	bool is_answered;   /* a name server has answered a query, if only by an error */
	bool skips_domains; /* no name server has answered a query in a search domain */
	/* Set if a query for one of the tried names has failed: the reason, a static text. That
	 * name may exist, so that the lookup ends with RESOLVE_NO_ANSWER and not with
	 * RESOLVE_NO_NAME. NULL: no query has failed. */
	const char *doubt;
	bool has_results; /* a name server has returned results */
	/* The end of the wait for the other family (RESOLVE_DELAY_US). */
	int64_t alone_until_us;
	/* If it is false, only A records wait for AAAA records (RFC 8305 s3). If it is true, AAAA
	 * records also wait for A records: to be set after resolve_start() by a caller that cannot
	 * use addresses that are found later. */
	bool waits_for_both;
	void (*observe)(const struct query_event *event); /* or NULL */

	/* The origin of the first result; without results, that of the last answer. It is the
	 * address of a name server, or the path of hosts(5) as a name. ADDR_NONE: there is no
	 * answer, or the name is "localhost". */
	struct addr source;
	/* The smallest TTL of the answers with results; without results, of all answers. UINT32_MAX
	 * if no name server has answered. */
	uint32_t ttl_s;
	const char *why; /* the reason for a status that is an error: a static text, or NULL */
	int error;       /* the errno that belongs to this reason, or 0 */
};

/* Begins to look up a host name (addr_is_hostname()), or an IPv4 or IPv6 address. If an address is
 * looked up, *list must be empty. If hosts(5) has results, or the name is "localhost", appends them
 * to *list and ends the lookup. Otherwise sends the first queries. If observe is not NULL, it is
 * called for each query that is sent and for each answer. name_files_open() must have been called
 * before. */
void resolve_start(struct resolve *r, const struct addr *wanted, int64_t deadline_us,
	struct resolve_list *list, void (*observe)(const struct query_event *event));

/* Sets the entries for poll(2). The descriptor of an entry that is not used is -1. */
void resolve_poll(const struct resolve *r, struct pollfd ret_fds[RESOLVE_FDS]);

/* Returns the time, as clock_now_us(), at which resolve_continue() has to be called at the latest,
 * even if no descriptor is ready. */
int64_t resolve_until_us(const struct resolve *r);

/* Continues a pending lookup after poll(2). Appends the results to *list, with the port of
 * r->wanted. */
void resolve_continue(
	struct resolve *r, const struct pollfd fds[RESOLVE_FDS], struct resolve_list *list);

/* Returns true if the lookup has ended, or if it has found addresses and does not need to wait for
 * those of the other family (RFC 8305 s3). */
bool resolve_is_ready(const struct resolve *r);

/* Continue the lookup and block until resolve_is_ready() is true, or until the lookup has ended.
 * Return 0, even if it has ended with an error; -ECANCELED if a signal that ends the process has
 * arrived (wait_prepare()); -ENOTCONN if a watched connection has ended (wait_watch()); or another
 * -errno. */
int resolve_wait(struct resolve *r, struct resolve_list *list);
int resolve_wait_for_end(struct resolve *r, struct resolve_list *list);

/* Closes the sockets of a lookup; r may be NULL. The status does not change. The lookup must not be
 * continued afterwards. */
void resolve_stop(struct resolve *r);
