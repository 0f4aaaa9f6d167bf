/* SPDX-License-Identifier: ISC */
/* policy/config: the syntax of a line and each keyword; a line with an error changes nothing. */
#include "policy/config.h"

#include <stddef.h>

#include "check.h"

#define SECOND INT64_C(1000000)

static _Alignas(struct rule) char memory[RULES_MEMORY(WORDS_LINE_MAX)];

/* Applies a line to *config. Returns false if it is invalid. Sets check_problem_text. */
static bool apply(struct config *config, const char *line, size_t len)
{
	const struct words_line whole = {.text = line, .len = len, .location = "test", .number = 1};
	struct rules rules = rules_on(memory, sizeof memory);
	bool valid = config_line(config, &rules, &whole, check_new_problem());
	CHECK(rules.count == 0);
	return valid;
}

static bool apply_text(struct config *config, const char *line)
{
	return apply(config, line, strlen(line));
}

/* Checks that an invalid line does not change *config, and that the message contains advice. */
static void is_error(const char *line, size_t len, const char *what)
{
	struct config before, config;
	memset(&before, 0x5a, sizeof before);
	config = before;
	CHECK(!apply(&config, line, len));
	CHECK_BYTES(&config, sizeof config, &before, sizeof before);
	CHECK(!check_problem.full);
	CHECK(strstr(check_problem_text, "; "));
	if (!CHECK(strstr(check_problem_text, what)))
		printf("\tmessage: %s\n", check_problem_text);
	CHECK(fuzz_is_harmless(check_problem_text, check_problem.len, false));
}

/* The offset and the size of a field. */
#define FIELD(name) offsetof(struct config, name), sizeof((struct config *)NULL)->name

/* Each line sets the field to this number or text, and changes no other field. */
struct setting {
	const char *lines[5]; /* an empty line: the default applies */
	size_t offset, size;
	uint64_t number;
	const char *text;
};

static uint64_t number_at(const void *field, size_t size)
{
	uint64_t number = 0;
	uint32_t small;
	if (size == sizeof number) {
		memcpy(&number, field, size);
	} else if (size == sizeof small) {
		memcpy(&small, field, size);
		number = small;
	} else {
		CHECK_NUMBER(size, 1);
		memcpy(&number, field, 1);
	}
	return number;
}

/* Checks a line of the row. Before, all bytes of the field are `old`. */
static void is_set(const struct setting *row, const char *line, int old)
{
	struct config config = config_default(), want;
	char *field = (char *)&config + row->offset;
	if (old)
		memset(field, old, row->size);
	want = config;
	CHECK(apply_text(&config, line));
	CHECK_STRING(check_problem_text, "");
	if (row->text)
		CHECK_STRING(field, row->text);
	else
		CHECK(number_at(field, row->size) == row->number);
	memcpy((char *)&want + row->offset, field, row->size);
	CHECK_BYTES(&config, sizeof config, &want, sizeof want);
}

