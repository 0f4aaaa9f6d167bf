/* SPDX-License-Identifier: ISC */
/* The option --hex, a debugging tool: the client is a person or a script that writes hex text. Two
 * child processes, the translators, convert standard input from hex text to bytes, and the bytes
 * for standard output to annotated hex text. */
#pragma once

#include <stdbool.h>

/* Starts the two translators, and replaces descriptors 0 and 1 by pipes from and to them. Returns
 * false and sets errno if they cannot be started. */
bool debug_hex_enter(void);

/* Returns a pointer to a flag in shared memory, or NULL without --hex. BIND sets the flag before it
 * sends its first reply: a translator then expects a second reply, before relayed bytes. */
bool *debug_hex_two_replies(void);

/* Closes descriptors 0 and 1, and waits until the translators, two child processes, have ended.
 * Returns status; or EXIT_USAGE if the hex text was invalid. */
int debug_hex_leave(int status);
