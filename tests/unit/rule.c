/* SPDX-License-Identifier: ISC */
/* policy/rule: each clause, each error and its message, and addresses that are not resolved yet. */
#include "policy/rule.h"

#include "check.h"
#include "policy/command.h"
#include "wire/socks5.h"

#define UNKNOWN "?"

/* -- Contexts, parsed from texts */

/* Returns the context of a request. from: "stdio", "unix", "unix0", "unix1000", "other" or an
 * address. resolved: an address, NULL if it is the requested address, or UNKNOWN. */
static struct rule_context context_of(const char *from, const char *to, const char *resolved)
{
	struct rule_context context = {.uid = -1,
		.command = SOCKS5_CONNECT,
		.requested = fuzz_address(to, 443),
		.user = "alice"};
	if (strcmp(from, "stdio") == 0) {
		context.client_kind = RULE_CLIENT_STDIO;
	} else if (strncmp(from, "unix", 4) == 0) {
		context.client_kind = RULE_CLIENT_UNIX;
		if (from[4])
			context.uid = atoi(from + 4);
	} else if (strcmp(from, "other") != 0) {
		context.client_kind = RULE_CLIENT_IP;
		context.client = fuzz_address(from, 0);
		CHECK(context.client.kind != ADDR_NAME);
	}
	if (!resolved)
		context.resolved = context.requested;
	else if (strcmp(resolved, UNKNOWN) != 0)
		context.resolved = fuzz_address(resolved, 0);
	CHECK(context.resolved.kind != ADDR_NAME);
	return context;
}

static struct rule_context by_client(const char *text)
{
	return context_of(text, "8.8.8.8", NULL);
}

/* text: a user name, or "-" for a client without authentication. */
static struct rule_context by_user(const char *text)
{
	struct rule_context context = context_of("stdio", "8.8.8.8", NULL);
	context.user = strcmp(text, "-") == 0 ? NULL : text;
	return context;
}

static struct rule_context by_port(const char *text)
{
	struct rule_context context = context_of("stdio", "8.8.8.8", NULL);
	context.requested.port = (uint16_t)atoi(text);
	return context;
}

/* A name that resolves to a public address. */
static struct rule_context by_name(const char *text)
{
	return context_of("stdio", text, "8.8.8.8");
}

static struct rule_context by_address(const char *text)
{
	return context_of("192.0.2.7", text, NULL);
}

/* The name a.example, which resolves to this address. */
static struct rule_context by_resolved(const char *text)
{
	return context_of("192.0.2.7", "a.example", text);
}

/* Parses a rule into memory of exactly the size that it may need. Returns NULL if it is invalid.
 * free() takes the rule. */
static const struct rule *parse(const char *text, bool keep_text)
{
	static struct words words;
	const struct words_line line = {
		.text = text, .len = strlen(text), .location = "test", .number = 7};
	const size_t size = sizeof(struct rule) + RULE_GROWTH * line.len;
	struct writer pool = writer_on(malloc(size), size);
	if (!pool.bytes)
		abort();

	check_about = text;
	const struct rule *rule = NULL;
	if (CHECK(words_split(&line, &words, check_new_problem())) && CHECK(rule_is_rule(&words)))
		rule = rule_parse(&line, &words, keep_text, &pool, check_new_problem());
	CHECK(!check_problem.full && !pool.full);
	CHECK_NUMBER(pool.len, rule ? rule->size : 0);
	if (!rule)
		free(pool.bytes);
	return rule;
}

/* Returns false if the rule is invalid. */
static bool match(
	const char *text, const struct rule_context *context, struct rule_match *ret_match)
{
	const struct rule *rule = parse(text, false);
	if (!rule)
		return false;
	struct rule_context known = *context; /* as rules_evaluate() does it */
	if (known.resolved.kind != ADDR_NONE)
		known.embedded = special_embedded(&known.resolved, 0);
	*ret_match = rule_evaluate(rule, &known);
	free((void *)rule);
	return true;
}

static bool answers(const char *rule, const struct rule_context *context, enum rule_answer want)
{
	struct rule_match got;
	if (!CHECK(match(rule, context, &got))) {
		printf("\tmessage: %s\n", check_problem_text);
		return false;
	}
	return CHECK_STRING(check_problem_text, "") && CHECK_NUMBER(got.answer, want) &&
		CHECK(got.allow == (rule[0] == 'a')) &&
		CHECK((got.failed == RULE_CLAUSES) == (want != RULE_NO));
}

