/* SPDX-License-Identifier: ISC */
/* policy/config: the grammar of a line, each keyword, and that a mistake changes nothing. */
#include "policy/config.h"

#include "check.h"

#define SECOND INT64_C(1000000)

/* Applies a line to *config: whether it is right. What is said of it, when it is not, is in problem. */
static char problem_bytes[4 * WORDS_LINE_MAX];
static struct writer problem;

static bool apply(struct config *config, const char *line, size_t len)
{
	problem = writer_on(problem_bytes, sizeof problem_bytes - 1);
	const struct words_line whole = {.text = line, .len = len, .place = "test", .number = 1};
	enum config_kind kind = config_line(config, &whole, &problem);
	problem_bytes[problem.len] = '\0';
	return kind == CONFIG_SETTING;
}

static bool apply_text(struct config *config, const char *line)
{
	check_about = line;
	return apply(config, line, strlen(line));
}

/* What is asked of every mistake: nothing changed, and the problem says what would do. The other
 * bytes of *before are whatever the caller put there. */
static void is_mistake(const char *line, size_t len, const char *what)
{
	struct config before, config;
	memset(&before, 0x5a, sizeof before);
	config = before;
	CHECK(!apply(&config, line, len));
	CHECK_BYTES(&config, sizeof config, &before, sizeof before);
	CHECK(!problem.full);
	CHECK(strstr(problem_bytes, "; "));
	if (!CHECK(strstr(problem_bytes, what)))
		printf("\tsaid %s\n", problem_bytes);
	for (size_t i = 0; i < problem.len; i++)
		CHECK(problem_bytes[i] >= ' ' && problem_bytes[i] <= '~');
}

static void has_defaults(void)
{
	struct config c = config_default();
	CHECK_NUMBER(c.handshake_us, 10 * SECOND);
	CHECK_NUMBER(c.connect_us, 10 * SECOND);
	CHECK_NUMBER(c.idle_us, 2 * 3600 * SECOND);
	CHECK_NUMBER(c.half_closed_us, 5 * 60 * SECOND);
	CHECK_NUMBER(c.lifetime_us, CONFIG_NEVER_US);
	CHECK_NUMBER(c.source_ipv4.kind, ADDR_NONE);
	CHECK_NUMBER(c.source_ipv6.kind, ADDR_NONE);
	CHECK_STRING(c.device, "");
	CHECK_NUMBER(c.mark, 0);
}

/* Each timeout sets its own time, and no other. */
static void sets_each_timeout(void)
{
	static const char *const lines[] = {"timeout handshake 1ms", "timeout connect 1ms",
		"timeout idle 1ms", "timeout half-closed 1ms", "timeout lifetime 1ms"};
	for (size_t i = 0; i < 5; i++) {
		struct config config = config_default(), want = config;
		int64_t *const times[] = {&want.handshake_us, &want.connect_us, &want.idle_us,
			&want.half_closed_us, &want.lifetime_us};
		*times[i] = 1000;
		CHECK(apply_text(&config, lines[i]));
		CHECK_BYTES(&config, sizeof config, &want, sizeof want);
		CHECK_NUMBER(problem.len, 0);
	}
	check_about = NULL;
}

static void reads_durations(void)
{
	static const struct {
		const char *text;
		int64_t us;
	} rows[] = {
		{"1ms", 1000},
		{"999ms", 999000},
		{"500ms", SECOND / 2},
		{"1s", SECOND},
		{"10s", 10 * SECOND},
		{"1m", 60 * SECOND},
		{"90m", 90 * 60 * SECOND},
		{"2h", 7200 * SECOND},
		{"1d", 86400 * SECOND},
		{"007s", 7 * SECOND},
		{"0000000000000000000000000000001s", SECOND},
		{"365d", 365 * 86400 * SECOND}, /* the longest, in each unit */
		{"8760h", 365 * 86400 * SECOND},
		{"525600m", 365 * 86400 * SECOND},
		{"31536000s", 365 * 86400 * SECOND},
		{"31536000000ms", 365 * 86400 * SECOND},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct config config = config_default();
		char line[80];
		snprintf(line, sizeof line, "timeout idle %s", rows[i].text);
		CHECK(apply_text(&config, line));
		CHECK_NUMBER(config.idle_us, rows[i].us);
	}
	check_about = NULL;
	CHECK_NUMBER(CONFIG_DURATION_MIN_US, 1000);
	CHECK_NUMBER(CONFIG_DURATION_MAX_US, 365 * 86400 * SECOND);
}

