/* SPDX-License-Identifier: ISC */
/* stdsocksctl/instance: the client in the name of a unit, and the title of a process. */
#include "stdsocksctl/instance.h"

#include "check.h"

#define UNKNOWN INSTANCE_UNKNOWN

static void clients(void)
{
	static const struct {
		const char *unit;
		struct instance_client client;
	} rows[] = {
		{"stdsocks@0-192.0.2.1:1080-192.0.2.7:40000.service",
			{.text = "192.0.2.7", .port = 40000}},
		{"stdsocks@12-::1:1080-::1:35100.service", {.text = "::1", .port = 35100}},
		{"stdsocks@12-2001:db8::1:1080-fe80::1:2:3:9.service",
			{.text = "fe80::1:2:3", .port = 9}},
		{"stdsocks@12-2001:db8::1:1080-2001:db8:1111:2222:3333:4444:5555:6666:65535."
		 "service",
			{.text = "2001:db8:1111:2222:3333:4444:5555:6666", .port = 65535}},
		/* newer versions of systemd add the cookie of the socket */
		{"stdsocks@7-4711-192.0.2.1:1080-192.0.2.7:40000.service",
			{.text = "192.0.2.7", .port = 40000}},
		{"my-socks@0-192.0.2.1:1080-192.0.2.7:40000.service",
			{.text = "192.0.2.7", .port = 40000}},
		{"a.service@0-192.0.2.1:1080-192.0.2.7:1.service",
			{.text = "192.0.2.7", .port = 1}},
		/* AF_VSOCK */
		{"stdsocks@3-2:1080-4294967295:4294967295.service", {.text = "other"}},
		{"stdsocks@3-2:1080-3:1024.service", {.text = "other"}},
		{"stdsocks@3-192.0.2.1:1080-127.1:1024.service", {.text = "other"}},
		{"stdsocks@3-192.0.2.1:1080-:1024.service", {.text = "other"}},
		{"stdsocks@4-unknown.service", {.text = "unix"}},
		{"stdsocks@5-1353-1000.service",
			{.text = "unix", .has_uid = true, .uid = 1000, .pid = 1353}},
		{"stdsocks-unix@5-99-1353-1000.service",
			{.text = "unix", .has_uid = true, .uid = 1000, .pid = 1353}},
	};

	EACH_ROW(row, rows, unit) {
		struct instance_client c;
		if (!CHECK(instance_client(row->unit, &c)))
			continue;
		CHECK_STRING(c.text, row->client.text);
		CHECK_NUMBER(c.port, row->client.port);
		CHECK_NUMBER(c.has_uid, row->client.has_uid);
		CHECK_NUMBER(c.uid, row->client.uid);
		CHECK_NUMBER(c.pid, row->client.pid);
	}
}

static void invalid_clients(void)
{
	static const char *const units[] = {"", ".service", "@", "@.service", "stdsocks.service",
		"stdsocks@.service", "stdsocks@5.service", "stdsocks@-.service",
		"stdsocks@5-.service", "stdsocks@5-6.service", "stdsocks@5--6.service",
		"stdsocks@5-6-x.service", "stdsocks@5-x-6.service",
		"stdsocks@5-6-4294967296.service", "stdsocks@0-192.0.2.1:1080-192.0.2.7:.service",
		"stdsocks@0-192.0.2.1:1080-192.0.2.7:x.service",
		"stdsocks@0-192.0.2.1:1080-192.0.2.7:4294967296.service",
		"stdsocks@0-192.0.2.1:1080-192.0.2.7:1.socket", "a-1-2@b.service", "a-1-2.service"};

	EACH_TEXT(unit, units) {
		struct instance_client c = {.text = "untouched"};
		CHECK(!instance_client(unit, &c));
		CHECK_STRING(c.text, "untouched");
	}
}

