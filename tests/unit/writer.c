/* SPDX-License-Identifier: ISC */
/* wire/writer: writes a value whole or not at all, and escapes bytes that are not printable. */
#include "wire/writer.h"

#include "check.h"

enum { U8, U16, BYTES, NOTHING, STR, DECIMAL, HEX, ESCAPED, ESCAPED_HEX, PLAIN, QUOTED, PUTS };
enum { BEFORE = 2, ROOM_MAX = 8 };

static const struct {
	const char *name, *bytes;
	size_t len;
} puts_[PUTS] = {
	[U8] = {"u8", "a", 1},
	[U16] = {"u16", "AB", 2},
	[BYTES] = {"bytes", "1\0003", 3},
	[NOTHING] = {"nothing", "", 0},
	[STR] = {"str", "text", 4},
	[DECIMAL] = {"decimal", "001080", 6},
	[HEX] = {"hex", "a5", 2},
	[ESCAPED] = {"escaped", "\\n\\\"", 4},
	[ESCAPED_HEX] = {"escaped hex", "a\\x7fb", 6},
	[PLAIN] = {"plain", "a.b", 3},
	[QUOTED] = {"quoted", "\"\\x80 \"", 7},
};

static void put(struct writer *w, size_t which)
{
	switch (which) {
	case U8:
		writer_u8(w, 'a');
		break;
	case U16:
		writer_u16(w, 0x4142);
		break;
	case BYTES:
		writer_bytes(w, "1\0003", 3);
		break;
	case NOTHING:
		writer_bytes(w, "", 0);
		break;
	case STR:
		writer_str(w, "text");
		break;
	case DECIMAL:
		writer_decimal(w, 1080, 6);
		break;
	case HEX:
		writer_hex(w, 0xa5);
		break;
	case ESCAPED:
		writer_escaped(w, "\n\"", 2);
		break;
	case ESCAPED_HEX:
		writer_escaped(w, "a\177b", 3);
		break;
	case PLAIN:
		writer_quoted(w, "a.b", 3);
		break;
	case QUOTED:
		writer_quoted(w, "\200 ", 2);
		break;
	}
}

/* Tests space for the whole value, for a part of it, and for none, after two earlier bytes. */
static void writes_a_value_whole_or_not_at_all(void)
{
	for (size_t i = 0; i < PUTS; i++) {
		for (size_t room = 0; room <= ROOM_MAX; room++) {
			char bytes[BEFORE + ROOM_MAX + 1];
			struct writer w = writer_on(bytes, BEFORE + room);
			bool fits = puts_[i].len <= room;
			check_about = puts_[i].name;
			memset(bytes, '~', sizeof bytes);
			writer_str(&w, "<<");
			put(&w, i);
			CHECK_NUMBER(w.full, !fits);
			CHECK_NUMBER(w.len, BEFORE + (fits ? puts_[i].len : 0));
			CHECK_BYTES(bytes, BEFORE, "<<", BEFORE);
			if (fits)
				CHECK_BYTES(
					bytes + BEFORE, puts_[i].len, puts_[i].bytes, puts_[i].len);
			CHECK(bytes[BEFORE + room] == '~');
		}
	}
}

static void writes_nothing_when_full(void)
{
	for (size_t i = 0; i < PUTS; i++) {
		char bytes[ROOM_MAX];
		struct writer w = writer_on(bytes, sizeof bytes);
		check_about = puts_[i].name;
		writer_str(&w, "123456789");
		CHECK(w.full);
		put(&w, i);
		CHECK(w.full);
		CHECK_NUMBER(w.len, 0);
	}

	struct writer none = writer_on(NULL, 0);
	CHECK(!none.full);
	writer_u8(&none, 0);
	CHECK(none.full);
}

