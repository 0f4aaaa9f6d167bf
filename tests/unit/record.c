/* SPDX-License-Identifier: ISC */
/* record/record: a message is one line, and each known value is one field, for any client. */
#include "record/record.h"

#include <errno.h>

#include "check.h"

static char text_bytes[RECORD_FIELDS_MAX + 1];

static const char *message_of(const struct record *record)
{
	struct writer w = writer_on(text_bytes, RECORD_MESSAGE_MAX);
	record_put_message(&w, record);
	CHECK(!w.full);
	CHECK(!memchr(w.bytes, '\n', w.len));
	text_bytes[w.len] = '\0';
	return text_bytes;
}

static const char *fields_of(const struct record *record)
{
	struct writer w = writer_on(text_bytes, RECORD_FIELDS_MAX);
	record_put_fields(&w, record);
	CHECK(!w.full);
	text_bytes[w.len] = '\0';
	return text_bytes;
}

/* Returns true if exactly one of the lines is this one. */
static bool has(const char *fields, const char *line)
{
	unsigned count = 0;
	size_t len = strlen(line);
	for (const char *at = fields; *at; at += strcspn(at, "\n") + 1)
		count += strncmp(at, line, len) == 0 && at[len] == '\n';
	return count == 1;
}

static unsigned lines_of(const char *fields)
{
	unsigned count = 0;
	for (const char *at = fields; *at; at++)
		count += *at == '\n';
	return count;
}

static struct record served(void)
{
	return (struct record){
		.client_kind = "inet",
		.client = addr_of(ADDR_IPV4, "\x7f\0\0\1", 4, 51234),
		.command = SOCKS5_CONNECT,
		.dst = addr_of(ADDR_NAME, "example.com", 11, 443),
		.connected = addr_of(ADDR_IPV4, "\xc0\0\2\1", 4, 443),
		.reply = SOCKS5_SUCCEEDED,
		.up = UINT64_MAX,
		.down = UINT64_C(4294967296),
		.resolver = addr_of(ADDR_IPV4, "\x7f\0\0\x35", 4, 53),
		.resolve_us = 1,
		.connect_us = 2,
		.total_us = INT64_C(61002999),
		.end = RECORD_CLOSED,
		.closed_by = RECORD_UPSTREAM,
	};
}

static void describes_a_served_connection(void)
{
	static const char *const lines[] = {"STDSOCKS_CLIENT=127.0.0.1",
		"STDSOCKS_CLIENT_PORT=51234", "STDSOCKS_COMMAND=CONNECT",
		"STDSOCKS_DST=example.com", "STDSOCKS_DST_PORT=443", "STDSOCKS_REACHED=192.0.2.1",
		"STDSOCKS_REPLY=0", "STDSOCKS_BYTES_UP=18446744073709551615",
		"STDSOCKS_BYTES_DOWN=4294967296", "STDSOCKS_RESOLVER=127.0.0.53",
		"STDSOCKS_RESOLVE_USEC=1", "STDSOCKS_CONNECT_USEC=2",
		"STDSOCKS_TOTAL_USEC=61002999", "STDSOCKS_END=closed",
		"STDSOCKS_CLOSED_BY=upstream"};
	struct record record = served();
	CHECK_STRING(message_of(&record),
		"127.0.0.1:51234 CONNECT example.com:443 at 192.0.2.1: closed by upstream, "
		"18446744073709551615 bytes up, 4294967296 down, 61.002 s");
	const char *fields = fields_of(&record);
	EACH_TEXT(text, lines)
		CHECK(has(fields, text));
	CHECK(strstr(fields, "MESSAGE_ID="));
	CHECK_NUMBER(lines_of(fields), 1 + COUNT(lines));
}

