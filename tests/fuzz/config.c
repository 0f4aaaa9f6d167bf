/* SPDX-License-Identifier: ISC */
/* Fuzzes policy/config, text/words and policy/users: checks the contracts of their headers.
 *
 * Input: the lines of a configuration, which are also the lines of a passwords file. */
#include "policy/config.h"

#include "fuzz.h"
#include "policy/users.h"

enum { LINES_MAX = 4, PROBLEM_MAX = 4 * WORDS_QUOTED_MAX + 512, TEXT_MAX = 1200 };

/* The result of one line. */
struct result {
	bool valid;
	size_t rules;
	struct config config;
	struct writer problem;
	char problem_bytes[PROBLEM_MAX];
};

/* Compares all bytes: padding is equal, because values are copied as a whole. */
static bool same_config(const struct config *a, const struct config *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static bool is_duration(int64_t us)
{
	return us >= CONFIG_DURATION_MIN_US && us <= CONFIG_DURATION_MAX_US;
}

static bool is_timeout(int64_t us)
{
	return us == CONFIG_NEVER_US || is_duration(us);
}

static bool is_rate(uint64_t rate)
{
	return rate == 0 || (rate >= CONFIG_RATE_MIN && rate <= CONFIG_RATE_MAX);
}

/* Each word ends in a NUL, and the first one is a path or the name of a credential. */
static void check_passwords(const struct config *c)
{
	const char *word = c->passwords_text;
	const bool is_path = c->passwords != CONFIG_USERS_CREDENTIAL;

	INVARIANT((c->passwords == CONFIG_NO_PASSWORDS) == (c->passwords_words == 0));
	INVARIANT(c->passwords == CONFIG_CHECKPASSWORD || c->passwords_words <= 1);
	INVARIANT(c->passwords_words < WORDS_MAX);
	if (c->passwords_words > 0)
		INVARIANT((word[0] == '/') == is_path && word[0]);
	for (unsigned i = 0; i < c->passwords_words; i++, word += strlen(word) + 1)
		INVARIANT(word + strlen(word) < c->passwords_text + sizeof c->passwords_text);
}

/* The entries fill the used bytes, and the others are zero. */
static void check_limit(const struct limit *l)
{
	size_t at = 0;

	INVARIANT(l->from <= LIMIT_MAX || l->from == LIMIT_NONE);
	INVARIANT(l->user <= LIMIT_MAX && l->names_used <= LIMIT_NAMES_MAX);
	while (at < l->names_used) {
		const uint8_t *entry = l->names + at, len = entry[2];
		const unsigned limit = limit_of_user(l, entry + LIMIT_NAME_HEAD, len);
		INVARIANT(len > 0 && limit <= LIMIT_MAX && limit == entry[0] * 256U + entry[1]);
		at += (size_t)LIMIT_NAME_HEAD + len;
	}
	INVARIANT(at == l->names_used);
	for (; at < LIMIT_NAMES_MAX; at++)
		INVARIANT(l->names[at] == 0);
}

static void check_ranges(const struct config *c)
{
	check_limit(&c->limit);
	INVARIANT(is_duration(c->handshake_us) && is_duration(c->connect_us));
	INVARIANT(is_timeout(c->idle_us) && is_timeout(c->half_closed_us));
	INVARIANT(is_timeout(c->lifetime_us) && is_timeout(c->refused_login_us));
	INVARIANT(is_rate(c->rate_up) && is_rate(c->rate_down));
	INVARIANT(c->prefork_ready > 0 && c->prefork_ready <= CONFIG_READY_MAX);
	INVARIANT(c->prefork_connections > 0 && c->prefork_connections <= CONFIG_CONNECTIONS_MAX);
	INVARIANT(strnlen(c->device, sizeof c->device) <= CONFIG_DEVICE_MAX);
	INVARIANT(c->source_ipv4.kind == ADDR_NONE || c->source_ipv4.kind == ADDR_IPV4);
	INVARIANT(c->source_ipv6.kind == ADDR_NONE || c->source_ipv6.kind == ADDR_IPV6);
	INVARIANT(c->auth <= (CONFIG_AUTH_NONE | CONFIG_AUTH_PASSWORD));
	INVARIANT((c->passwords == CONFIG_NO_PASSWORDS) == (c->passwords_line.location == NULL));
	check_passwords(c);
}

/* An error has a message without control characters; other lines have none. */
static void check_problem(bool is_error, const struct writer *problem)
{
	INVARIANT(!problem->full && (problem->len > 0) == is_error);
	INVARIANT(fuzz_is_harmless(problem->bytes, problem->len, false));
}

static void apply(const struct config *before, const struct words_line *line, struct result *r)
{
	static _Alignas(struct rule) char memory[RULES_MEMORY(WORDS_LINE_MAX)];
	struct rules rules = rules_on(memory, sizeof(struct rule) + RULE_GROWTH * line->len);

	r->config = *before;
	r->problem = writer_on(r->problem_bytes, sizeof r->problem_bytes);
	r->valid = config_line(&r->config, &rules, line, &r->problem);
	r->rules = rules.count;
	check_problem(!r->valid, &r->problem);
}

/* Blanks, a comment or a CR after the last word change nothing. */
static void check_tail(const struct config *before, const struct words_line *line, const char *tail,
	const struct result *want)
{
	static char text[TEXT_MAX + 8];
	static struct result r;
	struct words_line longer = *line;
	struct writer w = writer_on(text, sizeof text);

	writer_bytes(&w, line->text, line->len);
	writer_str(&w, tail);
	longer.text = text;
	longer.len = w.len;
	if (w.full || w.len > WORDS_LINE_MAX ||
		(line->len > 0 && line->text[line->len - 1] == '\r'))
		return;
	apply(before, &longer, &r);
	INVARIANT(r.valid == want->valid && r.rules == want->rules);
	INVARIANT(same_config(&r.config, &want->config));
}

static void check_line(struct config *config, const struct words_line *line)
{
	static const char *const tails[] = {" ", "\t ", " # \"a", "\r"};
	static struct result first, again;

	apply(config, line, &first);
	if (!first.valid || first.rules > 0)
		INVARIANT(same_config(&first.config, config));
	INVARIANT(first.rules == (config_is_rule(line) && first.valid));
	check_ranges(&first.config);
	apply(&first.config, line, &again);
	INVARIANT(again.valid == first.valid && again.rules == first.rules);
	INVARIANT(same_config(&again.config, &first.config));
	if (first.valid) /* in an open quote the tail would be a part of the word */
		check_tail(config, line, tails[line->len % 4], &first);
	*config = first.config;
}

/* Words in quotes are split into the same words. */
static void check_words(const struct words_line *line)
{
	static struct words words, again;
	char text[WORDS_LINE_MAX];
	struct writer w = writer_on(text, sizeof text);

	struct writer problem = writer_on(NULL, 0);
	if (!words_split(line, &words, &problem))
		return;
	INVARIANT(words.count <= WORDS_MAX);
	for (size_t i = 0; i < words.count; i++) {
		size_t len = strlen(words.at[i]);
		INVARIANT(words.at[i] >= words.text);
		INVARIANT(words.at[i] + len < words.text + sizeof words.text);
		writer_str(&w, "\"");
		writer_bytes(&w, words.at[i], len);
		writer_str(&w, "\" ");
	}
	const struct words_line quoted = {.text = text, .len = w.len};
	if (w.full)
		return;
	INVARIANT(words_split(&quoted, &again, &problem) && again.count == words.count);
	for (size_t i = 0; i < words.count; i++)
		INVARIANT(strcmp(words.at[i], again.at[i]) == 0);
}

/* -- The lines as users. */

/* Gets the logins of the lines. Returns false if a line is invalid. */
static bool take_logins(const struct words_line *lines, size_t count,
	struct socks5_login *ret_logins, size_t *ret_users)
{
	char bytes[PROBLEM_MAX];
	size_t users = 0;

	for (size_t i = 0; i < count; i++) {
		const struct words_line *line = &lines[i];
		struct writer problem = writer_on(bytes, sizeof bytes);
		size_t name_len = users_name_len(line), len = line->len;
		bool is_user, valid = users_check_line(line, &is_user, &problem);
		check_problem(!valid, &problem);
		if (!valid)
			return false;
		if (!is_user)
			continue;
		len -= line->text[len - 1] == '\r';
		INVARIANT(name_len > 0 && name_len <= USERS_NAME_MAX && name_len < len);
		INVARIANT(len - name_len - 1 > 0 && len - name_len - 1 <= USERS_SECRET_MAX);
		ret_logins[users++] = (struct socks5_login){.name = (const uint8_t *)line->text,
			.name_len = (uint8_t)name_len,
			.password = (const uint8_t *)line->text + name_len + 1,
			.password_len = (uint8_t)(len - name_len - 1)};
	}
	*ret_users = users;
	return true;
}

/* A name with one line is accepted with its secret, not with a part of it; a name with two lines is
 * not accepted. */
static void check_users(const struct words_line *lines, size_t count)
{
	const struct words_line *last = &lines[count - 1];
	const size_t len = (size_t)(last->text + last->len - lines[0].text);
	struct socks5_login logins[LINES_MAX];
	size_t users;

	if (!take_logins(lines, count, logins, &users) || users == 0)
		return;
	char *text = malloc(len + USERS_PADDING);
	if (!text)
		abort();
	memcpy(text, lines[0].text, len);
	memset(text + len, 'x', USERS_PADDING);
	for (size_t i = 0; i < users; i++) {
		struct socks5_login *login = &logins[i];
		size_t named = 0;
		for (size_t k = 0; k < users; k++)
			named += fuzz_same(
				login->name, login->name_len, logins[k].name, logins[k].name_len);
		INVARIANT(users_know(text, len, login) == (named == 1));
		login->password_len--;
		INVARIANT(!users_know(text, len, login));
	}
	free(text);
}

static void check_finish(struct config *config)
{
	static _Alignas(struct rule) char memory[RULES_MEMORY(256)];
	struct rules rules = rules_on(memory, sizeof memory);
	char bytes[PROBLEM_MAX];
	struct writer problem = writer_on(bytes, sizeof bytes);
	bool valid = config_finish(config, &rules, &problem);

	check_problem(!valid, &problem);
	INVARIANT(rules.count == 4); /* the built-in ones */
	INVARIANT(config->auth != 0 && (valid || config->auth_line.location));
	INVARIANT(!valid || !(config->auth & CONFIG_AUTH_PASSWORD) || config->passwords);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config = config_default();
	struct words_line lines[LINES_MAX];
	size_t count = 0;
	const char *text = (const char *)data, *end = text + size;

	while (text < end && count < LINES_MAX) {
		lines[count] = fuzz_take_line(&text, end, count + 1);
		check_line(&config, &lines[count]);
		check_words(&lines[count++]);
	}
	if (count > 0)
		check_users(lines, count);
	check_finish(&config);
	return 0;
}
