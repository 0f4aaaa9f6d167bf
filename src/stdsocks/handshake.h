/* SPDX-License-Identifier: ISC */
/* The handshake: greeting, authentication and request, in the order of RFC 1928 and RFC 1929. */
#pragma once

#include "stdsocks/outcome.h"

/* Receives the client's messages, up to and including its request, and answers all but the request.
 * The first byte determines the version of the protocol, SOCKS 5 or SOCKS 4. Returns
 * RECORD_ONGOING; the request is then in s->request, and, if s->is_authenticated is set, the user
 * is in s->record.user. If the handshake fails, ends the session and returns the reason. */
enum record_end handshake_run(struct session *s);
