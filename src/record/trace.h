/* SPDX-License-Identifier: ISC */
/* The option --trace: writes messages of SOCKS and DNS, and their meaning, to standard error. */
#pragma once

#include "wire/dns.h"
#include "wire/socks5.h"

/* Writes a message of SOCKS that a sender, "client" or "stdsocks", has sent. Standard error must
 * not be the client's connection. */
void trace_message(
	const char *sender, enum socks5_message message, const uint8_t *bytes, size_t len);

/* Writes a query to a name server, if answer is NULL. Otherwise writes the answer to that query,
 * which has arrived elapsed_us after it. */
void trace_dns(const struct addr *server, const struct dns_query *query,
	const struct dns_answer *answer, int64_t elapsed_us);
