/* SPDX-License-Identifier: ISC */
#include "policy/limit.h"

#include <string.h>

#define PREFIX_LEN 8 /* bytes of the part of an IPv6 address that counts as one client */

/* The first bytes of the texts that are hashed, so that a user and an address differ. */
#define KIND_IPV6 '6'
#define KIND_USER 'u'

#define NUMBERS "use 1 to 16384, or none"

static bool parse_number(const char *text, unsigned *ret_number)
{
	uint64_t number = 0;

	if (strcmp(text, "none") != 0 &&
		(!words_number(text, strlen(text), LIMIT_MAX, &number) || number == 0))
		return false;
	*ret_number = (unsigned)number;
	return true;
}

/* Returns the offset of a user's entry, or limit->names_used. */
static size_t find_name(const struct limit *limit, const void *name, size_t len)
{
	size_t at = 0;

	while (at < limit->names_used) {
		const uint8_t *entry = limit->names + at;
		if (entry[2] == len && memcmp(entry + LIMIT_NAME_HEAD, name, len) == 0)
			break;
		at += LIMIT_NAME_HEAD + (size_t)entry[2];
	}
	return at;
}

/* Replaces the entry of a user. Returns false if there is no space. */
static bool set_name(struct limit *limit, const char *name, size_t len, unsigned number)
{
	const size_t size = LIMIT_NAME_HEAD + len, at = find_name(limit, name, len);

	if (at < limit->names_used) {
		limit->names_used -= size;
		memmove(limit->names + at, limit->names + at + size, limit->names_used - at);
	}
	if (size > sizeof limit->names - limit->names_used)
		return false;
	uint8_t *entry = limit->names + limit->names_used;
	entry[0] = (uint8_t)(number >> 8);
	entry[1] = (uint8_t)number;
	entry[2] = (uint8_t)len;
	memcpy(entry + LIMIT_NAME_HEAD, name, len);
	limit->names_used += size;
	return true;
}

static bool are_names(const char *names)
{
	for (const char *name = names;; name++) {
		const size_t len = strcspn(name, ",");
		if (len == 0 || len > UINT8_MAX)
			return false;
		name += len;
		if (!*name)
			return true;
	}
}

static bool set_names(struct limit *limit, const char *names, unsigned number)
{
	for (const char *name = names;; name++) {
		const size_t len = strcspn(name, ",");
		if (!set_name(limit, name, len, number))
			return false;
		name += len;
		if (!*name)
			return true;
	}
}

static bool parse_user(struct limit *limit, const struct words *w, struct writer *problem)
{
	const char *names = w->count == 4 ? w->at[3] : NULL;
	struct limit changed = *limit;
	unsigned number = 0;

	if (!parse_number(w->at[2], &number))
		return words_error(problem, "invalid limit", w->at[2], NUMBERS);
	if (names && !are_names(names))
		return words_error(problem, "invalid user in", names,
			"use names of 1 to 255 bytes, separated by commas");
	if (!names)
		changed.user = number;
	else if (!set_names(&changed, names, number))
		return words_error(problem, "too many names after limit user", NULL,
			"use at most 1024 bytes, where each name takes 3 bytes more than its "
			"length");
	/* Bytes behind the names may be those of removed ones. */
	memset(changed.names + changed.names_used, 0, sizeof changed.names - changed.names_used);
	*limit = changed;
	return true;
}

bool limit_parse(struct limit *limit, const struct words *w, struct writer *problem)
{
	const char *kind = w->count > 1 ? w->at[1] : "";
	unsigned number = 0;

	if (strcmp(kind, "user") == 0 && (w->count == 3 || w->count == 4))
		return parse_user(limit, w, problem);
	if (strcmp(kind, "from") != 0 || w->count != 3)
		return words_error(problem, "limit needs a kind and a number", NULL,
			"use \"limit from 100\", \"limit user 40\" or \"limit user 40 alice,bob\"");
	if (!parse_number(w->at[2], &number))
		return words_error(problem, "invalid limit", w->at[2], NUMBERS);
	limit->from = number > 0 ? number : LIMIT_NONE;
	return true;
}

bool limit_has_from(const struct limit *limit)
{
	return limit->from > 0 && limit->from != LIMIT_NONE;
}

bool limit_has_users(const struct limit *limit)
{
	return limit->user > 0 || limit->names_used > 0;
}

unsigned limit_of_user(const struct limit *limit, const void *name, size_t len)
{
	const size_t at = find_name(limit, name, len);

	if (at == limit->names_used)
		return limit->user;
	return (unsigned)limit->names[at] << 8 | limit->names[at + 1];
}

struct addr limit_client(const struct addr *address)
{
	struct addr client = addr_of(address->kind, address->bytes, address->len, 0);

	if (client.kind == ADDR_IPV6)
		memset(client.bytes + PREFIX_LEN, 0, sizeof client.bytes - PREFIX_LEN);
	return client;
}

/* The first bit tells a hash from an IPv4 address. */
static uint64_t hashed_key(char kind, const void *bytes, size_t len, const uint8_t *secret)
{
	char text[1 + UINT8_MAX] = {kind};

	memcpy(text + 1, bytes, len);
	return UINT64_C(1) << (LIMIT_KEY_BITS - 1) |
		siphash(secret, text, 1 + len) >> (64 - LIMIT_KEY_BITS + 1);
}

uint64_t limit_client_key(const struct addr *a, const uint8_t secret[SIPHASH_SECRET_LEN])
{
	if (a->kind == ADDR_IPV6)
		return hashed_key(KIND_IPV6, a->bytes, PREFIX_LEN, secret);
	return (uint64_t)a->bytes[0] << 24 | (uint64_t)a->bytes[1] << 16 |
		(uint64_t)a->bytes[2] << 8 | a->bytes[3];
}

uint64_t limit_user_key(const void *name, size_t len, const uint8_t secret[SIPHASH_SECRET_LEN])
{
	return hashed_key(KIND_USER, name, len, secret);
}
