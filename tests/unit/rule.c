/* SPDX-License-Identifier: ISC */
/* policy/rule: each clause, each mistake and what is said of it, and what hangs on an address that is
 * not known yet. */
#include "policy/rule.h"

#include <arpa/inet.h>

#include "check.h"
#include "wire/socks5.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define UNKNOWN      "?"

static char problem_bytes[4 * WORDS_LINE_MAX];

/* -- Facts from text, as --explain has them */

static struct addr address(const char *text)
{
	uint8_t ip[16];
	if (inet_pton(AF_INET, text, ip) == 1)
		return addr_of(ADDR_IPV4, ip, 4, 0);
	if (inet_pton(AF_INET6, text, ip) == 1)
		return addr_of(ADDR_IPV6, ip, 16, 0);
	return addr_of(ADDR_NAME, text, (uint8_t)strlen(text), 0);
}

/* from: "stdio", "unix", "unix0", "unix1000", "other" or an address. reached: NULL: what is asked for;
 * UNKNOWN: not looked up. */
static struct rule_facts facts_of(const char *from, const char *to, const char *reached)
{
	struct rule_facts facts = {
		.uid = -1, .command = SOCKS5_CONNECT, .asked = address(to), .user = "alice"};
	facts.asked.port = 443;
	if (strcmp(from, "stdio") == 0) {
		facts.client_kind = RULE_CLIENT_STDIO;
	} else if (strncmp(from, "unix", 4) == 0) {
		facts.client_kind = RULE_CLIENT_UNIX;
		if (strcmp(from, "unix0") == 0)
			facts.uid = 0;
		if (strcmp(from, "unix1000") == 0)
			facts.uid = 1000;
	} else if (strcmp(from, "other") != 0) {
		facts.client_kind = RULE_CLIENT_IP;
		facts.client = address(from);
		CHECK(facts.client.kind != ADDR_NAME);
	}
	if (!reached)
		facts.reached = facts.asked;
	else if (strcmp(reached, UNKNOWN) != 0)
		facts.reached = address(reached);
	CHECK(facts.reached.kind != ADDR_NAME);
	return facts;
}

static bool match(const char *rule, const struct rule_facts *facts, struct rule_match *ret_match)
{
	static struct words words;
	struct writer problem = writer_on(problem_bytes, sizeof problem_bytes - 1);
	const struct words_line line = {.text = rule, .len = strlen(rule), .place = "test"};
	if (!CHECK(words_split(&line, &words, &problem)) || !CHECK(rule_is_one(&words)))
		return false;
	struct rule_facts known = *facts; /* as judge() does it */
	if (known.reached.kind != ADDR_NONE)
		known.inside = special_inside(&known.reached, 0);
	bool right = rule_match(&words, &known, ret_match, &problem);
	problem_bytes[problem.len] = '\0';
	CHECK(!problem.full);
	return right;
}

/* The answer, which is the same for a rule that was read before. */
static void answers(const char *rule, const struct rule_facts *facts, enum rule_answer want)
{
	static struct words words;
	struct rule_match got, again;
	check_about = rule;
	if (!CHECK(match(rule, facts, &got))) {
		printf("\tsaid %s\n", problem_bytes);
		return;
	}
	CHECK_STRING(problem_bytes, "");
	CHECK_NUMBER(got.answer, want);
	CHECK(got.allow == (rule[0] == 'a'));
	CHECK((got.failed == RULE_CLAUSES) == (want != RULE_NO));

	const struct words_line line = {.text = rule, .len = strlen(rule), .place = "test"};
	struct rule_facts known = *facts;
	if (known.reached.kind != ADDR_NONE)
		known.inside = special_inside(&known.reached, 0);
	if (CHECK(words_split(&line, &words, NULL)) &&
		CHECK(rule_match(&words, &known, &again, NULL)))
		CHECK_NUMBER(again.answer, want);
	check_about = NULL;
}

/* -- Each clause */

struct from_row {
	const char *item, *yes[4], *no[8];
};

