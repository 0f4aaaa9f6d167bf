/* SPDX-License-Identifier: ISC */
/* text/hosts: which lines of hosts(5) have a name or an address. */
#include "text/hosts.h"

#include "check.h"

/* Writes the results in a part of the table, each after a space. */
static void put_part(struct writer *w, struct hosts *hosts, const char *text, size_t len)
{
	uint8_t *copy = fuzz_copy(text, len);
	struct reader r = reader_of(copy, len);
	struct addr found;

	while (hosts_next(hosts, &r, &found)) {
		CHECK_NUMBER(found.port, 0);
		writer_str(w, w->len > 0 ? " " : "");
		addr_put_host(w, &found);
	}
	CHECK_NUMBER(r.at, r.len);
	free(copy);
}

/* Searches the text in parts of part_len bytes. */
static void put_results(
	struct writer *w, const char *key, const char *text, size_t len, size_t part_len)
{
	const struct addr a = fuzz_address(key, 80);
	struct hosts hosts = hosts_search(&a);

	for (size_t at = 0; at < len; at += part_len)
		put_part(w, &hosts, text + at, len - at < part_len ? len - at : part_len);
	put_part(w, &hosts, "\n", 1);
}

static void check_text(const char *key, const char *text, size_t len, const char *want)
{
	check_about = text;
	for (size_t part_len = 1; part_len <= len + 1; part_len++)
		CHECK_PUT(want, put_results, key, text, len, part_len);
}

struct row {
	const char *key, *text, *want;
};

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_text(rows[i].key, rows[i].text, strlen(rows[i].text), rows[i].want);
}

static void finds_the_addresses_of_a_name(void)
{
	static const struct row rows[] = {
		{"a", "", ""},
		{"a", "\n", ""},
		{"a", "192.0.2.1 a", "192.0.2.1"},
		{"a", "192.0.2.1 a\n", "192.0.2.1"},
		{"a", "192.0.2.1\ta\r\n", "192.0.2.1"},
		{"a", "192.0.2.1 a\r", "192.0.2.1"},
		{"a", " \t 192.0.2.1 \t\v\f a \t", "192.0.2.1"},
		{"a", "192.0.2.1 x a\n192.0.2.2 a y\n192.0.2.3 x y\n2001:db8::1 z y a",
			"192.0.2.1 192.0.2.2 2001:db8::1"},
		{"a", "192.0.2.1 a\n192.0.2.1 a", "192.0.2.1 192.0.2.1"},
		{"a", "192.0.2.1 a a a\n192.0.2.2 b a a", "192.0.2.1 192.0.2.2"},
		{"www.Example.com", "192.0.2.1 WWW.eXAMPLE.COM", "192.0.2.1"},
		{"a.", "192.0.2.1 a", "192.0.2.1"},
		{"a", "192.0.2.1 a.", ""},
		{"a..", "192.0.2.1 a. a", "192.0.2.1"},
		{"[", "192.0.2.1 {", ""},
		{"ab", "192.0.2.1 a abc b ab.c xab\n", ""},
		{"ab", "192.0.2.1 abc ab", "192.0.2.1"},
		{"a", "::ffff:192.0.2.1 a", "192.0.2.1"},
		{"a", "::1 a", "::1"},
		{"a", "0.0.0.0 a", "0.0.0.0"},
		{"192.0.2.1x", "192.0.2.1 192.0.2.1x", "192.0.2.1"},
		{".", "192.0.2.1 .", ""},
		{"", "192.0.2.1 a\n192.0.2.1 ", ""},
	};

	check_rows(rows, COUNT(rows));
}

static void ignores_comments(void)
{
	static const struct row rows[] = {
		{"a", "# 192.0.2.1 a\n192.0.2.2 a", "192.0.2.2"},
		{"a", " # a\n#\n##\n192.0.2.2 a", "192.0.2.2"},
		{"a", "192.0.2.1 # a\n192.0.2.2 a # a", "192.0.2.2"},
		{"a", "192.0.2.1 a# a", "192.0.2.1"},
		{"a", "192.0.2.1 b#a a", ""},
		{"a", "192.0.2.1 a#a", "192.0.2.1"},
		{"a", "192.0.2.1# a\n192.0.2.2 a", "192.0.2.2"},
		{"a", "192.0.2.1 #a\n192.0.2.2 #\na", ""},
		{"a#b", "192.0.2.1 a#b", ""},
		{"a b", "192.0.2.1 a b", ""},
		{"a ", "192.0.2.1 a b", ""},
	};

	check_rows(rows, COUNT(rows));
}

static void ignores_lines_without_a_valid_address(void)
{
	static const char *const texts[] = {"a", "a a", "a\n a a", "192.0.2 a", "192.0.2.256 a",
		"192.0.2.01 a", "192.0.2.1.a", "x192.0.2.1 a", "127.1 a", "fe80::1%eth0 a",
		"fe80::1% a", "[::1] a", ":: 1 b", "1::2::3 a", "192.0.2.1:80 a", "192.0.2.1\na",
		"0000:0000:0000:0000:0000:0000:0255.255.255.255 a",
		"11111111111111111111111111111111111111111111111111111111111111111111111111 a"};

	EACH_TEXT(text, texts) {
		char both[256];
		check_text("a", text, strlen(text), "");
		snprintf(both, sizeof both, "%s\n192.0.2.9 a", text);
		check_text("a", both, strlen(both), "192.0.2.9");
	}
	check_text("a", "192.0.2.1\0 a", 12, "");
	check_text("a", "192.0.2.1 a\0", 12, "");
	check_text("a", "192.0.2.1 a\0 a", 14, "192.0.2.1");
	/* The longest address has 45 bytes. */
	check_text("a", "0000:0000:0000:0000:0000:ffff:255.255.255.255 a", 47, "255.255.255.255");
}