/* -- Each clause */

/* A rule, and the texts of contexts that it matches or does not match. */
struct row {
	const char *rule, *yes[6], *no[8];
};

static void check_rows(
	const struct row *rows, size_t count, struct rule_context (*context_by)(const char *text))
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < COUNT(rows->yes) + COUNT(rows->no); j++) {
			bool yes = j < COUNT(rows->yes);
			const char *text = yes ? rows[i].yes[j] : rows[i].no[j - COUNT(rows->yes)];
			if (!text)
				continue;
			struct rule_context context = context_by(text);
			if (!answers(rows[i].rule, &context, yes ? RULE_YES : RULE_NO))
				printf("\tcontext: %s\n", text);
		}
}

static void from_matches_its_clients(void)
{
	static const struct row rows[] = {
		{"allow from any", {"stdio", "other", "unix", "192.0.2.7"}, {0}},
		{"allow from stdio", {"stdio"}, {"other", "unix", "unix0", "127.0.0.1", "::1"}},
		{"allow from unix", {"unix", "unix0", "unix1000"}, {"stdio", "other", "127.0.0.1"}},
		{"allow from unix:0", {"unix0"}, {"unix", "unix1000", "stdio", "other", "0.0.0.0"}},
		{"allow from unix:1000", {"unix1000"}, {"unix", "unix0", "stdio"}},
		{"allow from unix:4294967295", {0}, {"unix", "unix0"}},
		{"allow from 10.0.0.0/8", {"10.0.0.0", "10.255.255.255"},
			{"9.255.255.255", "11.0.0.0", "::ffff:10.0.0.1", "stdio", "unix", "other"}},
		{"allow from 10.1.2.3/8", {"10.0.0.0", "10.255.255.255"},
			{"9.255.255.255", "11.0.0.0"}},
		{"allow from 192.0.2.7", {"192.0.2.7"}, {"192.0.2.6", "192.0.2.8"}},
		{"allow from 192.0.2.7/32", {"192.0.2.7"}, {"192.0.2.6", "192.0.2.8"}},
		{"allow from 192.0.2.7/31", {"192.0.2.6", "192.0.2.7"}, {"192.0.2.5", "192.0.2.8"}},
		{"allow from 0.0.0.0/0", {"0.0.0.0", "255.255.255.255"},
			{"::", "::ffff:1.2.3.4", "stdio"}},
		{"allow from ::/0", {"::", "fe80::1", "::ffff:1.2.3.4"},
			{"0.0.0.0", "unix", "other"}},
		{"allow from 2001:DB8::/32", {"2001:db8::", "2001:db8:ffff::1"},
			{"2001:db9::", "2001:db7::"}},
		{"allow from fe80::1", {"fe80::1"}, {"fe80::", "fe80::2"}},
		{"allow from ::ffff:10.0.0.0/104", {"10.0.0.1"}, {"11.0.0.1", "a00::1"}},
		{"allow from loopback", {"127.0.0.1", "::1"},
			{"10.0.0.1", "stdio", "unix", "0.0.0.0", "::", "::ffff:127.0.0.1"}},
		{"allow from private", {"10.0.0.1", "192.168.0.1", "100.64.0.1", "fd00::1"},
			{"8.8.8.8", "127.0.0.1", "fe80::1", "169.254.0.1", "stdio", "unix"}},
		{"allow from link-local", {"169.254.0.1", "fe80::1"}, {"10.0.0.1", "fec0::1"}},
		{"allow from public", {"8.8.8.8", "2600::1"},
			{"10.0.0.1", "192.0.2.7", "::", "stdio"}},
	};
	check_rows(rows, COUNT(rows), by_client);
}

/* The owner of an IPv6 network chooses the addresses that are embedded in it. */
static void embedded_addresses_of_clients_are_ignored(void)
{
	static const char *const clients[] = {"2001:db8::5efe:10.0.0.1", "2600::5efe:10.0.0.1",
		"2600::200:5efe:127.0.0.1", "2002:a00:1::1", "2002:7f00:1::1", "64:ff9b::10.0.0.1",
		"64:ff9b::127.0.0.1", "64:ff9b:1::10.0.0.1", "::10.0.0.1", "::127.0.0.1",
		"::ffff:127.0.0.1", "2001::f5ff:fffe", "2001::80ff:fffe", "::", "0.0.0.0"};
	EACH_TEXT(text, clients) {
		struct rule_context context = by_client(text);
		answers("allow from private,loopback,link-local", &context, RULE_NO);
		answers("allow from 10.0.0.0/8,127.0.0.0/8,::1", &context, RULE_NO);
		answers("deny from private,loopback,link-local", &context, RULE_NO);
	}
}