static void sets_each_field(void)
{
#define YEAR       (365 * 86400 * SECOND) /* the longest duration, in each unit */
#define IDLE       FIELD(idle_us)
#define UP(rate)   FIELD(rate_up), (rate), NULL
#define DOWN(rate) FIELD(rate_down), (rate), NULL
	static const struct setting rows[] = {
		{{""}, FIELD(handshake_us), 10 * SECOND, NULL},
		{{""}, FIELD(connect_us), 10 * SECOND, NULL},
		{{""}, IDLE, 2 * 3600 * SECOND, NULL},
		{{""}, FIELD(half_closed_us), 5 * 60 * SECOND, NULL},
		{{"", "timeout lifetime none"}, FIELD(lifetime_us), CONFIG_NEVER_US, NULL},
		{{"", "timeout refused-login 1s"}, FIELD(refused_login_us), SECOND, NULL},
		{{"timeout refused-login none"}, FIELD(refused_login_us), CONFIG_NEVER_US, NULL},
		{{""}, FIELD(source_ipv4.kind), ADDR_NONE, NULL},
		{{""}, FIELD(source_ipv6.kind), ADDR_NONE, NULL},
		{{""}, FIELD(device), 0, ""},
		{{""}, FIELD(mark), 0, NULL},
		{{"", "user stdsocks"}, FIELD(user), 0, "stdsocks"},
		{{"", "sandbox required"}, FIELD(sandbox_best_effort), false, NULL},
		{{"", "command connect"}, FIELD(commands), COMMAND_CONNECT, NULL},
		{{"", "version 5"}, FIELD(versions), CONFIG_VERSION_5, NULL},
		{{"timeout handshake 1ms"}, FIELD(handshake_us), 1000, NULL},
		{{"timeout connect 1ms"}, FIELD(connect_us), 1000, NULL},
		{{"timeout half-closed 1ms"}, FIELD(half_closed_us), 1000, NULL},
		{{"timeout lifetime 1ms"}, FIELD(lifetime_us), 1000, NULL},
		{{"timeout idle 1ms"}, IDLE, 1000, NULL},
		{{"timeout idle 999ms"}, IDLE, 999000, NULL},
		{{"timeout idle 500ms"}, IDLE, SECOND / 2, NULL},
		{{"timeout idle 1s", "timeout idle 0000000000000000000000000000001s"}, IDLE, SECOND,
			NULL},
		{{"timeout idle 10s"}, IDLE, 10 * SECOND, NULL},
		{{"timeout idle 1m"}, IDLE, 60 * SECOND, NULL},
		{{"timeout idle 90m"}, IDLE, 90 * 60 * SECOND, NULL},
		{{"timeout idle 2h"}, IDLE, 7200 * SECOND, NULL},
		{{"timeout idle 1d"}, IDLE, 86400 * SECOND, NULL},
		{{"timeout idle 007s"}, IDLE, 7 * SECOND, NULL},
		{{"timeout idle 365d", "timeout idle 8760h", "timeout idle 525600m",
			 "timeout idle 31536000s", "timeout idle 31536000000ms"},
			IDLE, YEAR, NULL},
		{{"timeout idle none"}, IDLE, CONFIG_NEVER_US, NULL},
		{{"timeout half-closed none"}, FIELD(half_closed_us), CONFIG_NEVER_US, NULL},
		{{"source device eth0"}, FIELD(device), 0, "eth0"},
		{{"source device fifteen-bytes-x"}, FIELD(device), 0, "fifteen-bytes-x"},
		{{"source device lo"}, FIELD(device), 0, "lo"},
		{{"source device \"a b#\tc\" # x"}, FIELD(device), 0, "a b#\tc"},
		{{"source mark 1"}, FIELD(mark), 1, NULL},
		{{"source mark 4294967295"}, FIELD(mark), UINT32_MAX, NULL},
		{{"", "prefork ready 8"}, FIELD(prefork_ready), 8, NULL},
		{{"prefork ready 1"}, FIELD(prefork_ready), 1, NULL},
		{{"prefork ready 64"}, FIELD(prefork_ready), 64, NULL},
		{{"", "prefork connections 2000"}, FIELD(prefork_connections), 2000, NULL},
		{{"prefork connections 1"}, FIELD(prefork_connections), 1, NULL},
		{{"prefork connections 65535"}, FIELD(prefork_connections), 65535, NULL},
		{{"", "prefork idle-exit 60s"}, FIELD(prefork_idle_us), 60 * SECOND, NULL},
		{{"prefork idle-exit 1ms"}, FIELD(prefork_idle_us), 1000, NULL},
		{{"prefork idle-exit none"}, FIELD(prefork_idle_us), CONFIG_NEVER_US, NULL},
		{{""}, FIELD(limit.from), 0, NULL},
		{{"limit from none"}, FIELD(limit.from), LIMIT_NONE, NULL},
		{{"limit from 1"}, FIELD(limit.from), 1, NULL},
		{{"limit from 16384"}, FIELD(limit.from), 16384, NULL},
		{{"", "limit user none"}, FIELD(limit.user), 0, NULL},
		{{"limit user 16384"}, FIELD(limit.user), 16384, NULL},
		{{"rate up 10000", "rate up 10K"}, UP(10000)},
		{{"rate up 10M"}, UP(10000000)},
		{{"rate up 1G"}, UP(1000000000)},
		{{"rate up 1000G", "rate up 1000000000000"}, UP(1000000000000)},
		{{"rate up none"}, UP(0)},
		{{"rate down 10000"}, DOWN(10000)},
		{{"rate down 1000G"}, DOWN(1000000000000)},
		{{"rate down none"}, DOWN(0)},
		{{"user a"}, FIELD(user), 0, "a"},
		{{"user 12345678901234567890123456789012"}, FIELD(user), 0,
			"12345678901234567890123456789012"},
		{{"sandbox best-effort"}, FIELD(sandbox_best_effort), true, NULL},
		{{"command resolve"}, FIELD(commands), COMMAND_RESOLVE, NULL},
		{{"command resolve connect"}, FIELD(commands), COMMAND_RESOLVE | COMMAND_CONNECT,
			NULL},
		{{"command bind udp"}, FIELD(commands), COMMAND_BIND | COMMAND_UDP, NULL},
		{{"version 4"}, FIELD(versions), CONFIG_VERSION_4, NULL},
		{{"version 4 5"}, FIELD(versions), CONFIG_VERSION_4 | CONFIG_VERSION_5, NULL},
	};
	EACH_ROW(row, rows, lines[0])
		for (size_t i = 0; i < COUNT(row->lines) && row->lines[i]; i++) {
			check_about = row->lines[i];
			is_set(row, row->lines[i], 0);
			if (row->lines[i][0])
				is_set(row, row->lines[i], 1);
		}
	CHECK_NUMBER(CONFIG_DURATION_MIN_US, 1000);
	CHECK_NUMBER(CONFIG_DURATION_MAX_US, YEAR);
}

