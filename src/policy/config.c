/* SPDX-License-Identifier: ISC */
/* The configuration: text in, values out.
 * Knows: the keywords, their units, defaults and ranges (stdsocks.conf(5)).
 * Does not know: files, sockets, the clock. */
#include "policy/config.h"

#include <arpa/inet.h>
#include <string.h>

/* A line cut into words; each ends in NUL inside text. */
struct words {
	size_t count;
	const char *at[CONFIG_WORDS_MAX];
	char text[CONFIG_LINE_MAX + 1];
};

struct config config_default(void)
{
	return (struct config){
		.handshake_us = INT64_C(10) * 1000000,
		.connect_us = INT64_C(10) * 1000000,
		.idle_us = INT64_C(2) * 3600 * 1000000,
		.half_closed_us = INT64_C(5) * 60 * 1000000,
		.lifetime_us = CONFIG_NEVER_US,
	};
}

/* Says what is wrong: text, and what the person wrote, in quotes, where that helps. */
static bool mistake(
	struct writer *problem, const char *what, const char *word, const char *would_do)
{
	writer_str(problem, what);
	if (word) {
		writer_str(problem, " \"");
		writer_escaped(problem, word, strnlen(word, CONFIG_QUOTED_MAX));
		writer_str(problem, strlen(word) > CONFIG_QUOTED_MAX ? "...\"" : "\"");
	}
	writer_str(problem, "; ");
	writer_str(problem, would_do);
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts a line at blanks. Double quotes keep blanks and '#'; there is no escape inside them. */
static bool split(const char *line, size_t len, struct words *words, struct writer *problem)
{
	char *to = words->text;
	words->count = 0;
	if (len > CONFIG_LINE_MAX)
		return mistake(
			problem, "the line is too long", NULL, "at most 1024 bytes are read");
	if (memchr(line, '\0', len))
		return mistake(problem, "the line has a NUL byte", NULL, "plain text is read");

	for (size_t i = 0; i < len;) {
		if (is_blank(line[i])) {
			i++;
			continue;
		}
		if (line[i] == '#')
			break;
		if (words->count == CONFIG_WORDS_MAX)
			return mistake(problem, "too many words", NULL, "at most 32 are read");
		words->at[words->count++] = to;
		bool quoted = false;
		for (; i < len && (quoted || !is_blank(line[i])); i++) {
			if (line[i] == '"')
				quoted = !quoted;
			else
				*to++ = line[i];
		}
		*to++ = '\0';
		if (quoted)
			return mistake(problem, "a quote is left open", NULL, "end it with '\"'");
	}
	return true;
}

/* Digits only, up to max. */
static bool parse_number(const char *text, size_t len, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(text[i] - '0');
		if (value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret_value = value;
	return true;
}

/* A number with its unit. */
static bool parse_duration(const char *text, int64_t *ret_us)
{
	static const struct {
		char unit[3];
		int64_t us;
	} units[] = {
		{"ms", 1000},
		{"s", 1000000},
		{"m", INT64_C(60) * 1000000},
		{"h", INT64_C(3600) * 1000000},
		{"d", INT64_C(24) * 3600 * 1000000},
	};
	size_t digits = strspn(text, "0123456789");

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		uint64_t value;
		if (strcmp(text + digits, units[i].unit) != 0)
			continue;
		uint64_t max = (uint64_t)(CONFIG_DURATION_MAX_US / units[i].us);
		if (!parse_number(text, digits, max, &value) || value == 0)
			return false;
		*ret_us = (int64_t)value * units[i].us;
		return true;
	}
	return false;
}

/* timeout handshake|connect|idle|half-closed|lifetime DURATION */
static bool timeout_keyword(struct config *c, const struct words *w, struct writer *problem)
{
	const struct {
		const char *name;
		int64_t *us;
		bool may_be_none;
	} timeouts[] = {
		{"handshake", &c->handshake_us, false},
		{"connect", &c->connect_us, false},
		{"idle", &c->idle_us, true},
		{"half-closed", &c->half_closed_us, true},
		{"lifetime", &c->lifetime_us, true},
	};
	if (w->count != 3)
		return mistake(problem, "timeout takes two words", NULL,
			"say, for example, \"timeout idle 2h\"");

	for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
		if (strcmp(w->at[1], timeouts[i].name) != 0)
			continue;
		if (strcmp(w->at[2], "none") == 0 && timeouts[i].may_be_none) {
			*timeouts[i].us = CONFIG_NEVER_US;
			return true;
		}
		if (parse_duration(w->at[2], timeouts[i].us))
			return true;
		return mistake(problem, "not a duration:", w->at[2],
			timeouts[i].may_be_none
				? "1ms to 365d, with the unit ms, s, m, h or d, or \"none\""
				: "1ms to 365d, with the unit ms, s, m, h or d");
	}
	return mistake(problem, "no such timeout:", w->at[1],
		"there are handshake, connect, idle, half-closed and lifetime");
}

static bool source_device(struct config *c, const char *name, struct writer *problem)
{
	size_t len = strlen(name);
	if (len == 0 || len > CONFIG_DEVICE_MAX)
		return mistake(
			problem, "not a device:", name, "a name has 1 to 15 bytes, as eth0 does");
	memcpy(c->device, name, len + 1);
	return true;
}

static bool source_mark(struct config *c, const char *number, struct writer *problem)
{
	uint64_t mark;
	if (!parse_number(number, strlen(number), UINT32_MAX, &mark) || mark == 0)
		return mistake(problem, "not a mark:", number, "1 to 4294967295 would do");
	c->mark = (uint32_t)mark;
	return true;
}

/* source ADDRESS | source device NAME | source mark N */
static bool source_keyword(struct config *c, const struct words *w, struct writer *problem)
{
	if (w->count == 3 && strcmp(w->at[1], "device") == 0)
		return source_device(c, w->at[2], problem);
	if (w->count == 3 && strcmp(w->at[1], "mark") == 0)
		return source_mark(c, w->at[2], problem);
	if (w->count != 2)
		return mistake(problem, "source takes an address, a device or a mark", NULL,
			"say \"source 192.0.2.1\", \"source device eth0\" or \"source mark 1\"");

	uint8_t ip[16];
	if (inet_pton(AF_INET, w->at[1], ip) == 1)
		c->source_ipv4 = addr_of(ADDR_IPV4, ip, 4, 0);
	else if (inet_pton(AF_INET6, w->at[1], ip) == 1)
		c->source_ipv6 = addr_of(ADDR_IPV6, ip, 16, 0);
	else
		return mistake(problem, "not an address:", w->at[1],
			"an IPv4 or IPv6 address of this host would do");
	return true;
}

bool config_line(struct config *config, const char *line, size_t len, struct writer *problem)
{
	static const struct {
		const char *name;
		bool (*apply)(struct config *, const struct words *, struct writer *);
	} keywords[] = {
		{"source", source_keyword},
		{"timeout", timeout_keyword},
	};
	struct words words;

	if (!split(line, len, &words, problem))
		return false;
	if (words.count == 0)
		return true;
	for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
		if (strcmp(words.at[0], keywords[i].name) == 0)
			return keywords[i].apply(config, &words, problem);
	return mistake(problem, "no such keyword:", words.at[0], "there are source and timeout");
}
