/* SPDX-License-Identifier: ISC */
/* Debugging tool, --explain: evaluates the access rules for a request without a connection, and
 * shows each rule and why it matches or not. */
#pragma once

#include "policy/rules.h"

/* Prints the answer to a question or, if it is "-", to each line of standard input. A question is
 *
 *	[allow|deny] [from WHO] [user NAME] [command COMMAND] to HOST [port PORT]
 *
 * and begins with the expected answer, if there is one. WHO is an address, unix, unix:UID or stdio
 * (the default). Returns the exit status: EXIT_OVER; EXIT_USAGE if a question is invalid;
 * EXIT_CONFIG if an answer is not the expected one; EXIT_SYSTEM if standard input or output fails.
 */
int debug_explain(const struct rules *rules, const char *question);