/* There is one source address for each family. The last line applies. */
static void sets_each_source(void)
{
	static const char *const lines[] = {
		"source 192.0.2.2", "source 192.0.2.1", "source 2001:db8::2", "source 2001:db8::1"};
	struct config config = config_default(), want = config;
	want.source_ipv4 = fuzz_address("192.0.2.1", 0);
	want.source_ipv6 = fuzz_address("2001:db8::1", 0);
	EACH_TEXT(text, lines)
		CHECK(apply_text(&config, text));
	CHECK_BYTES(&config, sizeof config, &want, sizeof want);
}

/* Checks that the line `start` with each of the words appended is an error. */
static void are_errors(const char *start, const char *const *words, size_t count, const char *error,
	const char *advice)
{
	for (size_t i = 0; i < count; i++) {
		char line[80], want_bytes[120];
		struct writer want = writer_on(want_bytes, sizeof want_bytes - 1);
		snprintf(line, sizeof line, "%s \"%s\"", start, words[i]);
		check_about = line;
		writer_str(&want, error);
		writer_str(&want, " \"");
		writer_escaped(&want, words[i], strlen(words[i]));
		writer_str(&want, "\"; ");
		want_bytes[want.len] = '\0';
		is_error(line, strlen(line), want_bytes);
		CHECK(strstr(check_problem_text, advice));
	}
	check_about = NULL;
}

static void refuses_words_out_of_range(void)
{
	static const char *const durations[] = {"0ms", "0s", "00d", "366d", "8761h", "525601m",
		"31536001s", "31536000001ms", "18446744073709551615s", "18446744073709551616ms",
		"18446744073709551617s", "99999999999999999999999999999999d",
		"9223372036854775807ms", "10", "s", "ms", "-1s", "+1s", "1.5s", "1e3s", "0x10s",
		"1us", "1 s", "1S", "1H", "1sec", "1min", "1w", "1y", "1ss", "1sm", "10s0", "1s ",
		"infinity", "never", "None", "\t", ""};
	static const char *const rates[] = {"0", "9999", "9K", "0K", "1001G", "1000000000001", "1k",
		"1KB", "1.5M", "-1M", "M", "", "1 M", "18446744073709551617", "None", "1T"};
	static const char *const addresses[] = {"device", "mark", "192.0.2", "192.0.2.256",
		"192.0.2.1/24", "192.0.2.1:80", "0xc0000201", "[2001:db8::1]", "fe80::1%lo",
		"example.com", "", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1",
		"::ffff:192.0.2.1"};
	static const char *const devices[] = {"", "sixteen-bytes-xx"};
	static const char *const marks[] = {
		"0", "", "-1", "0x1", "1.0", "4294967296", "18446744073709551617"};
	static const char *const ready[] = {"0", "65", "-1", "", "8x", "none"};
	static const char *const connections[] = {"0", "65536", "4294967297", "", "none"};
	static const char *const limits[] = {
		"0", "16385", "-1", "", "4294967297", "8x", "None", "1,2"};
	static const char *const names[] = {",", "alice,", ",alice", "alice,,bob", ""};
	static const char *const none[] = {"none"};
	are_errors("timeout idle", durations, COUNT(durations), "invalid duration",
		"ms, s, m, h or d, or \"none\"");
	are_errors("rate down", rates, COUNT(rates), "invalid rate", "10K to 1000G");
	are_errors("prefork idle-exit", durations, COUNT(durations), "invalid duration",
		"ms, s, m, h or d, or \"none\"");
	are_errors("prefork ready", ready, COUNT(ready), "invalid number", "1 to 64");
	are_errors("prefork connections", connections, COUNT(connections), "invalid number",
		"1 to 65535");
	are_errors("limit from", limits, COUNT(limits), "invalid limit", "1 to 16384, or none");
	are_errors("limit user", limits, COUNT(limits), "invalid limit", "1 to 16384, or none");
	are_errors("limit user 1", names, COUNT(names), "invalid user in", "1 to 255 bytes");
	are_errors("source", addresses, COUNT(addresses), "invalid source address", "");
	are_errors("source device", devices, COUNT(devices), "invalid device", "");
	are_errors("source mark", marks, COUNT(marks), "invalid mark", "");
	are_errors("timeout handshake", none, 1, "invalid duration", "1ms to 365d");
	CHECK(!strstr(check_problem_text, "or \"none\""));
	are_errors("timeout connect", none, 1, "invalid duration", "1ms to 365d");
	CHECK(!strstr(check_problem_text, "or \"none\""));
}

