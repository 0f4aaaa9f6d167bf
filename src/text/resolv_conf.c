/* SPDX-License-Identifier: ISC */
/* The configuration of the resolver, resolv.conf(5), as glibc reads it. */
#include "text/resolv_conf.h"

#include <string.h>

#include "text/words.h"

enum { DNS_PORT = 53 };

/* The longest address that inet_pton(3) accepts has 45 characters. */
enum { ADDRESS_MAX = 45 };

struct resolv_conf resolv_conf_default(void)
{
	struct resolv_conf conf = {.servers_count = 1,
		.is_default_server = true,
		.ndots = 1,
		.timeout_s = 5,
		.attempts = 2};

	conf.servers[0].addr = addr_loopback;
	conf.servers[0].addr.port = DNS_PORT;
	return conf;
}

/* A part of a line. */
struct text {
	const char *at;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Removes the next word from *rest and returns it. Returns an empty one if there is none. */
static struct text take_word(struct text *rest)
{
	struct text word = *rest;

	while (word.len > 0 && is_blank(*word.at)) {
		word.at++;
		word.len--;
	}
	*rest = word;
	while (rest->len > 0 && !is_blank(*rest->at)) {
		rest->at++;
		rest->len--;
	}
	word.len -= rest->len;
	return word;
}

/* Removes a prefix from *text and returns true if the text begins with it. */
static bool skip(struct text *text, const char *prefix)
{
	const size_t len = strlen(prefix);

	if (text->len < len || memcmp(text->at, prefix, len) != 0)
		return false;
	text->at += len;
	text->len -= len;
	return true;
}

static void nameserver(struct resolv_conf *conf, struct text rest)
{
	const struct text word = take_word(&rest);
	const char *percent = word.len > 0 ? memchr(word.at, '%', word.len) : NULL;
	const size_t len = percent ? (size_t)(percent - word.at) : word.len;
	struct resolv_conf_server server = {.scope = ""};

	if (len > ADDRESS_MAX ||
		(!conf->is_default_server && conf->servers_count == RESOLV_CONF_SERVERS_MAX))
		return;
	const struct addr name = addr_of(ADDR_NAME, word.at, (uint8_t)len, DNS_PORT);
	server.addr = addr_from_literal(&name);
	if (server.addr.kind == ADDR_NAME || (percent && server.addr.kind != ADDR_IPV6))
		return;
	const size_t scope_len = percent ? word.len - len - 1 : 0;
	if (scope_len > 0 && scope_len <= RESOLV_CONF_SCOPE_MAX)
		memcpy(server.scope, percent + 1, scope_len);
	if (conf->is_default_server)
		conf->servers_count = 0;
	conf->is_default_server = false;
	conf->servers[conf->servers_count++] = server;
}

/* Replaces the domains by the first words of rest, at most max. */
static void search(struct resolv_conf *conf, struct text rest, size_t max)
{
	struct writer w = writer_on(conf->search, sizeof conf->search);
	struct text domain = take_word(&rest);

	if (domain.len == 0)
		return;
	conf->domains_count = 0;
	for (; domain.len > 0 && conf->domains_count < max; domain = take_word(&rest)) {
		if (w.cap - w.len < domain.len + 1)
			break;
		writer_bytes(&w, domain.at, domain.len);
		writer_u8(&w, '\0');
		conf->domains_count++;
	}
	conf->search_len = (uint16_t)w.len;
}

/* Sets *ret_value to a decimal number, limited to min and max. If there are other characters, does
 * not change it. */
static void number(struct text text, uint8_t min, uint8_t max, uint8_t *ret_value)
{
	uint64_t value = max;

	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < '0' || text.at[i] > '9')
			return;
	if (text.len == 0)
		return;
	words_number(text.at, text.len, max, &value);
	*ret_value = value < min ? min : (uint8_t)value;
}

static bool is_word(struct text text, const char *word)
{
	return skip(&text, word) && text.len == 0;
}

static void options(struct resolv_conf *conf, struct text rest)
{
	for (struct text option; (option = take_word(&rest)).len > 0;) {
		if (skip(&option, "ndots:"))
			number(option, 0, RESOLV_CONF_NDOTS_MAX, &conf->ndots);
		else if (skip(&option, "timeout:"))
			number(option, 1, RESOLV_CONF_TIMEOUT_S_MAX, &conf->timeout_s);
		else if (skip(&option, "attempts:"))
			number(option, 1, RESOLV_CONF_ATTEMPTS_MAX, &conf->attempts);
		else if (is_word(option, "rotate"))
			conf->rotate = true;
		else if (is_word(option, "use-vc"))
			conf->use_vc = true;
	}
}

void resolv_conf_line(struct resolv_conf *conf, const char *line, size_t len)
{
	struct text rest = {.at = line, .len = strnlen(line, len)};
	const struct text all = rest;

	if (rest.len > 0 && rest.at[rest.len - 1] == '\r')
		rest.len--;
	struct text keyword = take_word(&rest);
	if (keyword.at != all.at || rest.len == 0)
		return;
	if (is_word(keyword, "nameserver"))
		nameserver(conf, rest);
	else if (is_word(keyword, "search"))
		search(conf, rest, RESOLV_CONF_DOMAINS_MAX);
	else if (is_word(keyword, "domain"))
		search(conf, rest, 1);
	else if (is_word(keyword, "options"))
		options(conf, rest);
}

const char *resolv_conf_domain(const struct resolv_conf *conf, size_t i)
{
	const char *domain = conf->search;

	while (i-- > 0)
		domain += strlen(domain) + 1;
	return domain;
}