static void from_holds_for_who_it_says(void)
{
	static const struct from_row rows[] = {
		{"any", {"stdio", "other", "unix", "192.0.2.7"}, {0}},
		{"stdio", {"stdio"}, {"other", "unix", "unix0", "127.0.0.1", "::1"}},
		{"unix", {"unix", "unix0", "unix1000"}, {"stdio", "other", "127.0.0.1"}},
		{"unix:0", {"unix0"}, {"unix", "unix1000", "stdio", "other", "0.0.0.0"}},
		{"unix:1000", {"unix1000"}, {"unix", "unix0", "stdio"}},
		{"unix:4294967295", {0}, {"unix", "unix0"}},
		{"10.0.0.0/8", {"10.0.0.0", "10.255.255.255"},
			{"9.255.255.255", "11.0.0.0", "::ffff:10.0.0.1", "stdio", "unix", "other"}},
		{"10.1.2.3/8", {"10.0.0.0", "10.255.255.255"}, {"9.255.255.255", "11.0.0.0"}},
		{"192.0.2.7", {"192.0.2.7"}, {"192.0.2.6", "192.0.2.8"}},
		{"192.0.2.7/32", {"192.0.2.7"}, {"192.0.2.6", "192.0.2.8"}},
		{"192.0.2.7/31", {"192.0.2.6", "192.0.2.7"}, {"192.0.2.5", "192.0.2.8"}},
		{"0.0.0.0/0", {"0.0.0.0", "255.255.255.255"}, {"::", "::ffff:1.2.3.4", "stdio"}},
		{"::/0", {"::", "fe80::1", "::ffff:1.2.3.4"}, {"0.0.0.0", "unix", "other"}},
		{"2001:DB8::/32", {"2001:db8::", "2001:db8:ffff::1"}, {"2001:db9::", "2001:db7::"}},
		{"fe80::1", {"fe80::1"}, {"fe80::", "fe80::2"}},
		{"::ffff:10.0.0.0/104", {"10.0.0.1"}, {"11.0.0.1", "a00::1"}},
		{"loopback", {"127.0.0.1", "::1"},
			{"10.0.0.1", "stdio", "unix", "0.0.0.0", "::", "::ffff:127.0.0.1"}},
		{"private", {"10.0.0.1", "192.168.0.1", "100.64.0.1", "fd00::1"},
			{"8.8.8.8", "127.0.0.1", "fe80::1", "169.254.0.1", "stdio", "unix"}},
		{"link-local", {"169.254.0.1", "fe80::1"}, {"10.0.0.1", "fec0::1"}},
		{"public", {"8.8.8.8", "2600::1"}, {"10.0.0.1", "192.0.2.7", "::", "stdio"}},
	};
	char rule[80];
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t j = 0; j < 8; j++) {
			snprintf(rule, sizeof rule, "allow from %s", rows[i].item);
			if (j < 4 && rows[i].yes[j]) {
				struct rule_facts facts = facts_of(rows[i].yes[j], "8.8.8.8", NULL);
				answers(rule, &facts, RULE_YES);
			}
			if (rows[i].no[j]) {
				struct rule_facts facts = facts_of(rows[i].no[j], "8.8.8.8", NULL);
				answers(rule, &facts, RULE_NO);
			}
		}
}

/* It chooses what lies inside the address that it comes from. */
static void a_client_is_never_looked_inside(void)
{
	static const char *const clients[] = {"2001:db8::5efe:10.0.0.1", "2600::5efe:10.0.0.1",
		"2600::200:5efe:127.0.0.1", "2002:a00:1::1", "2002:7f00:1::1", "64:ff9b::10.0.0.1",
		"64:ff9b::127.0.0.1", "64:ff9b:1::10.0.0.1", "::10.0.0.1", "::127.0.0.1",
		"::ffff:127.0.0.1", "2001::f5ff:fffe", "2001::80ff:fffe", "::", "0.0.0.0"};
	for (size_t i = 0; i < COUNT(clients); i++) {
		struct rule_facts facts = facts_of(clients[i], "8.8.8.8", NULL);
		answers("allow from private,loopback,link-local", &facts, RULE_NO);
		answers("allow from 10.0.0.0/8,127.0.0.0/8,::1", &facts, RULE_NO);
		answers("deny from private,loopback,link-local", &facts, RULE_NO);
	}
}

/* The address and the user of another kind of client are nobody's. */
static void a_client_is_only_what_its_kind_says(void)
{
	static const enum rule_client kinds[] = {
		RULE_CLIENT_OTHER, RULE_CLIENT_IP, RULE_CLIENT_UNIX, RULE_CLIENT_STDIO};
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct rule_facts facts = facts_of("10.0.0.1", "8.8.8.8", NULL);
		facts.client_kind = kinds[i];
		facts.uid = 1000;
		enum rule_answer ip = kinds[i] == RULE_CLIENT_IP ? RULE_YES : RULE_NO;
		answers("allow from private", &facts, ip);
		answers("allow from 10.0.0.0/8", &facts, ip);
		answers("allow from 0.0.0.0/0,::/0", &facts, ip);
		answers("allow from unix:1000", &facts,
			kinds[i] == RULE_CLIENT_UNIX ? RULE_YES : RULE_NO);
	}
}