static void omits_unknown_fields(void)
{
	struct record record = {.client_kind = "stdio",
		.command = RECORD_NONE,
		.reply = RECORD_NONE,
		.resolve_us = RECORD_NONE,
		.connect_us = RECORD_NONE,
		.total_us = 0,
		.end = RECORD_CLIENT_GONE,
		.closed_by = RECORD_CLIENT};
	CHECK_STRING(
		message_of(&record), "stdio: client disconnected during the handshake, 0.000 s");
	const char *fields = fields_of(&record);
	CHECK(has(fields, "STDSOCKS_CLIENT=stdio"));
	CHECK(has(fields, "STDSOCKS_END=client-gone"));
	CHECK(has(fields, "STDSOCKS_TOTAL_USEC=0"));
	CHECK(!strstr(fields, "_PORT=") && !strstr(fields, "REPLY") && !strstr(fields, "DST"));
	CHECK(!strstr(fields, "COMMAND") && !strstr(fields, "RESOLVE") && !strstr(fields, "ERRNO"));
}

/* A session is not served after only the first reply to BIND. */
static void describes_bind(void)
{
	struct record record = served();
	record.command = SOCKS5_BIND;
	record.bound = addr_of(ADDR_IPV4, "\x0a\0\0\1", 4, 40000);
	CHECK(strstr(message_of(&record),
		" BIND example.com:443 at 192.0.2.1 on 10.0.0.1:40000: closed by upstream, 184"));
	CHECK(has(fields_of(&record), "STDSOCKS_BOUND=10.0.0.1"));
	CHECK(has(fields_of(&record), "STDSOCKS_BOUND_PORT=40000"));
	CHECK(strstr(fields_of(&record), "MESSAGE_ID=676b8ea6"));

	record.connected.kind = ADDR_NONE;
	record.end = RECORD_CLIENT_GONE;
	CHECK_STRING(message_of(&record),
		"127.0.0.1:51234 BIND example.com:443 on 10.0.0.1:40000: "
		"client disconnected during the handshake, 61.002 s");
	CHECK(strstr(fields_of(&record), "MESSAGE_ID=dabd9aa3"));
}

static void describes_a_refusal(void)
{
	struct record record = served();
	record.connected.kind = ADDR_NONE;
	record.reply = SOCKS5_HOST_UNREACHABLE;
	record.end = RECORD_REFUSED;
	record.closed_by = RECORD_STDSOCKS;
	record.error = ETIMEDOUT;
	record.total_us = 9999;
	const char *message = message_of(&record);
	CHECK(strstr(
		message, "127.0.0.1:51234 CONNECT example.com:443: refused, host unreachable ("));
	CHECK(strstr(message, strerror(ETIMEDOUT)));
	CHECK(strstr(message, "), 0.009 s"));
	CHECK(!strstr(message, "bytes"));
	CHECK(has(fields_of(&record), "STDSOCKS_END=refused"));

	record.why = "not a host name";
	CHECK(strstr(message_of(&record), "refused, host unreachable (not a host name), "));
}

/* Tests a name that resembles fields, and names with every byte. */
static void escapes_names(void)
{
	static const char evil[] = "x\nMESSAGE=forged\nSTDSOCKS_END=closed\r\033[2J\0\"y";
	struct record record = served();
	record.dst = addr_of(ADDR_NAME, evil, sizeof evil - 1, 80);
	record.end = RECORD_REFUSED;
	unsigned lines = lines_of(fields_of(&record));
	CHECK(has(text_bytes, "STDSOCKS_END=refused"));
	CHECK(!has(text_bytes, "STDSOCKS_END=closed") && !has(text_bytes, "MESSAGE=forged"));
	CHECK(!strchr(text_bytes, '\033') && !strchr(text_bytes, '\r'));
	CHECK(strstr(message_of(&record), "CONNECT \"x\\nMESSAGE=forged\\n"));

	for (unsigned first = 0; first < 256; first++) {
		uint8_t name[ADDR_NAME_MAX];
		memset(name, (int)first, sizeof name);
		record.dst = addr_of(ADDR_NAME, name, sizeof name, 65535);
		CHECK_NUMBER(lines_of(fields_of(&record)), lines);
		message_of(&record);
	}
}

