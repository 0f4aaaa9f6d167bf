/* SPDX-License-Identifier: ISC */
/* The option --explain, a debugging tool: evaluates the access rules for a request without a
 * connection, and prints for each rule whether it matches, and why. */
#pragma once

#include "stdsocks/settings.h"

/* Answers a question, on standard output. If the question is "-", answers each line of standard
 * input. A question is
 *
 *	[allow|deny] [from WHO] [user NAME] [command COMMAND] to HOST [port PORT]
 *
 * "allow" or "deny" is the expected answer. WHO is an address, unix, unix:UID or stdio, which is
 * the default. Returns the exit status: EXIT_OVER; EXIT_USAGE if a question is invalid; EXIT_CONFIG
 * if an answer is not the expected one; EXIT_SYSTEM if standard input or output fails. */
int debug_explain(const struct settings *settings, const char *question);