static void user_holds_for_a_name_that_is_the_same(void)
{
	static const struct {
		const char *rule, *user;
		enum rule_answer want;
	} rows[] = {
		{"allow user alice", "alice", RULE_YES}, {"allow user alice", "Alice", RULE_NO},
		{"allow user alice", "alice2", RULE_NO}, {"allow user alice", "alic", RULE_NO},
		{"allow user alice", "", RULE_NO}, {"allow user alice", NULL, RULE_NO},
		{"allow user any", "alice", RULE_YES}, {"allow user any", "", RULE_YES},
		{"allow user any", NULL, RULE_NO}, {"allow user Any", "alice", RULE_NO},
		{"deny user any", NULL, RULE_NO}, {"allow user bob,alice", "alice", RULE_YES},
		{"allow user bob,carol", "alice", RULE_NO}, {"allow user \"a b\"", "a b", RULE_YES},
		{"allow user \"a#\"", "a#", RULE_YES},
		{"allow user \303\244", "\303\244", RULE_YES},
		{"allow user 10.0.0.1/99", "10.0.0.1/99", RULE_YES}, /* any bytes but a comma */
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rule_facts facts = facts_of("stdio", "8.8.8.8", NULL);
		facts.user = rows[i].user;
		answers(rows[i].rule, &facts, rows[i].want);
	}
}

static void command_holds_for_what_it_says(void)
{
	for (unsigned command = 0; command < 256; command++) {
		struct rule_facts facts = facts_of("stdio", "8.8.8.8", NULL);
		facts.command = (uint8_t)command;
		answers("allow command connect", &facts, command == 1 ? RULE_YES : RULE_NO);
		answers("allow command bind", &facts, command == 2 ? RULE_YES : RULE_NO);
		answers("allow command udp", &facts, command == 3 ? RULE_YES : RULE_NO);
		answers("allow command resolve", &facts,
			command == 0xf0 || command == 0xf1 ? RULE_YES : RULE_NO);
		answers("allow", &facts, RULE_YES);
	}
}

static void port_holds_within_its_ranges(void)
{
	static const struct {
		const char *rule;
		uint16_t yes[4], no[4];
	} rows[] = {
		{"allow port 1", {1}, {2, 65535}},
		{"allow port 443", {443}, {442, 444, 1}},
		{"allow port 00443", {443}, {442, 444, 1}},
		{"allow port 65535", {65535}, {65534, 1}},
		{"allow port 80,8000-8999", {80, 8000, 8500, 8999}, {79, 81, 7999, 9000}},
		{"allow port 25-25", {25}, {24, 26}},
		{"allow port 1-65535", {1, 2, 65534, 65535}, {0}},
		{"allow port 65534-65535,1-2", {1, 2, 65534, 65535}, {3, 65533}},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t j = 0; j < 4; j++) {
			struct rule_facts facts = facts_of("stdio", "8.8.8.8", NULL);
			facts.asked.port = rows[i].yes[j];
			if (rows[i].yes[j])
				answers(rows[i].rule, &facts, RULE_YES);
			facts.asked.port = rows[i].no[j];
			if (rows[i].no[j])
				answers(rows[i].rule, &facts, RULE_NO);
		}
}

/* -- Where to */

static void names_compare_by_labels(void)
{
	static const struct {
		const char *item, *asked;
		bool holds;
	} rows[] = {
		{"example.com", "example.com", true},
		{"example.com", "EXAMPLE.com", true},
		{"Example.COM", "example.com", true},
		{"example.com", "example.com.", true},
		{"example.com.", "example.com", true},
		{"example.com.", "Example.Com.", true},
		{"example.com", "www.example.com", false},
		{"example.com", "evilexample.com", false},
		{"example.com", "xample.com", false},
		{"example.com", "example.co", false},
		{"example.com", "example.comm", false},
		{"example.com", "example-com", false},
		{"example.com", "com", false},
		{".example.com", "www.example.com", true},
		{".example.com", "a.b.example.com", true},
		{".example.com", "WWW.EXAMPLE.COM.", true},
		{".Example.com.", "www.example.com", true},
		{".example.com.", "www.example.com.", true},
		{".example.com", "example.com", false},
		{".example.com", "example.com.", false},
		{".example.com.", "example.com", false},
		{".example.com", "evilexample.com", false},
		{".example.com", "www.evilexample.com", false},
		{".example.com", "www-example.com", false},
		{".example.com", "www.example.com.evil.org", false},
		{".example.com", "com", false},
		{".com", "example.com", true},
		{".com", "com", false},
		{"a_b-c", "A_B-C", true}, /* only letters have a case */
		{"a_b", "a\177b", false},
		{"a-b", "a\rb", false},
		{"0x.example", "0X.example", true},
		{"1.example", "1.example", true},
		{"publi", "publi", true}, /* nearly a class */
		{"public.", "public", true},
		{"any.", "any", true},
		{"any.", "example.com", false},
	};
	char rule[80];
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int allow = 0; allow < 2; allow++) {
			struct rule_facts facts = facts_of("stdio", rows[i].asked, "8.8.8.8");
			snprintf(rule, sizeof rule, "%s to %s", allow ? "allow" : "deny",
				rows[i].item);
			answers(rule, &facts, rows[i].holds ? RULE_YES : RULE_NO);
			snprintf(rule, sizeof rule, "%s to 192.0.2.1,%s,x at any",
				allow ? "allow" : "deny", rows[i].item);
			answers(rule, &facts, rows[i].holds ? RULE_YES : RULE_NO);
		}
	struct rule_facts facts = facts_of("stdio", "8.8.8.8", NULL); /* it has no name */
	answers("allow to example.com,.com,dns.google", &facts, RULE_NO);
}

