/* SPDX-License-Identifier: ISC */
/* Searches a table of hosts, hosts(5), for the addresses of a name or the names of an address. */
#include "text/hosts.h"

#include <arpa/inet.h>
#include <string.h>

/* The position in a line. */
enum state {
	START,   /* before the address */
	ADDRESS, /* in the address */
	GAP,     /* between words */
	NAME,    /* in a name that may be a result */
	OTHER,   /* in another name */
	RESULT,  /* behind a name that is a result if the address is valid */
	REST     /* in a comment, or in a part of a line that has no result */
};

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\n');
}

/* Most characters are greater than '#', and all characters tested for are not. */
static bool ends_word(uint8_t c)
{
	return c <= '#' && (c == '#' || c == '\n' || is_blank(c));
}

/* Converts a name to lower case without its final dot. If the name cannot be in a table, it becomes
 * empty, which equals no name. */
static void normalize(struct addr *name)
{
	if (name->len > 0 && name->bytes[name->len - 1] == '.')
		name->len--;
	for (size_t i = 0; i < name->len; i++) {
		if (ends_word(name->bytes[i]))
			name->len = 0;
		else
			name->bytes[i] = lower(name->bytes[i]);
	}
}

struct hosts hosts_search(const struct addr *key)
{
	struct hosts hosts = {.key = addr_unmapped(key), .state = START};
	struct addr *own = &hosts.key;
	struct writer w = writer_on(hosts.key_text, sizeof hosts.key_text);

	if (own->kind == ADDR_IPV4) {
		hosts.key_ip[10] = hosts.key_ip[11] = 0xff;
		memcpy(hosts.key_ip + 12, own->bytes, 4);
		addr_put_host(&w, own);
		hosts.key_text_len = (uint8_t)w.len;
	}
	if (own->kind == ADDR_IPV6)
		memcpy(hosts.key_ip, own->bytes, 16);
	if (own->kind == ADDR_NAME)
		normalize(own);
	return hosts;
}

/* Sets *ret_addr to the address of the line. Returns false if it is not valid. */
static bool parse_address(const struct hosts *h, struct addr *ret_addr)
{
	const struct addr name = addr_of(ADDR_NAME, h->address, h->address_len, 0),
			  a = addr_from_literal(&name);

	*ret_addr = addr_unmapped(&a);
	return a.kind != ADDR_NAME;
}

/* Returns true if the address of the line is the key. An IPv4 address has only one valid form
 * without a colon, so that most lines need not be parsed. */
static bool is_key(const struct hosts *h)
{
	uint8_t ip[16];

	if (h->address_len == h->key_text_len &&
		memcmp(h->address, h->key_text, h->key_text_len) == 0)
		return true;
	return memchr(h->address, ':', h->address_len) && strlen(h->address) == h->address_len &&
		inet_pton(AF_INET6, h->address, ip) == 1 && memcmp(ip, h->key_ip, 16) == 0;
}

/* The following functions read text from `at`, change the state, and return the end of the text
 * that they have used. */

static const uint8_t *read_start(struct hosts *h, const uint8_t *at, const uint8_t *end)
{
	while (at < end && (is_blank(*at) || *at == '\n'))
		at++;
	h->address_len = 0;
	if (at < end)
		h->state = *at == '#' ? REST : ADDRESS;
	return at;
}

static const uint8_t *read_address(struct hosts *h, const uint8_t *at, const uint8_t *end)
{
	for (; at < end && !ends_word(*at); at++) {
		if (h->address_len == HOSTS_ADDRESS_MAX) {
			h->state = REST;
			return at;
		}
		h->address[h->address_len++] = (char)*at;
	}
	h->address[h->address_len] = '\0';
	if (at < end)
		h->state = h->key.kind == ADDR_NAME || is_key(h) ? GAP : REST;
	return at;
}

static const uint8_t *read_gap(struct hosts *h, const uint8_t *at, const uint8_t *end)
{
	while (at < end && is_blank(*at))
		at++;
	h->name_len = 0;
	if (at < end)
		h->state = ends_word(*at) ? REST : NAME;
	return at;
}

/* Compares a name with the key. */
static const uint8_t *compare_name(struct hosts *h, const uint8_t *at, const uint8_t *end)
{
	while (at < end && h->name_len < h->key.len && lower(*at) == h->key.bytes[h->name_len]) {
		at++;
		h->name_len++;
	}
	if (at < end)
		h->state = h->name_len == h->key.len && ends_word(*at) ? RESULT : OTHER;
	return at;
}

/* Keeps the first name of a line whose address is the key. */
static const uint8_t *keep_name(struct hosts *h, const uint8_t *at, const uint8_t *end)
{
	for (; at < end && !ends_word(*at); at++) {
		if (h->name_len == ADDR_NAME_MAX) {
			h->state = REST;
			return at;
		}
		h->name[h->name_len++] = (char)*at;
	}
	if (at < end)
		h->state = RESULT;
	return at;
}

static const uint8_t *read_other(struct hosts *h, const uint8_t *at, const uint8_t *end)
{
	while (at < end && !ends_word(*at))
		at++;
	if (at < end)
		h->state = GAP;
	return at;
}

static const uint8_t *read_rest(struct hosts *h, const uint8_t *at, const uint8_t *end)
{
	const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));

	if (!newline)
		return end;
	h->state = START;
	return newline + 1;
}

static bool take_result(struct hosts *h, struct addr *ret_found)
{
	struct addr a;

	h->state = REST;
	if (h->key.kind != ADDR_NAME)
		a = addr_of(ADDR_NAME, h->name, h->name_len, 0);
	else if (!parse_address(h, &a))
		return false;
	*ret_found = a;
	return true;
}

bool hosts_next(struct hosts *h, struct reader *text, struct addr *ret_found)
{
	const uint8_t *at = text->bytes + text->at, *end = text->bytes + text->len;
	bool is_found = false;

	while (at < end && !is_found) {
		switch ((enum state)h->state) {
		case START:
			at = read_start(h, at, end);
			break;
		case ADDRESS:
			at = read_address(h, at, end);
			break;
		case GAP:
			at = read_gap(h, at, end);
			break;
		case NAME:
			at = h->key.kind == ADDR_NAME ? compare_name(h, at, end)
						      : keep_name(h, at, end);
			break;
		case OTHER:
			at = read_other(h, at, end);
			break;
		case RESULT:
			is_found = take_result(h, ret_found);
			break;
		case REST:
			at = read_rest(h, at, end);
			break;
		}
	}
	text->at = (size_t)(at - text->bytes);
	return is_found;
}