static void writes_decimal_numbers(void)
{
	static const struct {
		uint64_t value;
		unsigned digits;
		const char *text;
	} rows[] = {
		{0, 1, "0"},
		{0, 0, "0"},
		{0, 3, "000"},
		{7, 1, "7"},
		{9, 3, "009"},
		{10, 1, "10"},
		{999, 3, "999"},
		{1000, 3, "1000"},
		{65535, 1, "65535"},
		{UINT32_MAX, 1, "4294967295"},
		{UINT64_C(4294967296), 1, "4294967296"},
		{INT64_MAX, 1, "9223372036854775807"},
		{UINT64_C(9999999999999999999), 1, "9999999999999999999"},
		{UINT64_C(10000000000000000000), 1, "10000000000000000000"},
		{UINT64_MAX, 1, "18446744073709551615"},
		{UINT64_MAX, 20, "18446744073709551615"},
		{1, 20, "00000000000000000001"},
	};
	EACH_ROW(row, rows, text)
		CHECK_PUT(row->text, writer_decimal, row->value, row->digits);
}

static void writes_hex_digits(void)
{
	for (unsigned i = 0; i < 256; i++) {
		char want[3];
		snprintf(want, sizeof want, "%02x", i);
		CHECK_PUT(want, writer_hex, (uint8_t)i);
	}
}

/* Writes the expected text of a byte. */
static void escape(unsigned byte, char ret_text[5])
{
	static const char named[] = "\n\r\t\"\\", names[] = "nrt\"\\";
	const char *name = byte ? strchr(named, (int)byte) : NULL;

	if (name)
		snprintf(ret_text, 5, "\\%c", names[name - named]);
	else if (byte < ' ' || byte > '~')
		snprintf(ret_text, 5, "\\x%02x", byte);
	else
		snprintf(ret_text, 5, "%c", (int)byte);
}

/* The text of every byte is printable, and hex_read() parses it in quotes as the same byte. */
static void escapes_every_byte(void)
{
	for (unsigned i = 0; i < 256; i++) {
		const uint8_t byte = (uint8_t)i;
		char want[5];
		escape(i, want);
		CHECK_PUT(want, writer_escaped, &byte, 1);

		writer_u8(check_writer(), '"');
		writer_escaped(&check_written, &byte, 1);
		writer_u8(&check_written, '"');
		CHECK(fuzz_is_hex_of(&check_written, &byte, 1));
	}
}

/* Two bytes are enough, because a text is plain if each of its bytes is. */
static void quotes_every_byte_that_is_not_plain(void)
{
	static const char plain[] =
		"0123456789.-_@ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

	for (unsigned i = 0; i < 256; i++) {
		for (unsigned j = 0; j < 256; j++) {
			const uint8_t bytes[] = {(uint8_t)i, (uint8_t)j};
			const bool is_plain = memchr(plain, bytes[0], sizeof plain - 1) &&
				memchr(plain, bytes[1], sizeof plain - 1);
			CHECK(writer_is_plain(bytes, 2) == is_plain);
			writer_quoted(check_writer(), bytes, 2);
			if (is_plain)
				CHECK_BYTES(check_written.bytes, check_written.len, bytes, 2);
			else
				CHECK(fuzz_is_hex_of(&check_written, bytes, 2));
		}
	}
	CHECK(!writer_is_plain("", 0));
	CHECK_PUT("\"\"", writer_quoted, "", 0);
	CHECK_PUT("\"a b\\\"\"", writer_quoted, "a b\"", 4);
}

/* A client may send field separators of the journal, escape sequences of a terminal, and a NUL. */
static void escapes_control_characters(void)
{
	static const char evil[] = "x\nMESSAGE=y\r\033[2J\0\\\"\177\377";
	CHECK_PUT("x\\nMESSAGE=y\\r\\x1b[2J\\x00\\\\\\\"\\x7f\\xff", writer_escaped, evil,
		sizeof evil - 1);
}

int main(void)
{
	return CHECK_ALL(writes_a_value_whole_or_not_at_all, writes_nothing_when_full,
		writes_decimal_numbers, writes_hex_digits, escapes_every_byte,
		quotes_every_byte_that_is_not_plain, escapes_control_characters);
}