/* 253 bytes, and a dot before and behind them. */
static void names_have_253_bytes(void)
{
	char name[300], rule[400];
	memset(name, 'a', sizeof name);
	for (size_t i = 1; i < sizeof name; i += 2)
		name[i] = '.';
	name[253] = '\0';
	struct rule_facts facts = facts_of("stdio", name, "8.8.8.8");
	snprintf(rule, sizeof rule, "allow to %s", name);
	answers(rule, &facts, RULE_YES);
	snprintf(rule, sizeof rule, "allow to %s.", name);
	answers(rule, &facts, RULE_YES);
	snprintf(rule, sizeof rule, "allow to .%s.", name);
	answers(rule, &facts, RULE_NO);
	snprintf(rule, sizeof rule, "allow to .%s", name + 2);
	answers(rule, &facts, RULE_YES);
}

struct to_row {
	const char *rule, *asked, *reached;
	enum rule_answer want;
};

static void answer_rows(const struct to_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct rule_facts facts = facts_of("192.0.2.7", rows[i].asked, rows[i].reached);
		answers(rows[i].rule, &facts, rows[i].want);
	}
}

/* Or DNS could make it a door to this host and the network behind it. */
static void a_name_is_allowed_at_public_addresses(void)
{
	static const struct to_row rows[] = {
		{"allow to a.example", "a.example", "8.8.8.8", RULE_YES},
		{"allow to a.example", "a.example", "2600::1", RULE_YES},
		{"allow to a.example", "a.example", "64:ff9b::8.8.8.8", RULE_YES},
		{"allow to a.example", "a.example", "127.0.0.1", RULE_NO},
		{"allow to a.example", "a.example", "0.0.0.0", RULE_NO},
		{"allow to a.example", "a.example", "10.0.0.1", RULE_NO},
		{"allow to a.example", "a.example", "169.254.169.254", RULE_NO},
		{"allow to a.example", "a.example", "192.0.2.1", RULE_NO},
		{"allow to a.example", "a.example", "::ffff:10.0.0.1", RULE_NO},
		{"allow to a.example", "a.example", "2002:a00:1::1", RULE_NO},
		{"allow to .example", "a.example", "10.0.0.1", RULE_NO},
		{"allow to .example,a.example", "a.example", "::1", RULE_NO},
		{"allow to a.example", "a.example", UNKNOWN, RULE_MAYBE},
		{"allow to a.example", "b.example", UNKNOWN, RULE_NO},
		/* denied is a name anywhere */
		{"deny to a.example", "a.example", "8.8.8.8", RULE_YES},
		{"deny to a.example", "a.example", "127.0.0.1", RULE_YES},
		{"deny to a.example", "a.example", UNKNOWN, RULE_YES},
		/* where an address is a reason, too, it needs no other */
		{"allow to a.example,10.0.0.0/8", "a.example", "10.0.0.1", RULE_YES},
		{"allow to 10.0.0.0/8,a.example", "a.example", "10.0.0.1", RULE_YES},
		{"allow to 10.0.0.0/8,a.example", "a.example", "192.168.0.1", RULE_NO},
		{"allow to 10.0.0.0/8,a.example", "b.example", "10.0.0.1", RULE_YES},
		{"allow to a.example,any", "a.example", "127.0.0.1", RULE_YES},
		{"allow to any,a.example", "a.example", UNKNOWN, RULE_YES},
		{"allow to 10.0.0.0/8,a.example", "a.example", UNKNOWN, RULE_MAYBE},
	};
	answer_rows(rows, COUNT(rows));
}

