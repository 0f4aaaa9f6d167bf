/* SPDX-License-Identifier: ISC */
/* policy/limit and policy/siphash: the limits of users, and the keys by which connections are
 * counted. */
#include "policy/limit.h"

#include "check.h"

static const uint8_t secret[SIPHASH_SECRET_LEN] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static bool apply(struct limit *limit, const char *text)
{
	const struct words_line line = {.text = text, .len = strlen(text), .location = "test"};
	struct words words;

	return words_split(&line, &words, check_new_problem()) &&
		limit_parse(limit, &words, &check_problem);
}

static unsigned of_user(const struct limit *limit, const char *name)
{
	return limit_of_user(limit, name, strlen(name));
}

/* The input of the paper's appendix A, and its hash; and inputs of other lengths. */
static void hashes_as_the_paper(void)
{
	uint8_t bytes[64];

	for (uint8_t i = 0; i < sizeof bytes; i++)
		bytes[i] = i;
	CHECK(siphash(secret, bytes, 15) == UINT64_C(0xa129ca6149be45e5));
	CHECK(siphash(secret, bytes, 0) == UINT64_C(0x726fdb47dd0e0e31));
	CHECK(siphash(secret, bytes, 8) == UINT64_C(0x93f5f5799a932462));
	CHECK(siphash(secret, bytes, 63) == UINT64_C(0x958a324ceb064572));
}

static void applies_the_last_limit_of_each_user(void)
{
	struct limit limit = {.from = 0};

	CHECK(!limit_has_users(&limit));
	CHECK(apply(&limit, "limit user 400 alice,bob"));
	CHECK(limit_has_users(&limit));
	CHECK_NUMBER(of_user(&limit, "alice"), 400);
	CHECK_NUMBER(of_user(&limit, "bob"), 400);
	CHECK_NUMBER(of_user(&limit, "carol"), 0);
	CHECK_NUMBER(of_user(&limit, "ali"), 0);
	CHECK(apply(&limit, "limit user 40"));
	CHECK(apply(&limit, "limit user 16384 \"bob,d e\""));
	CHECK(apply(&limit, "limit user none alice"));
	CHECK_NUMBER(of_user(&limit, "alice"), 0);
	CHECK_NUMBER(of_user(&limit, "bob"), 16384);
	CHECK_NUMBER(of_user(&limit, "d e"), 16384);
	CHECK_NUMBER(of_user(&limit, "carol"), 40);
	CHECK_NUMBER(limit.names_used, 3 * LIMIT_NAME_HEAD + 5 + 3 + 3);
	CHECK(apply(&limit, "limit user none"));
	CHECK_NUMBER(of_user(&limit, "carol"), 0);
	CHECK_NUMBER(of_user(&limit, "bob"), 16384);
	CHECK_NUMBER(limit.from, 0);
	CHECK(apply(&limit, "limit from none"));
	CHECK_NUMBER(limit.from, LIMIT_NONE);
	CHECK(!limit_has_from(&limit));
	CHECK(apply(&limit, "limit from 1"));
	CHECK(limit_has_from(&limit));
}

/* Fills the names to the last byte. */
static void keeps_1024_bytes_of_names(void)
{
	char name[] = "limit user 7 xyz";
	char last[] = "limit user 7 xyz1234";
	struct limit limit = {.from = 0}, before;
	unsigned count = 0;

	for (; count < (LIMIT_NAMES_MAX - 10) / 6; count++) {
		snprintf(name + 13, 4, "%03u", count);
		CHECK(apply(&limit, name));
	}
	CHECK_NUMBER(count, 169);
	CHECK_NUMBER(limit.names_used, LIMIT_NAMES_MAX - 10);
	before = limit;
	CHECK(!apply(&limit, "limit user 7 12345678"));
	CHECK(strstr(check_problem_text, "at most 1024 bytes"));
	CHECK_BYTES(&limit, sizeof limit, &before, sizeof before);
	CHECK(apply(&limit, last));
	CHECK_NUMBER(limit.names_used, LIMIT_NAMES_MAX);
	CHECK_NUMBER(of_user(&limit, "xyz1234"), 7);
	CHECK(apply(&limit, "limit user 8 xyz1234")); /* replaces it */
	CHECK_NUMBER(of_user(&limit, "xyz1234"), 8);
}

static uint64_t key_of(const char *address)
{
	const struct addr a = fuzz_address(address, 0);
	const uint64_t key = limit_client_key(&a, secret);

	CHECK(key >> LIMIT_KEY_BITS == 0);
	return key;
}

static void check_client(const char *address, const char *client)
{
	const struct addr a = fuzz_address(address, 7), want = fuzz_address(client, 0);
	const struct addr got = limit_client(&a);

	CHECK_BYTES(&got, sizeof got, &want, sizeof want);
}

static void counts_a_prefix_of_64_bits_as_a_client(void)
{
	check_client("192.0.2.7", "192.0.2.7");
	check_client("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
	CHECK(key_of("2001:db8:1:2:3:4:5:6") == key_of("2001:db8:1:2:ffff::"));
	CHECK(key_of("2001:db8:1:2::") != key_of("2001:db8:1:3::"));
	CHECK(key_of("192.0.2.7") == 0xc0000207);
	CHECK(key_of("255.255.255.255") == 0xffffffff);
}

/* All keys of hashes have a bit that no IPv4 address has. */
static void never_mixes_ipv4_with_hashes(void)
{
	const uint64_t bit = UINT64_C(1) << (LIMIT_KEY_BITS - 1);

	CHECK(key_of("2001:db8::") & bit);
	CHECK(limit_user_key("", 0, secret) & bit);
	CHECK(limit_user_key("alice", 5, secret) != limit_user_key("alicf", 5, secret));
	/* A user whose name has the bytes of a prefix. */
	CHECK(limit_user_key("\x20\x01\x0d\xb8\0\0\0\0", 8, secret) != key_of("2001:db8::"));
	const uint8_t other[SIPHASH_SECRET_LEN] = {1};
	CHECK(limit_user_key("alice", 5, secret) != limit_user_key("alice", 5, other));
}

int main(void)
{
	return CHECK_ALL(hashes_as_the_paper, applies_the_last_limit_of_each_user,
		keeps_1024_bytes_of_names, counts_a_prefix_of_64_bits_as_a_client,
		never_mixes_ipv4_with_hashes);
}
