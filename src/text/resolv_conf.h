/* SPDX-License-Identifier: ISC */
/* The configuration of the resolver, resolv.conf(5), as glibc reads it. */
#pragma once

#include "wire/addr.h"

#define RESOLV_CONF_SERVERS_MAX 3

/* glibc has no limits since 2.26; earlier it had 6 domains and 256 bytes. */
#define RESOLV_CONF_DOMAINS_MAX 32
#define RESOLV_CONF_SEARCH_MAX  1024 /* bytes of all domains, each with a NUL */

/* Bytes of the name of an interface (IFNAMSIZ without the NUL), or of its number. */
#define RESOLV_CONF_SCOPE_MAX 15

/* Values of the options. */
#define RESOLV_CONF_NDOTS_MAX     15
#define RESOLV_CONF_TIMEOUT_S_MAX 30
#define RESOLV_CONF_ATTEMPTS_MAX  5

struct resolv_conf_server {
	struct addr addr; /* IPv4 or IPv6, with port 53 */
	/* The interface of a link-local IPv6 address, by name or number: the text after '%'. ""
	 * if there is none. */
	char scope[RESOLV_CONF_SCOPE_MAX + 1];
};

struct resolv_conf {
	/* At least one. If there is no valid "nameserver" line, it is 127.0.0.1. */
	struct resolv_conf_server servers[RESOLV_CONF_SERVERS_MAX];
	uint8_t servers_count;
	bool is_default_server; /* no "nameserver" line was valid so far */

	uint8_t ndots;     /* 0 to 15, default 1 */
	uint8_t timeout_s; /* of each attempt at a server: 1 to 30, default 5 */
	uint8_t attempts;  /* at each server: 1 to 5, default 2 */
	bool rotate;       /* begin with another server each time */
	bool use_vc;       /* use TCP for all queries */

	/* The domains of the last "search" or "domain" line. If there is no such line, the count is
	 * 0, and the domain is that of the local host's name. */
	uint8_t domains_count;
	uint16_t search_len;
	char search[RESOLV_CONF_SEARCH_MAX]; /* each domain ends with a NUL */
};

/* Returns the configuration without a file, or with an empty one. */
struct resolv_conf resolv_conf_default(void);

/* Applies a line, without its newline, to *conf. A carriage return at its end is ignored. Nothing
 * is an error: a line or an option that is unknown or invalid changes nothing.
 *
 * A keyword must begin in the first column and be followed by a space or a tab; a line that begins
 * with '#' or ';' is a comment. A line ends at a NUL.
 *
 * "nameserver" takes one IPv4 or IPv6 address, in a form that inet_pton(3) accepts (glibc also
 * accepts 127.1). The first three lines count. Text after '%' is the scope; one that is longer than
 * RESOLV_CONF_SCOPE_MAX is no interface and is dropped. What follows the address is ignored.
 *
 * "search" takes domains, "domain" takes one; the last line of both counts, but not one without a
 * domain. The first domain for which there is no space, and all domains after it, are dropped. A
 * domain is not checked; it may be ".", which means that the name is looked up as it is.
 *
 * "options" takes ndots:N, timeout:N, attempts:N, rotate and use-vc. A number outside the range is
 * replaced by the nearest one in it. edns0 changes nothing, because all queries have EDNS. */
void resolv_conf_line(struct resolv_conf *conf, const char *line, size_t len);

/* Returns the domain with this index, less than domains_count, as a string in *conf. */
const char *resolv_conf_domain(const struct resolv_conf *conf, size_t i);
