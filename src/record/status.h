/* SPDX-License-Identifier: ISC */
/* What a connection is while it lives: one line, for systemctl status, through $NOTIFY_SOCKET
 * (sd_notify(3)). Knows: the line's form (stdsocks(8), STATUS), the socket. Does not know: the
 * clock. */
#pragma once

#include "record/record.h"

/* Between two messages, at the least; and before the first one. */
#define STATUS_PAUSE_US INT64_C(1000000)

/* What a line says of the bytes; each amount as it is shown there. */
struct status_amounts {
	uint64_t up, down, rate;
};

struct status {
	int fd; /* ours for the process's life; -1: nobody wants to know */
	bool has_said;
	struct status_amounts said; /* in the last message */
	uint64_t said_moved;        /* by then, both directions together */
	/* When that was, as total_us of the record; at first, when the relay began. */
	int64_t said_us;
};

/* Connects to who wants to know, before the lock forbids it. Makes no system call where there is
 * nobody. */
struct status status_open(void);

/* The relay begins now, as total_us of the record. Whether something is to be said of it. */
bool status_begin(struct status *status, int64_t now_us);

/* Says what the record holds so far (up, down and total_us are those of now), unless the last
 * message said the same of another age. Never blocks. True when what was said stays true until
 * something moves; else it is to be called again: a rate will be another one, or there was no room
 * for a message. */
bool status_say(struct status *status, const struct record *record);

/* A user's name, all escaped (765), a destination likewise and its port (1026), an address (45), a
 * command (13), three amounts (9 each), an age (14), and what stands between them. */
#define STATUS_MAX 2304

/* The line, without a newline, harmless whatever a client has sent. The rate is in bytes a second;
 * 0: not said. */
void status_put(struct writer *w, const struct record *record, uint64_t rate);
