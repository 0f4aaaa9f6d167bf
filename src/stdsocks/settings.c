/* SPDX-License-Identifier: ISC */
/* The whole configuration: what is built in, the file, the lines of -o, the users.
 * Knows: their order, and the files. Does not know: what a line means. */
#include "stdsocks/settings.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/users.h"
#include "stdsocks/file.h"
#include "wire/large.h"

/* A mistake: a word that it quotes, escaped; what would do; and a place of PATH_MAX. */
#define MISTAKE_MAX (4 * WORDS_QUOTED_MAX + 512 + 4096)

/* What is read, where it goes, and the mistakes. */
struct reading {
	const struct options *options;
	struct settings *settings;
	struct writer *problem;
	size_t users_count;
};

/* Adds "PLACE:LINE: what; what would do" to the mistakes, whole or not at all. Always false. */
static bool tell(struct reading *r, const struct words_line *line, const struct writer *what)
{
	static char text[MISTAKE_MAX] LARGE;
	struct writer w = writer_on(text, sizeof text);

	words_put_location(&w, line);
	writer_str(&w, ": ");
	writer_bytes(&w, what->bytes, what->len);
	writer_u8(&w, '\n');
	writer_bytes(r->problem, w.bytes, w.len);
	return false;
}

static char what_bytes[MISTAKE_MAX] LARGE;

static bool tell_that(struct reading *r, const struct words_line *line, const char *what,
	const char *word, const char *would_do)
{
	struct writer w = writer_on(what_bytes, sizeof what_bytes);
	words_error(&w, what, word, would_do);
	return tell(r, line, &w);
}

static bool apply(struct reading *r, const struct words_line *line)
{
	struct rules *rules = &r->settings->rules;
	struct writer what = writer_on(what_bytes, sizeof what_bytes);

	switch (config_line(&r->settings->config, line, &what)) {
	case CONFIG_ERROR:
		return tell(r, line, &what);
	case CONFIG_SETTING:
		return true;
	case CONFIG_RULE:
		break;
	}
	if (rules->count == RULES_MAX)
		return tell_that(r, line, "too many rules", NULL, "at most 4096 are read");
	rules->rules[rules->count++] = *line;
	return true;
}

/* Applies a text's lines one by one: false when any is wrong. */
static bool each_line(struct reading *r, const struct writer *text, const char *place,
	bool (*apply_one)(struct reading *, const struct words_line *))
{
	struct words_line line = {.text = text->bytes, .location = place};
	bool right = true;

	for (const char *end = text->bytes + text->len; line.text < end;) {
		const char *newline = memchr(line.text, '\n', (size_t)(end - line.text));
		line.len = (size_t)((newline ? newline : end) - line.text);
		line.number++;
		right &= apply_one(r, &line);
		line.text += line.len + 1;
	}
	return right;
}

static bool apply_file(struct reading *r)
{
	static char bytes[SETTINGS_FILE_MAX + 1] LARGE;
	const char *file = r->options->file;
	struct writer text = writer_on(bytes, sizeof bytes);

	return file_read(file ? file : SETTINGS_DEFAULT_FILE, file ? FILE_NEEDED : FILE_OPTIONAL,
		       &text, r->problem) &&
		each_line(r, &text, file ? file : SETTINGS_DEFAULT_FILE, apply);
}

/* The lines of -o that are rules, or those that are not. */
static bool apply_lines(struct reading *r, bool rules)
{
	bool right = true;
	for (size_t i = 0; i < r->options->lines_count; i++) {
		const char *text = r->options->lines[i];
		struct words_line line = {.text = text, .len = strlen(text), .location = "-o"};
		if (config_is_rule(&line) == rules)
			right &= apply(r, &line);
	}
	return right;
}

/* -- The users. */

static bool check_user(struct reading *r, const struct words_line *line)
{
	struct writer what = writer_on(what_bytes, sizeof what_bytes);
	bool is_user;

	if (!users_check_line(line, &is_user, &what))
		return tell(r, line, &what);
	r->users_count += is_user;
	return true;
}

