/* SPDX-License-Identifier: ISC */
/* The order in which the addresses of a name are tried (RFC 6724). */
#pragma once

#include "net/dial.h"

/* Upper limit of the addresses that are sorted. Further addresses stay behind them, unsorted. */
#define ADDRESS_SELECTION_MAX DIAL_MAX

/* Sorts count destination addresses by the rules of RFC 6724 s6. The source address that the rules
 * need is the one from which a connection with *source would come. Rules 3, 4 and 7 are not
 * applied: the kernel does not tell a process which addresses are deprecated, home addresses or
 * tunnels. Rule 9 is applied to IPv6 only. No packet is sent. */
void address_selection_sort(struct addr *addrs, size_t count, const struct dial_source *source);

/* Returns true if the host has a route, and a source address, to one of the addresses. Sends no
 * packet. */
bool address_selection_has_route(
	const struct addr *addrs, size_t count, const struct dial_source *source);
