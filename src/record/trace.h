/* SPDX-License-Identifier: ISC */
/* --trace: writes each message with the meaning of its bytes to standard error. */
#pragma once

#include "wire/dns.h"
#include "wire/socks5.h"

/* Writes to standard error a message that the sender ("client", "stdsocks") sent. Standard error
 * must not be the client's connection (struct log). */
void trace_message(
	const char *sender, enum socks5_message message, const uint8_t *bytes, size_t len);

/* Writes to standard error a query that was sent to a name server; or the answer to it, if answer
 * is not NULL, which came elapsed_us after the query. */
void trace_dns(const struct addr *server, const struct dns_query *query,
	const struct dns_answer *answer, int64_t elapsed_us);
