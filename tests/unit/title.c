/* SPDX-License-Identifier: ISC */
/* record/title: the text of each state, and the memory of argv and the environment. */
#include "record/title.h"

#include <unistd.h>

#include "check.h"

/* More than the longest title, which has two names with each byte escaped (1020). */
#define LONG 4096

/* Memory as the kernel fills it, between bytes that nothing may change. */
static struct {
	char before[8], bytes[LONG], behind[8];
} memory;

static char *argv[8], *variables[8];
static size_t room; /* bytes of the strings */

/* Appends a string of these bytes, with its NUL. */
static char *append(const char *text, size_t len)
{
	char *at = memory.bytes + room;

	memcpy(at, text, len);
	at[len] = '\0';
	room += len + 1;
	return at;
}

static void start(void)
{
	memset(&memory, '#', sizeof memory);
	memset(argv, 0, sizeof argv);
	memset(variables, 0, sizeof variables);
	environ = variables;
	room = 0;
}

/* Uses `bytes` bytes of memory, all in one argument. */
static void use(size_t bytes)
{
	char text[LONG];

	start();
	memset(text, 'a', sizeof text);
	argv[0] = append(text, bytes - 1);
	title_use(argv);
}

/* Checks that a title is printable, that the rest of the memory is NUL, and the bytes around it. */
static void check_bounds(void)
{
	const size_t len = strnlen(memory.bytes, room);

	for (size_t i = 0; i < len; i++)
		CHECK(memory.bytes[i] >= ' ' && memory.bytes[i] <= '~');
	CHECK(len < room);
	for (size_t i = len; i < room; i++)
		CHECK_NUMBER(memory.bytes[i], '\0');
	for (size_t i = room; i < LONG; i++)
		CHECK_NUMBER(memory.bytes[i], '#');
	CHECK_BYTES(memory.before, sizeof memory.before, "########", 8);
	CHECK_BYTES(memory.behind, sizeof memory.behind, "########", 8);
}

static void check_title(const char *want)
{
	check_bounds();
	CHECK_STRING(memory.bytes, want);
}

static unsigned blanks(void)
{
	unsigned count = 0;

	for (const char *at = memory.bytes; *at; at++)
		count += *at == ' ';
	return count;
}

static struct record connection(void)
{
	return (struct record){
		.client_kind = "inet",
		.client = addr_of(ADDR_IPV4, "\xc0\0\2\7", 4, 51234),
		.command = SOCKS5_CONNECT,
		.dst = addr_of(ADDR_NAME, "example.com", 11, 443),
		.total_us = 1000000,
	};
}

static void has_a_text_for_each_state(void)
{
	struct record r = connection();

	use(LONG);
	title_role("ready");
	check_title("stdsocks: ready");
	title_handshake(&r);
	check_title("stdsocks: 192.0.2.7 handshake");
	title_ended(&r);
	check_title("stdsocks: 192.0.2.7 ended");
	title_connecting(&r);
	check_title("stdsocks: 192.0.2.7 -> example.com:443 connecting");
	CHECK(title_relaying(&r));
	check_title("stdsocks: 192.0.2.7 -> example.com:443");
	r.user = "alice";
	r.user_len = 5;
	title_connecting(&r);
	check_title("stdsocks: 192.0.2.7 alice -> example.com:443 connecting");
	r.user_len = 0; /* RFC 1929 allows an empty name */
	r.command = SOCKS5_UDP_ASSOCIATE;
	title_relaying(&r);
	check_title("stdsocks: 192.0.2.7 -> UDP ASSOCIATE example.com:443");
	r.command = SOCKS5_BIND;
	title_connecting(&r);
	check_title("stdsocks: 192.0.2.7 -> BIND example.com:443 connecting");
}

