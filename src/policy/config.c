/* SPDX-License-Identifier: ISC */
#include "policy/config.h"

#include <stddef.h>
#include <string.h>

struct config config_default(void)
{
	return (struct config){
		.handshake_us = INT64_C(10) * 1000000,
		.connect_us = INT64_C(10) * 1000000,
		.bind_us = INT64_C(2) * 60 * 1000000,
		.idle_us = INT64_C(2) * 3600 * 1000000,
		.half_closed_us = INT64_C(5) * 60 * 1000000,
		.lifetime_us = CONFIG_NEVER_US,
		.refused_login_us = INT64_C(1) * 1000000,
		.user = "stdsocks",
		.prefork_ready = 8,
		.prefork_connections = 2000,
		.prefork_idle_us = INT64_C(60) * 1000000,
		.commands = COMMAND_CONNECT,
		.versions = CONFIG_VERSION_5,
	};
}

struct unit {
	char text[3];
	uint64_t size;
};

/* Parses a number with one of the units, the last of which has size 0. Returns false if it is less
 * than min or greater than max. */
static bool parse_amount(const char *text, const struct unit *units, uint64_t min, uint64_t max,
	uint64_t *ret_amount)
{
	const size_t digits = strspn(text, "0123456789");
	uint64_t value;

	while (units->size > 0 && strcmp(text + digits, units->text) != 0)
		units++;
	if (units->size == 0 || !words_number(text, digits, max / units->size, &value) ||
		value * units->size < min)
		return false;
	*ret_amount = value * units->size;
	return true;
}

#define DURATIONS "use 1ms to 365d, with the unit ms, s, m, h or d"

/* Parses a duration, or "none" if it may be that. */
static bool parse_duration(const char *text, bool may_be_none, int64_t *ret_us)
{
	static const struct unit units[] = {{"ms", 1000}, {"s", 1000000},
		{"m", UINT64_C(60) * 1000000}, {"h", UINT64_C(3600) * 1000000},
		{"d", UINT64_C(24) * 3600 * 1000000}, {"", 0}};
	uint64_t us;

	if (may_be_none && strcmp(text, "none") == 0) {
		*ret_us = CONFIG_NEVER_US;
		return true;
	}
	if (!parse_amount(text, units, CONFIG_DURATION_MIN_US, CONFIG_DURATION_MAX_US, &us))
		return false;
	*ret_us = (int64_t)us;
	return true;
}

/* timeout handshake|connect|bind|idle|half-closed|lifetime|refused-login DURATION */
static bool timeout_keyword(struct config *c, const struct words *w, struct writer *problem)
{
	const struct {
		const char *name;
		int64_t *us;
		bool may_be_none;
	} timeouts[] = {
		{"handshake", &c->handshake_us, false},
		{"connect", &c->connect_us, false},
		{"bind", &c->bind_us, false},
		{"idle", &c->idle_us, true},
		{"half-closed", &c->half_closed_us, true},
		{"lifetime", &c->lifetime_us, true},
		{"refused-login", &c->refused_login_us, true},
	};

	if (w->count != 3)
		return words_error(problem, "timeout needs two arguments", NULL,
			"use, for example, \"timeout idle 2h\"");

	for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
		if (strcmp(w->at[1], timeouts[i].name) != 0)
			continue;
		return parse_duration(w->at[2], timeouts[i].may_be_none, timeouts[i].us) ||
			words_error(problem, "invalid duration", w->at[2],
				timeouts[i].may_be_none ? DURATIONS ", or \"none\"" : DURATIONS);
	}
	return words_error(problem, "unknown timeout", w->at[1],
		"use handshake, connect, bind, idle, half-closed, lifetime or refused-login");
}

/* Returns true if a host can have the address: it is not unspecified, mapped or multicast. */
static bool is_host_address(const struct addr *a)
{
	if (a->kind == ADDR_IPV4)
		return a->bytes[0] != 0 && a->bytes[0] < 224;
	return addr_unmapped(a).kind == ADDR_IPV6 && a->bytes[0] != 0xff && !addr_is_unspecified(a);
}

/* source ADDRESS | source device NAME | source mark N */
static bool source_keyword(struct config *c, const struct words *w, struct writer *problem)
{
	const char *kind = w->count == 3 ? w->at[1] : "", *value = w->at[w->count - 1];
	const size_t len = strlen(value);
	uint64_t mark;

	if (strcmp(kind, "device") == 0) {
		if (len == 0 || len > CONFIG_DEVICE_MAX)
			return words_error(problem, "invalid device", value,
				"use a name of 1 to 15 bytes, such as eth0");
		memcpy(c->device, value, len + 1);
		return true;
	}
	if (strcmp(kind, "mark") == 0) {
		if (!words_number(value, len, UINT32_MAX, &mark) || mark == 0)
			return words_error(problem, "invalid mark", value, "use 1 to 4294967295");
		c->mark = (uint32_t)mark;
		return true;
	}
	if (w->count != 2)
		return words_error(problem, "source needs an address, a device or a mark", NULL,
			"use \"source 192.0.2.1\", \"source device eth0\" or \"source mark 1\"");
	const struct addr text =
		addr_of(ADDR_NAME, value, (uint8_t)strnlen(value, ADDR_NAME_MAX), 0);
	const struct addr source = addr_from_literal(&text);
	if (!is_host_address(&source))
		return words_error(problem, "invalid source address", value,
			"use an IPv4 or IPv6 address of this host");
	*(source.kind == ADDR_IPV4 ? &c->source_ipv4 : &c->source_ipv6) = source;
	return true;
}