/* The address of a client that is not RULE_CLIENT_IP, and the UID of one that is not
 * RULE_CLIENT_UNIX, are ignored. */
static void a_client_has_only_the_values_of_its_kind(void)
{
	static const enum rule_client kinds[] = {
		RULE_CLIENT_OTHER, RULE_CLIENT_IP, RULE_CLIENT_UNIX, RULE_CLIENT_STDIO};
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct rule_context context = by_client("10.0.0.1");
		context.client_kind = kinds[i];
		context.uid = 1000;
		enum rule_answer ip = kinds[i] == RULE_CLIENT_IP ? RULE_YES : RULE_NO;
		answers("allow from private", &context, ip);
		answers("allow from 10.0.0.0/8", &context, ip);
		answers("allow from 0.0.0.0/0,::/0", &context, ip);
		answers("allow from unix:1000", &context,
			kinds[i] == RULE_CLIENT_UNIX ? RULE_YES : RULE_NO);
	}
}

static void user_matches_an_equal_name(void)
{
	static const struct row rows[] = {
		{"allow user alice", {"alice"}, {"Alice", "alice2", "alic", "", "-"}},
		{"allow user any", {"alice", ""}, {"-"}}, {"allow user Any", {0}, {"alice"}},
		{"deny user any", {0}, {"-"}}, {"allow user bob,alice", {"alice"}, {0}},
		{"allow user bob,carol", {0}, {"alice"}}, {"allow user \"a b\"", {"a b"}, {0}},
		{"allow user \"a#\"", {"a#"}, {0}}, {"allow user \303\244", {"\303\244"}, {0}},
		{"allow user 10.0.0.1/99", {"10.0.0.1/99"}, {0}}, /* all bytes except a comma */
	};
	check_rows(rows, COUNT(rows), by_user);
}

static void command_matches_its_requests(void)
{
	for (unsigned command = 0; command < 256; command++) {
		struct rule_context context = by_client("stdio");
		context.command = (uint8_t)command;
		answers("allow command connect", &context, command == 1 ? RULE_YES : RULE_NO);
		answers("allow command bind", &context, command == 2 ? RULE_YES : RULE_NO);
		answers("allow command udp", &context, command == 3 ? RULE_YES : RULE_NO);
		answers("allow command resolve", &context,
			command == 0xf0 || command == 0xf1 ? RULE_YES : RULE_NO);
		answers("allow", &context, RULE_YES);
	}
}

static void port_matches_its_ranges(void)
{
	static const struct row rows[] = {
		{"allow port 1", {"1"}, {"2", "65535"}},
		{"allow port 443", {"443"}, {"442", "444", "1"}},
		{"allow port 00443", {"443"}, {"442", "444", "1"}},
		{"allow port 65535", {"65535"}, {"65534", "1"}},
		{"allow port 80,8000-8999", {"80", "8000", "8500", "8999"},
			{"79", "81", "7999", "9000", "0"}},
		{"allow port 25-25", {"25"}, {"24", "26"}},
		{"allow port 1-65535", {"1", "2", "65534", "65535"}, {"0"}},
		{"allow port 65534-65535,1-2", {"1", "2", "65534", "65535"}, {"3", "65533"}},
	};
	check_rows(rows, COUNT(rows), by_port);
}

/* -- Destinations */

