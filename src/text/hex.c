/* SPDX-License-Identifier: ISC */
#include "text/hex.h"

#include <string.h>

struct hex hex_start(void)
{
	return (struct hex){.line = 1, .column = 1};
}

static enum hex_state bad(struct hex *h, const char *what)
{
	h->what = what;
	return HEX_BAD;
}

/* Returns the value of a hex digit, or -1. */
static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	char lower = (char)(c | 0x20);
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static enum hex_state between(struct hex *h, char c)
{
	if (digit(c) >= 0) {
		h->high = (unsigned)digit(c);
		return HEX_HALF;
	}
	switch (c) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		return HEX_BETWEEN;
	case '#':
		return HEX_COMMENT;
	case '"':
		return HEX_QUOTED;
	default:
		return bad(h, "unexpected character; use hex digits, white space, '#' or '\"'");
	}
}

/* Reads the second digit of a byte. `next` is the state before its first digit. */
static enum hex_state low(struct hex *h, char c, struct writer *w, enum hex_state next)
{
	if (digit(c) < 0)
		return bad(h, "incomplete byte; add a hex digit");
	writer_u8(w, (uint8_t)(h->high << 4 | (unsigned)digit(c)));
	return next;
}

static enum hex_state quoted(struct hex *h, char c, struct writer *w)
{
	if (c == '"')
		return HEX_BETWEEN;
	if (c == '\\')
		return HEX_ESCAPE;
	if (c == '\n')
		return bad(h, "quote not closed on its line; close it with '\"'");
	writer_u8(w, (uint8_t)c);
	return HEX_QUOTED;
}

static enum hex_state escape(struct hex *h, char c, struct writer *w)
{
	static const char names[] = "nrt0\\\"", values[] = "\n\r\t\0\\\"";
	if (c == 'x')
		return HEX_ESCAPE_HIGH;
	const char *name = memchr(names, c, sizeof names - 1);
	if (!name)
		return bad(h, "unknown escape; use \\n, \\r, \\t, \\0, \\\\, \\\" or \\xHH");
	writer_u8(w, (uint8_t)values[name - names]);
	return HEX_QUOTED;
}

static enum hex_state escape_high(struct hex *h, char c)
{
	if (digit(c) < 0)
		return bad(h, "incomplete \\x; use two hex digits");
	h->high = (unsigned)digit(c);
	return HEX_ESCAPE_LOW;
}

static enum hex_state next_state(struct hex *h, char c, struct writer *w)
{
	switch (h->state) {
	case HEX_BETWEEN:
		return between(h, c);
	case HEX_HALF:
		return low(h, c, w, HEX_BETWEEN);
	case HEX_COMMENT:
		return c == '\n' ? HEX_BETWEEN : HEX_COMMENT;
	case HEX_QUOTED:
		return quoted(h, c, w);
	case HEX_ESCAPE:
		return escape(h, c, w);
	case HEX_ESCAPE_HIGH:
		return escape_high(h, c);
	case HEX_ESCAPE_LOW:
		return low(h, c, w, HEX_QUOTED);
	case HEX_BAD:
		break;
	}
	return HEX_BAD;
}

bool hex_read(struct hex *h, const char *text, size_t len, struct writer *w)
{
	for (size_t i = 0; i < len; i++) {
		h->state = next_state(h, text[i], w);
		if (h->state == HEX_BAD)
			return false;
		h->column++;
		if (text[i] == '\n') {
			h->line++;
			h->column = 1;
		}
	}
	return true;
}

bool hex_end(struct hex *h)
{
	if (h->state == HEX_HALF || h->state == HEX_ESCAPE_LOW)
		h->state = bad(h, "incomplete byte; add a hex digit");
	else if (h->state != HEX_BETWEEN && h->state != HEX_COMMENT && h->state != HEX_BAD)
		h->state = bad(h, "quote not closed; close it with '\"'");
	return h->state != HEX_BAD;
}