/* Removes each quoted text, with its quotes. */
static void remove_quoted(char *text)
{
	char *to = text;
	bool quoted = false;

	for (; *text; text++) {
		if (quoted && *text == '\\' && text[1])
			text++;
		else if (*text == '"')
			quoted = !quoted;
		else if (!quoted)
			*to++ = *text;
	}
	*to = '\0';
	CHECK(!quoted);
}

/* Checks the messages of a failed login and of a refusal with this name. Outside of quotes, they
 * have only the server's words. */
static void check_name(const char *name, uint8_t len)
{
	char text[1100];
	const bool is_plain = writer_is_plain(name, len);
	struct record record = served();

	record.user = name;
	record.user_len = len;
	record.command = record.reply = RECORD_NONE;
	record.end = RECORD_LOGIN_FAILED;
	snprintf(text, sizeof text, "%s", message_of(&record));
	CHECK(strchr(text, '"') || is_plain);
	if (is_plain)
		return;
	remove_quoted(text);
	CHECK_STRING(text, "127.0.0.1:51234 user : authentication failed, 61.002 s");
	record.user = NULL;
	record.command = SOCKS5_CONNECT;
	record.dst = addr_of(ADDR_NAME, name, len, 80);
	record.reply = SOCKS5_HOST_UNREACHABLE;
	record.end = RECORD_REFUSED;
	record.connected.kind = ADDR_NONE;
	snprintf(text, sizeof text, "%s", message_of(&record));
	remove_quoted(text);
	CHECK_STRING(text, "127.0.0.1:51234 CONNECT :80: refused, host unreachable, 61.002 s");
}

/* The name of a user or a host cannot look like another part of a message. */
static void quotes_names(void)
{
	static const char imitation[] = "alice CONNECT bank.example:443: closed by client, 5 bytes "
					"up, 5 down, 1.000 s";
	struct record record = served();

	record.user = imitation;
	record.user_len = sizeof imitation - 1;
	record.command = record.reply = RECORD_NONE;
	record.end = RECORD_LOGIN_FAILED;
	CHECK_STRING(message_of(&record),
		"127.0.0.1:51234 user \"alice CONNECT bank.example:443: closed by client, 5 bytes "
		"up, "
		"5 down, 1.000 s\": authentication failed, 61.002 s");
	check_name(imitation, sizeof imitation - 1);
	check_name("", 0);
	check_name("::1", 3);
	for (unsigned i = 0; i < 256; i++) {
		const char name[] = {'a', (char)i, 'b', '"', (char)i, '\\'};
		for (uint8_t len = 1; len <= sizeof name; len++) {
			check_name(name, len);
			check_name(name + 1, len - 1);
		}
	}
}

/* MESSAGE_ID has 32 hex digits and is different for each kind of record. */
static void has_an_id_for_each_kind(void)
{
	char ids[3][33];
	for (size_t i = 0; i < 3; i++) {
		struct record record = served();
		record.end = i == 2 ? RECORD_FAILED : RECORD_CLOSED;
		record.reply = i == 0 ? SOCKS5_SUCCEEDED : SOCKS5_GENERAL_FAILURE;
		const char *id = strstr(fields_of(&record), "MESSAGE_ID=");
		if (!CHECK(id))
			return;
		CHECK_NUMBER(strspn(id + 11, "0123456789abcdef"), 32);
		snprintf(ids[i], sizeof ids[i], "%.32s", id + 11);
	}
	CHECK(strcmp(ids[0], ids[1]) != 0);
	CHECK(strcmp(ids[0], ids[2]) != 0);
	CHECK(strcmp(ids[1], ids[2]) != 0);
}