static void names_compare_by_labels(void)
{
	/* The first member is an item, not a rule. */
	static const struct row rows[] = {
		{"example.com", {"example.com", "EXAMPLE.com", "example.com."},
			{"www.example.com", "evilexample.com", "xample.com", "example.co",
				"example.comm", "example-com", "com"}},
		{"Example.COM", {"example.com"}, {0}},
		{"example.com.", {"example.com", "Example.Com."}, {0}},
		{".example.com", {"www.example.com", "a.b.example.com", "WWW.EXAMPLE.COM."},
			{"example.com", "example.com.", "evilexample.com", "www.evilexample.com",
				"www-example.com", "www.example.com.evil.org", "com",
				".example.com"}},
		{".Example.com.", {"www.example.com"}, {0}},
		{".example.com.", {"www.example.com."}, {"example.com"}},
		{".com", {"example.com"}, {"com"}},
		{"a_b-c", {"A_B-C"}, {0}}, /* only letters have a case */
		{"a_b", {0}, {"a\177b"}},
		{"a-b", {0}, {"a\rb"}},
		{"0x.example", {"0X.example"}, {0}},
		{"1.example", {"1.example"}, {0}},
		{"publi", {"publi"}, {0}}, /* similar to a class */
		{"public.", {"public"}, {0}},
		{"any.", {"any"}, {"example.com"}},
	};
	static const char *const frames[][2] = {{"allow to ", ""}, {"deny to ", ""},
		{"allow to 192.0.2.1,", ",x at any"}, {"deny to 192.0.2.1,", ",x at any"}};
	for (size_t i = 0; i < COUNT(rows) * COUNT(frames); i++) {
		char rule[80];
		struct row row = rows[i / COUNT(frames)];
		const char *const *frame = frames[i % COUNT(frames)];
		snprintf(rule, sizeof rule, "%s%s%s", frame[0], row.rule, frame[1]);
		row.rule = rule;
		check_rows(&row, 1, by_name);
	}
	struct rule_context context = by_address("8.8.8.8"); /* a request without a name */
	answers("allow to example.com,.com,dns.google", &context, RULE_NO);
}

/* 253 bytes, with a dot before and after them. */
static void names_have_253_bytes(void)
{
	char name[300], rule[400];
	memset(name, 'a', sizeof name);
	for (size_t i = 1; i < sizeof name; i += 2)
		name[i] = '.';
	name[253] = '\0';
	struct rule_context context = by_name(name);
	snprintf(rule, sizeof rule, "allow to %s", name);
	answers(rule, &context, RULE_YES);
	snprintf(rule, sizeof rule, "allow to %s.", name);
	answers(rule, &context, RULE_YES);
	snprintf(rule, sizeof rule, "allow to .%s.", name);
	answers(rule, &context, RULE_NO);
	snprintf(rule, sizeof rule, "allow to .%s", name + 2);
	answers(rule, &context, RULE_YES);
}

/* Otherwise DNS could give access to this host and the network behind it. */
static void a_name_is_allowed_at_public_addresses(void)
{
	static const struct row rows[] = {
		{"allow to a.example", {"8.8.8.8", "2600::1", "64:ff9b::8.8.8.8"},
			{"127.0.0.1", "0.0.0.0", "10.0.0.1", "169.254.169.254", "192.0.2.1",
				"::ffff:10.0.0.1", "2002:a00:1::1"}},
		{"allow to .example", {0}, {"10.0.0.1"}},
		{"allow to .example,a.example", {0}, {"::1"}},
		/* a name is denied at every address */
		{"deny to a.example", {"8.8.8.8", "127.0.0.1"}, {0}},
		/* a matching address in "to" is sufficient */
		{"allow to a.example,10.0.0.0/8", {"10.0.0.1"}, {0}},
		{"allow to 10.0.0.0/8,a.example", {"10.0.0.1"}, {"192.168.0.1"}},
		{"allow to 10.0.0.0/8,b.example", {"10.0.0.1"}, {0}},
		{"allow to a.example,any", {"127.0.0.1"}, {0}},
		/* a name is evaluated at its embedded address */
		{"allow to public", {"2002:808:808::1"}, {"2002:a00:1::1"}},
		/* "at" replaces the implied "at public" */
		{"allow to a.example at any", {"127.0.0.1"}, {0}},
		{"allow to a.example at private", {"10.0.0.1", "64:ff9b::10.0.0.1"},
			{"8.8.8.8", "127.0.0.1"}},
		{"allow to a.example at private,public", {"8.8.8.8"}, {0}},
		{"allow to a.example at 10.0.0.0/8", {"10.0.0.1"}, {"8.8.8.8"}},
		{"allow to a.example at 10.0.0.1", {0}, {"10.0.0.2"}},
		{"allow to a.example at 2000::/3", {"2002:808:808::1"}, {"2002:a00:1::1"}},
		{"deny to .example at private", {"10.0.0.1"}, {"8.8.8.8"}},
		{"allow to a.example port 443 at any", {"::1"}, {0}},
		{"allow to a.example port 80 at any", {0}, {"::1"}},
	};
	check_rows(rows, COUNT(rows), by_resolved);
}

