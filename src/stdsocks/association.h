/* SPDX-License-Identifier: ISC */
/* The datagrams of UDP ASSOCIATE (RFC 1928 s7), in both directions.
 * Knows: whose are taken, where they may go, and names. Does not know: how it began, and what is
 * told of it. */
#pragma once

#include "net/udp.h"
#include "stdsocks/talk.h"

/* Names that are looked up at a time, and datagrams of each that wait for it meanwhile. */
#define ASSOCIATION_LOOKUPS_MAX 8
#define ASSOCIATION_WAITING_MAX 8

/* How long an address is good for its name, and how long it is remembered that there is none. */
#define ASSOCIATION_FOUND_US     INT64_C(60000000)
#define ASSOCIATION_NOT_FOUND_US INT64_C(5000000)

struct association {
	struct session *session;
	int client_fd;                    /* where the client's datagrams come in */
	int upstream_ipv4, upstream_ipv6; /* where they go out; -1: that family is not reached */
	int lookups_fd;                   /* net/lookups.h */
	struct addr client;               /* whose are taken; port 0: as long as none has come */
	union sockaddr_any client_at;     /* the same, as the first one came from there */
	struct record_datagrams counts;
	int64_t lifetime_deadline_us; /* INT64_MAX: none */
	int64_t moved_us;             /* when something was passed on last; set to when it begins */
	/* As in struct relay. */
	int64_t tick_us;
	bool tick_waits;
};

/* Runs until the client's connection has ended, 0, and s->client has the error if there was one;
 * until a tick, -EAGAIN, and can be called again; until nothing has moved for too long, -ETIMEDOUT;
 * until its lifetime is over, -ETIME; until there is no process for names any more, -ECHILD; or as
 * wait_poll() says. What had come before the end was passed on. One in a process. */
int association_run(struct association *association);