/* rate up|down RATE|none */
static bool rate_keyword(struct config *c, const struct words *w, struct writer *problem)
{
	bool is_up = w->count == 3 && strcmp(w->at[1], "up") == 0;
	static const struct unit units[] = {
		{"", 1}, {"K", 1000}, {"M", 1000000}, {"G", 1000000000}, {"", 0}};
	uint64_t rate = 0;

	if (!is_up && !(w->count == 3 && strcmp(w->at[1], "down") == 0))
		return words_error(problem, "rate needs a direction and a rate", NULL,
			"use, for example, \"rate down 10M\"");
	if (strcmp(w->at[2], "none") != 0 &&
		!parse_amount(w->at[2], units, CONFIG_RATE_MIN, CONFIG_RATE_MAX, &rate))
		return words_error(problem, "invalid rate", w->at[2],
			"use 10K to 1000G bytes per second, or \"none\"");
	*(is_up ? &c->rate_up : &c->rate_down) = rate;
	return true;
}

/* limit from N|none | limit user N|none [NAME,...] */
static bool limit_keyword(struct config *c, const struct words *w, struct writer *problem)
{
	return limit_parse(&c->limit, w, problem);
}

/* prefork ready|connections N | prefork idle-exit DURATION|none */
static bool prefork_keyword(struct config *c, const struct words *w, struct writer *problem)
{
	const char *kind = w->count == 3 ? w->at[1] : "", *value = w->at[w->count - 1];
	const bool is_ready = strcmp(kind, "ready") == 0;
	uint64_t number;

	if (strcmp(kind, "idle-exit") == 0)
		return parse_duration(value, true, &c->prefork_idle_us) ||
			words_error(problem, "invalid duration", value, DURATIONS ", or \"none\"");
	if (!is_ready && strcmp(kind, "connections") != 0)
		return words_error(problem, "prefork needs a setting and its value", NULL,
			"use \"prefork ready 8\", \"prefork connections 2000\" or "
			"\"prefork idle-exit 60s\"");
	if (!words_number(value, strlen(value),
		    is_ready ? CONFIG_READY_MAX : CONFIG_CONNECTIONS_MAX, &number) ||
		number == 0)
		return words_error(problem, "invalid number", value,
			is_ready ? "use 1 to 64" : "use 1 to 65535");
	*(is_ready ? &c->prefork_ready : &c->prefork_connections) = (unsigned)number;
	return true;
}

/* Sets *ret_bits to the bits of all arguments, at least one. */
static bool bits_keyword(unsigned *ret_bits, const struct words *w,
	unsigned (*bit_of)(const char *), struct writer *problem, const char *advice)
{
	unsigned bits = 0;

	for (size_t i = 1; i < w->count; i++) {
		if (bit_of(w->at[i]) == 0)
			return words_error(problem, "unknown argument", w->at[i], advice);
		bits |= bit_of(w->at[i]);
	}
	if (bits == 0)
		return words_error(problem, "no argument after", w->at[0], advice);
	*ret_bits = bits;
	return true;
}

static unsigned auth_bit(const char *word)
{
	if (strcmp(word, "none") == 0)
		return CONFIG_AUTH_NONE;
	return strcmp(word, "password") == 0 ? CONFIG_AUTH_PASSWORD : 0;
}

/* auth none|password... */
static bool auth_keyword(struct config *c, const struct words *w, struct writer *problem)
{
	return bits_keyword(&c->auth, w, auth_bit, problem, "use none, password or both");
}

/* command connect|bind|udp|resolve... */
static bool command_keyword(struct config *c, const struct words *w, struct writer *problem)
{
	return bits_keyword(&c->commands, w, command_of_word, problem, COMMAND_ADVICE);
}

static unsigned version_bit(const char *word)
{
	if (strcmp(word, "4") == 0)
		return CONFIG_VERSION_4;
	return strcmp(word, "5") == 0 ? CONFIG_VERSION_5 : 0;
}

/* version 4|5... */
static bool version_keyword(struct config *c, const struct words *w, struct writer *problem)
{
	return bits_keyword(&c->versions, w, version_bit, problem, "use 4, 5 or both");
}

/* user NAME */
static bool user_keyword(struct config *c, const struct words *w, struct writer *problem)
{
	const char *name = w->count == 2 ? w->at[1] : "";
	size_t len = strlen(name);

	if (len == 0 || len > CONFIG_USER_MAX)
		return words_error(problem, "user needs a name of 1 to 32 bytes", NULL,
			"use, for example, \"user stdsocks\"");
	if (strcmp(name, "root") == 0)
		return words_error(problem, "invalid user", name, "use a user who is not root");
	memcpy(c->user, name, len + 1);
	return true;
}