/* An IPv6 prefix around an embedded address can deny it, and can allow it only if it is public. */
static void embedded_addresses_are_evaluated(void)
{
	static const struct row rows[] = {
		{"allow to 10.0.0.0/8", {"::ffff:10.0.0.1", "::10.0.0.1"}, {0}},
		{"allow to 10.0.0.0/8 at 10.1.0.0/16", {"10.1.0.1"}, {"10.2.0.1"}},
		{"allow to any at public", {0}, {"10.2.0.1"}},
		{"allow to private", {"64:ff9b::10.0.0.1"}, {0}},
		{"allow to public", {"2002:808:808::1"},
			{"64:ff9b::10.0.0.1", "2002:a00:1::1", "2600::5efe:10.0.0.1",
				"2001::f5ff:fffe"}},
		{"allow to loopback", {"0.0.0.0", "::"}, {0}},
		{"deny to loopback", {"::ffff:0.0.0.0"}, {0}},
		{"deny to 127.0.0.1", {"0.0.0.0"}, {0}},
		{"deny to ::1", {"::"}, {0}},
		{"deny to 10.0.0.1", {"2002:a00:1::1"}, {0}},
		{"deny to 8.8.8.8", {"64:ff9b::8.8.8.8"}, {0}},
		/* an allowed prefix around it allows only public embedded addresses */
		{"allow to 2000::/3", {"2600::1", "2001:db8::1", "2002:808:808::1"},
			{"2002:a00:1::1", "2600::5efe:127.0.0.1"}},
		{"allow to 2002:a00:1::1", {0}, {"2002:a00:1::1"}},
		{"allow to ::/0", {"::ffff:8.8.8.8", "fc00::1"},
			{"::ffff:10.0.0.1", "64:ff9b::169.254.169.254"}},
		{"allow to 64:ff9b::/96", {"64:ff9b::8.8.8.8"}, {"64:ff9b::192.0.2.1"}},
		{"allow to 64:ff9b::/96,10.0.0.0/8", {"64:ff9b::10.0.0.1"}, {0}},
		{"allow to 0.0.0.0/8", {0}, {"0.0.0.0"}},
		{"allow to any", {"2002:a00:1::1"}, {0}},
		/* a denied prefix denies by the address itself and by the embedded one */
		{"deny to 2002::/16", {"2002:808:808::1", "2002:a00:1::1"}, {"2003::1"}},
		{"deny to 8.8.8.0/24", {"2002:808:808::1"}, {0}},
		{"deny to 64:ff9b::/96", {"64:ff9b::8.8.8.8"}, {0}},
		{"deny to ::/0", {"::ffff:8.8.8.8"}, {"8.8.8.8"}},
		{"deny to 0.0.0.0/8", {"0.0.0.0"}, {0}},
	};
	check_rows(rows, COUNT(rows), by_address);
}

/* Before a.example is resolved, the answer is RULE_MAYBE unless it is equal for all addresses. */
static void an_unknown_address_is_maybe(void)
{
	static const char *const yes[] = {"allow", "allow to any", "deny to a.example",
		"deny to a.example,10.0.0.1", "allow to any,a.example", "allow to a.example at any",
		"allow to any at any", "deny to .example at any"};
	static const char *const no[] = {"allow to b.example", "allow to b.example at any",
		"allow to public port 80", "allow port 80 to public", "allow to public user bob",
		"allow from 10.0.0.0/8 to public"};
	static const char *const maybe[] = {"allow to a.example", "allow to 10.0.0.0/8,a.example",
		"allow to a.example at private", "deny to .example at private",
		"allow to any at public", "allow to public", "deny to public",
		"allow to 10.0.0.0/8", "allow to ::/0,0.0.0.0/0", "deny to b.example,10.0.0.1",
		"allow to public port 443", "allow from 192.0.2.0/24 to public",
		"allow to public at any"};
	const struct rule_context context = by_resolved(UNKNOWN);
	EACH_TEXT(text, yes)
		answers(text, &context, RULE_YES);
	EACH_TEXT(text, no)
		answers(text, &context, RULE_NO);
	EACH_TEXT(text, maybe)
		answers(text, &context, RULE_MAYBE);
}

