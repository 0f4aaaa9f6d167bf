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
	RELAY_BROKEN, /* a peer has an error: what it had sent was delivered, then both sides were
		       * reset */
	RELAY_IDLE,   /* a timer ran out: both sides were reset */
	RELAY_HALF_CLOSED, /* the same */
	RELAY_LIFETIME,    /* the same */
	RELAY_STOPPED,     /* a signal: the same */
	RELAY_FAILED,      /* the kernel failed us: the same */
	RELAY_TICK         /* no end: tick_us is past, and relay_run() can be called again */
};

struct relay {
	struct flow up, down;            /* from client to upstream; from upstream to client */
	int64_t idle_us, half_closed_us; /* INT64_MAX: none */
	int64_t lifetime_deadline_us;    /* the same */
	int64_t moved_us;                /* when something moved last; set to when it begins */
	/* When the caller wants to look at it, INT64_MAX: never; if it waits, not before something
	 * has moved. */
	int64_t tick_us;
	bool tick_waits;
	const struct endpoint
		*first; /* set by relay_run(): who ended first, or broke; NULL: neither */
};

/* Runs until the end, or until a tick. up.from and down.to are the client, up.to and down.from the
 * upstream. */
enum relay_end relay_run(struct relay *relay);
