/* SPDX-License-Identifier: ISC */
/* text/amount: writes the first amount of each unit, and parses written amounts. */
#include "text/amount.h"

#include "check.h"

static void bytes(void)
{
	static const struct {
		uint64_t bytes;
		const char *text;
		uint64_t read; /* rounded down */
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

	EACH_ROW(row, rows, text) {
		char text[32];
		struct writer w = writer_on(text, sizeof text);
		uint64_t read = 1;
		amount_put_bytes(&w, row->bytes);
		CHECK_TEXT(w, row->text);
		CHECK(amount_bytes(text, w.len, &read) && read == row->read);
	}
}

static void no_bytes(void)
{
	static const char *const texts[] = {"", "K", "1.", "1.5", "1.K", "1.55K", "1k", "1KK", "-1",
		" 1", "1 ", "0x1", "18446745T", "18446744073709551616", "99999999999999999999",
		"1.5KB"};

	EACH_TEXT(text, texts) {
		uint64_t read = 7;
		CHECK(!amount_bytes(text, strlen(text), &read) && read == 7);
	}
}

static void spans(void)
{
	static const struct {
		int64_t s;
		const char *text;
	} rows[] = {{0, "0s"}, {59, "59s"}, {60, "1m"}, {3599, "59m"}, {3600, "1h"}, {86399, "23h"},
		{86400, "1d"}, {INT64_C(86400) * 4000, "4000d"}};

	EACH_ROW(row, rows, text)
		CHECK_PUT(row->text, amount_put_span, row->s * 1000000 + 999999);
}

static void grouped(void)
{
	static const struct {
		uint64_t value;
		const char *text;
	} rows[] = {{0, "0"}, {999, "999"}, {1000, "1,000"}, {1000001, "1,000,001"},
		{UINT64_MAX, "18,446,744,073,709,551,615"}};

	EACH_ROW(row, rows, text)
		CHECK_PUT(row->text, amount_put_grouped, row->value);
}

int main(void)
{
	return CHECK_ALL(grouped, bytes, no_bytes, spans);
}
