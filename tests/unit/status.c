/* SPDX-License-Identifier: ISC */
/* record/status: the line's every part, at its edges, and harmless whatever a client sent. */
#include "record/status.h"

#include "check.h"

static char text_bytes[STATUS_MAX];

static struct writer line_of(const struct record *record, uint64_t rate)
{
	struct writer w = writer_on(text_bytes, sizeof text_bytes - strlen("STATUS="));
	status_put(&w, record, rate);
	CHECK(!w.full);
	for (size_t i = 0; i < w.len; i++)
		CHECK(w.bytes[i] >= 0x20 && w.bytes[i] <= 0x7e);
	return w;
}

static struct record connection(void)
{
	return (struct record){
		.client_kind = "inet",
		.client = addr_of(ADDR_IPV4, "\xc0\0\2\7", 4, 51234),
		.dst = addr_of(ADDR_NAME, "example.com", 11, 443),
		.up = 3412,
		.down = 12199999,
		.total_us = INT64_C(180000000),
	};
}

static void says_what_a_connection_is(void)
{
	struct record record = connection();
	CHECK_TEXT(line_of(&record, 0), "192.0.2.7 -> example.com:443, 3.4K up, 12.1M down, 3m");
	record.user = "alice";
	record.user_len = 5;
	CHECK_TEXT(line_of(&record, 1200000),
		"192.0.2.7 alice -> example.com:443, 3.4K up, 12.1M down, 1.2M/s, 3m");
	record.command = SOCKS5_UDP_ASSOCIATE;
	CHECK_TEXT(line_of(&record, 0),
		"192.0.2.7 alice -> UDP ASSOCIATE example.com:443, 3.4K up, 12.1M down, 3m");
	record.command = SOCKS5_CONNECT;
	record.user_len = 0; /* the empty name is a name in RFC 1929, but no word here */
	record.up = record.down = 0;
	record.total_us = 0;
	CHECK_TEXT(line_of(&record, 1), "192.0.2.7 -> example.com:443, 0 up, 0 down, 1/s, 0s");
}

static void says_who_and_where_in_every_form(void)
{
	struct record record = connection();
	record.client = addr_of(ADDR_IPV6, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16, 9);
	record.dst = addr_of(ADDR_IPV6, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2", 16, 65535);
	CHECK_TEXT(
		line_of(&record, 0), "2001:db8::1 -> [2001:db8::2]:65535, 3.4K up, 12.1M down, 3m");
	/* An address that was sent as a name. */
	record.dst = addr_of(ADDR_NAME, "2001:DB8:0::2", 13, 1);
	record.client = (struct addr){.kind = ADDR_NONE};
	record.client_kind = "unix";
	CHECK_TEXT(line_of(&record, 0), "unix -> [2001:db8::2]:1, 3.4K up, 12.1M down, 3m");
	record.dst = addr_of(ADDR_IPV4, "\xff\xff\xff\xff", 4, 80);
	record.client_kind = "stdio";
	CHECK_TEXT(line_of(&record, 0), "stdio -> 255.255.255.255:80, 3.4K up, 12.1M down, 3m");
}

/* Each amount in all three places. */
static void rounds_amounts_down(void)
{
	static const struct {
		uint64_t amount;
		const char *text;
	} rows[] = {
		{1, "1"},
		{9, "9"},
		{10, "10"},
		{999, "999"},
		{1000, "1.0K"},
		{1023, "1.0K"},
		{1099, "1.0K"},
		{1100, "1.1K"},
		{9999, "9.9K"},
		{10000, "10.0K"},
		{99999, "99.9K"},
		{100000, "100K"},
		{100999, "100K"},
		{101000, "101K"},
		{999999, "999K"},
		{1000000, "1.0M"},
		{1048576, "1.0M"},
		{99999999, "99.9M"},
		{100000000, "100M"},
		{999999999, "999M"},
		{1000000000, "1.0G"},
		{UINT64_C(4294967296), "4.2G"},
		{UINT64_C(999999999999), "999G"},
		{UINT64_C(1000000000000), "1.0T"},
		{UINT64_C(99999999999999), "99.9T"},
		{UINT64_C(100000000000000), "100T"},
		{UINT64_C(999999999999999), "999T"},
		{UINT64_C(1000000000000000), "1000T"},
		{UINT64_MAX, "18446744T"},
	};
	struct record record = connection();

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char want[128];
		check_about = rows[i].text;
		record.up = record.down = rows[i].amount;
		snprintf(want, sizeof want,
			"192.0.2.7 -> example.com:443, %s up, %s down, %s/s, 3m", rows[i].text,
			rows[i].text, rows[i].text);
		CHECK_TEXT(line_of(&record, rows[i].amount), want);
	}
	check_about = NULL;
}

