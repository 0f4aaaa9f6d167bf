/* SPDX-License-Identifier: ISC */
/* text/hex: valid texts and their bytes; errors and their positions. */
#include "text/hex.h"

#include "check.h"

enum { BYTES_MAX = 64 };

/* Parses the text in two parts, the first of `cut` characters. Returns false in state HEX_BAD. */
static bool read_text(struct hex *h, const char *text, size_t len, size_t cut, struct writer *w)
{
	*h = hex_start();
	return hex_read(h, text, cut, w) && hex_read(h, text + cut, len - cut, w) && hex_end(h);
}

static const struct {
	const char *text, *bytes;
	size_t len;
} valid[] = {
	{"", "", 0},
	{" \t\r\n", "", 0},
	{"00", "\0", 1},
	{"05 01 00", "\5\1\0", 3},
	{"050100", "\5\1\0", 3},
	{"0501 00", "\5\1\0", 3},
	{"\t05\r\n01\n\n00 ", "\5\1\0", 3},
	{"0123456789 abcdef ABCDEF aB Fa", "\x01\x23\x45\x67\x89\xab\xcd\xef\xab\xcd\xef\xab\xfa",
		13},
	{"# nothing", "", 0},
	{"05 # VER 5\n01 # \"not quoted, ff \\\n00", "\5\1\0", 3},
	{"05#6\n7f", "\5\x7f", 2},
	{"#\n#\n05", "\5", 1},
	{"\"\"", "", 0},
	{"\"a\"\"b\"", "ab", 2},
	{"0b\"example.com\"0050",
		"\x0b"
		"example.com\0\x50",
		14},
	{"\"a # b 05\"", "a # b 05", 8},
	{"\"\\n\\r\\t\\0\\\\\\\"\"", "\n\r\t\0\\\"", 6},
	{"\"\\x00\\x7F\\xfF\"", "\x00\x7f\xff", 3},
	{"\"\\x41b\\x4142\"", "AbA42", 5},
	{"\"\\01\"", "\0001", 2}, /* not octal: a NUL and a digit */
	{"\"\303\244 \t\"", "\303\244 \t", 4},
	{"05 \"GET / HTTP/1.0\\r\\n\\r\\n\" # done", "\5GET / HTTP/1.0\r\n\r\n", 19},
};

/* Parses each text in one part and in any two parts. A character never produces two bytes: callers
 * rely on it. */
static void parses_valid_texts(void)
{
	EACH_ROW(row, valid, text) {
		size_t len = strlen(row->text);
		for (size_t cut = 0; cut <= len; cut++) {
			char bytes[BYTES_MAX];
			struct writer w = writer_on(bytes, len < sizeof bytes ? len : sizeof bytes);
			struct hex h;
			CHECK(read_text(&h, row->text, len, cut, &w));
			CHECK_BYTES(w.bytes, w.len, row->bytes, row->len);
		}
	}
}