/* -- Results and messages */

static void reports_the_clause_that_does_not_match(void)
{
	static const struct {
		const char *rule, *resolved;
		enum rule_clause failed;
		bool implied;
	} rows[] = {
		{"allow from 10.0.0.0/8", "8.8.8.8", RULE_FROM, false},
		{"allow user bob", "8.8.8.8", RULE_USER, false},
		{"allow to b.example", "8.8.8.8", RULE_TO, false},
		{"allow to a.example at private", "8.8.8.8", RULE_AT, false},
		{"allow to a.example", "10.0.0.1", RULE_AT, true},
		{"allow to a.example,127.0.0.1 port 443", "10.0.0.1", RULE_AT, true},
		{"allow port 80", "8.8.8.8", RULE_PORT, false},
		{"allow to a.example port 80", "8.8.8.8", RULE_PORT, false},
		{"allow from any to a.example at any port 80", "10.0.0.1", RULE_PORT, false},
		{"deny to a.example port 80", "10.0.0.1", RULE_PORT, false},
		{"allow to a.example at any", "10.0.0.1", RULE_CLAUSES, false},
		{"allow to a.example", "8.8.8.8", RULE_CLAUSES, false},
		{"deny to a.example", "10.0.0.1", RULE_CLAUSES, false},
		{"allow to a.example", UNKNOWN, RULE_CLAUSES, false},
		/* "at" may follow any clause after "to" */
		{"allow to a.example port 80 at any", "10.0.0.1", RULE_PORT, false},
		{"allow to a.example user bob at 10.0.0.1", "10.0.0.1", RULE_USER, false},
	};
	EACH_ROW(row, rows, rule) {
		struct rule_context context = context_of("stdio", "a.example", row->resolved);
		struct rule_match got;
		CHECK(match(row->rule, &context, &got));
		CHECK_NUMBER(got.failed, row->failed);
		CHECK_NUMBER(got.implied, row->implied);
	}
}

#define ADDRESSES                                                                                  \
	"use an address, a prefix such as 10.0.0.0/8, loopback, private, link-local, public"
#define FROM_ADVICE ADDRESSES ", any, unix, unix:UID or stdio"
#define USER_ADVICE "use a user name, or any for all authenticated users"
#define TO_ADVICE   ADDRESSES ", any, a host name or .suffix"
#define AT_ADVICE   ADDRESSES " or any"
#define PORT_ADVICE "use 1 to 65535, or a range such as 8000-8999"
#define DUPLICATE(clause)                                                                          \
	"duplicate clause \"" clause "\"; join the items with commas, or write two rules"
#define BEFORE_AT      "no destination before \"at\"; add, for example, \"to example.com\""
#define NO_VALUE(word) "no value after \"" word "\"; "

static void is_error(const char *rule, const char *want)
{
	CHECK(!parse(rule, true));
	CHECK_STRING(check_problem_text, want);
}

static void reports_errors_of_clauses(void)
{
	static const char clauses[] = "use from, user, command, to, at or port";
	static const char *const words[] = {"form", "From", "fro", "fromm", "f", "", "any", "allow",
		"deny", ",", "from,user", "10.0.0.1"};
	static const struct {
		const char *rule, *want;
	} rows[] = {
		{"allow from", NO_VALUE("from") FROM_ADVICE},
		{"allow user", NO_VALUE("user") USER_ADVICE},
		{"allow command", NO_VALUE("command") COMMAND_ADVICE},
		{"allow to", NO_VALUE("to") TO_ADVICE},
		{"deny to any at", NO_VALUE("at") AT_ADVICE},
		{"deny to any port", NO_VALUE("port") PORT_ADVICE},
		{"allow at any", BEFORE_AT},
		{"deny at any to any", BEFORE_AT},
		{"allow to any to any", DUPLICATE("to")},
		{"allow from any port 1 from any", DUPLICATE("from")},
		{"allow to any at any at any", DUPLICATE("at")},
		{"allow user \"\"", "invalid user \"\"; " USER_ADVICE},
		{"allow user alice,,bob", "invalid user \"\"; " USER_ADVICE},
		{"allow from any,", "invalid client \"\"; " FROM_ADVICE},
		{"allow to ,any", "invalid destination \"\"; " TO_ADVICE},
		{"allow port 80, 443", "invalid port \"\"; " PORT_ADVICE},
		/* errors after a clause that does not match are found */
		{"allow port 1 to", NO_VALUE("to") TO_ADVICE},
		{"allow from 192.0.2.1,x", "invalid client \"x\"; " FROM_ADVICE},
		{"deny port 1 user nobody from 192.0.2.1 to a..b",
			"invalid destination \"a..b\"; " TO_ADVICE},
		{"deny to b.example at 192.0.2.1,x", "invalid address \"x\"; " AT_ADVICE},
	};
	EACH_TEXT(text, words)
		for (int second = 0; second < 2; second++) {
			char rule[80], want[160];
			snprintf(rule, sizeof rule, "allow %s\"%s\" any", second ? "port 443 " : "",
				text);
			snprintf(want, sizeof want, "unknown clause \"%s\"; %s", text, clauses);
			is_error(rule, want);
		}
	EACH_ROW(row, rows, rule)
		is_error(row->rule, row->want);
}