static void finds_the_first_name_of_an_address(void)
{
	static const struct row rows[] = {
		{"192.0.2.1", "192.0.2.1 A.example b\n192.0.2.1 c", "A.example c"},
		{"192.0.2.1", "192.0.2.10 a\n192.0.2 b\n92.0.2.1 c\n192.0.2.1 d", "d"},
		{"192.0.2.1", "192.0.2.2 a\n092.0.2.1 b\n192.0.2.1 c", "c"},
		{"192.0.2.1", "192.0.2.1\n192.0.2.1 #a\n192.0.2.1 b#c", "b"},
		{"192.0.2.1", "#192.0.2.1 a\n\t192.0.2.1\tb", "b"},
		{"192.0.2.1", "192.0.2.1 a\r\n", "a"},
		{"192.0.2.1", "::ffff:192.0.2.1 a\n::ffff:c000:201 b\n::192.0.2.1 c", "a b"},
		{"192.0.2.1", "192.0.2.01 a\n192.0.2.1%1 b\n192.0.2.1x c", ""},
		{"::ffff:192.0.2.1", "192.0.2.1 a\n::FFFF:192.0.2.1 b", "a b"},
		{"2001:db8::1", "2001:DB8:0:0::1 a\n2001:db8::2 b\n2001:db8::1%1 c", "a"},
		{"::", "0.0.0.0 a\n:: b\n0::0 c\n::0.0.0.0 d", "b c d"},
		{"::1", "1 a\n::1", ""},
	};

	check_rows(rows, COUNT(rows));
	check_text("192.0.2.1", "192.0.2.1\0 a", 12, "");
	check_text("::1", "::1\0 a", 6, "");
}

/* A name can have every byte except white space and '#'. */
static void knows_which_bytes_end_a_name(void)
{
	for (unsigned i = 1; i < 256; i++) {
		static char about[16];
		char text[] = "192.0.2.1 a_b";
		const bool ends = strchr(" \t\n\v\f\r#", (int)i) != NULL;
		text[11] = (char)i;
		snprintf(about, sizeof about, "byte %02x", i);
		check_about = about;
		const char key[] = {'a', (char)i, 'b', '\0'};
		CHECK_PUT(ends ? "" : "192.0.2.1", put_results, key, text, 13, 4);
		CHECK_PUT(ends ? "192.0.2.1" : "", put_results, "a", text, 13, 4);
	}
}

static void limits_the_length_of_a_name(void)
{
	char text[300] = "192.0.2.1 ", key[257] = "";

	for (size_t len = 254; len <= 257; len++) {
		memset(text + 10, 'a', len);
		strcpy(text + 10 + len, " b");
		const struct addr a = fuzz_address("192.0.2.1", 0);
		struct hosts hosts = hosts_search(&a);
		struct reader r = reader_of(text, strlen(text));
		struct addr found;
		CHECK_NUMBER(hosts_next(&hosts, &r, &found), len <= ADDR_NAME_MAX);
		if (len <= ADDR_NAME_MAX)
			CHECK_NUMBER(found.len, len);

		memset(key, 'A', len < 256 ? len : 255);
		const struct addr name = addr_of(ADDR_NAME, key, len < 256 ? (uint8_t)len : 255, 0);
		hosts = hosts_search(&name);
		r = reader_of(text, strlen(text));
		CHECK_NUMBER(hosts_next(&hosts, &r, &found), len <= ADDR_NAME_MAX);
	}
}

/* The length of a line has no limit. */
static void reads_long_lines(void)
{
	enum { LEN = 200000 };
	char *text = malloc(LEN + 64);
	struct addr found, key = addr_of(ADDR_NAME, "last", 4, 0);

	for (unsigned kind = 0; kind < 3; kind++) {
		struct hosts hosts = hosts_search(&key);
		memset(text, kind == 0 ? ' ' : kind == 1 ? 'x' : '#', LEN);
		memcpy(text, "192.0.2.1 ", 10);
		strcpy(text + LEN, " last\n192.0.2.2 last\n");
		struct reader r = reader_of(text, strlen(text));
		for (unsigned i = kind == 2 ? 2 : 1; i <= 2; i++)
			CHECK(hosts_next(&hosts, &r, &found) && found.bytes[3] == i);
		CHECK(!hosts_next(&hosts, &r, &found));
	}
	free(text);
}

int main(void)
{
	return CHECK_ALL(finds_the_addresses_of_a_name, ignores_comments,
		ignores_lines_without_a_valid_address, finds_the_first_name_of_an_address,
		knows_which_bytes_end_a_name, limits_the_length_of_a_name, reads_long_lines);
}