static void at_says_where_a_name_may_be(void)
{
	static const struct to_row rows[] = {
		{"allow to a.example at any", "a.example", "127.0.0.1", RULE_YES},
		{"allow to a.example at any", "a.example", UNKNOWN, RULE_YES},
		{"allow to a.example at any", "b.example", UNKNOWN, RULE_NO},
		{"allow to a.example at private", "a.example", "10.0.0.1", RULE_YES},
		{"allow to a.example at private", "a.example", "64:ff9b::10.0.0.1", RULE_YES},
		{"allow to a.example at private", "a.example", "8.8.8.8", RULE_NO},
		{"allow to a.example at private", "a.example", "127.0.0.1", RULE_NO},
		{"allow to a.example at private", "a.example", UNKNOWN, RULE_MAYBE},
		{"allow to a.example at private,public", "a.example", "8.8.8.8", RULE_YES},
		{"allow to a.example at 10.0.0.0/8", "a.example", "10.0.0.1", RULE_YES},
		{"allow to a.example at 10.0.0.0/8", "a.example", "8.8.8.8", RULE_NO},
		{"allow to a.example at 10.0.0.1", "a.example", "10.0.0.2", RULE_NO},
		{"allow to a.example at 2000::/3", "a.example", "2002:a00:1::1", RULE_NO},
		{"allow to a.example at 2000::/3", "a.example", "2002:808:808::1", RULE_YES},
		{"deny to .example at private", "a.example", "10.0.0.1", RULE_YES},
		{"deny to .example at private", "a.example", "8.8.8.8", RULE_NO},
		{"deny to .example at private", "a.example", UNKNOWN, RULE_MAYBE},
		{"deny to .example at any", "a.example", UNKNOWN, RULE_YES},
		{"allow to 10.0.0.0/8 at 10.1.0.0/16", "10.1.0.1", NULL, RULE_YES},
		{"allow to 10.0.0.0/8 at 10.1.0.0/16", "10.2.0.1", NULL, RULE_NO},
		{"allow to any at public", "10.2.0.1", NULL, RULE_NO},
		{"allow to any at public", "a.example", UNKNOWN, RULE_MAYBE},
		{"allow to a.example port 443 at any", "a.example", "::1", RULE_YES},
		{"allow to a.example port 80 at any", "a.example", "::1", RULE_NO},
	};
	answer_rows(rows, COUNT(rows));
}

/* What is judged is what a connection reaches; an IPv6 prefix around it can only deny it. */
static void addresses_are_judged_by_what_is_inside(void)
{
	static const struct to_row rows[] = {
		{"allow to 10.0.0.0/8", "::ffff:10.0.0.1", NULL, RULE_YES},
		{"allow to 10.0.0.0/8", "::10.0.0.1", NULL, RULE_YES},
		{"allow to private", "64:ff9b::10.0.0.1", NULL, RULE_YES},
		{"allow to public", "64:ff9b::10.0.0.1", NULL, RULE_NO},
		{"allow to public", "2002:a00:1::1", NULL, RULE_NO},
		{"allow to public", "2002:808:808::1", NULL, RULE_YES},
		{"allow to public", "2600::5efe:10.0.0.1", NULL, RULE_NO},
		{"allow to public", "2001::f5ff:fffe", NULL, RULE_NO},
		{"allow to loopback", "0.0.0.0", NULL, RULE_YES},
		{"allow to loopback", "::", NULL, RULE_YES},
		{"deny to loopback", "::ffff:0.0.0.0", NULL, RULE_YES},
		{"deny to 127.0.0.1", "0.0.0.0", NULL, RULE_YES},
		{"deny to ::1", "::", NULL, RULE_YES},
		{"deny to 10.0.0.1", "2002:a00:1::1", NULL, RULE_YES},
		{"deny to 8.8.8.8", "64:ff9b::8.8.8.8", NULL, RULE_YES},
		/* allowed around it, what is inside is not opened unless it is public */
		{"allow to 2000::/3", "2600::1", NULL, RULE_YES},
		{"allow to 2000::/3", "2001:db8::1", NULL, RULE_YES},
		{"allow to 2000::/3", "2002:808:808::1", NULL, RULE_YES},
		{"allow to 2000::/3", "2002:a00:1::1", NULL, RULE_NO},
		{"allow to 2000::/3", "2600::5efe:127.0.0.1", NULL, RULE_NO},
		{"allow to 2002:a00:1::1", "2002:a00:1::1", NULL, RULE_NO},
		{"allow to ::/0", "::ffff:10.0.0.1", NULL, RULE_NO},
		{"allow to ::/0", "::ffff:8.8.8.8", NULL, RULE_YES},
		{"allow to ::/0", "64:ff9b::169.254.169.254", NULL, RULE_NO},
		{"allow to ::/0", "fc00::1", NULL, RULE_YES},
		{"allow to 64:ff9b::/96", "64:ff9b::8.8.8.8", NULL, RULE_YES},
		{"allow to 64:ff9b::/96", "64:ff9b::192.0.2.1", NULL, RULE_NO},
		{"allow to 64:ff9b::/96,10.0.0.0/8", "64:ff9b::10.0.0.1", NULL, RULE_YES},
		{"allow to 0.0.0.0/8", "0.0.0.0", NULL, RULE_NO},
		{"allow to any", "2002:a00:1::1", NULL, RULE_YES},
		/* denied around it, it is denied, as is what is inside */
		{"deny to 2002::/16", "2002:808:808::1", NULL, RULE_YES},
		{"deny to 2002::/16", "2002:a00:1::1", NULL, RULE_YES},
		{"deny to 8.8.8.0/24", "2002:808:808::1", NULL, RULE_YES},
		{"deny to 64:ff9b::/96", "64:ff9b::8.8.8.8", NULL, RULE_YES},
		{"deny to ::/0", "::ffff:8.8.8.8", NULL, RULE_YES},
		{"deny to ::/0", "8.8.8.8", NULL, RULE_NO},
		{"deny to 0.0.0.0/8", "0.0.0.0", NULL, RULE_YES},
		{"deny to 2002::/16", "2003::1", NULL, RULE_NO},
		/* a name is at what its address reaches */
		{"allow to public", "a.example", "2002:a00:1::1", RULE_NO},
		{"allow to public", "a.example", "2002:808:808::1", RULE_YES},
	};
	answer_rows(rows, COUNT(rows));
}

