/* SPDX-License-Identifier: ISC */
#include "stdsocks/settings.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/users.h"
#include "stdsocks/file.h"
#include "wire/large.h"

/* Bytes of an error: an escaped word, the rest of the message, and a location of PATH_MAX. */
#define ERROR_MAX (4 * WORDS_QUOTED_MAX + 512 + PATH_MAX)

/* Bytes of all lines that may be access rules. */
#define LINES_MAX (SETTINGS_FILE_MAX + (size_t)OPTIONS_LINES_MAX * WORDS_LINE_MAX)

/* The configuration file is read in parts of this size: fewer pages cost fewer page faults. */
#define PART_LEN 8192

struct reading {
	const struct options *options;
	struct settings *settings;
	struct writer *problem;
	bool valid;             /* no line of the configuration file had an error */
	struct words_line line; /* of the configuration file: the current one */
	size_t users_count;
};

/* Appends "LOCATION: MESSAGE" to the errors, completely or not at all. Returns false. */
static bool report(struct reading *r, const struct words_line *line, const struct writer *message)
{
	static char text[ERROR_MAX] LARGE;
	struct writer w = writer_on(text, sizeof text);

	words_put_location(&w, line);
	writer_str(&w, ": ");
	writer_bytes(&w, message->bytes, message->len);
	writer_u8(&w, '\n');
	writer_bytes(r->problem, w.bytes, w.len);
	return false;
}

static char message_bytes[ERROR_MAX] LARGE;

/* As words_error(). */
static bool report_error(struct reading *r, const struct words_line *line, const char *what,
	const char *word, const char *advice)
{
	struct writer message = writer_on(message_bytes, sizeof message_bytes);
	words_error(&message, what, word, advice);
	return report(r, line, &message);
}

static bool apply(struct reading *r, const struct words_line *line)
{
	struct writer message = writer_on(message_bytes, sizeof message_bytes);

	return config_line(&r->settings->config, &r->settings->rules, line, &message) ||
		report(r, line, &message);
}

/* Sets *line to the line at *at, and moves *at behind it. Returns false if there is no line, or
 * only the beginning of one. */
static bool next_line(struct words_line *line, const char **at, const char *end, bool is_last)
{
	const char *newline = memchr(*at, '\n', (size_t)(end - *at));

	if (!newline && (!is_last || *at == end))
		return false;
	line->text = *at;
	line->len = (size_t)((newline ? newline : end) - *at);
	line->number++;
	*at = newline ? newline + 1 : end;
	return true;
}

/* Applies the lines in a part of the configuration file, and removes them from it. */
static void apply_part(void *context, struct writer *part, bool is_last)
{
	struct reading *r = context;
	const char *at = part->bytes, *end = at + part->len;

	while (next_line(&r->line, &at, end, is_last))
		r->valid &= apply(r, &r->line);
	part->len = (size_t)(end - at);
	if (part->len > WORDS_LINE_MAX + 1) /* the line is too long, whatever follows */
		part->len = WORDS_LINE_MAX + 1;
	memmove(part->bytes, at, part->len);
}

static bool apply_file(struct reading *r)
{
	/* The path of -f, with a NUL, and a part of the file behind it. Locations need a copy of
	 * the path, because process titles overwrite the arguments. A file whose path does not fit
	 * here cannot be opened. */
	static char bytes[PATH_MAX + PART_LEN] LARGE;
	struct writer path = writer_on(bytes, PATH_MAX - 1);
	if (r->options->file)
		writer_str(&path, r->options->file);
	struct writer part = writer_on(bytes + path.len + 1, PART_LEN);
	const struct file file = {
		.path = r->options->file ? r->options->file : SETTINGS_DEFAULT_FILE,
		.kind = r->options->file ? FILE_NEEDED : FILE_OPTIONAL,
		.max = SETTINGS_FILE_MAX,
		.text = &part,
		.process = apply_part,
		.context = r,
	};
	r->line = (struct words_line){
		.location = r->options->file ? path.bytes : SETTINGS_DEFAULT_FILE};
	r->valid = true;
	return file_read(&file, r->problem) && r->valid;
}

/* Applies the options -o that are rules, or those that are not. */
static bool apply_options(struct reading *r, bool rules)
{
	bool valid = true;
	for (size_t i = 0; i < r->options->lines_count; i++) {
		const char *text = r->options->lines[i];
		struct words_line line = {.text = text, .len = strlen(text), .location = "-o"};
		if (config_is_rule(&line) == rules)
			valid &= apply(r, &line);
	}
	return valid;
}

/* -- The users. */

static bool check_user(struct reading *r, const struct words_line *line)
{
	struct writer message = writer_on(message_bytes, sizeof message_bytes);
	bool is_user;

	if (!users_check_line(line, &is_user, &message))
		return report(r, line, &message);
	r->users_count += is_user;
	return true;
}

/* Returns false if the user's name is in an earlier line, too. This is slow, so only --check uses
 * it; users_know() does not accept such a name. */
