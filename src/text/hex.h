/* SPDX-License-Identifier: ISC */
/* Hex text, the language of --hex: what a person types in place of bytes.
 * Knows: its grammar. Does not know: SOCKS, files.
 *
 *	05 01 00              # pairs of hex digits, white space between bytes, comments
 *	0501 00 "example.com" # digits may run together; quoted text stands for its bytes
 *	"a\"b\\ \r\n\t\0\x7f" # with these escapes, on one line
 */
#pragma once

#include <stddef.h>

#include "wire/writer.h"

enum hex_state {
	HEX_BETWEEN, /* bytes */
	HEX_HALF,    /* a byte's first digit was seen */
	HEX_COMMENT,
	HEX_QUOTED,
	HEX_ESCAPE,      /* after a backslash */
	HEX_ESCAPE_HIGH, /* after \x */
	HEX_ESCAPE_LOW,  /* after \x and a digit */
	HEX_BAD          /* for good; `what` tells why */
};

/* All zero but line and column, which count from 1, is the start. */
struct hex {
	enum hex_state state;
	size_t line, column; /* of the next character; when BAD, of the one at fault */
	unsigned high;       /* a byte's first digit */
	const char *what;    /* when BAD: a static string */
};

/* At line 1, column 1. */
struct hex hex_start(void);

/* Reads len characters, puts the bytes that they stand for: at most len. True unless BAD. */
bool hex_read(struct hex *h, const char *text, size_t len, struct writer *w);

/* Says that the text has ended. True unless BAD: half a byte, or a quote left open. */
bool hex_end(struct hex *h);