/* YES and NO only where no address could make it otherwise. */
static void an_unknown_address_is_maybe(void)
{
	static const struct to_row rows[] = {
		{"allow", "a.example", UNKNOWN, RULE_YES},
		{"allow to any", "a.example", UNKNOWN, RULE_YES},
		{"allow to public", "a.example", UNKNOWN, RULE_MAYBE},
		{"deny to public", "a.example", UNKNOWN, RULE_MAYBE},
		{"allow to 10.0.0.0/8", "a.example", UNKNOWN, RULE_MAYBE},
		{"allow to ::/0,0.0.0.0/0", "a.example", UNKNOWN, RULE_MAYBE},
		{"deny to b.example,10.0.0.1", "a.example", UNKNOWN, RULE_MAYBE},
		{"deny to a.example,10.0.0.1", "a.example", UNKNOWN, RULE_YES},
		{"allow to public port 80", "a.example", UNKNOWN, RULE_NO},
		{"allow to public port 443", "a.example", UNKNOWN, RULE_MAYBE},
		{"allow port 80 to public", "a.example", UNKNOWN, RULE_NO},
		{"allow to public user bob", "a.example", UNKNOWN, RULE_NO},
		{"allow from 10.0.0.0/8 to public", "a.example", UNKNOWN, RULE_NO},
		{"allow from 192.0.2.0/24 to public", "a.example", UNKNOWN, RULE_MAYBE},
		{"allow to public at any", "a.example", UNKNOWN, RULE_MAYBE},
		{"allow to any at any", "a.example", UNKNOWN, RULE_YES},
	};
	answer_rows(rows, COUNT(rows));
}

/* -- What is told */

static void tells_which_clause_does_not_hold(void)
{
	static const struct {
		const char *rule, *reached;
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
		/* "at" is there, wherever it stands */
		{"allow to a.example port 80 at any", "10.0.0.1", RULE_PORT, false},
		{"allow to a.example user bob at 10.0.0.1", "10.0.0.1", RULE_USER, false},
	};
	static struct words words;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rule_facts facts = facts_of("stdio", "a.example", rows[i].reached);
		struct rule_match got;
		CHECK(match(rows[i].rule, &facts, &got));
		check_about = rows[i].rule;
		CHECK_NUMBER(got.failed, rows[i].failed);
		CHECK_NUMBER(got.implied, rows[i].implied);

		const struct words_line line = {.text = rows[i].rule, .len = strlen(rows[i].rule)};
		CHECK(words_split(&line, &words, NULL));
		facts.inside = special_inside(&facts.reached, 0);
		CHECK(rule_match(&words, &facts, &got, NULL));
		CHECK_NUMBER(got.failed, rows[i].failed);
		CHECK_NUMBER(got.implied, rows[i].implied);
	}
	check_about = NULL;
}

#define FROM_WOULD                                                                                 \
	"an address, a prefix such as 10.0.0.0/8, loopback, private, link-local, public, any, "    \
	"unix, unix:UID or stdio would do"
#define USER_WOULD "a user's name would do, or any for whoever has logged in"
#define TO_WOULD                                                                                   \
	"an address, a prefix such as 10.0.0.0/8, loopback, private, link-local, public, any, a "  \
	"host name or .suffix would do"
#define AT_WOULD                                                                                   \
	"an address, a prefix such as 10.0.0.0/8, loopback, private, link-local, public or any "   \
	"would do"
#define PORT_WOULD "a port or a range such as 8000-8999, of 1 to 65535, would do"

/* A mistake is one whatever the facts are, and outputs stay as they were. */
static void is_mistake(const char *rule, const char *want)
{
	static const char *const reached[] = {"8.8.8.8", "10.0.0.1", "2002:a00:1::1", UNKNOWN};
	for (size_t i = 0; i < 2 * COUNT(reached); i++) {
		struct rule_facts facts =
			facts_of(i % 2 ? "stdio" : "10.0.0.1", "a.example", reached[i / 2]);
		struct rule_match got, before;
		memset(&before, 0x5a, sizeof before);
		got = before;
		if (i % 2)
			facts.user = NULL;
		bool right = match(rule, &facts, &got);
		check_about = rule;
		CHECK(!right);
		CHECK_STRING(problem_bytes, want);
		CHECK_BYTES(&got, sizeof got, &before, sizeof before);
	}
	check_about = NULL;
}