static void refuses_what_is_no_duration(void)
{
	static const char *const texts[] = {"0ms", "0s", "00d", "366d", "8761h", "525601m",
		"31536001s", "31536000001ms", "18446744073709551615s", "18446744073709551616ms",
		"18446744073709551617s", "99999999999999999999999999999999d",
		"9223372036854775807ms", "10", "s", "ms", "-1s", "+1s", "1.5s", "1e3s", "0x10s",
		"1us", "1 s", "1S", "1H", "1sec", "1min", "1w", "1y", "1ss", "1sm", "10s0", "1s ",
		"infinity", "never", "None", "\t", ""};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		char line[80];
		snprintf(line, sizeof line, "timeout idle \"%s\"", texts[i]);
		check_about = line;
		is_mistake(line, strlen(line), "not a duration: \"");
		CHECK(strstr(problem_bytes, "ms, s, m, h or d"));
	}
	check_about = NULL;
}

static void knows_which_timeout_may_be_none(void)
{
	static const char *const may[] = {
		"timeout idle none", "timeout half-closed none", "timeout lifetime none"};
	static const char *const may_not[] = {"timeout handshake none", "timeout connect none"};
	struct config config = config_default();
	config.lifetime_us = 1000;
	for (size_t i = 0; i < 3; i++)
		CHECK(apply_text(&config, may[i]));
	CHECK_NUMBER(config.idle_us, CONFIG_NEVER_US);
	CHECK_NUMBER(config.half_closed_us, CONFIG_NEVER_US);
	CHECK_NUMBER(config.lifetime_us, CONFIG_NEVER_US);
	for (size_t i = 0; i < 2; i++) {
		check_about = may_not[i];
		is_mistake(may_not[i], strlen(may_not[i]), "\"none\"; 1ms to 365d");
		CHECK(!strstr(problem_bytes, "or \"none\""));
	}
	check_about = NULL;
}

static void sets_each_source(void)
{
	static const uint8_t ip[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	struct config config = config_default(), want = config;

	want.source_ipv4 = addr_of(ADDR_IPV4, "\xc0\0\2\1", 4, 0);
	CHECK(apply_text(&config, "source 192.0.2.1"));
	CHECK_BYTES(&config, sizeof config, &want, sizeof want);

	want.source_ipv6 = addr_of(ADDR_IPV6, ip, 16, 0);
	CHECK(apply_text(&config, "source 2001:db8::1"));
	CHECK_BYTES(&config, sizeof config, &want, sizeof want);

	strcpy(want.device, "eth0");
	CHECK(apply_text(&config, "source device eth0"));
	CHECK_BYTES(&config, sizeof config, &want, sizeof want);

	strcpy(want.device, "fifteen-bytes-x");
	CHECK(apply_text(&config, "source device fifteen-bytes-x"));
	CHECK_BYTES(&config, sizeof config, &want, sizeof want);

	strcpy(want.device, "lo");
	memset(want.device + 3, 0, sizeof want.device - 3);
	CHECK(apply_text(&config, "source device lo"));
	CHECK_STRING(config.device, "lo");

	CHECK(apply_text(&config, "source mark 1"));
	CHECK_NUMBER(config.mark, 1);
	CHECK(apply_text(&config, "source mark 4294967295"));
	CHECK_NUMBER(config.mark, UINT32_MAX);
	check_about = NULL;
}

static void reads_rates(void)
{
	static const struct {
		const char *text;
		uint64_t rate;
	} rows[] = {{"10000", 10000}, {"10K", 10000}, {"10M", 10000000}, {"1G", 1000000000},
		{"1000G", 1000000000000}, {"1000000000000", 1000000000000}, {"none", 0}};
	static const char *const wrong[] = {"0", "9999", "9K", "0K", "1001G", "1000000000001", "1k",
		"1KB", "1.5M", "-1M", "M", "", "1 M", "18446744073709551617", "None", "1T"};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct config config = config_default(), want = config;
		char line[80];
		config.rate_up = 7;
		want.rate_up = rows[i].rate;
		snprintf(line, sizeof line, "rate up %s", rows[i].text);
		CHECK(apply_text(&config, line));
		CHECK_BYTES(&config, sizeof config, &want, sizeof want);
		want.rate_up = 0;
		want.rate_down = rows[i].rate;
		config = config_default();
		snprintf(line, sizeof line, "rate down %s", rows[i].text);
		CHECK(apply_text(&config, line));
		CHECK_BYTES(&config, sizeof config, &want, sizeof want);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		char line[80];
		snprintf(line, sizeof line, "rate down \"%s\"", wrong[i]);
		is_mistake(line, strlen(line), "not a rate: \"");
		CHECK(strstr(problem_bytes, "10K to 1000G"));
	}
	check_about = NULL;
}

