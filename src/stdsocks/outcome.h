/* SPDX-License-Identifier: ISC */
/* The end of a session, and its record.
 *
 * The functions that serve a client return RECORD_ONGOING if the session continues. Otherwise they
 * return the reason of its end, and their callers return it, too, up to session_run(). */
#pragma once

#include "stdsocks/session.h"

/* Ends a session: stores in the record which side has ended it, and the errno that belongs to this,
 * or 0. Returns end. */
enum record_end outcome_end(
	struct session *s, enum record_end end, enum record_who closed_by, int error);

/* Ends a session after its last message. `sent` is the result of sending this message. If it is
 * RECORD_ONGOING, waits until the client has received the message (endpoint_linger()), records that
 * this server has ended the session, with error, and returns end. Otherwise the message was not
 * sent: returns `sent`. */
enum record_end outcome_last_message(
	struct session *s, enum record_end sent, enum record_end end, int error);

/* Ends a session after a last message that refuses the client: does the same as
 * outcome_last_message(), and records why, a static text or NULL. If service is refused to every
 * client (s->input->refusal), the reason and the errno of that refusal, and RECORD_FAILED, replace
 * why, error and end. */
enum record_end outcome_refused(
	struct session *s, enum record_end sent, enum record_end end, int error, const char *why);

/* Ends a session because bytes could not be received from the client or sent to it, and records
 * that. error is 0 if the client has closed its sending direction, and otherwise the -errno of
 * endpoint_read_by(), endpoint_send_by() or wait_poll(); -ENOTCONN, which means that the client has
 * disconnected, is replaced by the cause. Returns the reason of the end. */
enum record_end outcome_client_error(struct session *s, int error);

/* Ends a session after relay_run() or association_run() has returned `how`. Returns the reason of
 * the end. */
enum record_end outcome_relay(struct session *s, enum relay_end how);

/* Completes s->record with the current state of the session, and returns it. The texts to which it
 * points are static. */
const struct record *outcome_record(struct session *s);