static void says_the_age_in_one_unit(void)
{
	static const struct {
		int64_t age_s;
		const char *text;
	} rows[] = {
		{0, "0s"},
		{1, "1s"},
		{45, "45s"},
		{59, "59s"},
		{60, "1m"},
		{119, "1m"},
		{120, "2m"},
		{3599, "59m"},
		{3600, "1h"},
		{7199, "1h"},
		{86399, "23h"},
		{86400, "1d"},
		{INT64_C(31536000) * 200, "73000d"},
		{INT64_MAX / 1000000, "106751991d"},
	};
	struct record record = connection();

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char want[128];
		check_about = rows[i].text;
		record.total_us = rows[i].age_s * 1000000;
		snprintf(want, sizeof want, "192.0.2.7 -> example.com:443, 3.4K up, 12.1M down, %s",
			rows[i].text);
		CHECK_TEXT(line_of(&record, 0), want);
		if (rows[i].age_s < INT64_MAX / 1000000) { /* to the last microsecond of it */
			record.total_us += 999999;
			CHECK_TEXT(line_of(&record, 0), want);
		}
	}
	check_about = NULL;
}

/* One line, one user, and the destination behind the last arrow. */
static void keeps_a_name_in_its_place(void)
{
	static const char evil[] = "x -> y:1, 0 up\nSTATUS=z\r\tREADY=1\0\033]\x80\"\\";
	struct record record = connection();
	record.user = evil;
	record.user_len = sizeof evil - 1;
	CHECK_TEXT(line_of(&record, 0),
		"192.0.2.7 x%20->%20y:1,%200%20up%0aSTATUS=z%0d%09READY=1%00%1b]%80%22%5c -> "
		"example.com:443, 3.4K up, 12.1M down, 3m");
	for (unsigned byte = 0; byte < 256; byte++) {
		char name[UINT8_MAX];
		memset(name, (int)byte, sizeof name);
		record.user = name;
		record.user_len = sizeof name;
		record.dst = addr_of(ADDR_NAME, name, sizeof name, 65535);
		line_of(&record, UINT64_MAX);
	}
}

/* Everything as long as it can be: then it is as long as its limit says, or a little less. */
static void fits_when_all_is_long(void)
{
	static const char tail[] = ":65535, 18446744T up, 18446744T down, 18446744T/s, 106751991d";
	char name[UINT8_MAX];
	struct record record = connection();
	memset(name, 0xff, sizeof name);
	record.user = name;
	record.user_len = sizeof name;
	record.client = addr_of(ADDR_IPV6, name, 16, 65535);
	record.dst = addr_of(ADDR_NAME, name, sizeof name, 65535);
	record.up = record.down = UINT64_MAX;
	record.total_us = INT64_MAX;
	record.command = SOCKS5_UDP_ASSOCIATE;
	struct writer w = line_of(&record, UINT64_MAX);
	CHECK(w.len > 1850 && w.len < 4096 - strlen("STATUS=")); /* systemd takes no more */
	CHECK_BYTES(w.bytes + w.len - strlen(tail), strlen(tail), tail, strlen(tail));
}

int main(void)
{
	says_what_a_connection_is();
	says_who_and_where_in_every_form();
	rounds_amounts_down();
	says_the_age_in_one_unit();
	keeps_a_name_in_its_place();
	fits_when_all_is_long();
	return check_end();
}