/* Checks the authentication methods after config_finish(). */
static void chooses_the_authentication_methods(void)
{
	static const struct {
		const char *lines[3];
		unsigned auth; /* 0: an error is expected */
	} rows[] = {
		{{NULL}, CONFIG_AUTH_NONE},
		{{"auth none"}, CONFIG_AUTH_NONE},
		{{"auth none none"}, CONFIG_AUTH_NONE},
		{{"auth password"}, 0},
		{{"auth none password"}, 0},
		{{"users /a"}, CONFIG_AUTH_PASSWORD},
		{{"checkpassword /a b c"}, CONFIG_AUTH_PASSWORD},
		{{"users /a", "auth password"}, CONFIG_AUTH_PASSWORD},
		{{"auth password", "users credential:a"}, CONFIG_AUTH_PASSWORD},
		{{"users /a", "auth password none"}, CONFIG_AUTH_PASSWORD | CONFIG_AUTH_NONE},
		{{"users /a", "auth password", "auth none"}, CONFIG_AUTH_NONE},
		{{"users /a", "auth none", "auth password"}, CONFIG_AUTH_PASSWORD},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config config = config_default();
		struct rules rules = rules_on(memory, sizeof memory);
		for (size_t line = 0; line < 3 && rows[i].lines[line]; line++)
			CHECK(apply_text(&config, rows[i].lines[line]));
		CHECK_NUMBER(
			config_finish(&config, &rules, check_new_problem()), rows[i].auth != 0);
		CHECK_NUMBER(rules.count, 4);
		if (rows[i].auth) {
			CHECK_NUMBER(config.auth, rows[i].auth);
			continue;
		}
		CHECK_STRING(config.auth_line.location, "test");
		CHECK_STRING(check_problem_text,
			"auth requires passwords, but none are configured; add \"users FILE\" or "
			"\"checkpassword PROGRAM\", or use \"auth none\"");
	}
}

/* The built-in rules are added only if no rules are configured. */
static void keeps_rules(void)
{
	const struct words_line line = {.text = "allow", .len = 5, .location = "test"};
	struct rules rules = rules_on(memory, sizeof memory);
	struct config config = config_default();
	CHECK(config_line(&config, &rules, &line, check_new_problem()));
	CHECK(config_finish(&config, &rules, check_new_problem()));
	CHECK_NUMBER(rules.count, 1);
}