/* Checks the title with this text after the prefix. */
static void check_title(const char *text, const struct instance_title *wanted)
{
	char title[256] = "stdsocks: ";
	struct instance_title t = instance_title(strcat(title, text));

	CHECK_STRING(t.client, wanted->client);
	CHECK_STRING(t.user, wanted->user);
	CHECK_STRING(t.dst, wanted->dst);
	CHECK_NUMBER(t.dst_port, wanted->dst_port);
	CHECK_NUMBER(t.command, wanted->command);
	CHECK_NUMBER(t.bytes_up, wanted->bytes_up);
	CHECK_NUMBER(t.bytes_down, wanted->bytes_down);
	CHECK_NUMBER(t.rate, wanted->rate);
}

static void titles(void)
{
	static const struct {
		const char *text;
		struct instance_title title;
	} rows[] = {
		{"192.0.2.7 alice -> example.com:443 3.4K up 12.1M down 1.2M/s",
			{"192.0.2.7", "alice", "example.com", 443, 1, 3400, 12100000, 1200000}},
		{"192.0.2.7 -> example.com:443", {"192.0.2.7", "", "example.com", 443, 1, 0, 0, 0}},
		{"2001:db8::7 -> [2001:db8::1]:80 2 down 3/s",
			{"2001:db8::7", "", "2001:db8::1", 80, 1, 0, 2, 3}},
		{"unix www-data -> 127.0.0.1:1 999 up",
			{"unix", "www-data", "127.0.0.1", 1, 1, 999, 0, 0}},
		{"192.0.2.7 -> UDP ASSOCIATE 0.0.0.0:0 1 up 2 down",
			{"192.0.2.7", "", "0.0.0.0", 0, 3, 1, 2, 0}},
		{"192.0.2.7 BIND -> BIND [::1]:21", {"192.0.2.7", "BIND", "::1", 21, 2, 0, 0, 0}},
		{"192.0.2.7 -> BIND:21", {"192.0.2.7", "", "BIND", 21, 1, 0, 0, 0}},
		{"192.0.2.7 -> RESOLVE a.example:0 connecting",
			{"192.0.2.7", "", "a.example", 0, 0xf0, UNKNOWN, UNKNOWN, UNKNOWN}},
		{"192.0.2.7 -> RESOLVE_PTR 192.0.2.1:0 connecting",
			{"192.0.2.7", "", "192.0.2.1", 0, 0xf1, UNKNOWN, UNKNOWN, UNKNOWN}},
		{"stdio handshake", {"stdio", "", "", 0, 0, UNKNOWN, UNKNOWN, UNKNOWN}},
		{"192.0.2.7 ended", {"192.0.2.7", "", "", 0, 0, UNKNOWN, UNKNOWN, UNKNOWN}},
		/* quoted names */
		{"stdio \"caf\\xc3\\xa9\" -> \"a b\":1 connecting",
			{"stdio", "caf\\xc3\\xa9", "a b", 1, 1, UNKNOWN, UNKNOWN, UNKNOWN}},
		{"stdio \"%\\\"\\\\\\x00\\n\" -> c:1",
			{"stdio", "%\\\"\\\\\\x00\\n", "c", 1, 1, 0, 0, 0}},
		{"stdio -> \"[::1]\":1", {"stdio", "", "[::1]", 1, 1, 0, 0, 0}},
		/* names of users that resemble a title */
		{"stdio \"->\" -> c:1", {"stdio", "->", "c", 1, 1, 0, 0, 0}},
		{"stdio \"a -> b:1 2 up\" -> c:1", {"stdio", "a -> b:1 2 up", "c", 1, 1, 0, 0, 0}},
		{"stdio \"a\\\" -> b:1\" -> c:1", {"stdio", "a\\\" -> b:1", "c", 1, 1, 0, 0, 0}},
		{"stdio handshake -> c:1", {"stdio", "handshake", "c", 1, 1, 0, 0, 0}},
		{"stdio ... -> c:1", {"stdio", "...", "c", 1, 1, 0, 0, 0}},
	};

	EACH_ROW(row, rows, text)
		check_title(row->text, &row->title);
}

