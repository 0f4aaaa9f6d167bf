/* SPDX-License-Identifier: ISC */
/* The configuration of the resolver, resolv.conf(5), as glibc reads it. */
#pragma once

#include "wire/addr.h"

#define RESOLV_CONF_SERVERS_MAX 3

/* Limits of the search list. glibc before 2.26 has 6 domains and 256 bytes, later versions have no
 * limits. */
#define RESOLV_CONF_DOMAINS_MAX 32
#define RESOLV_CONF_SEARCH_MAX  1024 /* bytes of all domains, each with a NUL */

/* Upper limit of the bytes of the name of a network interface (IFNAMSIZ without the NUL), or of its
 * number. */
#define RESOLV_CONF_SCOPE_MAX 15

/* Upper limits of the options "ndots", "timeout" (seconds) and "attempts". */
#define RESOLV_CONF_NDOTS_MAX     15
#define RESOLV_CONF_TIMEOUT_S_MAX 30
#define RESOLV_CONF_ATTEMPTS_MAX  5

struct resolv_conf_server {
	struct addr addr; /* IPv4 or IPv6, with port 53 */
	/* The text after '%', which is the name or number of the interface for a link-local IPv6
	 * address; "" if there is none. */
	char scope[RESOLV_CONF_SCOPE_MAX + 1];
};

struct resolv_conf {
	/* The name servers. If there is no valid "nameserver" line, 127.0.0.1 is the only one. */
	struct resolv_conf_server servers[RESOLV_CONF_SERVERS_MAX];
	uint8_t servers_count;
	bool is_default_server; /* there was no valid "nameserver" line yet */

	uint8_t ndots;     /* 0 to 15, default 1 */
	uint8_t timeout_s; /* how long to wait for each answer: 1 to 30, default 5 */
	uint8_t attempts;  /* how often to query each server: 1 to 5, default 2 */
	bool rotate;       /* begin with another server each time */
	bool use_vc;       /* send all queries over TCP */

	/* The domains of the last "search" or "domain" line. 0 if there is no such line; the caller
	 * then uses the domain of the local host's name. */
	uint8_t domains_count;
	uint16_t search_len;                 /* bytes of search */
	char search[RESOLV_CONF_SEARCH_MAX]; /* the domains, each with a NUL */
};

/* Returns the configuration that applies if the file is missing or empty. */
struct resolv_conf resolv_conf_default(void);

/* Applies a line, without its newline, to *conf. A carriage return at its end is ignored, and so is
 * everything from a NUL on. There are no errors: a line or an option that is unknown or invalid
 * changes nothing.
 *
 * A keyword must begin in the first column, and a space or a tab must follow it. A line that begins
 * with '#' or ';' is a comment.
 *
 * "nameserver" takes one IPv4 or IPv6 address, in a form that inet_pton(3) accepts (glibc also
 * accepts 127.1). Text behind the address is ignored. Only the first three valid lines are used.
 * Text after '%' is the scope. A scope of more than RESOLV_CONF_SCOPE_MAX bytes cannot be an
 * interface: the address is used without it.
 *
 * "search" takes domains, "domain" takes one. The last line with either keyword is used, unless it
 * has no domain. If there is no space for a domain, it and all domains after it are dropped. A
 * domain is not checked. The domain "." means that the name is looked up as it is.
 *
 * "options" takes ndots:N, timeout:N, attempts:N, rotate and use-vc. A number outside the range is
 * replaced by the nearest number in the range. edns0 changes nothing, because all queries have
 * EDNS. */
void resolv_conf_line(struct resolv_conf *conf, const char *line, size_t len);

/* Returns the domain with index i, which must be less than domains_count: a string in *conf. */
const char *resolv_conf_domain(const struct resolv_conf *conf, size_t i);
