/* SPDX-License-Identifier: ISC */
/* A process of its own that looks names up, for a loop that must not wait.
 * Knows: fork, one process a name, messages. Does not know: what the addresses are for. */
#pragma once

#include "net/resolve.h"

/* Of one name; then there is none. */
#define LOOKUPS_TIMEOUT_US INT64_C(5000000)

struct lookups_answer {
	uint32_t id;    /* the question's */
	uint32_t count; /* 0: there are none, or not in time */
	struct lookups_addr {
		uint8_t len; /* 4 or 16 */
		uint8_t bytes[16];
	} addrs[RESOLVE_MAX]; /* as the resolver sorts */
};

/* Splits it off: 0 here and 1 there, or -errno. *ret_fd is the way to the other one. The new
 * process has what this one has open, needs none of it, and is to go on with lookups_serve(), which
 * ends when this one does. */
int lookups_split(int *ret_fd);

/* Answers questions until nobody can ask any more. list is room to work with. */
_Noreturn void lookups_serve(int fd, struct resolve_list *list);

/* Asks for the addresses of a host name; does not wait. False when it cannot be asked now. */
bool lookups_ask(int fd, uint32_t id, const struct addr *name);

/* An answer, if there is one: 1; else -EAGAIN, or 0 when there will be none any more. */
int lookups_hear(int fd, struct lookups_answer *ret_answer);

/* The i-th address of an answer, with a port; ADDR_NONE when it is none. */
struct addr lookups_addr(const struct lookups_answer *answer, uint32_t i, uint16_t port);