/* What a client must do, once all lines are read. */
static void decides_who_must_log_in(void)
{
	static const struct {
		const char *lines[3];
		unsigned auth; /* 0: a mistake */
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
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct config config = config_default();
		const struct words_line *where = NULL;
		for (size_t line = 0; line < 3 && rows[i].lines[line]; line++)
			CHECK(apply_text(&config, rows[i].lines[line]));
		problem = writer_on(problem_bytes, sizeof problem_bytes);
		CHECK_NUMBER(config_finish(&config, &where, &problem), rows[i].auth != 0);
		if (rows[i].auth)
			CHECK_NUMBER(config.auth, rows[i].auth);
		else if (CHECK(where))
			CHECK_BYTES(where->text, where->len, rows[i].lines[0],
				strlen(rows[i].lines[0]));
	}
	check_about = NULL;
}

/* Of both who know passwords the later one is asked, and its line is kept. */
static void knows_who_knows_passwords(void)
{
	static const char *const users = "users /a", *const program = "checkpassword /b c";
	struct config config = config_default();
	CHECK(apply_text(&config, users));
	CHECK_NUMBER(config.passwords, CONFIG_USERS);
	CHECK(config.passwords_line.text == users);
	CHECK(apply_text(&config, program));
	CHECK_NUMBER(config.passwords, CONFIG_CHECKPASSWORD);
	CHECK(config.passwords_line.text == program);
	CHECK(apply_text(&config, users));
	CHECK_NUMBER(config.passwords, CONFIG_USERS);
	check_about = NULL;
}

static void names_a_user(void)
{
	struct config config = config_default();
	CHECK(strcmp(config.user, "stdsocks") == 0);
	CHECK(apply_text(&config, "user 12345678901234567890123456789012"));
	CHECK(strcmp(config.user, "12345678901234567890123456789012") == 0);
	CHECK(apply_text(&config, "user a"));
	CHECK(strcmp(config.user, "a") == 0);
	check_about = NULL;
}

/* Without the sandbox only when that is said. */
static void may_do_without(void)
{
	struct config config = config_default();
	CHECK(!config.sandbox_best_effort);
	CHECK(apply_text(&config, "sandbox best-effort"));
	CHECK(config.sandbox_best_effort);
	CHECK(apply_text(&config, "sandbox required"));
	CHECK(!config.sandbox_best_effort);
	check_about = NULL;
}

