/* SPDX-License-Identifier: ISC */
/* Searches a table of hosts, hosts(5), for the addresses of a name or the name of an address.
 *
 * A line has an address and names, separated by spaces, tabs, or other white space except newlines;
 * a carriage return counts as white space. A '#' anywhere begins a comment. A line is ignored if
 * inet_pton(3) does not accept its address, which includes an address with a scope, such as
 * fe80::1%eth0. An IPv4-mapped IPv6 address is the same as the IPv4 address. */
#pragma once

#include "wire/addr.h"

/* Bytes of the longest address that inet_pton(3) accepts. */
#define HOSTS_ADDRESS_MAX 45

/* A search through text that arrives in parts. It keeps only the address and a name of the current
 * line, so that the length of a line has no limit. All members are private. */
struct hosts {
	struct addr key;      /* a name in lower case without its final dot, or an address */
	uint8_t key_ip[16];   /* the address as an IPv6 address */
	uint8_t key_text_len; /* 0 unless the key is an IPv4 address */
	char key_text[15];
	uint8_t state;       /* enum state in hosts.c */
	uint8_t address_len; /* of the current line */
	uint8_t name_len;    /* bytes of the current name that were kept, or are equal to the key */
	char address[HOSTS_ADDRESS_MAX + 1];
	char name[ADDR_NAME_MAX];
};

/* Returns a search for a name (ADDR_NAME) or an address (ADDR_IPV4, ADDR_IPV6). The port is
 * ignored. The case of ASCII letters in a name and its final dot are ignored. */
struct hosts hosts_search(const struct addr *key);

/* Reads text, which is the next part of the table, to the next result. Returns true and sets
 * *ret_found if there is one; then text may not be used up, and the next call must continue with
 * it. Returns false if the text is used up.
 *
 * The results for a name are the addresses of all lines with the name, in their order, with port 0;
 * duplicates are not removed. The results for an address are the first names of all lines with the
 * address; of these, a caller usually needs only the first. A name of more than ADDR_NAME_MAX bytes
 * is no result. A name is not checked: it can have any byte except white space and '#'.
 *
 * After the last part, hosts_next() must be called with a newline as text, because the last line
 * may end without one. */
bool hosts_next(struct hosts *hosts, struct reader *text, struct addr *ret_found);
