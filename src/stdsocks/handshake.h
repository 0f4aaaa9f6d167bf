/* SPDX-License-Identifier: ISC */
/* The handshake: greeting, authentication and request, in the order of RFC 1928 and RFC 1929. */
#pragma once

#include "stdsocks/outcome.h"

/* Receives the client's messages up to its request, in the version that the first byte names, and
 * answers them. Returns RECORD_ONGOING: the request is in s->request, and if s->is_authenticated
 * is set, the user is in s->record. Else returns the reason of the end. */
enum record_end handshake_run(struct session *s);
