/* SPDX-License-Identifier: ISC */
/* --hex: the same handler between two translators, as a shell would join them:
 * hex text -> bytes | stdsocks | bytes -> annotated hex text.
 * Knows: pipes, what a server sends in which order. Does not know: sessions. */
#pragma once

#include <stdbool.h>

/* Puts the translators, a process each, on descriptors 0 and 1 of this one. False, with errno, when
 * they could not be started. */
bool hexmode_enter(void);

/* Where to say, before the first of two replies is sent, that it is not the last message (BIND).
 * NULL without
 * --hex. */
bool *hexmode_two_replies(void);

/* Waits until all was translated. The exit status: the given one, or EXIT_USAGE for bad hex text.
 */
int hexmode_leave(int status);