/* The last line with "users" or "checkpassword" applies, and its words are kept. */
static void keeps_the_source_of_passwords(void)
{
	static const struct {
		const char *line;
		enum config_passwords passwords;
		unsigned words;
		const char *text;
		size_t len;
	} rows[] = {
		{"users /a", CONFIG_USERS, 1, "/a", 3},
		{"checkpassword /b \"c d\" \"\" e", CONFIG_CHECKPASSWORD, 4, "/b\0c d\0\0e", 10},
		{"users credential:a", CONFIG_USERS_CREDENTIAL, 1, "a", 2},
		{"checkpassword /b", CONFIG_CHECKPASSWORD, 1, "/b", 3},
		{"users \"/a b\"", CONFIG_USERS, 1, "/a b", 5},
	};
	struct config config = config_default();
	char longest[WORDS_LINE_MAX + 1] = "users /";

	EACH_ROW(row, rows, line) {
		CHECK(apply_text(&config, row->line));
		CHECK_NUMBER(config.passwords, row->passwords);
		CHECK_NUMBER(config.passwords_words, row->words);
		CHECK_BYTES(config.passwords_text, row->len, row->text, row->len);
		for (size_t i = row->len; i < sizeof config.passwords_text; i++)
			CHECK(config.passwords_text[i] == '\0');
		CHECK_STRING(config.passwords_line.location, "test");
		CHECK_NUMBER(config.passwords_line.number, 1);
		CHECK(!config.passwords_line.text);
	}
	memset(longest + 7, 'a', WORDS_LINE_MAX - 7);
	CHECK(apply_text(&config, longest));
	CHECK_STRING(config.passwords_text, longest + 6);
}

/* A rule is added to the rules, and changes no setting. */
static void accepts_a_rule(void)
{
	static const char text[] = "allow from 10.0.0.0/8 to example.com at any port 1-65535";
	const struct words_line line = {.text = text, .len = sizeof text - 1, .location = "test"};
	const struct words_line other = {.text = "timeout idle 7s", .len = 15};
	struct config config = config_default(), want = config;
	struct rules rules = rules_on(memory, sizeof memory);
	CHECK(config_line(&config, &rules, &line, check_new_problem()));
	CHECK_NUMBER(rules.count, 1);
	CHECK_BYTES(&config, sizeof config, &want, sizeof want);
	CHECK(config_is_rule(&line));
	CHECK(!config_is_rule(&other));
}

/* An invalid line does not change the value of earlier lines. */
static void the_last_line_applies(void)
{
	struct config config = config_default();
	CHECK(apply_text(&config, "timeout idle 1s"));
	CHECK(apply_text(&config, "timeout idle 2s"));
	CHECK(!apply_text(&config, "timeout idle 3"));
	CHECK_NUMBER(config.idle_us, 2 * SECOND);
}

static void reports_each_error(void)
{
	static const struct {
		const char *what, *lines[4];
	} rows[] = {
		{"unknown keyword \"tiemout\"; use allow, deny, ", {"tiemout idle 2h"}},
		{"unknown keyword \"Timeout\"", {"Timeout idle 2h"}},
		{"unknown keyword \"\"", {"\"\""}},
		{"unknown keyword \"timeout idle 2h\"", {"\"timeout idle 2h\""}},
		{"timeout needs two arguments; use, for example, \"timeout idle 2h\"",
			{"timeout", "timeout idle", "timeout idle 2h 3h"}},
		{"unknown timeout \"idel\"; use handshake, ", {"timeout idel 2h"}},
		{"unknown timeout \"\"", {"timeout \"\" 2h"}},
		{"source needs an address, a device or a mark; use",
			{"source", "source 192.0.2.1 192.0.2.2", "source device eth0 eth1"}},
		{"quote not closed; close it with '\"'",
			{"timeout \"idle 2h", "timeout idle \"", "timeout idle 2h\"", "\"\"\""}},
		{"unknown keyword \"x\\ny\\x1b[2J\"", {"x\ny\033[2J"}},
		{"prefork needs a setting and its value; use \"prefork ready 8\", ",
			{"prefork", "prefork ready", "prefork reddy 8", "prefork ready 8 9"}},
		{"limit needs a kind and a number; use \"limit from 100\", ",
			{"limit", "limit form 1", "limit from 1 2", "limit user 1 a b"}},
		{"rate needs a direction and a rate; use",
			{"rate", "rate 10M", "rate sideways 10M", "rate up 10M down 10M"}},
		{"user needs a name of 1 to 32 bytes; use",
			{"user", "user \"\"", "user a b",
				"user 123456789012345678901234567890123"}},
		{"invalid user \"root\"; use a user who is not root", {"user root"}},
		{"sandbox needs one argument; use required or best-effort",
			{"sandbox", "sandbox off", "sandbox required best-effort"}},
		{"no argument after \"auth\"; use none, password or both", {"auth"}},
		{"unknown argument \"gssapi\"; use none, password or both", {"auth gssapi"}},
		{"unknown argument \"Password\"", {"auth none Password"}},
		{"users needs an absolute path or a credential; use",
			{"users", "users a", "users /a /b", "users \"\""}},
		{"invalid credential \"credential:\"; use", {"users credential:"}},
		{"invalid credential \"credential:../passwd\"", {"users credential:../passwd"}},
		{"checkpassword needs an absolute path; use",
			{"checkpassword", "checkpassword true"}},
		{"no argument after \"command\"; use connect, bind, udp or resolve", {"command"}},
		{"unknown argument \"associate\"; use connect, ", {"command associate"}},
		{"unknown argument \"resolv\"", {"command connect resolv"}},
		{"no argument after \"version\"; use 4, 5 or both", {"version"}},
		{"unknown argument \"6\"; use 4, 5 or both", {"version 6"}},
		{"unknown argument \"4a\"", {"version 5 4a"}},
		{"NUL byte or carriage return in line; remove it",
			{"timeout idle\r 2h", "# proxy\rauth none"}},
		{"invalid destination \"Private\"", {"deny to Private"}},
		{"invalid destination \"link_local\"", {"deny to link_local"}},
		{"invalid destination \"all\"", {"deny to all"}},
		{"invalid destination \"ANY\"", {"deny to 10.0.0.1,ANY"}},
		{"unknown clause \"nonsense\"", {"allow nonsense"}},
		{"no value after \"to\"", {"deny to"}},
		{"unknown keyword \"Allow\"; use allow, deny,", {"Allow to any"}},
		{"unknown keyword \"\\xc3\\xa4\"", {"\303\244"}},
	};
	EACH_ROW(row, rows, what)
		for (size_t i = 0; i < COUNT(row->lines) && row->lines[i]; i++) {
			check_about = row->lines[i];
			is_error(row->lines[i], strlen(row->lines[i]), row->what);
		}
}

