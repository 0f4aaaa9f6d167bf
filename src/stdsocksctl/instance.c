/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/instance.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "text/amount.h"
#include "text/words.h"
#include "wire/addr.h"
#include "wire/socks5.h"

static const char arrow[] = " -> ", comma[] = ", ", service[] = ".service";

static bool is_address(const char *text, size_t len)
{
	const struct addr name = addr_of(ADDR_NAME, text, (uint8_t)len, 0);

	return addr_from_literal(&name).kind != ADDR_NAME;
}

/* Reads "ADDRESS:PORT". The address of an AF_VSOCK socket is a number. */
static bool read_socket(const char *text, size_t len, struct instance_client *c)
{
	const char *colon = memrchr(text, ':', len);
	size_t host_len = (size_t)(colon - text);
	uint64_t port;

	if (!words_number(colon + 1, len - host_len - 1, UINT32_MAX, &port))
		return false;
	if (host_len == 0 || host_len > INSTANCE_CLIENT_MAX || port > UINT16_MAX ||
		!is_address(text, host_len)) {
		strcpy(c->text, "other");
		return true;
	}
	memcpy(c->text, text, host_len);
	c->port = (uint16_t)port;
	return true;
}

/* Reads "...-PID" and UID: the name up to the last dash, and the text behind that. */
static bool read_credentials(
	const char *name, size_t len, const char *uid_text, struct instance_client *c)
{
	const char *dash = memrchr(name, '-', len);
	uint64_t pid, uid;

	if (!dash || !words_number(dash + 1, len - (size_t)(dash + 1 - name), INT32_MAX, &pid) ||
		!words_number(uid_text, strcspn(uid_text, "."), UINT32_MAX, &uid))
		return false;
	strcpy(c->text, "unix");
	c->has_uid = true;
	c->pid = (uint32_t)pid;
	c->uid = (uint32_t)uid;
	return true;
}

bool instance_client(const char *unit, struct instance_client *ret_client)
{
	struct instance_client c = {0};
	const char *at = strchr(unit, '@'), *end = unit + strlen(unit) - (sizeof service - 1);

	if (!at || end <= at || strcmp(end, service) != 0)
		return false;
	const char *dash = memrchr(at, '-', (size_t)(end - at));
	if (!dash)
		return false;
	const char *last = dash + 1;
	size_t len = (size_t)(end - last);
	if (len == 7 && memcmp(last, "unknown", len) == 0)
		strcpy(c.text, "unix");
	else if (!(memchr(last, ':', len) ? read_socket(last, len, &c)
					  : read_credentials(at, (size_t)(dash - at), last, &c)))
		return false;
	*ret_client = c;
	return true;
}

bool instance_put_status(struct writer *w, const char *text)
{
	for (; *text; text++) {
		if (*text != '%') {
			writer_u8(w, (uint8_t)*text);
			continue;
		}
		if (!isxdigit((unsigned char)text[1]) || !isxdigit((unsigned char)text[2]))
			return false;
		const char digits[] = {text[1], text[2], '\0'};
		const uint8_t byte = (uint8_t)strtoul(digits, NULL, 16);
		writer_escaped(w, &byte, 1);
		text += 2;
	}
	return !w->full;
}

static char *last_arrow(char *text)
{
	char *found = NULL;

	for (char *next = text; (next = strstr(next, arrow)); next++)
		found = next;
	return found;
}

/* Cuts off and returns the text up to the next comma. Returns NULL after the last piece. */
static char *next_piece(char **rest)
{
	char *piece = *rest, *end = piece ? strstr(piece, comma) : NULL;

	if (end)
		*end = '\0';
	*rest = end ? end + sizeof comma - 1 : NULL;
	return piece;
}

/* Reads an amount and its unit: "12.1M up" if the unit is " up". */
static bool read_amount(const char *piece, const char *unit, uint64_t *ret_bytes)
{
	size_t len = piece ? strlen(piece) : 0, unit_len = strlen(unit);

	return len > unit_len && strcmp(piece + len - unit_len, unit) == 0 &&
		amount_bytes(piece, len - unit_len, ret_bytes);
}

/* Cuts off the command before the destination and returns it. A status omits CONNECT. */
static uint8_t read_command(char **piece)
{
	static const uint8_t named[] = {SOCKS5_BIND, SOCKS5_UDP_ASSOCIATE};

	for (size_t i = 0; *piece && i < sizeof named; i++) {
		const char *text = socks5_command_text(named[i]);
		size_t len = strlen(text);
		if (strncmp(*piece, text, len) == 0 && (*piece)[len] == ' ') {
			*piece += len + 1;
			return named[i];
		}
	}
	return SOCKS5_CONNECT;
}

static bool read_destination(char *piece, struct instance_status *s)
{
	char *colon = piece ? strrchr(piece, ':') : NULL;
	uint64_t port;

	if (!colon || colon == piece ||
		!words_number(colon + 1, strlen(colon + 1), UINT16_MAX, &port))
		return false;
	*colon = '\0';
	s->dst = piece;
	s->dst_port = (uint16_t)port;
	if (piece[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		s->dst++;
	}
	return s->dst[0] != '\0';
}

bool instance_status(char *text, struct instance_status *ret_status)
{
	struct instance_status s = {.client = text};

	for (const char *p = text; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			return false;
	char *rest = last_arrow(text);
	if (!rest)
		return false;
	*rest = '\0';
	rest += sizeof arrow - 1;
	char *blank = strchr(text, ' ');
	if (blank) {
		*blank = '\0';
		s.user = blank + 1;
	}
	char *to = next_piece(&rest);
	s.command = read_command(&to);
	if (!read_destination(to, &s) || !read_amount(next_piece(&rest), " up", &s.bytes_up) ||
		!read_amount(next_piece(&rest), " down", &s.bytes_down))
		return false;
	/* The age is ignored, for systemd has a more precise one. */
	const char *piece = next_piece(&rest);
	if (read_amount(piece, "/s", &s.rate))
		piece = next_piece(&rest);
	if (!piece || rest)
		return false;
	*ret_status = s;
	return true;
}
