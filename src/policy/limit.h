/* SPDX-License-Identifier: ISC */
/* The keyword "limit": how many connections a client address and a user may have at once, and the
 * keys by which these connections are counted. */
#pragma once

#include "policy/siphash.h"
#include "text/words.h"
#include "wire/addr.h"

/* Upper limit of the connections that a limit can permit. */
#define LIMIT_MAX 16384

/* The default of "limit from" in prefork mode. The other mode has none. */
#define LIMIT_FROM_DEFAULT 500

/* Bytes for the names in "limit user N NAME,...": the bytes of each name, and LIMIT_NAME_HEAD. */
#define LIMIT_NAMES_MAX 1024
#define LIMIT_NAME_HEAD 3

/* Bits of a key. */
#define LIMIT_KEY_BITS 51

/* The value of "limit from none". */
#define LIMIT_NONE UINT32_MAX

/* All zero: nothing is configured. */
struct limit {
	unsigned from;     /* connections of one client address; 0: not configured */
	unsigned user;     /* connections of one user who has no limit of their own; 0: no limit */
	size_t names_used; /* bytes of `names` */
	/* For each user with a limit of their own: the limit (16 bits), the length of the name (8
	 * bits), and the name. */
	uint8_t names[LIMIT_NAMES_MAX];
};

/* Parses "limit from N|none" and "limit user N|none [NAME,...]". On error returns false and writes
 * a message to *problem; then *limit is unchanged. */
bool limit_parse(struct limit *limit, const struct words *words, struct writer *problem);

/* Returns true if a client address has a limit, and if a user has one. */
bool limit_has_from(const struct limit *limit);
bool limit_has_users(const struct limit *limit);

/* Returns the limit of an authenticated user, or 0 if the user has none. */
unsigned limit_of_user(const struct limit *limit, const void *name, size_t len);

/* Returns the part of an address that counts as one client: an IPv4 address, or the first 64 bits
 * of an IPv6 address, followed by zeros. The port is 0. */
struct addr limit_client(const struct addr *address);

/* Return a key of LIMIT_KEY_BITS bits. Keys of different IPv4 addresses always differ from all
 * others. Two keys of IPv6 prefixes or of users are equal with a probability of 2^-50, whatever
 * names and prefixes a client chooses, unless it knows the secret. */
uint64_t limit_client_key(const struct addr *address, const uint8_t secret[SIPHASH_SECRET_LEN]);
uint64_t limit_user_key(const void *name, size_t len, const uint8_t secret[SIPHASH_SECRET_LEN]);
