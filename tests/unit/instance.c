/* SPDX-License-Identifier: ISC */
/* stdsocksctl/instance: the client in the name of a unit, and the status of a handler. */
#include "stdsocksctl/instance.h"

#include "check.h"

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

static void statuses(void)
{
	static const struct {
		const char *text, *client, *user, *dst;
		unsigned port, command;
		uint64_t up, down, rate;
	} rows[] = {
		{"192.0.2.7 alice -> example.com:443, 3.4K up, 12.1M down, 1.2M/s, 3m", "192.0.2.7",
			"alice", "example.com", 443, 1, 3400, 12100000, 1200000},
		{"192.0.2.7 -> example.com:443, 0 up, 999 down, 1s", "192.0.2.7", NULL,
			"example.com", 443, 1, 0, 999, 0},
		{"2001:db8::7 -> [2001:db8::1]:80, 1 up, 2 down, 3/s, 2h", "2001:db8::7", NULL,
			"2001:db8::1", 80, 1, 1, 2, 3},
		{"unix www-data -> 127.0.0.1:1, 1 up, 2 down, 5d", "unix", "www-data", "127.0.0.1",
			1, 1, 1, 2, 0},
		{"192.0.2.7 -> UDP ASSOCIATE 0.0.0.0:0, 1 up, 2 down, 5d", "192.0.2.7", NULL,
			"0.0.0.0", 0, 3, 1, 2, 0},
		{"192.0.2.7 BIND -> BIND [::1]:21, 1 up, 2 down, 5d", "192.0.2.7", "BIND", "::1",
			21, 2, 1, 2, 0},
		{"192.0.2.7 -> BIND:21, 1 up, 2 down, 5d", "192.0.2.7", NULL, "BIND", 21, 1, 1, 2,
			0},
		/* names of users that resemble a status */
		{"stdio a b -> c:1, 2 up, 3 down, 4s -> d:5, 6 up, 7 down, 8s", "stdio",
			"a b -> c:1, 2 up, 3 down, 4s", "d", 5, 1, 6, 7, 0},
		{"stdio  ->  -> d:5, 6 up, 7 down, 8s", "stdio", " -> ", "d", 5, 1, 6, 7, 0},
		{"other \\x1b[2J\\\" -> d:5, 6 up, 7 down, 8s", "other", "\\x1b[2J\\\"", "d", 5, 1,
			6, 7, 0},
	};

	EACH_ROW(row, rows, text) {
		struct instance_status s;
		char text[256];
		if (!CHECK(instance_status(strcpy(text, row->text), &s)))
			continue;
		CHECK_STRING(s.client, row->client);
		CHECK_STRING(s.user ? s.user : "none", row->user ? row->user : "none");
		CHECK_STRING(s.dst, row->dst);
		CHECK_NUMBER(s.dst_port, row->port);
		CHECK_NUMBER(s.command, row->command);
		CHECK_NUMBER(s.bytes_up, row->up);
		CHECK_NUMBER(s.bytes_down, row->down);
		CHECK_NUMBER(s.rate, row->rate);
	}
}

static void invalid_statuses(void)
{
	static const char *const texts[] = {"", "Ready", " -> ", "a -> ", "a -> b", "a -> b:1",
		"a -> b:1, 1 up", "a -> b:1, 1 up, 2 down", "a -> b:1, 1 up, 2 down, 3/s",
		"a -> b:1, 1 up, 2 down, 3/s, 4s, 5", "a -> b:1, 1 up, 2 down, 3, 4",
		"a -> b:1, up, 2 down, 3s", "a -> b:1, 1 down, 2 up, 3s",
		"a -> b:1, -1 up, 2 down, 3s", "a -> b:65536, 1 up, 2 down, 3s",
		"a -> b:, 1 up, 2 down, 3s", "a -> :1, 1 up, 2 down, 3s",
		"a -> BIND :1, 1 up, 2 down, 3s", "a -> []:1, 1 up, 2 down, 3s",
		"a -> b, 1 up, 2 down, 3s", "a > b:1, 1 up, 2 down, 3s",
		"\033[2J -> b:1, 1 up, 2 down, 3s", "a -> b\n:1, 1 up, 2 down, 3s",
		"a \x7f -> b:1, 1 up, 2 down, 3s", "a \xc3\xa9 -> b:1, 1 up, 2 down, 3s",
		"a -> b:1, 1 up, 2 down, 3s\n"};

	EACH_TEXT(line, texts) {
		struct instance_status s = {.client = "untouched"};
		char text[256];
		CHECK(!instance_status(strcpy(text, line), &s));
		CHECK_STRING(s.client, "untouched");
	}
}

static void encoded_bytes(void)
{
	static const char *const rows[][2] = {{"", ""}, {"a", "a"}, {"caf%c3%a9", "caf\\xc3\\xa9"},
		{"a%20b", "a b"}, {"%25%22%5c", "%\\\"\\\\"}, {"%00%0a", "\\x00\\n"}};
	static const char *const wrong[] = {"%", "%2", "%2g", "%g2", "a%"};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[64];
		struct writer w = writer_on(text, 2 * strlen(rows[i][0]));
		check_about = rows[i][0];
		CHECK(instance_put_status(&w, rows[i][0]));
		CHECK_TEXT(w, rows[i][1]);
	}
	EACH_TEXT(line, wrong) {
		char text[64];
		struct writer w = writer_on(text, sizeof text);
		CHECK(!instance_put_status(&w, line));
	}
}

int main(void)
{
	return CHECK_ALL(encoded_bytes, clients, invalid_clients, statuses, invalid_statuses);
}
