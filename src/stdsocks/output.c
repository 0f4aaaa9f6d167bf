/* SPDX-License-Identifier: ISC */
/* Output that is not part of a session: results of options, and errors. */
#include "stdsocks/output.h"

#include <string.h>
#include <unistd.h>

#include "net/wait.h"
#include "record/log.h"
#include "sandbox/privileges.h"
#include "sandbox/sandbox.h"
#include "wire/large.h"

static const char more_errors[] = "there are more errors; correct these first\n";

struct writer output_error_writer(void)
{
	static char bytes[OUTPUT_ERRORS_MAX] LARGE;

	return writer_on(bytes, sizeof bytes);
}

bool output_bytes(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

int output_text(int fd, const char *text, int status)
{
	return output_bytes(fd, text, strlen(text)) ? status : EXIT_SYSTEM;
}

static void log_line(const struct log *log, const char *text, size_t len)
{
	const struct writer line = {.bytes = (char *)text, .cap = len, .len = len};
	const struct writer no_fields = writer_on(NULL, 0);

	log_write(log, LOG_LEVEL_ERROR, &line, &no_fields, false);
}

static void log_lines(const struct log *log, const struct writer *errors)
{
	const char *end = errors->bytes + errors->len;

	for (const char *line = errors->bytes; line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t len = newline ? (size_t)(newline - line) : (size_t)(end - line);
		log_line(log, line, len);
		line += len + 1;
	}
	if (errors->full)
		log_line(log, more_errors, sizeof more_errors - 2);
}

void output_errors(const struct writer *errors)
{
	wait_block_write_signals();
	struct log first = log_open_for_errors();
	struct log log = log_open(false);

	log_lines(&first, errors);
	if (first.kind == LOG_TO_STDERR &&
		(log.kind == LOG_TO_JOURNAL || log.kind == LOG_TO_SYSLOG))
		log_lines(&log, errors);
	log_close(&first);
	log_close(&log);
}

int output_error(const char *text, int status)
{
	const struct writer error = {.bytes = (char *)text, .len = strlen(text)};

	output_errors(&error);
	return status;
}

int output_check(const struct settings *settings, const struct writer *errors, bool is_valid)
{
	char found[256];
	struct writer w = writer_on(found, sizeof found);

	if (is_valid) {
		sandbox_put_kernel(&w);
		writer_u8(&w, '\n');
		privileges_put_user(&w, settings->config.user);
		writer_u8(&w, '\n');
		return output_bytes(STDOUT_FILENO, w.bytes, w.len) ? EXIT_OVER : EXIT_SYSTEM;
	}
	output_bytes(STDERR_FILENO, errors->bytes, errors->len);
	if (errors->full)
		output_text(STDERR_FILENO, more_errors, EXIT_OVER);
	return EXIT_CONFIG;
}