static bool check_duplicate(struct reading *r, const struct words_line *line)
{
	const char *at = r->settings->users;
	const size_t len = users_name_len(line);
	struct words_line other = {.number = 0};

	if (len == line->len || line->text[0] == '#')
		return true;
	while (next_line(&other, &at, line->text, true))
		if (other.len > len && memcmp(other.text, line->text, len + 1) == 0) /* "NAME:" */
			return report_error(r, line, "duplicate user, who cannot log in", NULL,
				"remove one of the lines");
	return true;
}

/* Returns the path of the passwords file, or NULL after an error. */
static const char *users_path(struct reading *r)
{
	static char path[PATH_MAX] LARGE;
	const struct config *c = &r->settings->config;
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	struct writer w = writer_on(path, sizeof path - 1);

	if (c->passwords == CONFIG_USERS)
		return c->passwords_text;
	if (directory) {
		writer_str(&w, directory);
		writer_u8(&w, '/');
		writer_str(&w, c->passwords_text);
		if (!w.full)
			return path;
	}
	report_error(r, &c->passwords_line, "no systemd credential", c->passwords_text,
		"set LoadCredential=NAME:FILE in the unit");
	return NULL;
}

/* Applies a function to each user's line. Returns false if it has returned false for any. */
static bool each_user(struct reading *r, const char *path,
	bool (*function)(struct reading *, const struct words_line *))
{
	const char *at = r->settings->users, *end = at + r->settings->users_len;
	struct words_line line = {.location = path};
	bool valid = true;

	while (next_line(&line, &at, end, true))
		valid &= function(r, &line);
	return valid;
}

static bool read_users(struct reading *r)
{
	static char bytes[SETTINGS_USERS_MAX + 1 + USERS_PADDING] LARGE;
	struct writer text = writer_on(bytes, SETTINGS_USERS_MAX + 1);
	const struct file file = {.path = users_path(r),
		.kind = FILE_SECRET,
		.max = SETTINGS_USERS_MAX,
		.text = &text,
		.ret_status = &r->settings->users_status};

	r->settings->users = bytes;
	r->settings->users_path = file.path;
	if (!file.path || !file_read(&file, r->problem))
		return false;
	r->settings->users_len = text.len;
	if (!each_user(r, file.path, check_user))
		return false;
	const struct words_line line = {.location = file.path};
	if (r->users_count == 0)
		return report_error(
			r, &line, "no user in the file", NULL, "add a line NAME:SECRET");
	return r->options->mode != MODE_CHECK || each_user(r, file.path, check_duplicate);
}

static bool check_program(struct reading *r)
{
	const struct config *c = &r->settings->config;
	const char *path = c->passwords_text;
	struct stat file;

	if (stat(path, &file) == 0 && S_ISREG(file.st_mode) && access(path, X_OK) == 0)
		return true;
	return report_error(
		r, &c->passwords_line, "cannot execute", path, "use the path of a program");
}

/* Reads or checks what verifies passwords, if passwords are required. */
static bool read_passwords(struct reading *r)
{
	const struct config *c = &r->settings->config;

	if (!(c->auth & CONFIG_AUTH_PASSWORD))
		return true;
	/* One of the two is configured: config_finish() has checked it. */
	return c->passwords == CONFIG_CHECKPASSWORD ? check_program(r) : read_users(r);
}

/* A variable of this size would make the executable too large for some limits of the address space.
 * The kernel would then kill the process before it can write a message. */
static bool map_rules(struct rules *ret_rules, struct writer *problem)
{
	const size_t size = RULES_MEMORY(LINES_MAX);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*ret_rules = rules_on(memory, memory == MAP_FAILED ? 0 : size);
	if (memory != MAP_FAILED)
		return true;
	writer_str(problem, "cannot map memory for the configuration: ");
	writer_str(problem, strerror(errno));
	writer_str(problem, SETTINGS_MEMORY_ADVICE "\n");
	return false;
}

bool settings_read(const struct options *o, struct settings *ret_settings, struct writer *problem)
{
	struct reading r = {.options = o, .settings = ret_settings, .problem = problem};
	struct writer message = writer_on(message_bytes, sizeof message_bytes);

	*ret_settings = (struct settings){.config = config_default()};
	if (!map_rules(&ret_settings->rules, problem))
		return false;
	ret_settings->rules.keep_text = o->mode == MODE_EXPLAIN;
	if (o->hex)
		ret_settings->config.handshake_us = SETTINGS_HEX_US;

	/* The last setting applies, but the first rule that matches: so that -o takes precedence
	 * over the file, its rules come before the file and its settings after the file. */
	bool valid = apply_options(&r, true);
	valid &= apply_file(&r);
	valid &= apply_options(&r, false);
	if (!valid) /* a setting that config_finish() requires may be in an invalid line */
		return false;
	if (!config_finish(&ret_settings->config, &ret_settings->rules, &message))
		return report(&r, &ret_settings->config.auth_line, &message);
	return read_passwords(&r);
}

void settings_forget_users(struct settings *settings)
{
	if (settings->users)
		explicit_bzero(settings->users, settings->users_len);
	settings->users = NULL;
	settings->users_len = 0;
}
