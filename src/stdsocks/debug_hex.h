/* SPDX-License-Identifier: ISC */
/* --hex: the handler between two translators, as in a shell's pipeline:
 * hex text -> bytes | stdsocks | bytes -> annotated hex text. */
#pragma once

#include <stdbool.h>

/* Starts the translators, each in a process, and makes pipes to them descriptors 0 and 1. Returns
 * false, with errno, if they cannot be started. */
bool debug_hex_enter(void);

/* Returns the flag to set before the first of two replies is sent (BIND), so that the second one is
 * translated as a reply; NULL without --hex. */
bool *debug_hex_two_replies(void);

/* Waits until everything is translated. Returns status, or EXIT_USAGE for invalid hex text. */
int debug_hex_leave(int status);
