/* SPDX-License-Identifier: ISC */
/* Moves bytes between the client and the upstream, in both directions, until both directions have
 * ended. */
#pragma once

#include "net/endpoint.h"

/* The state of one direction. */
enum flow_state {
	FLOW_OPEN,
	FLOW_ENDING, /* the end of the stream was read, but not all bytes before it were written */
	FLOW_CLOSED  /* the end of the stream was passed on, or flow.to accepts no more bytes */
};

/* One direction: bytes that are read from `from` are written to `to`. */
struct flow {
	struct endpoint *from, *to;
	struct buffer *buffer; /* may contain bytes when the relay starts; they are written first */
	enum flow_state state;
	uint64_t delivered; /* bytes that were written */
};

/* The result of relay_run(). If it is neither RELAY_CLOSED nor RELAY_TICK, both endpoints were
 * reset. */
enum relay_end {
	RELAY_CLOSED,      /* both directions have ended without an error */
	RELAY_BROKEN,      /* an endpoint has failed; the bytes read from it were delivered */
	RELAY_IDLE,        /* the timeout idle_us has expired */
	RELAY_HALF_CLOSED, /* the timeout half_closed_us has expired */
	RELAY_LIFETIME,    /* lifetime_deadline_us has passed */
	RELAY_STOPPED,     /* a signal that ends the process has arrived (wait_prepare()) */
	RELAY_FAILED,      /* this host has failed, for example for lack of memory */
	RELAY_TICK         /* tick_us has passed: call relay_run() again */
};

struct relay {
	/* `up` goes from the client to the upstream, and `down` goes back: up.from is down.to, and
	 * up.to is down.from. */
	struct flow up, down;
	/* Timeouts without data: while both directions are open, and after one has closed.
	 * INT64_MAX: none. */
	int64_t idle_us, half_closed_us;
	int64_t lifetime_deadline_us; /* INT64_MAX: none */
	/* When bytes have moved last, or a direction has closed. Initially the start of the relay.
	 */
	int64_t moved_us;
	/* When relay_run() is to return RELAY_TICK; INT64_MAX: never. If tick_waits is set, it does
	 * not return RELAY_TICK until bytes have moved. It then clears tick_waits. */
	int64_t tick_us;
	bool tick_waits;
	/* Set by relay_run(): the endpoint that has closed or failed first; NULL: none yet. */
	const struct endpoint *first;
};

/* Moves bytes until the relay ends or tick_us has passed. Returns the reason. The caller sets all
 * members of *relay except `first`, which is NULL at first. */
enum relay_end relay_run(struct relay *relay);