/* unit/words.c tests words_split(). A line without words does not change the configuration. */
static void reads_words(void)
{
	static const char *const valid[] = {"timeout idle 7s", "  timeout\tidle \t 7s  \r",
		"timeout idle 7s\t#x \"quote", "time\"out\" i\"dl\"e 7\"\"s",
		"\"\"timeout idle 7s"};
	static const char *const empty[] = {"", " \t \r", "# timeout idle 8s", "  # \"", "#\r"};
	EACH_TEXT(text, valid) {
		struct config config = config_default();
		CHECK(apply_text(&config, text));
		CHECK_NUMBER(config.idle_us, 7 * SECOND);
	}
	EACH_TEXT(text, empty) {
		struct config config = config_default(), want = config;
		CHECK(apply_text(&config, text));
		CHECK_BYTES(&config, sizeof config, &want, sizeof want);
	}
}

static void refuses_lines_that_are_too_long_or_have_a_nul(void)
{
	char line[WORDS_LINE_MAX + 1] = "timeout idle 7s";
	struct config config = config_default();
	is_error(line, 16, "NUL byte or carriage return in line");
	memset(line + 15, ' ', sizeof line - 15);
	CHECK(apply(&config, line, WORDS_LINE_MAX));
	is_error(line, WORDS_LINE_MAX + 1, "line too long; use at most 1024 bytes");
	for (size_t i = 0; i < 66; i++)
		line[i] = "a "[i % 2];
	is_error(line, 64, "unknown keyword");
	is_error(line, 66, "too many words; use at most 32");
}

/* Bytes after the line are not read. */
static void reads_nothing_after_the_line(void)
{
	static const char line[] = "timeout idle 7s2h";
	struct config config = config_default();
	CHECK(apply(&config, line, 15));
	CHECK_NUMBER(config.idle_us, 7 * SECOND);
	CHECK(apply(&config, line, 0));
	is_error(line, 14, "invalid duration \"7\"");
}

int main(void)
{
	return CHECK_ALL(sets_each_field, sets_each_source, refuses_words_out_of_range,
		chooses_the_authentication_methods, keeps_rules, keeps_the_source_of_passwords,
		accepts_a_rule, the_last_line_applies, reports_each_error, reads_words,
		refuses_lines_that_are_too_long_or_have_a_nul, reads_nothing_after_the_line);
}
