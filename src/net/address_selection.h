/* SPDX-License-Identifier: ISC */
/* The order in which the addresses of a name are tried (RFC 6724). */
#pragma once

#include "net/dial.h"

/* Addresses that are sorted; further ones keep their place. */
#define ADDRESS_SELECTION_MAX DIAL_MAX

/* Sorts count addresses by RFC 6724 s6, with the source address that the kernel, or
 * *source, would use for each. Rules 3, 4 and 7 are not used: the kernel does not tell a process
 * which addresses are deprecated, home addresses or tunnels. Rule 9 is used for IPv6 only. Sends no
 * packet. */
void address_selection_sort(struct addr *addrs, size_t count, const struct dial_source *source);

/* Returns true if the host has a route, and a source address, to one of the addresses. Sends no
 * packet. */
bool address_selection_has_route(
	const struct addr *addrs, size_t count, const struct dial_source *source);
