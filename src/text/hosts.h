/* SPDX-License-Identifier: ISC */
/* Searches a table of hosts, hosts(5), for the addresses of a name or the names of an address.
 *
 * A line has an address and then names, separated by white space; a carriage return is white space.
 * A '#' anywhere begins a comment. A line is ignored if inet_pton(3) does not accept its address.
 * It does not accept an address with a scope, such as fe80::1%eth0. An IPv4-mapped IPv6 address is
 * treated as the IPv4 address in it. */
#pragma once

#include "wire/addr.h"

/* Bytes of the longest address that inet_pton(3) accepts. */
#define HOSTS_ADDRESS_MAX 45

/* A search through a table that is read in parts. It keeps only the address and one name of the
 * current line: a line can have any length. All members are private. */
struct hosts {
	struct addr key;      /* a name in lower case without its final dot, or an address */
	uint8_t key_ip[16];   /* if the key is an address: it as an IPv6 address */
	uint8_t key_text_len; /* bytes of key_text */
	char key_text[15];    /* if the key is an IPv4 address: its text, without a NUL */
	uint8_t state;        /* enum state in hosts.c */
	uint8_t address_len;  /* bytes of address */
	/* If the key is an address, the bytes of name; otherwise the bytes of the current name that
	 * are equal to the key. */
	uint8_t name_len;
	/* Of the current line: the text of its address and, if the key is an address, its first
	 * name. */
	char address[HOSTS_ADDRESS_MAX + 1];
	char name[ADDR_NAME_MAX];
};

/* Returns a search for the addresses of a name (ADDR_NAME), or for the names of an address
 * (ADDR_IPV4, ADDR_IPV6). The port of *key is ignored; so are, in a name, the case of ASCII letters
 * and a final dot. */
struct hosts hosts_search(const struct addr *key);

/* Reads *text, the next part of the table, up to the next result. Returns true if there is a
 * result, and sets *ret_found to it; then call hosts_next() again with the same reader. Returns
 * false if the part has been read to its end; then call hosts_next() with the next part.
 *
 * The results for a name are the addresses of all lines with that name, in the order of the lines
 * and with port 0. Duplicates are not removed. The results for an address are the first names of
 * all lines with that address. A name of more than ADDR_NAME_MAX bytes is not a result. A name is
 * not checked: it can contain any byte except white space and '#'.
 *
 * The last line may lack its newline: after the last part, call hosts_next() with a newline as the
 * part. */
bool hosts_next(struct hosts *hosts, struct reader *text, struct addr *ret_found);