static const struct {
	const char *text;
	size_t line, column;
	const char *what; /* a part of the message */
} invalid[] = {
	{"x", 1, 1, "hex digit"},
	{"05 0g", 1, 5, "incomplete byte"},
	{"05 g0", 1, 4, "hex digit"},
	{"0 5", 1, 2, "incomplete byte"},
	{"05\n01 0\n", 2, 5, "incomplete byte"},
	{"0", 1, 2, "incomplete byte"},
	{"05 01 0", 1, 8, "incomplete byte"},
	{"05\n\n  0x01", 3, 4, "incomplete byte"},
	{"05,01", 1, 3, "hex digit"},
	{"05 # VER\n# x\n\t01 -", 3, 5, "hex digit"},
	{"0\"a\"", 1, 2, "incomplete byte"},
	{"0#", 1, 2, "incomplete byte"},
	{"'a'", 1, 1, "hex digit"},
	{"\\x05", 1, 1, "hex digit"},
	{"05 \303\244", 1, 4, "hex digit"},
	{"@", 1, 1, "hex digit"},
	{"`", 1, 1, "hex digit"},
	{"G", 1, 1, "hex digit"},
	{"/", 1, 1, "hex digit"},
	{":", 1, 1, "hex digit"},
	{"\"a", 1, 3, "not closed"},
	{"\"", 1, 2, "not closed"},
	{"05 \"a\n\"", 1, 6, "not closed"},
	{"\"a\\", 1, 4, "not closed"},
	{"\"a\\\"", 1, 5, "not closed"},
	{"\"a\\q\"", 1, 4, "escape"},
	{"\"\\\n\"", 1, 3, "escape"},
	{"\"\\X41\"", 1, 3, "escape"},
	{"\"\\a\"", 1, 3, "escape"},
	{"\"\\x\"", 1, 4, "two hex digits"},
	{"\"\\xg1\"", 1, 4, "two hex digits"},
	{"\"\\x1\"", 1, 5, "hex digit"},
	{"\"\\x1g\"", 1, 5, "hex digit"},
	{"\"\\x", 1, 4, "not closed"},
	{"\"\\x1", 1, 5, "incomplete byte"},
	{"05\r\n0q", 2, 2, "incomplete byte"},
};

static void reports_the_position_of_an_error(void)
{
	EACH_ROW(row, invalid, text) {
		size_t len = strlen(row->text);
		for (size_t cut = 0; cut <= len; cut++) {
			char bytes[BYTES_MAX];
			struct writer w = writer_on(bytes, sizeof bytes);
			struct hex h;
			CHECK(!read_text(&h, row->text, len, cut, &w));
			CHECK_NUMBER(h.state, HEX_BAD);
			CHECK_NUMBER(h.line, row->line);
			CHECK_NUMBER(h.column, row->column);
			CHECK(h.what && strstr(h.what, row->what));
		}
	}
}

static void is_not_ended_by_a_nul(void)
{
	char bytes[BYTES_MAX];
	struct writer w = writer_on(bytes, sizeof bytes);
	struct hex h = hex_start();
	CHECK(!hex_read(&h, "05\00006", 5, &w));
	CHECK_NUMBER(h.column, 3);
	h = hex_start();
	w = writer_on(bytes, sizeof bytes);
	CHECK(hex_read(&h, "\"a\0b\" # \0\n", 9, &w) && hex_end(&h));
	CHECK_BYTES(w.bytes, w.len, "a\0b", 3);
}

static void stays_bad(void)
{
	char bytes[BYTES_MAX];
	struct writer w = writer_on(bytes, sizeof bytes);
	struct hex h = hex_start();
	CHECK(!hex_read(&h, "05 zz 06\n", 9, &w));
	CHECK(!hex_read(&h, "07\n", 3, &w));
	CHECK(!hex_end(&h));
	CHECK_BYTES(w.bytes, w.len, "\5", 1);
	CHECK_NUMBER(h.line, 1);
	CHECK_NUMBER(h.column, 4);
}

/* Reads every byte as two digits, in lower and upper case, and as an escape sequence. */
static void reads_every_byte(void)
{
	for (unsigned i = 0; i < 256; i++) {
		static const char *const forms[] = {"%02x", "%02X", "\"\\x%02x\"", "\"\\x%02X\""};
		for (size_t form = 0; form < COUNT(forms); form++) {
			char text[16], byte;
			struct writer w = writer_on(&byte, 1);
			struct hex h;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(text, sizeof text, forms[form], i);
#pragma GCC diagnostic pop
			CHECK(read_text(&h, text, strlen(text), 0, &w));
			CHECK_BYTES(w.bytes, w.len, (uint8_t[]){(uint8_t)i}, 1);
		}
	}
}

int main(void)
{
	return CHECK_ALL(parses_valid_texts, reports_the_position_of_an_error,
		is_not_ended_by_a_nul, stays_bad, reads_every_byte);
}
