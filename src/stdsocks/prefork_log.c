/* SPDX-License-Identifier: ISC */
/* Log entries of the supervisor and the zygote, which have no connection. */
#include "stdsocks/prefork_log.h"

void prefork_log(const struct log *log, const char *text, const char *detail, const char *more)
{
	struct log waitless = *log;
	char bytes[256];
	struct writer w = writer_on(bytes, sizeof bytes);
	const struct writer no_fields = writer_on(NULL, 0);

	writer_str(&w, text);
	writer_str(&w, detail);
	writer_str(&w, more);
	waitless.never_waits = true;
	log_write(&waitless, LOG_LEVEL_ERROR, &w, &no_fields, false);
}

const char *prefork_log_number(uint64_t number)
{
	static char bytes[24];
	struct writer w = writer_on(bytes, sizeof bytes - 1);

	writer_decimal(&w, number, 1);
	bytes[w.len] = '\0';
	return bytes;
}
