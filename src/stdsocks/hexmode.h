/* SPDX-License-Identifier: ISC */
/* --hex: the same handler between two translators, as a shell would join them:
 * hex text -> bytes | stdsocks | bytes -> annotated hex text.
 * Knows: pipes, what a server sends in which order. Does not know: sessions. */
#pragma once

#include <stdbool.h>

/* Splits the process in three. Returns in the one that is to serve, with the translators on its
 * descriptors 0 and 1; the other two end by themselves, the first one, with the server's exit
 * status or EXIT_USAGE for bad hex text, last. False, with errno, when it could not split. */
bool hexmode_enter(void);