static void names_a_mistake_of_form(void)
{
	static const char clauses[] = "there are from, user, command, to, at and port";
	static const char *const words[] = {"form", "From", "fro", "fromm", "f", "", "any", "allow",
		"deny", ",", "from,user", "10.0.0.1"};
	static const char *const rows[][2] = {
		{"allow from", "nothing follows \"from\"; " FROM_WOULD},
		{"allow user", "nothing follows \"user\"; " USER_WOULD},
		{"allow command",
			"nothing follows \"command\"; there are connect, bind, udp and resolve"},
		{"allow to", "nothing follows \"to\"; " TO_WOULD},
		{"deny to any at", "nothing follows \"at\"; " AT_WOULD},
		{"deny to any port", "nothing follows \"port\"; " PORT_WOULD},
		{"allow at any", "nothing before \"at\"; say to whom, then at which addresses"},
		{"deny at any to any",
			"nothing before \"at\"; say to whom, then at which addresses"},
		{"allow to any to any",
			"twice in one rule: \"to\"; join the items with commas, or write two "
			"rules"},
		{"allow from any port 1 from any",
			"twice in one rule: \"from\"; join the items with commas, or write two "
			"rules"},
		{"allow to any at any at any",
			"twice in one rule: \"at\"; join the items with commas, or write two "
			"rules"},
	};
	for (size_t i = 0; i < COUNT(words); i++)
		for (int second = 0; second < 2; second++) {
			char rule[80], want[160];
			snprintf(rule, sizeof rule, "allow %s\"%s\" any", second ? "port 443 " : "",
				words[i]);
			snprintf(
				want, sizeof want, "no such clause: \"%s\"; %s", words[i], clauses);
			is_mistake(rule, want);
		}
	for (size_t i = 0; i < COUNT(rows); i++)
		is_mistake(rows[i][0], rows[i][1]);
}

/* Each item, alone and behind ones that are right. */
static void names_a_mistake_in_a_list(
	const char *clause, const char *right, const char *would_do, const char *const *items)
{
	char rule[700], want[700];
	for (; *items; items++) {
		snprintf(want, sizeof want, "does not belong there: \"%s\"; %s", *items, would_do);
		snprintf(rule, sizeof rule, "allow %s \"%s\"", clause, *items);
		is_mistake(rule, want);
		snprintf(rule, sizeof rule, "deny %s \"%s,%s\"", clause, right, *items);
		is_mistake(rule, want);
		snprintf(rule, sizeof rule, "allow %s \"%s,%s\"", clause, *items, right);
		is_mistake(rule, want);
	}
}

/* No address, no prefix; most are no host name either. */
#define WRONG_ADDRESSES                                                                            \
	"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/a", "10.0.0.0/ 8",    \
		"10.0.0.0/255.0.0.0", "10.0.0/8", "10/8", "10.0.0.256", "256.0.0.1/8",             \
		"010.0.0.1", "0x7f000001", "2130706433", "127.1", "10.0.0.1:80", " 10.0.0.1",      \
		"10.0.0.1 ", "2001:db8::/129", "2001:db8::/", "2001:db8:::1",                      \
		"2001:db8::1::", "2001:db8::g", "[::1]", "::1%lo", "fe80::1%1/10",                 \
		"1:2:3:4:5:6:7:8:9", ":", "::/", "/8", "/", "any/0", "public/8", "*",              \
		"*.example.com", "1111:2222:3333:4444:5555:6666:777.777.777.7777777"

