/* SPDX-License-Identifier: ISC */
/* wire/amount: where each unit begins, and that what is written is read. */
#include "wire/amount.h"

#include "check.h"

static void bytes(void)
{
	static const struct {
		uint64_t bytes;
		const char *text;
		uint64_t read; /* what was cut off is not there */
	} rows[] = {
		{0, "0", 0},
		{999, "999", 999},
		{1000, "1.0K", 1000},
		{1099, "1.0K", 1000},
		{99999, "99.9K", 99900},
		{100000, "100K", 100000},
		{999999, "999K", 999000},
		{1000000, "1.0M", 1000000},
		{12100000, "12.1M", 12100000},
		{999999999, "999M", 999000000},
		{1000000000, "1.0G", 1000000000},
		{UINT64_C(999999999999), "999G", UINT64_C(999000000000)},
		{UINT64_C(1000000000000), "1.0T", UINT64_C(1000000000000)},
		{UINT64_C(1234567000000000), "1234T", UINT64_C(1234000000000000)},
		{UINT64_MAX, "18446744T", UINT64_C(18446744000000000000)},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[32];
		struct writer w = writer_on(text, sizeof text);
		uint64_t read = 1;
		check_about = rows[i].text;
		amount_put_bytes(&w, rows[i].bytes);
		CHECK_TEXT(w, rows[i].text);
		CHECK(amount_bytes(text, w.len, &read) && read == rows[i].read);
		CHECK(amount_shown(rows[i].bytes) == rows[i].read);
	}
}

static void no_bytes(void)
{
	static const char *const texts[] = {"", "K", "1.", "1.5", "1.K", "1.55K", "1k", "1KK", "-1",
		" 1", "1 ", "0x1", "18446745T", "99999999999999999999", "1.5KB"};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		uint64_t read = 7;
		check_about = texts[i];
		CHECK(!amount_bytes(texts[i], strlen(texts[i]), &read) && read == 7);
	}
}

static void spans(void)
{
	static const struct {
		int64_t s;
		const char *text;
	} rows[] = {{0, "0s"}, {59, "59s"}, {60, "1m"}, {3599, "59m"}, {3600, "1h"}, {86399, "23h"},
		{86400, "1d"}, {INT64_C(86400) * 4000, "4000d"}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[32];
		struct writer w = writer_on(text, sizeof text);
		check_about = rows[i].text;
		amount_put_span(&w, rows[i].s * 1000000 + 999999);
		CHECK_TEXT(w, rows[i].text);
	}
}

static void grouped(void)
{
	static const struct {
		uint64_t value;
		const char *text;
	} rows[] = {{0, "0"}, {999, "999"}, {1000, "1,000"}, {1000001, "1,000,001"},
		{UINT64_MAX, "18,446,744,073,709,551,615"}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[32];
		struct writer w = writer_on(text, sizeof text);
		check_about = rows[i].text;
		amount_put_grouped(&w, rows[i].value);
		CHECK_TEXT(w, rows[i].text);
	}
}

int main(void)
{
	grouped();
	bytes();
	no_bytes();
	spans();
	return check_end();
}