/* Keeps words from the first one on. */
static void keep_passwords(struct config *c, const struct words *w, const char *first)
{
	const char *last = w->at[w->count - 1];

	c->passwords_words = (unsigned)w->count - 1;
	memset(c->passwords_text, 0, sizeof c->passwords_text);
	memcpy(c->passwords_text, first, (size_t)(last - first) + strlen(last));
}

/* users FILE | users credential:NAME */
static bool users_keyword(struct config *c, const struct words *w, struct writer *problem)
{
	static const char prefix[] = "credential:";
	const size_t prefix_len = sizeof prefix - 1;
	const char *name = w->count == 2 ? w->at[1] : "";
	bool is_credential = strncmp(name, prefix, prefix_len) == 0;

	if (!is_credential && name[0] != '/')
		return words_error(problem, "users needs an absolute path or a credential", NULL,
			"use \"users /etc/stdsocks/users\" or \"users credential:NAME\"");
	if (is_credential && (!name[prefix_len] || strchr(name, '/')))
		return words_error(problem, "invalid credential", name,
			"use the name of a file in $CREDENTIALS_DIRECTORY");
	c->passwords = is_credential ? CONFIG_USERS_CREDENTIAL : CONFIG_USERS;
	keep_passwords(c, w, is_credential ? name + prefix_len : name);
	return true;
}

/* checkpassword PROGRAM [ARG]... */
static bool checkpassword_keyword(struct config *c, const struct words *w, struct writer *problem)
{
	if (w->count < 2 || w->at[1][0] != '/')
		return words_error(problem, "checkpassword needs an absolute path", NULL,
			"use \"checkpassword /PATH/PROGRAM [ARG]...\"");
	c->passwords = CONFIG_CHECKPASSWORD;
	keep_passwords(c, w, w->at[1]);
	return true;
}

/* sandbox required|best-effort */
static bool sandbox_keyword(struct config *c, const struct words *w, struct writer *problem)
{
	bool best_effort = w->count == 2 && strcmp(w->at[1], "best-effort") == 0;
	if (!best_effort && !(w->count == 2 && strcmp(w->at[1], "required") == 0))
		return words_error(
			problem, "sandbox needs one argument", NULL, "use required or best-effort");
	c->sandbox_best_effort = best_effort;
	return true;
}

static const struct keyword {
	const char *name;
	bool (*apply)(struct config *, const struct words *, struct writer *);
	size_t line_at; /* offset in struct config for the location of the line; 0: none */
} keywords[] = {
	{"auth", auth_keyword, offsetof(struct config, auth_line)},
	{"checkpassword", checkpassword_keyword, offsetof(struct config, passwords_line)},
	{"command", command_keyword, 0},
	{"limit", limit_keyword, 0},
	{"prefork", prefork_keyword, 0},
	{"rate", rate_keyword, 0},
	{"sandbox", sandbox_keyword, 0},
	{"source", source_keyword, 0},
	{"timeout", timeout_keyword, 0},
	{"user", user_keyword, 0},
	{"users", users_keyword, offsetof(struct config, passwords_line)},
	{"version", version_keyword, 0},
};

bool config_is_rule(const struct words_line *line)
{
	struct writer problem = writer_on(NULL, 0);
	struct words words;

	return words_split(line, &words, &problem) && rule_is_rule(&words);
}

bool config_line(struct config *config, struct rules *rules, const struct words_line *line,
	struct writer *problem)
{
	const struct words_line location = {.location = line->location, .number = line->number};
	struct words words;

	if (!words_split(line, &words, problem))
		return false;
	if (words.count == 0)
		return true;
	if (rule_is_rule(&words))
		return rules_add(rules, line, &words, problem);
	for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
		if (strcmp(words.at[0], keywords[i].name) != 0)
			continue;
		if (!keywords[i].apply(config, &words, problem))
			return false;
		if (keywords[i].line_at > 0)
			memcpy((char *)config + keywords[i].line_at, &location, sizeof location);
		return true;
	}
	return words_error(problem, "unknown keyword", words.at[0],
		"use allow, deny, auth, checkpassword, command, limit, prefork, rate, sandbox, "
		"source, timeout, user, users or version");
}

bool config_finish(struct config *c, struct rules *rules, struct writer *problem)
{
	const bool verifies = c->passwords != CONFIG_NO_PASSWORDS;

	if (rules->count == 0)
		rules_add_built_in(rules);
	if (c->auth == 0)
		c->auth = verifies ? CONFIG_AUTH_PASSWORD : CONFIG_AUTH_NONE;
	if (!(c->auth & CONFIG_AUTH_PASSWORD) || verifies)
		return true;
	return words_error(problem, "auth requires passwords, but none are configured", NULL,
		"add \"users FILE\" or \"checkpassword PROGRAM\", or use \"auth none\"");
}
