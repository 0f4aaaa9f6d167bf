/* SPDX-License-Identifier: ISC */
/* Parses hex text, the input of --hex:
 *
 *	05 01 00              # pairs of hex digits, white space between bytes, comments
 *	0501 00 "example.com" # digits may run together; quoted text stands for its bytes
 *	"a\"b\\ \r\n\t\0\x7f" # with these escapes, on one line
 */
#pragma once

#include <stddef.h>

#include "wire/writer.h"

/* The state after a character. */
enum hex_state {
	HEX_BETWEEN, /* between bytes */
	HEX_HALF,    /* after the first digit of a byte */
	HEX_COMMENT,
	HEX_QUOTED,
	HEX_ESCAPE,      /* after a backslash */
	HEX_ESCAPE_HIGH, /* after \x */
	HEX_ESCAPE_LOW,  /* after \x and a digit */
	HEX_BAD          /* after an error; the state is final */
};

struct hex {
	enum hex_state state;
	size_t line, column; /* from 1: of the next character or, in HEX_BAD, of the error */
	unsigned high;       /* the first digit of a byte */
	const char *what;    /* in HEX_BAD the error message: a static string */
};

/* Returns the state at the start of a text. */
struct hex hex_start(void);

/* Parses the next len characters and writes their bytes, at most len. Returns false in HEX_BAD; the
 * bytes before the error were written. */
bool hex_read(struct hex *h, const char *text, size_t len, struct writer *w);

/* Ends the text. Returns false in HEX_BAD: also if a byte is incomplete or a quote is not closed.
 */
bool hex_end(struct hex *h);