static void reads_the_commands(void)
{
	struct config config = config_default();
	CHECK_NUMBER(config.commands, COMMAND_CONNECT);
	CHECK(apply_text(&config, "command resolve"));
	CHECK_NUMBER(config.commands, COMMAND_RESOLVE);
	CHECK(apply_text(&config, "command resolve connect"));
	CHECK_NUMBER(config.commands, COMMAND_RESOLVE | COMMAND_CONNECT);
	CHECK(apply_text(&config, "command bind udp"));
	CHECK_NUMBER(config.commands, COMMAND_BIND | COMMAND_UDP);
	check_about = NULL;
}

static void reads_the_versions(void)
{
	struct config config = config_default();
	CHECK_NUMBER(config.versions, CONFIG_VERSION_5);
	CHECK(apply_text(&config, "version 4"));
	CHECK_NUMBER(config.versions, CONFIG_VERSION_4);
	CHECK(apply_text(&config, "version 4 5"));
	CHECK_NUMBER(config.versions, CONFIG_VERSION_4 | CONFIG_VERSION_5);
	CHECK(apply_text(&config, "version 5"));
	CHECK_NUMBER(config.versions, CONFIG_VERSION_5);
	check_about = NULL;
}

/* What there is only one of may be said, and changes nothing. */
static void takes_what_there_is(void)
{
	struct config config = config_default(), want = config;
	CHECK(apply_text(&config, "command connect"));
	CHECK(apply_text(&config, "version 5"));
	CHECK(apply_text(&config, "sandbox required"));
	CHECK(apply_text(&config, "user stdsocks"));
	CHECK_BYTES(&config, sizeof config, &want, sizeof want);
	check_about = NULL;
}

/* A rule is told apart from a setting, and leaves the settings alone. */
static void knows_a_rule(void)
{
	static const char text[] = "allow from 10.0.0.0/8 to example.com at any port 1-65535";
	const struct words_line line = {.text = text, .len = sizeof text - 1};
	const struct words_line other = {.text = "timeout idle 7s", .len = 15};
	struct config config = config_default(), want = config;
	problem = writer_on(problem_bytes, sizeof problem_bytes);
	CHECK_NUMBER(config_line(&config, &line, &problem), CONFIG_RULE);
	CHECK_BYTES(&config, sizeof config, &want, sizeof want);
	CHECK(config_is_rule(&line));
	CHECK(!config_is_rule(&other));
}

static void later_lines_win(void)
{
	struct config config = config_default();
	CHECK(apply_text(&config, "timeout idle 1s"));
	CHECK(apply_text(&config, "source 192.0.2.1"));
	CHECK(apply_text(&config, "timeout idle 2s"));
	CHECK(apply_text(&config, "source 192.0.2.2"));
	CHECK(!apply_text(&config, "timeout idle 3"));
	CHECK_NUMBER(config.idle_us, 2 * SECOND);
	CHECK_NUMBER(config.source_ipv4.bytes[3], 2);
	check_about = NULL;
}

