/* SPDX-License-Identifier: ISC */
/* From addresses to one connection (RFC 8305, "Happy Eyeballs").
 * Knows: racing connects, and where they come from. Does not know: names, who asked, and why. */
#pragma once

#include <stdbool.h>

#include "net/resolve.h"

/* RFC 8305 s8: Connection Attempt Delay, the recommended value. */
#define DIAL_DELAY_US INT64_C(250000)

/* Addresses that are tried at the most. */
#define DIAL_MAX 32

/* Where connections come from. All zero: wherever the kernel says. */
struct dial_source {
	const struct addr *ipv4, *ipv6; /* NULL: any. One alone excludes the other family. */
	const char *device;             /* SO_BINDTODEVICE; NULL: any */
	uint32_t mark;                  /* SO_MARK; 0: none */
};

/* Whether a source reaches a family at all: the address of one excludes the other. */
bool dial_reaches(const struct dial_source *source, enum addr_kind kind);

/* Puts the addresses, at most DIAL_MAX, in the order of RFC 8305 s4: families take turns, beginning
 * with the first one's; within a family the order stays. */
void dial_order(struct resolve_list *list);

/* Connects to the first address of the list, of at most DIAL_MAX, that answers: the next one is
 * tried DIAL_DELAY_US after the one before it, or at once when one has failed. The descriptor,
 * non-blocking and the caller's; *ret_remote is where it leads and *ret_local our own end. Or
 * -errno when deadline_us is past (-ETIMEDOUT), SIGTERM came (-ECANCELED), *source cannot be had
 * (-EADDRNOTAVAIL), or all have failed: then it is the error of the attempt that got furthest. A
 * connection to itself (TCP's simultaneous open, when the kernel picks the destination as the
 * source) is refused. */
int dial(const struct resolve_list *list, const struct dial_source *source, int64_t deadline_us,
	struct addr *ret_remote, struct addr *ret_local);

/* Gives a new socket of that family, of TCP or UDP, its source. False when that cannot be had. */
bool dial_from(int fd, enum addr_kind kind, const struct dial_source *source);

/* The address of this host from which the first address of the list is reached to which there is a
 * way, without a packet; its port is 0. 0, or -errno as dial()'s when there is none. */
int dial_local_address(
	const struct resolve_list *list, const struct dial_source *source, struct addr *ret_here);