/* Checks the error of each item, alone, after and before a valid item. */
static void reports_an_invalid_item(const char *clause, const char *valid, const char *error,
	const char *advice, const char *const *items)
{
	char rule[700], want[700];
	for (; *items; items++) {
		snprintf(want, sizeof want, "%s \"%s\"; %s", error, *items, advice);
		snprintf(rule, sizeof rule, "allow %s \"%s\"", clause, *items);
		is_error(rule, want);
		snprintf(rule, sizeof rule, "deny %s \"%s,%s\"", clause, valid, *items);
		is_error(rule, want);
		snprintf(rule, sizeof rule, "allow %s \"%s,%s\"", clause, *items, valid);
		is_error(rule, want);
	}
}

/* Neither addresses nor prefixes. Most are not host names either. */
#define WRONG_ADDRESSES                                                                            \
	"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/a", "10.0.0.0/ 8",    \
		"10.0.0.0/255.0.0.0", "10.0.0/8", "10/8", "10.0.0.256", "256.0.0.1/8",             \
		"010.0.0.1", "0x7f000001", "2130706433", "127.1", "10.0.0.1:80", " 10.0.0.1",      \
		"10.0.0.1 ", "2001:db8::/129", "2001:db8::/", "2001:db8:::1",                      \
		"2001:db8::1::", "2001:db8::g", "[::1]", "::1%lo", "fe80::1%1/10",                 \
		"1:2:3:4:5:6:7:8:9", ":", "::/", "/8", "/", "any/0", "public/8", "*",              \
		"*.example.com", "1111:2222:3333:4444:5555:6666:777.777.777.7777777"

static void reports_each_invalid_item(void)
{
	static const char *const wrong_from[] = {"", "Any", "Loopback", "local", "linklocal",
		"unix:", "unix:-1", "unix:root", "unix:4294967296", "unix:1000 ", "Unix", "unixx",
		"stdin", "a.example", ".example", "localhost", WRONG_ADDRESSES, NULL};
	static const char *const wrong_command[] = {
		"", "Connect", "connec", "associate", "ud", "any", "1", NULL};
	static const char *const wrong_to[] = {"", ".", "..", "a..b", ".a..b", "..a", "a..", "-.1",
		"a b", "a.example:443", "a/b", "a.1", "1", "1.2.3.4.5", "unix:1", "@",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", WRONG_ADDRESSES,
		NULL};
	static const char *const wrong_at[] = {
		"", "a.example", ".example", "Private", "unix", "stdio", WRONG_ADDRESSES, NULL};
	static const char *const wrong_port[] = {"", "0", "65536", "-", "1-", "-1", "0-1",
		"1-65536", "2-1", "443-80", "1-2-3", "1--2", "+1", "1 ", " 1", "http", "any",
		"0x50", "80:90", "18446744073709551617", "1-18446744073709551617", NULL};
	reports_an_invalid_item("from", "any,stdio", "invalid client", FROM_ADVICE, wrong_from);
	reports_an_invalid_item(
		"command", "connect", "invalid command", COMMAND_ADVICE, wrong_command);
	reports_an_invalid_item(
		"to", "any,a.example,10.0.0.1", "invalid destination", TO_ADVICE, wrong_to);
	reports_an_invalid_item(
		"to any at", "any,10.0.0.1", "invalid address", AT_ADVICE, wrong_at);
	reports_an_invalid_item("port", "1-65535,443", "invalid port", PORT_ADVICE, wrong_port);
}

