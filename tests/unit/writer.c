/* SPDX-License-Identifier: ISC */
/* wire/writer: what is put is there whole or not at all, numbers and strangers' bytes as text. */
#include "wire/writer.h"

#include "check.h"
#include "wire/hex.h"

static void put_u8(struct writer *w)
{
	writer_u8(w, 'a');
}

static void put_u16(struct writer *w)
{
	writer_u16(w, 0x4142);
}

static void put_bytes(struct writer *w)
{
	writer_bytes(w, "1\0003", 3);
}

static void put_nothing(struct writer *w)
{
	writer_bytes(w, "", 0);
}

static void put_str(struct writer *w)
{
	writer_str(w, "text");
}

static void put_decimal(struct writer *w)
{
	writer_decimal(w, 1080, 6);
}

static void put_hex(struct writer *w)
{
	writer_hex(w, 0xa5);
}

static void put_escaped(struct writer *w)
{
	writer_escaped(w, "\n\"", 2);
}

static void put_escaped_hex(struct writer *w)
{
	writer_escaped(w, "a\177b", 3);
}

static const struct {
	const char *name;
	void (*put)(struct writer *);
	const char *bytes;
	size_t len;
} puts_[] = {
	{"u8", put_u8, "a", 1},
	{"u16", put_u16, "AB", 2},
	{"bytes", put_bytes, "1\0003", 3},
	{"nothing", put_nothing, "", 0},
	{"str", put_str, "text", 4},
	{"decimal", put_decimal, "001080", 6},
	{"hex", put_hex, "a5", 2},
	{"escaped", put_escaped, "\\n\\\"", 4},
	{"escaped hex", put_escaped_hex, "a\\x7fb", 6},
};
enum { PUTS = sizeof puts_ / sizeof puts_[0], BEFORE = 2, ROOM_MAX = 8 };

/* With room for all of it, for some of it, or for none, behind two bytes that are there already. */
static void puts_whole_or_not_at_all(void)
{
	for (size_t i = 0; i < PUTS; i++) {
		for (size_t room = 0; room <= ROOM_MAX; room++) {
			char bytes[BEFORE + ROOM_MAX + 1];
			struct writer w = writer_on(bytes, BEFORE + room);
			bool fits = puts_[i].len <= room;
			check_about = puts_[i].name;
			memset(bytes, '~', sizeof bytes);
			writer_str(&w, "<<");
			puts_[i].put(&w);
			CHECK_NUMBER(w.full, !fits);
			CHECK_NUMBER(w.len, BEFORE + (fits ? puts_[i].len : 0));
			CHECK_BYTES(bytes, BEFORE, "<<", BEFORE);
			if (fits)
				CHECK_BYTES(
					bytes + BEFORE, puts_[i].len, puts_[i].bytes, puts_[i].len);
			CHECK(bytes[BEFORE + room] == '~');
		}
	}
	check_about = NULL;
}

static void puts_nothing_once_full(void)
{
	for (size_t i = 0; i < PUTS; i++) {
		char bytes[ROOM_MAX];
		struct writer w = writer_on(bytes, sizeof bytes);
		check_about = puts_[i].name;
		writer_str(&w, "123456789");
		CHECK(w.full);
		puts_[i].put(&w);
		CHECK(w.full);
		CHECK_NUMBER(w.len, 0);
	}
	check_about = NULL;

	struct writer none = writer_on(NULL, 0);
	CHECK(!none.full);
	writer_u8(&none, 0);
	CHECK(none.full);
}

static void puts_decimals(void)
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
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char bytes[32];
		struct writer w = writer_on(bytes, sizeof bytes);
		writer_decimal(&w, rows[i].value, rows[i].digits);
		CHECK_TEXT(w, rows[i].text);
	}
}

static void puts_hex_digits(void)
{
	for (unsigned i = 0; i < 256; i++) {
		char bytes[2], want[3];
		struct writer w = writer_on(bytes, sizeof bytes);
		snprintf(want, sizeof want, "%02x", i);
		writer_hex(&w, (uint8_t)i);
		CHECK_TEXT(w, want);
	}
}

/* The text of one byte. */
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

/* Every byte comes out printable, and comes back when the text is read as hex text in quotes. */
static void escapes_every_byte(void)
{
	for (unsigned i = 0; i < 256; i++) {
		char bytes[4], back_bytes[1], want[5];
		struct writer w = writer_on(bytes, sizeof bytes);
		struct writer back = writer_on(back_bytes, sizeof back_bytes);
		struct hex h = hex_start();

		escape(i, want);
		writer_escaped(&w, (uint8_t[]){(uint8_t)i}, 1);
		CHECK_TEXT(w, want);
		CHECK(hex_read(&h, "\"", 1, &back) && hex_read(&h, w.bytes, w.len, &back) &&
			hex_read(&h, "\"", 1, &back) && hex_end(&h));
		CHECK_BYTES(back.bytes, back.len, (uint8_t[]){(uint8_t)i}, 1);
	}
}

/* The journal's field separators, a terminal's escapes and a NUL, as a stranger would send them. */
static void escapes_what_could_do_harm(void)
{
	static const char evil[] = "x\nMESSAGE=y\r\033[2J\0\\\"\177\377";
	char bytes[80];
	struct writer w = writer_on(bytes, sizeof bytes);
	writer_escaped(&w, evil, sizeof evil - 1);
	CHECK_TEXT(w, "x\\nMESSAGE=y\\r\\x1b[2J\\x00\\\\\\\"\\x7f\\xff");
}

int main(void)
{
	puts_whole_or_not_at_all();
	puts_nothing_once_full();
	puts_decimals();
	puts_hex_digits();
	escapes_every_byte();
	escapes_what_could_do_harm();
	return check_end();
}