/* A word has only lower-case letters and '-'. */
static void has_a_word_for_each_end(void)
{
#define X(name, value, phrase)                                                                     \
	do {                                                                                       \
		struct record record = served();                                                   \
		record.end = RECORD_##name;                                                        \
		check_about = #name;                                                               \
		CHECK(has(fields_of(&record), "STDSOCKS_END=" value));                             \
		CHECK(strstr(message_of(&record), phrase));                                        \
		CHECK_NUMBER(strspn(value, "abcdefghijklmnopqrstuvwxyz5-"), strlen(value));        \
	} while (0);
	RECORD_ENDS(X)
#undef X
}

static void describes_an_association(void)
{
	static const char *const lines[] = {"STDSOCKS_COMMAND=UDP ASSOCIATE",
		"STDSOCKS_DATAGRAMS_UP=3", "STDSOCKS_DATAGRAMS_DOWN=18446744073709551615",
		"STDSOCKS_DESTINATIONS=2", "STDSOCKS_REACHED=192.0.2.53",
		"STDSOCKS_REACHED_PORT=53", "STDSOCKS_DROPPED=7",
		"STDSOCKS_DROPPED_FOR=stranger 1, denied 2, unsent 4", "STDSOCKS_BOUND=127.0.0.1",
		"STDSOCKS_BOUND_PORT=5300"};
	struct record_datagrams datagrams = {.up = 3,
		.down = UINT64_MAX,
		.destinations = 2,
		.dropped = {[RECORD_DROP_STRANGER] = 1,
			[RECORD_DROP_DENIED] = 2,
			[RECORD_DROP_UNSENT] = 4}};
	struct record record = served();

	record.command = SOCKS5_UDP_ASSOCIATE;
	record.dst = addr_of(ADDR_IPV4, "\0\0\0\0", 4, 0);
	record.connected = addr_of(ADDR_IPV4, "\xc0\0\2\x35", 4, 53);
	record.bound = addr_of(ADDR_IPV4, "\x7f\0\0\1", 4, 5300);
	record.up = record.down = 9;
	record.closed_by = RECORD_CLIENT;
	record.datagrams = &datagrams;
	EACH_TEXT(text, lines)
		CHECK(has(fields_of(&record), text));
	CHECK_STRING(message_of(&record),
		"127.0.0.1:51234 UDP ASSOCIATE 0.0.0.0:0 on 127.0.0.1:5300: closed by client, 9 "
		"bytes up to 192.0.2.53:53 and 1 more, 9 down, "
		"7 datagrams dropped (stranger 1, denied 2, unsent 4), 61.002 s");
	record.dst = addr_of(ADDR_NAME, "127.0.0.1", 9, 0);
	CHECK(!strstr(message_of(&record), " at "));
	record.dst = addr_of(ADDR_IPV4, "\0\0\0\0", 4, 0);
	datagrams.destinations = 1;
	record.rule = "-o";
	record.suggested_rule = writer_on("allow", 5);
	record.suggested_rule.len = 5;
	CHECK_STRING(message_of(&record),
		"127.0.0.1:51234 UDP ASSOCIATE 0.0.0.0:0 on 127.0.0.1:5300: closed by client, 9 "
		"bytes up to 192.0.2.53:53, 9 down, "
		"7 datagrams dropped (stranger 1, denied 2, unsent 4, first denial by -o), "
		"61.002 s; "
		"to allow it: allow");
	datagrams = (struct record_datagrams){.up = 3};
	CHECK(has(fields_of(&record), "STDSOCKS_DROPPED=0"));
	CHECK(!strstr(fields_of(&record), "DROPPED_FOR"));
	CHECK(!strstr(message_of(&record), "dropped"));
	CHECK(strstr(message_of(&record), " 9 bytes up, 9 down, "));
}

int main(void)
{
	return CHECK_ALL(describes_a_served_connection, omits_unknown_fields, describes_bind,
		describes_a_refusal, escapes_names, quotes_names, has_an_id_for_each_kind,
		has_a_word_for_each_end, describes_an_association);
}
