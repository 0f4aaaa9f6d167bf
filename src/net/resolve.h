/* SPDX-License-Identifier: ISC */
/* A stub resolver: finds the addresses of a name, or the name of an address, in hosts(5) and from
 * the name servers of resolv.conf(5). It does not block. */
#pragma once

#include "net/query.h"

/* Addresses of one lookup; further ones are ignored. Real hosts have fewer than ten. The limit is
 * high, so that an answer with many addresses that the rules deny cannot hide an allowed one. */
#define RESOLVE_MAX 1024

/* How long a lookup that has addresses of one family waits for the other (RFC 8305 s3, s8:
 * Resolution Delay, the recommended value). */
#define RESOLVE_DELAY_US INT64_C(50000)

/* Queries of one lookup, for A and AAAA records, with an entry for poll(2) each. */
#define RESOLVE_FDS 2

struct resolve_list {
	size_t count;
	struct addr addrs[RESOLVE_MAX];
};

enum resolve_status {
	RESOLVE_PENDING,
	RESOLVE_DONE,      /* there is at least one address, or a name for an address */
	RESOLVE_NO_NAME,   /* the name does not exist, or has no address */
	RESOLVE_NO_ANSWER, /* no name server has answered in time, or none has a usable answer */
	RESOLVE_FAILED     /* a file cannot be read, or a system call has failed */
};

struct resolve {
	enum resolve_status status;
	struct addr wanted;
	int64_t deadline_us;
	/* The queries for A and AAAA records; only the first one is used for PTR records. */
	struct query queries[RESOLVE_FDS];
	unsigned names_tried; /* of the search list, and the name itself */
	bool is_answered;     /* a server has answered a query, if only by an error */
	bool skips_domains;   /* no server has answered in a search domain */
	/* Set if a query for one of them failed, so that the name may exist: the lookup then ends
	 * in RESOLVE_NO_ANSWER, not RESOLVE_NO_NAME. A static text, or NULL. */
	const char *doubt;
	bool has_results;
	int64_t alone_until_us; /* when the wait for the other family ends (RESOLVE_DELAY_US) */
	/* If it is not set, only IPv4 addresses wait, for the answer with IPv6 addresses. To be set
	 * after resolve_start() if addresses that arrive later cannot be used. */
	bool waits_for_both;
	void (*observe)(const struct query_event *event);

	/* Where the first result is from, or if there is none, the last answer: the name server,
	 * the path of a file as a name, or ADDR_NONE. */
	struct addr source;
	uint32_t ttl_s;  /* the smallest one of the results; of the answers if there is none */
	const char *why; /* the reason for a status that is an error, static; or NULL */
	int error;       /* the errno behind it, or 0 */
};

/* Begins to look up a host name (addr_is_hostname()), or an IPv4 or IPv6 address. What the files
 * have is appended to *list at once. observe is called for each query and answer, and may be NULL.
 */
void resolve_start(struct resolve *r, const struct addr *wanted, int64_t deadline_us,
	struct resolve_list *list, void (*observe)(const struct query_event *event));

/* Sets the entries for poll(2), with descriptor -1 for those that are not used. */
void resolve_poll(const struct resolve *r, struct pollfd ret_fds[RESOLVE_FDS]);

/* Returns the time at which resolve_continue() has to be called if no descriptor is ready before.
 */
int64_t resolve_until_us(const struct resolve *r);

/* Continues a pending lookup after poll(2), and appends to *list what it finds, with the port of
 * the name that is looked up. */
void resolve_continue(
	struct resolve *r, const struct pollfd fds[RESOLVE_FDS], struct resolve_list *list);

/* Returns true if there is something to go on with: the lookup has ended, or has addresses and
 * should not wait for others (RFC 8305 s3). */
bool resolve_is_ready(const struct resolve *r);

/* Block until the lookup is ready, or has ended. Return 0; -ECANCELED if a signal ends the process;
 * or another -errno. */
int resolve_wait(struct resolve *r, struct resolve_list *list);
int resolve_wait_for_end(struct resolve *r, struct resolve_list *list);

/* Closes the sockets of a lookup, which may be NULL. Its status does not change; it must not be
 * continued. */
void resolve_stop(struct resolve *r);
