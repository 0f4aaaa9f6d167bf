/* SPDX-License-Identifier: ISC */
/* One question to the configured name servers, one after the other (RFC 1035 s7.2). */
#pragma once

#include <poll.h>

#include "text/resolv_conf.h"
#include "wire/dns.h"

enum query_state {
	QUERY_IDLE,
	QUERY_PENDING,
	QUERY_ANSWERED, /* a server has returned the records, or that there are none */
	QUERY_REFUSED,  /* no server has answered, but at least one has returned an error */
	QUERY_TIMED_OUT /* no server has answered, or none can be reached */
};

/* A query that is sent, or an answer to it: for --trace. */
struct query_event {
	const struct addr *server;
	bool over_tcp;
	const struct dns_query *query;
	const struct dns_answer *answer; /* NULL: the query was sent */
	int64_t elapsed_us;              /* of an answer: since the query was sent */
};

/* All zero is QUERY_IDLE. */
struct query {
	enum query_state state;
	const struct resolv_conf *conf;
	void (*observe)(const struct query_event *event); /* or NULL */
	struct dns_query dns;
	unsigned tries;  /* failed ones; they determine the current server */
	bool is_refused; /* a server has returned an error */
	int error;       /* the errno of the last server that cannot be reached, or 0 */
	/* Of the current try. */
	int fd;
	bool over_tcp, without_edns;
	bool is_sent;              /* over TCP: the query, after the connection is established */
	size_t answer_len;         /* over TCP; 0 until the length of the answer was received */
	int64_t sent_us, until_us; /* when the try began, and when the next one begins */
};

/* Sends a query to the first server that can be reached. observe is called for each query and
 * answer, and may be NULL. *conf must outlive the query. */
void query_start(struct query *q, const struct resolv_conf *conf, const struct dns_query *dns,
	void (*observe)(const struct query_event *event));

/* Returns the entry for poll(2). Its descriptor is -1 if the query is not pending. */
struct pollfd query_poll(const struct query *q);

/* Continues a pending query, with the revents of its entry, or 0 after a timeout. If the state is
 * then QUERY_ANSWERED, *ret_answer is set; it is valid until the next call for any query. */
void query_continue(struct query *q, short revents, struct dns_answer *ret_answer);

/* Returns the server that is being asked, or that has answered. */
const struct addr *query_server(const struct query *q);

/* Ends the query, which may have ended already. */
void query_stop(struct query *q);