/* The last word of a title that was cut is not known. */
static void cut_titles(void)
{
	static const char whole[] =
		"192.0.2.7 \"a \\\"b\" -> BIND \"a b\":44 3.4K up 1.2M down 9/s";
	static const size_t client_len = sizeof "192.0.2.7 " - 1;
	static const size_t user_len = sizeof "192.0.2.7 \"a \\\"b\" " - 1;
	static const size_t dst_len = sizeof "192.0.2.7 \"a \\\"b\" -> BIND \"a b\":44 " - 1;

	for (size_t len = 0; len < sizeof whole; len++) {
		struct instance_title title = {
			.bytes_up = UNKNOWN, .bytes_down = UNKNOWN, .rate = UNKNOWN};
		static char text[128];
		snprintf(text, sizeof text, "%.*s...", (int)len, whole);
		strcpy(title.client, len >= client_len ? "192.0.2.7" : "");
		strcpy(title.user, len >= user_len ? "a \\\"b" : "");
		strcpy(title.dst, len >= dst_len ? "a b" : "");
		title.dst_port = len >= dst_len ? 44 : 0;
		title.command = len >= dst_len ? 2 : 0;
		check_about = text;
		check_title(text, &title);
	}
}

static void invalid_titles(void)
{
	static const char *const texts[] = {"", " ", "ready", "supervisor", "a handshake ",
		"a  handshake", "a ->", "a b", "a b ->", "a -> b", "a -> b:1 ", "a -> b:1 up",
		"a -> b:1 1", "a -> b:1 1 down 2 up", "a -> b:1 1/s 2 up", "a -> b:1 1 up 2 up",
		"a -> b:1 -1 up", "a -> b:1  1 up", "a -> b:1 1 upx", "a -> b:1 connecting 1 up",
		"a -> b:65536", "a -> b:", "a -> :1", "a -> []:1", "a -> BIND", "a -> BIND :1",
		"a > b:1", "a  -> b:1", "a b c -> d:1", "a b%c -> d:1", "a -> b%:1", "a \"b -> c:1",
		"a b\" -> c:1", "a \"\" -> c:1", "a \"\\q\" -> c:1", "a -> -> c:1", "a -> b:c:1",
		"a -> [b]:1", "a -> ::1:1", "\033[2J -> b:1", "a -> b\n:1", "a \x7f -> b:1",
		"a \xc3\xa9 -> b:1", "a -> b:1\n",
		"0123456789012345678901234567890123456789012345 handshake"};
	static const struct instance_title unknown = {
		.bytes_up = UNKNOWN, .bytes_down = UNKNOWN, .rate = UNKNOWN};

	EACH_TEXT(text, texts)
		check_title(text, &unknown);
	struct instance_title without_prefix = instance_title("192.0.2.7 handshake");
	CHECK_STRING(without_prefix.client, "");
}

/* Names of 255 bytes, and a longer one. */
static void long_names(void)
{
	char text[4096], name[4 * 256 + 1] = "";

	for (size_t i = 0; i < 255; i++)
		strcat(name, "\\xff");
	snprintf(text, sizeof text, "stdsocks: a \"%s\" -> \"%s\":1", name, name);
	struct instance_title t = instance_title(text);
	CHECK_NUMBER(strlen(t.user), INSTANCE_NAME_MAX);
	CHECK_NUMBER(strlen(t.dst), INSTANCE_NAME_MAX);
	snprintf(text, sizeof text, "stdsocks: a \"%s\\xff\" -> b:1", name);
	t = instance_title(text);
	CHECK_STRING(t.client, "");
}

int main(void)
{
	return CHECK_ALL(clients, invalid_clients, titles, cut_titles, invalid_titles, long_names);
}