static void has_addresses_in_each_form(void)
{
	struct record r = connection();

	use(LONG);
	r.client = addr_of(ADDR_IPV6, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16, 9);
	r.dst = addr_of(ADDR_IPV6, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2", 16, 65535);
	title_relaying(&r);
	check_title("stdsocks: 2001:db8::1 -> [2001:db8::2]:65535");
	r.dst = addr_of(ADDR_NAME, "2001:DB8:0::2", 13, 1); /* an address that is sent as a name */
	r.client = (struct addr){.kind = ADDR_NONE};
	r.client_kind = "unix";
	title_relaying(&r);
	check_title("stdsocks: unix -> [2001:db8::2]:1");
	title_handshake(&r);
	check_title("stdsocks: unix handshake");
}

/* The rate is that since the last title, and 0 before a millisecond has passed. */
static void has_amounts_that_are_not_0(void)
{
	struct record r = connection();

	use(LONG);
	title_connecting(&r);
	r.total_us += 1000000;
	r.up = 3412;
	CHECK(!title_relaying(&r));
	check_title("stdsocks: 192.0.2.7 -> example.com:443 3.4K up 3.4K/s");
	r.total_us += 2000000;
	r.down = 12199999;
	CHECK(!title_relaying(&r));
	check_title("stdsocks: 192.0.2.7 -> example.com:443 3.4K up 12.1M down 6.0M/s");
	r.total_us += 3000000;
	CHECK(title_relaying(&r));
	check_title("stdsocks: 192.0.2.7 -> example.com:443 3.4K up 12.1M down");
	r.up++;
	r.total_us += 999;
	CHECK(title_relaying(&r));
	check_title("stdsocks: 192.0.2.7 -> example.com:443 3.4K up 12.1M down");
	r.up = 0;
	title_relaying(&r);
	check_title("stdsocks: 192.0.2.7 -> example.com:443 12.1M down");
}

static void quotes_names(void)
{
	static const char evil[] = "x -> y:1\nz\r\t\0\033]\x80\"\\%";
	struct record r = connection();

	use(LONG);
	r.user = evil;
	r.user_len = sizeof evil - 1;
	title_relaying(&r);
	check_title("stdsocks: 192.0.2.7 \"x -> y:1\\nz\\r\\t\\x00\\x1b]\\x80\\\"\\\\%\" -> "
		    "example.com:443");
	r.user_len = 0;
	r.dst = addr_of(ADDR_NAME, "a b\n", 4, 0); /* with UDP ASSOCIATE */
	title_connecting(&r);
	check_title("stdsocks: 192.0.2.7 -> \"a b\\n\":0 connecting");
	r.dst = addr_of(ADDR_NAME, "[::1]", 5, 1);
	title_connecting(&r);
	check_title("stdsocks: 192.0.2.7 -> \"[::1]\":1 connecting");
	for (unsigned byte = 0; byte < 256; byte++) {
		char name[UINT8_MAX];
		memset(name, (int)byte, sizeof name);
		r.user = name;
		r.user_len = sizeof name;
		r.dst = addr_of(ADDR_NAME, name, sizeof name, 65535);
		title_relaying(&r);
		check_bounds();
		/* Before the client, the user, the arrow and DST, and in the names. */
		CHECK_NUMBER(blanks(), byte == ' ' ? 4 + 2 * sizeof name : 4);
	}
}

static void is_complete_when_all_is_long(void)
{
	static const char end[] = ":65535 18446744T up 18446744T down 18446744T/s";
	char name[UINT8_MAX];
	struct record r = connection();

	use(LONG);
	memset(name, 0xff, sizeof name);
	r.client = addr_of(ADDR_IPV6, name, 16, 65535);
	r.user = name;
	r.user_len = sizeof name;
	r.command = SOCKS5_UDP_ASSOCIATE;
	r.dst = addr_of(ADDR_NAME, name, sizeof name, 65535);
	r.up = r.down = UINT64_MAX;
	title_relaying(&r);
	const size_t len = strlen(memory.bytes);
	CHECK(len > 2 * 1020 && len < LONG);
	CHECK_STRING(memory.bytes + len - (sizeof end - 1), end);
}

static void cuts_what_does_not_fit(void)
{
	static const char text[] = "stdsocks: 192.0.2.7 handshake";
	struct record r = connection();

	for (size_t bytes = 1; bytes <= sizeof text + 3; bytes++) {
		use(bytes);
		title_handshake(&r);
		check_bounds();
		if (bytes >= sizeof text) {
			CHECK_STRING(memory.bytes, text);
			continue;
		}
		const size_t len = strlen(memory.bytes), dots = bytes < 4 ? bytes - 1 : 3;
		CHECK(len >= dots);
		CHECK_BYTES(memory.bytes, len - dots, text, len - dots);
		CHECK_STRING(memory.bytes + len - dots, &"..."[3 - dots]);
	}
	use(26);
	title_handshake(&r);
	check_title("stdsocks: 192.0.2.7...");
	title_role("ready");
	check_title("stdsocks: ready");
}

static void uses_arguments_and_environment_in_one_piece(void)
{
	struct record r = connection();

	start();
	argv[0] = append("stdsocks", 8);
	argv[1] = append("", 0);
	argv[2] = append("timeout idle 1h", 15);
	variables[0] = append("A=b", 3);
	variables[1] = append("C=d", 3);
	const size_t whole = room;
	title_use(argv);
	CHECK_STRING(getenv("C"), "d");
	title_handshake(&r);
	check_title("stdsocks: 192.0.2.7 handshake");
	CHECK(getenv("A") == NULL && getenv("C") == NULL);

	/* A gap ends the memory: here before the second variable, and before the environment. */
	room = whole - 4;
	environ = variables;
	variables[1]++;
	memset(memory.bytes, '#', LONG);
	memcpy(memory.bytes, "stdsocks\0\0timeout idle 1h\0A=b", 30);
	title_use(argv);
	title_role("ready");
	check_title("stdsocks: ready");
	room = 26;
	environ = variables + 1;
	memset(memory.bytes, '#', LONG);
	memcpy(memory.bytes, "stdsocks\0\0timeout idle 1h", 26);
	title_use(argv);
	title_role("ready");
	check_title("stdsocks: ready");
}

/* A kernel before 5.18 starts a program without arguments. */
static void writes_nothing_without_arguments(void)
{
	start();
	variables[0] = append("A=b", 3);
	title_use(argv);
	title_role("ready");
	CHECK_STRING(getenv("A"), "b");
	CHECK_STRING(memory.bytes, "A=b");
}

int main(void)
{
	return CHECK_ALL(has_a_text_for_each_state, has_addresses_in_each_form,
		has_amounts_that_are_not_0, quotes_names, is_complete_when_all_is_long,
		cuts_what_does_not_fit, uses_arguments_and_environment_in_one_piece,
		writes_nothing_without_arguments);
}
