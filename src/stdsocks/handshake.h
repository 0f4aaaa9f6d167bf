/* SPDX-License-Identifier: ISC */
/* Everything up to a request: greeting, login, and what the client wants.
 * Knows: the order of the messages, in both versions. Does not know: where requests may lead. */
#pragma once

#include "stdsocks/talk.h"

/* Hears the client up to its request, in the version that the first byte tells: s->request, and in
 * s->context who asks. */
bool request_hear(struct session *s);
