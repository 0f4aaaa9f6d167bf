/* SPDX-License-Identifier: ISC */
/* From a name to addresses, and from an address to its name.
 * Knows: getaddrinfo(3) and getnameinfo(3), which nothing else calls. */
#pragma once

#include <stddef.h>

#include "wire/addr.h"

/* More than any host that wants to be reached has; a sensible list is two to eight. What a
 * stranger's DNS says is read so far, that an address which may be tried is not hidden behind many
 * that may not. */
#define RESOLVE_MAX 1024

struct resolve_list {
	size_t count;
	struct addr addrs[RESOLVE_MAX]; /* as the resolver sorts (RFC 6724), with the port */
	const char *why;                /* when there is none: in words, a static string */
	int error;                      /* the errno behind it, or 0 */
};

enum resolve_status {
	RESOLVE_DONE,      /* at least one address */
	RESOLVE_NO_NAME,   /* the name does not exist, or has no address */
	RESOLVE_NO_ANSWER, /* no server answered, or none could; not in time */
	RESOLVE_STOPPED,   /* a signal that ends the process came */
	RESOLVE_FAILED     /* something else */
};

/* Looks up the name in `name`, a host name (addr_is_hostname()), once. Blocks until deadline_us of
 * clock_now_us() at the most: after RESOLVE_NO_ANSWER the resolver may have been left in the middle
 * of its work, with its descriptors and its locks, and must not be called again. */
enum resolve_status resolve_name(
	const struct addr *name, int64_t deadline_us, struct resolve_list *ret_list);

/* Looks up the name of the IPv4 or IPv6 address in `a`, in the same way. The name is the one in the
 * list, of at most 255 bytes; whether it is a host name, its owner decides. */
enum resolve_status resolve_address(
	const struct addr *a, int64_t deadline_us, struct resolve_list *ret_list);