static void names_each_mistake(void)
{
	static const char *const rows[][2] = {
		{"tiemout idle 2h", "no such keyword: \"tiemout\"; there are "},
		{"Timeout idle 2h", "no such keyword: \"Timeout\""},
		{"\"\"", "no such keyword: \"\""},
		{"\"timeout idle 2h\"", "no such keyword: \"timeout idle 2h\""},
		{"timeout", "timeout takes two words; say"},
		{"timeout idle", "timeout takes two words; say"},
		{"timeout idle 2h 3h", "timeout takes two words; say"},
		{"timeout idel 2h", "no such timeout: \"idel\"; there are "},
		{"timeout \"\" 2h", "no such timeout: \"\""},
		{"source", "source takes an address, a device or a mark; say"},
		{"source device", "not an address: \"device\""},
		{"source mark", "not an address: \"mark\""},
		{"source 192.0.2.1 192.0.2.2", "source takes"},
		{"source device eth0 eth1", "source takes"},
		{"source 192.0.2", "not an address: \"192.0.2\""},
		{"source 192.0.2.256", "not an address"},
		{"source 192.0.2.1/24", "not an address"},
		{"source 192.0.2.1:80", "not an address"},
		{"source 0xc0000201", "not an address"},
		{"source [2001:db8::1]", "not an address"},
		{"source fe80::1%lo", "not an address"},
		{"source example.com", "not an address"},
		{"source \"\"", "not an address: \"\""},
		{"source device \"\"", "not a device: \"\""},
		{"source device sixteen-bytes-xx", "not a device: \"sixteen-bytes-xx\""},
		{"source mark 0", "not a mark: \"0\""},
		{"source mark \"\"", "not a mark: \"\""},
		{"source mark -1", "not a mark"},
		{"source mark 0x1", "not a mark"},
		{"source mark 1.0", "not a mark"},
		{"source mark 4294967296", "not a mark"},
		{"source mark 18446744073709551617", "not a mark"},
		{"timeout \"idle 2h", "a quote is left open; "},
		{"timeout idle \"", "a quote is left open"},
		{"timeout idle 2h\"", "a quote is left open"},
		{"\"\"\"", "a quote is left open"},
		{"x\ny\033[2J", "no such keyword: \"x\\ny\\x1b[2J\""},
		{"rate", "rate takes a direction and a rate; say"},
		{"rate 10M", "rate takes a direction"},
		{"rate sideways 10M", "rate takes a direction"},
		{"rate up 10M down 10M", "rate takes a direction"},
		{"user", "user takes a name; 1 to 32 bytes"},
		{"user \"\"", "user takes a name"},
		{"user a b", "user takes a name"},
		{"user root", "user is whom root becomes, so not \"root\"; name"},
		{"user 123456789012345678901234567890123", "user takes a name"},
		{"sandbox", "sandbox takes one word; \"sandbox required\""},
		{"sandbox off", "sandbox takes one word"},
		{"sandbox required best-effort", "sandbox takes one word"},
		{"auth", "auth takes a method; say"},
		{"auth gssapi", "no such method: \"gssapi\"; there are none and password"},
		{"auth none Password", "no such method: \"Password\""},
		{"users", "users takes a file's whole path; say"},
		{"users a", "users takes a file's whole path"},
		{"users /a /b", "users takes a file's whole path"},
		{"users \"\"", "users takes a file's whole path"},
		{"users credential:", "not a credential: \"credential:\""},
		{"users credential:../passwd", "not a credential: \"credential:../passwd\""},
		{"checkpassword", "checkpassword takes a program's whole path; say"},
		{"checkpassword true", "checkpassword takes a program's whole path"},
		{"command", "command takes a command; say"},
		{"command associate", "no such command: \"associate\""},
		{"command connect resolv", "no such command: \"resolv\""},
		{"version", "version takes a number; say"},
		{"version 6", "no such version: \"6\""},
		{"version 5 4a", "no such version: \"4a\""},
		{"source 0.0.0.0", "not an address: \"0.0.0.0\""},
		{"source 224.0.0.1", "not an address"},
		{"source 255.255.255.255", "not an address"},
		{"source ::", "not an address"},
		{"source ff02::1", "not an address"},
		{"source ::ffff:192.0.2.1", "not an address"},
		{"timeout idle\r 2h", "a carriage return inside; "},
		{"# proxy\rauth none", "a carriage return inside"},
		{"deny to Private", "does not belong there: \"Private\""},
		{"deny to link_local", "does not belong there"},
		{"deny to 10.0.0.1,ANY", "does not belong there: \"ANY\""},
		{"deny to all", "does not belong there"},
		{"allow nonsense", "no such clause: \"nonsense\""},
		{"deny to", "nothing follows \"to\""},
		{"Allow to any", "no such keyword: \"Allow\"; there are allow, deny,"},
		{"\303\244", "no such keyword: \"\\xc3\\xa4\""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		check_about = rows[i][0];
		is_mistake(rows[i][0], strlen(rows[i][0]), rows[i][1]);
	}
	check_about = NULL;
}

static void knows_the_grammar_of_a_line(void)
{
	static const char *const right[] = {"timeout idle 7s", "  timeout\tidle \t 7s  ",
		"timeout idle 7s\r", "timeout idle 7s # comment", "timeout idle 7s #",
		"timeout idle 7s\t#x", "timeout idle 7s # \"quote", "\"timeout\" \"idle\" \"7s\"",
		"time\"out\" i\"dl\"e 7\"\"s", "\"\"timeout idle 7s"};
	static const char *const empty[] = {
		"", " ", "\t", "\r", " \t \r", "#", "# timeout idle 8s", "  # \"", "##", "#\r"};
	for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
		struct config config = config_default();
		CHECK(apply_text(&config, right[i]));
		CHECK_NUMBER(config.idle_us, 7 * SECOND);
	}
	for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
		struct config config = config_default(), want = config;
		CHECK(apply_text(&config, empty[i]));
		CHECK_BYTES(&config, sizeof config, &want, sizeof want);
	}

	struct config config = config_default(); /* quotes keep blanks and '#' */
	CHECK(apply_text(&config, "source device \"a b#\tc\" # x"));
	CHECK_STRING(config.device, "a b#\tc");
	check_about = NULL;
}

