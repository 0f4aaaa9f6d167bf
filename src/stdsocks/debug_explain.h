/* SPDX-License-Identifier: ISC */
/* --explain: what the rules say of a connection that nobody makes.
 * Knows: questions and expectations as text. Does not know: sessions. */
#pragma once

#include "policy/rules.h"

/* Answers one question, or, for "-", each line of standard input, on standard output. A question is
 *
 *	[allow|deny] [from WHO] [user NAME] [command connect] to HOST port PORT
 *
 * and may begin with the answer that is expected; WHO is an address, unix, unix:UID or stdio, which
 * it is when nothing is said. The exit status: 0; EXIT_USAGE when a question is none; EXIT_CONFIG
 *when an answer is not the expected one; EXIT_SYSTEM when questions or answers are lost. */
int explain(const struct rules *rules, const char *question);
