/* SPDX-License-Identifier: ISC */
/* One question, which is sent to the configured name servers, one after the other, until one of
 * them has answered it (RFC 1035 s7.2). A try is a question to one server. */
#pragma once

#include <poll.h>

#include "text/resolv_conf.h"
#include "wire/dns.h"

enum query_state {
	QUERY_IDLE,     /* not started, or stopped */
	QUERY_PENDING,  /* waiting for a server */
	QUERY_ANSWERED, /* a server has returned the records, or that there are none */
	QUERY_REFUSED,  /* all tries have failed, at least one by an error or a malformed answer */
	QUERY_TIMED_OUT /* all tries have failed, and no server has answered */
};

/* A query that was sent, or an answer that was received. For --trace. */
struct query_event {
	const struct addr *server;
	bool over_tcp;
	const struct dns_query *query;
	const struct dns_answer *answer; /* the received answer; NULL if the query was sent */
	int64_t elapsed_us; /* of an answer: since the query was sent; over TCP, since connect(2) */
};

/* The state of a question. All zero is QUERY_IDLE. */
struct query {
	enum query_state state;
	const struct resolv_conf *conf;
	void (*observe)(const struct query_event *event); /* or NULL */
	struct dns_query dns;
	unsigned tries;  /* failed tries; their number determines the server of the next one */
	bool is_refused; /* a server has returned an error or a malformed answer */
	int error;       /* the errno of the last try that failed in a system call, or 0 */

	/* The current try. */
	int fd;
	bool over_tcp;     /* uses TCP, not UDP */
	bool without_edns; /* the query has no OPT record */
	bool is_sent;      /* the query was sent; over TCP, the connection comes first */
	size_t answer_len; /* over TCP: the length of the answer; 0 before it was received */
	int64_t sent_us;   /* when the query was sent; over TCP, when connect(2) was called */
	int64_t until_us;  /* when the next try begins if there is no answer before */
};

/* Starts a question: sends it to the first server that can be reached. dns->id is ignored. If
 * observe is not NULL, it is called for each query that is sent and each answer. *conf must outlive
 * *q. Afterwards q->state is QUERY_PENDING, or QUERY_TIMED_OUT if no server can be reached. */
void query_start(struct query *q, const struct resolv_conf *conf, const struct dns_query *dns,
	void (*observe)(const struct query_event *event));

/* Returns the entry for poll(2). Its descriptor is -1 if q->state is not QUERY_PENDING. */
struct pollfd query_poll(const struct query *q);

/* Continues a pending question. revents is from the entry of query_poll(), or 0 if q->until_us has
 * passed. If q->state is QUERY_ANSWERED afterwards, *ret_answer is the answer; otherwise it is
 * undefined. It is valid until query_continue() is called for any query. */
void query_continue(struct query *q, short revents, struct dns_answer *ret_answer);

/* Returns the address of the name server of the current try, or of the one that has answered. */
const struct addr *query_server(const struct query *q);

/* Closes the socket and sets QUERY_IDLE. May be called in any state. */
void query_stop(struct query *q);