/* At most 1024 bytes and 32 words, whatever they are; exactly as many are read. */
static void knows_the_limits_of_a_line(void)
{
	static const char start[] = "timeout idle 7s";
	char line[WORDS_LINE_MAX + 1];
	for (size_t len = WORDS_LINE_MAX - 1; len <= WORDS_LINE_MAX + 1; len++) {
		struct config config = config_default();
		memset(line, ' ', sizeof line);
		memcpy(line, start, sizeof start - 1);
		if (len <= WORDS_LINE_MAX)
			CHECK(apply(&config, line, len));
		else
			is_mistake(line, len, "the line is too long; at most 1024 bytes");
		memset(line, 'a', len); /* one word */
		is_mistake(line, len, len <= WORDS_LINE_MAX ? "no such keyword" : "too long");
	}
	for (size_t words = 31; words <= 33; words++) {
		for (size_t i = 0; i < words; i++)
			memcpy(line + 2 * i, "a ", 2);
		is_mistake(line, 2 * words,
			words <= 32 ? "no such keyword" : "too many words; at most 32");
		for (size_t i = 0; i < words; i++)
			memcpy(line + 3 * i, "\"\" ", 3);
		is_mistake(line, 3 * words, words <= 32 ? "no such keyword" : "too many words");
	}
}

/* A NUL would end a word where its line goes on. */
static void refuses_a_nul_anywhere(void)
{
	static const char line[] = "timeout idle 7s # x";
	for (size_t at = 0; at < sizeof line - 1; at++) {
		char with_nul[sizeof line];
		memcpy(with_nul, line, sizeof line);
		with_nul[at] = '\0';
		is_mistake(with_nul, sizeof line - 1, "the line has a NUL byte");
	}
}

/* The line lies at the end of its memory, where a sanitizer sees one read too many. */
static void reads_no_byte_behind_the_line(void)
{
	static const char line[] = "timeout idle 7s2h";
	struct config config = config_default();
	CHECK(apply(&config, line, 15));
	CHECK_NUMBER(config.idle_us, 7 * SECOND);
	CHECK(apply(&config, line, 0));
	is_mistake(line, 14, "not a duration: \"7\"");
}

int main(void)
{
	has_defaults();
	sets_each_timeout();
	reads_durations();
	refuses_what_is_no_duration();
	knows_which_timeout_may_be_none();
	sets_each_source();
	reads_rates();
	decides_who_must_log_in();
	knows_who_knows_passwords();
	names_a_user();
	may_do_without();
	reads_the_commands();
	reads_the_versions();
	takes_what_there_is();
	knows_a_rule();
	later_lines_win();
	names_each_mistake();
	knows_the_grammar_of_a_line();
	knows_the_limits_of_a_line();
	refuses_a_nul_anywhere();
	reads_no_byte_behind_the_line();
	return check_end();
}