/* With --check only, for it is slow; and policy/users.h lets nobody in under such a name. */
static bool check_twice(struct reading *r, const struct words_line *line)
{
	const char *all = r->settings->users, *newline;
	size_t len = users_name_len(line);

	if (len == line->len || line->text[0] == '#')
		return true;
	for (const char *at = all; at < line->text; at = newline + 1) {
		newline =
			memchr(at, '\n', (size_t)(line->text - at)); /* there is one before line */
		if ((size_t)(newline - at) > len && at[len] == ':' &&
			memcmp(at, line->text, len) == 0)
			return tell_that(r, line, "a name that stands twice", NULL,
				"nobody gets in under it; take one of them out");
	}
	return true;
}

/* The file that "users" names. Words and path stay for the process's life. */
static const char *users_path(struct reading *r)
{
	static struct words words LARGE;
	static char path[PATH_MAX] LARGE;
	const struct words_line *line = &r->settings->config.passwords_line;
	const size_t prefix_len = strlen(CONFIG_CREDENTIAL);

	words_split(line, &words, NULL); /* it was right before */
	if (strncmp(words.at[1], CONFIG_CREDENTIAL, prefix_len) != 0)
		return words.at[1];

	const char *name = words.at[1] + prefix_len, *directory = getenv("CREDENTIALS_DIRECTORY");
	struct writer w = writer_on(path, sizeof path - 1);
	if (directory) {
		writer_str(&w, directory);
		writer_u8(&w, '/');
		writer_str(&w, name);
		if (!w.full)
			return path;
	}
	tell_that(r, line, "no systemd credentials here, so not", name,
		"LoadCredential=NAME:FILE in the unit would do");
	return NULL;
}

static bool read_users(struct reading *r)
{
	static char bytes[SETTINGS_USERS_MAX + 1 + USERS_PADDING] LARGE;
	struct writer text = writer_on(bytes, SETTINGS_USERS_MAX + 1);
	const char *path = users_path(r);

	r->settings->users = bytes;
	if (!path || !file_read(path, FILE_SECRET, &text, r->problem))
		return false;
	r->settings->users_len = text.len;
	if (!each_line(r, &text, path, check_user))
		return false;
	const struct words_line whole = {.location = path};
	if (r->users_count == 0)
		return tell_that(
			r, &whole, "there is no user in it", NULL, "a line NAME:SECRET would do");
	return r->options->mode != MODE_CHECK || each_line(r, &text, path, check_twice);
}

static bool check_program(struct reading *r)
{
	const struct words_line *line = &r->settings->config.passwords_line;
	static struct words words LARGE;

	words_split(line, &words, NULL);
	struct stat file;
	if (stat(words.at[1], &file) == 0 && S_ISREG(file.st_mode) &&
		access(words.at[1], X_OK) == 0)
		return true;
	return tell_that(r, line, "no program:", words.at[1], "name a file that can be executed");
}

/* Who knows passwords, if anybody has to. */
static bool read_passwords(struct reading *r)
{
	if (!(r->settings->config.auth & CONFIG_AUTH_PASSWORD))
		return true;
	switch (r->settings->config.passwords) {
	case CONFIG_USERS:
		return read_users(r);
	case CONFIG_CHECKPASSWORD:
		return check_program(r);
	case CONFIG_NO_PASSWORDS:
		break;
	}
	return true;
}

bool settings_read(const struct options *o, struct settings *ret_settings, struct writer *problem)
{
	static struct words_line rules[RULES_MAX] LARGE;
	struct reading r = {.options = o, .settings = ret_settings, .problem = problem};
	struct writer what = writer_on(what_bytes, sizeof what_bytes);
	const struct words_line *line;

	*ret_settings = (struct settings){.config = config_default()};
	ret_settings->rules.rules = rules;
	if (o->hex)
		ret_settings->config.handshake_us = SETTINGS_HEX_US;

	/* Of settings the last one holds, of rules the first one that matches: so -o, which comes
	 * last, goes in front with its rules. */
	bool right = apply_lines(&r, true);
	right &= apply_file(&r);
	right &= apply_lines(&r, false);
	if (!right) /* what is missing may stand in a line that is wrong */
		return false;
	if (!config_finish(&ret_settings->config, &line, &what))
		return tell(&r, line, &what);
	return read_passwords(&r);
}

void settings_forget_users(struct settings *settings)
{
	if (settings->users)
		explicit_bzero(settings->users, settings->users_len);
	settings->users = NULL;
	settings->users_len = 0;
}
