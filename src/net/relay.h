/* SPDX-License-Identifier: ISC */
/* Moves bytes in both directions until both sides have closed. */
#pragma once

#include "net/endpoint.h"

/* The state of one direction. */
enum flow_state {
	FLOW_OPEN,
	FLOW_ENDING, /* end of stream was read; buffered bytes are still to be written */
	FLOW_CLOSED  /* end of stream was passed on, or the destination reads no more */
};

/* One direction. The same code serves both. */
struct flow {
	struct endpoint *from, *to;
	struct buffer *buffer; /* may contain bytes at the start, which are written first */
	enum flow_state state;
	uint64_t delivered; /* bytes */
};

enum relay_end {
	RELAY_CLOSED, /* both directions have ended and all bytes were written */
	/* An endpoint has failed. Bytes read from it were delivered, then both sides were reset. */
	RELAY_BROKEN,
	/* A timeout has expired, a signal has arrived, or a system call has failed. Both sides were
	 * reset. */
	RELAY_IDLE,
	RELAY_HALF_CLOSED,
	RELAY_LIFETIME,
	RELAY_STOPPED,
	RELAY_FAILED,
	/* tick_us has passed. The relay has not ended: call relay_run() again. */
	RELAY_TICK
};

struct relay {
	/* up.from and down.to are the client, up.to and down.from the upstream. */
	struct flow up, down;
	int64_t idle_us, half_closed_us; /* timeouts; INT64_MAX: none */
	int64_t lifetime_deadline_us;    /* INT64_MAX: none */
	int64_t moved_us;                /* when bytes moved last; initially the start time */
	/* When relay_run() returns RELAY_TICK; INT64_MAX: never. If tick_waits is set, it returns
	 * RELAY_TICK only after bytes have moved, and then clears tick_waits. */
	int64_t tick_us;
	bool tick_waits;
	/* Set by relay_run(): the endpoint that closed or failed first, or NULL. */
	const struct endpoint *first;
};

/* Moves bytes until both directions have ended, or until a tick. Returns the reason. */
enum relay_end relay_run(struct relay *relay);
