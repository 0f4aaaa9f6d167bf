/* SPDX-License-Identifier: ISC */
/* How a session ended, and the record of it.
 *
 * The functions that serve a client return an enum record_end: RECORD_ONGOING if the session goes
 * on, else the reason of its end. */
#pragma once

#include "stdsocks/session.h"

/* Records the side that ended the session, and the errno behind that, or 0. Returns end, which the
 * caller returns in turn, up to session_run(). */
enum record_end outcome_end(
	struct session *s, enum record_end end, enum record_who closed_by, int error);

/* Waits until the client has read the last message, whose sending returned `sent`. Returns end as
 * outcome_end() does, with RECORD_STDSOCKS. If the message was not
 * sent, returns sent. */
enum record_end outcome_last_message(
	struct session *s, enum record_end sent, enum record_end end, int error);

/* As outcome_last_message(), for a message that refuses the client: why is the reason for the
 * record, a static text, or NULL. If service is refused to every client (session_input), that is
 * the reason, with its errno and RECORD_FAILED. */
enum record_end outcome_refused(
	struct session *s, enum record_end sent, enum record_end end, int error, const char *why);

/* The session ended because bytes could not be received from the client or sent to it. error is the
 * result of endpoint_read_by() or endpoint_send_by(). Returns the reason. */
enum record_end outcome_client_error(struct session *s, int error);

/* The relay or the association in s->relay ended like this. Returns the reason. */
enum record_end outcome_relay(struct session *s, enum relay_end how);

/* Completes s->record with the present state of the session, and returns it. Its texts are static.
 */
const struct record *outcome_record(struct session *s);
