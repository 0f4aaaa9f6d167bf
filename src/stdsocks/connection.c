/* SPDX-License-Identifier: ISC */
/* A connection: its session, and the log entry of that. */
#include "stdsocks/connection.h"

#include "record/title.h"
#include "wire/large.h"

/* Port scanners and other clients that do not use SOCKS could fill the log. */
static enum log_level level_of(const struct record *r)
{
	if (r->end == RECORD_FAILED)
		return LOG_LEVEL_ERROR;
	return r->has_greeting ? LOG_LEVEL_NOTICE : LOG_LEVEL_INFO;
}

int connection_run(const struct session_input *input, const struct log *log, bool with_fields)
{
	struct record record;
	static char message_bytes[RECORD_MESSAGE_MAX] LARGE, fields_bytes[RECORD_FIELDS_MAX] LARGE;

	session_run(input, &record);
	title_ended(&record); /* journald stores the title with the record, which says more */

	struct writer message = writer_on(message_bytes, sizeof message_bytes);
	struct writer fields = writer_on(fields_bytes, sizeof fields_bytes);
	record_put_message(&message, &record);
	record_put_fields(&fields, &record);
	log_write(log, level_of(&record), &message, &fields, with_fields);
	if (input->refusal.exit_status)
		return input->refusal.exit_status;
	if (record.end == RECORD_FAILED)
		return EXIT_SYSTEM;
	return record.has_greeting ? EXIT_OVER : input->stranger_status;
}
