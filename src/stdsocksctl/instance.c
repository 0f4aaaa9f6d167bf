/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/instance.h"

#include <string.h>

#include "record/title.h"
#include "text/amount.h"
#include "text/hex.h"
#include "text/words.h"
#include "wire/addr.h"
#include "wire/socks5.h"

enum { TITLE_MAX = 4096 };

static const char service[] = ".service", prefix[] = TITLE_PREFIX, arrow[] = "->";

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

/* Returns the length of the first word. A space in double quotes does not end it. */
static size_t word_len(const char *text)
{
	bool quoted = false;
	size_t len = 0;

	for (; text[len] && (quoted || text[len] != ' '); len++) {
		if (text[len] == '"')
			quoted = !quoted;
		else if (text[len] == '\\' && text[len + 1])
			len++;
	}
	return len;
}

/* Removes the first word from the rest, and returns it. At the end, *rest is NULL. */
static char *next_word(char **rest)
{
	char *word = *rest, *end = word ? word + word_len(word) : NULL;

	*rest = end && *end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	return word;
}

/* Removes the last word, unless it is the only one. */
static void remove_last_word(char *text)
{
	char *end = text + word_len(text), *last = NULL;

	for (; *end; end += 1 + word_len(end + 1))
		last = end;
	if (last)
		*last = '\0';
}

/* Reads a name as writer_quoted() writes it. */
static bool read_name(const char *word, char name[INSTANCE_NAME_MAX + 1])
{
	char bytes[INSTANCE_NAME_MAX];
	struct writer raw = writer_on(bytes, sizeof bytes), w = writer_on(name, INSTANCE_NAME_MAX);
	struct hex hex = hex_start();
	const size_t len = strlen(word);

	if (writer_is_plain(word, len))
		writer_bytes(&raw, word, len);
	else if (word[0] != '"' || !hex_read(&hex, word, len, &raw) || !hex_end(&hex))
		return false;
	writer_escaped(&w, bytes, raw.len);
	name[w.len] = '\0';
	return !raw.full && !w.full && w.len > 0;
}

/* Reads "HOST:PORT", with brackets around an IPv6 address. */
static bool read_destination(char *word, struct instance_title *t)
{
	char *colon = strrchr(word, ':');
	uint64_t port;

	if (!colon || !words_number(colon + 1, strlen(colon + 1), UINT16_MAX, &port))
		return false;
	*colon = '\0';
	if (word[0] == '[' && colon[-1] == ']') {
		const size_t len = (size_t)(colon - word) - 2;
		if (len > INSTANCE_CLIENT_MAX || !is_address(word + 1, len))
			return false;
		memcpy(t->dst, word + 1, len);
		t->dst[len] = '\0';
	} else if (!read_name(word, t->dst)) {
		return false;
	}
	t->dst_port = (uint16_t)port;
	return true;
}

/* Removes the command before the destination, and returns it. CONNECT is omitted. */
static uint8_t read_command(char **rest)
{
	static const uint8_t named[] = {
		SOCKS5_BIND, SOCKS5_UDP_ASSOCIATE, SOCKS5_RESOLVE, SOCKS5_RESOLVE_PTR};

	for (size_t i = 0; *rest && i < sizeof named; i++) {
		const char *text = socks5_command_text(named[i]);
		size_t len = strlen(text);
		if (strncmp(*rest, text, len) == 0 && (*rest)[len] == ' ') {
			*rest += len + 1;
			return named[i];
		}
	}
	return SOCKS5_CONNECT;
}

/* Removes the first amount from the rest, such as "12.1M up", if it has this unit, such as " up".
 * Returns it, or 0 if it is missing. */
static uint64_t read_amount(char **rest, const char *unit)
{
	const size_t unit_len = strlen(unit);
	const char *end = *rest ? strstr(*rest, unit) : NULL;
	uint64_t bytes = 0;

	if (end && (!end[unit_len] || end[unit_len] == ' ') &&
		amount_bytes(*rest, (size_t)(end - *rest), &bytes))
		*rest = end[unit_len] ? *rest + (end - *rest) + unit_len + 1 : NULL;
	return bytes;
}

/* Reads the part after the arrow. If the title was cut, any end of this part may be missing. */
static bool read_request(char *rest, bool is_cut, struct instance_title *t)
{
	const uint8_t command = read_command(&rest);
	char *dst = next_word(&rest);

	if (!dst || !read_destination(dst, t))
		return is_cut;
	t->command = command;
	if (is_cut || (rest && strcmp(rest, "connecting") == 0))
		return true;
	t->bytes_up = read_amount(&rest, " up");
	t->bytes_down = read_amount(&rest, " down");
	t->rate = read_amount(&rest, "/s");
	return !rest;
}

/* Reads a title without its prefix. Writes NULs into it to cut it into words. */
static bool read_title(char *title, bool is_cut, struct instance_title *t)
{
	char *rest = title, *client = strsep(&rest, " ");

	if (strlen(client) > INSTANCE_CLIENT_MAX)
		return false;
	memcpy(t->client, client, strlen(client) + 1);
	if (!rest)
		return is_cut;
	if (!is_cut && (strcmp(rest, "handshake") == 0 || strcmp(rest, "ended") == 0))
		return true;
	char *word = next_word(&rest);
	if (strcmp(word, arrow) == 0)
		return read_request(rest, is_cut, t);
	if (!read_name(word, t->user))
		return false;
	word = next_word(&rest);
	return word ? strcmp(word, arrow) == 0 && read_request(rest, is_cut, t) : is_cut;
}

struct instance_title instance_title(const char *title)
{
	static const struct instance_title unknown = {.bytes_up = INSTANCE_UNKNOWN,
		.bytes_down = INSTANCE_UNKNOWN,
		.rate = INSTANCE_UNKNOWN};
	struct instance_title t = unknown;
	char text[TITLE_MAX + 1];
	const size_t len = strlen(title);

	for (size_t i = 0; i < len; i++)
		if (title[i] < 0x20 || title[i] > 0x7e)
			return unknown;
	if (len > TITLE_MAX)
		return unknown;
	memcpy(text, title, len + 1);
	const bool is_cut = len >= 3 && strcmp(text + len - 3, "...") == 0;
	if (is_cut)
		remove_last_word(text);
	if (strncmp(text, prefix, sizeof prefix - 1) != 0 ||
		!read_title(text + sizeof prefix - 1, is_cut, &t))
		return unknown;
	return t;
}