/* Longer than any host name. The message quotes only its beginning. */
static void a_name_can_be_too_long(void)
{
	for (size_t len = 254; len <= 1000; len += len < 260 ? 1 : 185) {
		char rule[WORDS_LINE_MAX], want[WORDS_LINE_MAX];
		memset(rule, 'a', sizeof rule);
		for (size_t i = 0; i < len; i += 2)
			rule[9 + i + 1] = '.';
		memcpy(rule, "allow to ", 9);
		rule[9 + len] = '\0';
		if (rule[9 + len - 1] == '.') /* a final dot would not count */
			rule[9 + len - 1] = 'a';
		snprintf(want, sizeof want, "invalid destination \"%.200s...\"; " TO_ADVICE,
			rule + 9);
		is_error(rule, want);
	}
}

static void distinguishes_rules_from_other_lines(void)
{
	static const char *const rules[] = {"allow", "deny", "allow nonsense", "\"deny\" x"};
	static const char *const others[] = {
		"", "Allow", "DENY", "allowed", "den", "timeout", "\"\"", "to allow"};
	static const char *const clauses[] = {"from", "user", "command", "to", "at", "port", ""};
	static struct words words;
	EACH_TEXT(text, rules) {
		const struct words_line line = {.text = text, .len = strlen(text)};
		CHECK(words_split(&line, &words, check_new_problem()) && rule_is_rule(&words));
	}
	EACH_TEXT(text, others) {
		const struct words_line line = {.text = text, .len = strlen(text)};
		CHECK(words_split(&line, &words, check_new_problem()) && !rule_is_rule(&words));
	}
	for (enum rule_clause clause = RULE_FROM; clause <= RULE_CLAUSES; clause++)
		CHECK_STRING(rule_clause_text(clause), clauses[clause]);
	CHECK_NUMBER(RULE_CLAUSES, COUNT(clauses) - 1);
}

/* A rule keeps its location, and its line with keep_text. */
static void keeps_its_location_and_text(void)
{
	static const char *const rules[] = {
		"allow", "deny # x", " deny\tto \"a.example\",::,::  port 1,2,3,4,5"};
	EACH_TEXT(text, rules)
		for (int keep = 0; keep < 2; keep++) {
			const struct rule *rule = parse(text, keep);
			if (!CHECK(rule))
				continue;
			CHECK_STRING(rule->location, "test");
			CHECK_NUMBER(rule->number, 7);
			CHECK_STRING(rule_text(rule), keep ? text : "");
			free((void *)rule);
		}
}

/* If there is no memory, rule_parse() fails and the pool is unchanged. */
static void needs_memory(void)
{
	static _Alignas(struct rule) char memory[4096];
	static const char text[] = "deny to ::,::,::,::,::,::,::,::,::,:: port 1";
	const struct words_line line = {.text = text, .len = sizeof text - 1};
	const size_t size = sizeof(struct rule) + RULE_GROWTH * line.len;
	static struct words words;

	CHECK(size + 8 < sizeof memory);
	for (size_t cap = 0; cap <= size; cap++) {
		struct writer pool = writer_on(memory, cap);
		CHECK(words_split(&line, &words, check_new_problem()));
		const struct rule *rule =
			rule_parse(&line, &words, true, &pool, check_new_problem());
		CHECK_NUMBER(rule != NULL, cap == size);
		if (rule)
			CHECK_NUMBER((const char *)rule_next(rule) - memory, pool.len);
		else
			CHECK_STRING(check_problem_text, "too many items in rules; remove some");
		CHECK_NUMBER(pool.len, rule ? rule->size : 0);
	}
}

int main(void)
{
	return CHECK_ALL(from_matches_its_clients, embedded_addresses_of_clients_are_ignored,
		a_client_has_only_the_values_of_its_kind, user_matches_an_equal_name,
		command_matches_its_requests, port_matches_its_ranges, names_compare_by_labels,
		names_have_253_bytes, a_name_is_allowed_at_public_addresses,
		embedded_addresses_are_evaluated, an_unknown_address_is_maybe,
		reports_the_clause_that_does_not_match, reports_errors_of_clauses,
		reports_each_invalid_item, a_name_can_be_too_long,
		distinguishes_rules_from_other_lines, keeps_its_location_and_text, needs_memory);
}
