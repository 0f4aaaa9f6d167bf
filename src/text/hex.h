/* SPDX-License-Identifier: ISC */
/* Parses hex text, the input of --hex:
 *
 *	05 01 00              # bytes as pairs of hex digits; a '#' begins a comment
 *	0501 00 "example.com" # bytes need no space between them; a quoted text is bytes, too
 *	"a\"b\\ \r\n\t\0\x7f" # the escapes in a quoted text, which ends on its line
 */
#pragma once

#include <stddef.h>

#include "wire/writer.h"

/* The state of the parser after a character. */
enum hex_state {
	HEX_BETWEEN,     /* between bytes */
	HEX_HALF,        /* after the first digit of a byte */
	HEX_COMMENT,     /* in a comment */
	HEX_QUOTED,      /* in a quoted text */
	HEX_ESCAPE,      /* after a backslash */
	HEX_ESCAPE_HIGH, /* after \x */
	HEX_ESCAPE_LOW,  /* after \x and a digit */
	HEX_BAD          /* after an error: the parser cannot continue */
};

/* A parser. It keeps its state between parts of a text. */
struct hex {
	enum hex_state state;
	size_t line, column; /* from 1; of the next character or, in HEX_BAD, of the error */
	unsigned high;       /* in HEX_HALF and HEX_ESCAPE_LOW: the first digit of the byte */
	const char *what;    /* in HEX_BAD: the error message, a static string */
};

/* Returns a parser at the start of a text. */
struct hex hex_start(void);

/* Parses the next len characters of the text, and appends the bytes that they stand for, at most
 * len, to *w. Returns false after an error (HEX_BAD); the bytes before the error have been
 * appended. */
bool hex_read(struct hex *h, const char *text, size_t len, struct writer *w);

/* Call this at the end of the text. Returns false after an error (HEX_BAD). An incomplete byte and
 * a quoted text without its final quote are errors, too. */
bool hex_end(struct hex *h);