static void names_each_item_that_is_wrong(void)
{
	static const char *const wrong_from[] = {"", "Any", "Loopback", "local", "linklocal",
		"unix:", "unix:-1", "unix:root", "unix:4294967296", "unix:1000 ", "Unix", "unixx",
		"stdin", "a.example", ".example", "localhost", NULL};
	static const char *const wrong_command[] = {
		"", "Connect", "connec", "associate", "ud", "any", "1", NULL};
	static const char *const wrong_to[] = {"", ".", "..", "a..b", ".a..b", "..a", "a..", "-.1",
		"a b", "a.example:443", "a/b", "a.1", "1", "1.2.3.4.5", "unix:1", "@",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL};
	static const char *const wrong_at[] = {
		"", "a.example", ".example", "Private", "unix", "stdio", NULL};
	static const char *const wrong_port[] = {"", "0", "65536", "-", "1-", "-1", "0-1",
		"1-65536", "2-1", "443-80", "1-2-3", "1--2", "+1", "1 ", " 1", "http", "any",
		"0x50", "80:90", "18446744073709551617", "1-18446744073709551617", NULL};
	names_a_mistake_in_a_list("from", "any,stdio", FROM_WOULD, wrong_from);
	names_a_mistake_in_a_list(
		"command", "connect", "there are connect, bind, udp and resolve", wrong_command);
	names_a_mistake_in_a_list("to", "any,a.example,10.0.0.1", TO_WOULD, wrong_to);
	names_a_mistake_in_a_list("to any at", "any,10.0.0.1", AT_WOULD, wrong_at);
	names_a_mistake_in_a_list("port", "1-65535,443", PORT_WOULD, wrong_port);

	static const char *const addresses[] = {WRONG_ADDRESSES};
	for (size_t i = 0; i < COUNT(addresses); i++) {
		const char *const item[] = {addresses[i], NULL};
		names_a_mistake_in_a_list("from", "any", FROM_WOULD, item);
		names_a_mistake_in_a_list("to", "any", TO_WOULD, item);
		names_a_mistake_in_a_list("to any at", "any", AT_WOULD, item);
	}
	is_mistake("allow user \"\"", "does not belong there: \"\"; " USER_WOULD);
	is_mistake("allow user alice,,bob", "does not belong there: \"\"; " USER_WOULD);
	is_mistake("allow from any,", "does not belong there: \"\"; " FROM_WOULD);
	is_mistake("allow to ,any", "does not belong there: \"\"; " TO_WOULD);
	is_mistake("allow port 80, 443", "does not belong there: \"\"; " PORT_WOULD);
}

/* A clause that does not hold hides no mistake behind it. */
static void reads_on_where_nothing_holds_any_more(void)
{
	is_mistake("allow port 1 to", "nothing follows \"to\"; " TO_WOULD);
	is_mistake("allow from 192.0.2.1,x", "does not belong there: \"x\"; " FROM_WOULD);
	is_mistake("deny port 1 user nobody from 192.0.2.1 to a..b",
		"does not belong there: \"a..b\"; " TO_WOULD);
	is_mistake("deny to b.example at 192.0.2.1,x", "does not belong there: \"x\"; " AT_WOULD);
}

/* Longer than any host name; what is quoted of it is cut. */
static void a_name_can_be_too_long(void)
{
	for (size_t len = 254; len <= 1000; len += len < 260 ? 1 : 185) {
		char rule[WORDS_LINE_MAX], want[WORDS_LINE_MAX];
		memset(rule, 'a', sizeof rule);
		for (size_t i = 0; i < len; i += 2)
			rule[9 + i + 1] = '.';
		memcpy(rule, "allow to ", 9);
		rule[9 + len] = '\0';
		if (rule[9 + len - 1] == '.') /* the dot at the end would be one too few */
			rule[9 + len - 1] = 'a';
		snprintf(want, sizeof want, "does not belong there: \"%.200s...\"; " TO_WOULD,
			rule + 9);
		is_mistake(rule, want);
	}
}

static void tells_a_rule_from_other_lines(void)
{
	static const char *const rules[] = {"allow", "deny", "allow nonsense", "\"deny\" x"};
	static const char *const others[] = {
		"", "Allow", "DENY", "allowed", "den", "timeout", "\"\"", "to allow"};
	static struct words words;
	for (size_t i = 0; i < COUNT(rules); i++) {
		const struct words_line line = {.text = rules[i], .len = strlen(rules[i])};
		CHECK(words_split(&line, &words, NULL) && rule_is_one(&words));
	}
	for (size_t i = 0; i < COUNT(others); i++) {
		const struct words_line line = {.text = others[i], .len = strlen(others[i])};
		CHECK(words_split(&line, &words, NULL) && !rule_is_one(&words));
	}
	CHECK_STRING(rule_clause_text(RULE_FROM), "from");
	CHECK_STRING(rule_clause_text(RULE_USER), "user");
	CHECK_STRING(rule_clause_text(RULE_COMMAND), "command");
	CHECK_STRING(rule_clause_text(RULE_TO), "to");
	CHECK_STRING(rule_clause_text(RULE_AT), "at");
	CHECK_STRING(rule_clause_text(RULE_PORT), "port");
	CHECK_STRING(rule_clause_text(RULE_CLAUSES), "");
}

int main(void)
{
	from_holds_for_who_it_says();
	a_client_is_never_looked_inside();
	a_client_is_only_what_its_kind_says();
	user_holds_for_a_name_that_is_the_same();
	command_holds_for_what_it_says();
	port_holds_within_its_ranges();
	names_compare_by_labels();
	names_have_253_bytes();
	a_name_is_allowed_at_public_addresses();
	at_says_where_a_name_may_be();
	addresses_are_judged_by_what_is_inside();
	an_unknown_address_is_maybe();
	tells_which_clause_does_not_hold();
	names_a_mistake_of_form();
	names_each_item_that_is_wrong();
	reads_on_where_nothing_holds_any_more();
	a_name_can_be_too_long();
	tells_a_rule_from_other_lines();
	return check_end();
}
