/* SPDX-License-Identifier: ISC */
/* Fuzzes wire/dns with a query and a message: checks what a resolver relies on.
 *
 * Input: a byte for the type of the query and the checks, two for the place of a cut, the length of
 * the name and the name, then the message. A message is used as it is if the first byte is odd;
 * its first two bytes are the id. Otherwise, its header and its question are those of an answer to
 * the query, and the input has only the flags (two bytes), the three numbers of records (one byte
 * each) and the records. */
#include "wire/dns.h"

#include "fuzz.h"

enum { MESSAGE_MAX = 1200, ID = 0x1234 };

/* Bits of the first byte. Bits 1 and 2 are the type. */
enum { IS_WHOLE = 1, HAS_EDNS = 8, CHECK_QUERY = 16, CHECK_CASE = 32 };

/* The values of an answer, and a hash of its results. */
struct outcome {
	enum dns_verdict verdict;
	uint16_t rcode, count;
	bool is_truncated, has_edns, is_referral;
	uint32_t ttl_s, hash;
};

static bool is_same(const struct outcome *a, const struct outcome *b)
{
	return a->verdict == b->verdict && a->rcode == b->rcode && a->count == b->count &&
		a->is_truncated == b->is_truncated && a->has_edns == b->has_edns &&
		a->is_referral == b->is_referral && a->ttl_s == b->ttl_s && a->hash == b->hash;
}

/* Checks the wire form of a name and its text, which can be read if it has no escape. */
static void check_name(const struct dns_name *name)
{
	char text[DNS_NAME_TEXT_MAX];
	struct writer w = writer_on(text, sizeof text);
	struct dns_name back;
	size_t at = 0;

	INVARIANT(name->len > 0);
	while (at < name->len && name->bytes[at] > 0) {
		INVARIANT(name->bytes[at] <= ADDR_LABEL_MAX);
		at += name->bytes[at] + 1U;
	}
	INVARIANT(at + 1 == name->len);
	dns_name_put(&w, name);
	INVARIANT(!w.full && w.len > 0 && fuzz_is_harmless(text, w.len, false));
	if (!memchr(text, '\\', w.len)) {
		INVARIANT(dns_name_from_text(text, w.len, &back));
		INVARIANT(fuzz_same(back.bytes, back.len, name->bytes, name->len));
	}
}

static void check_result(const struct addr *a, enum dns_type type)
{
	struct dns_name name;

	INVARIANT(a->port == 0 && a->bytes[a->len] == '\0');
	switch (type) {
	case DNS_A:
		INVARIANT(a->kind == ADDR_IPV4 && a->len == 4);
		break;
	case DNS_AAAA:
		INVARIANT(a->kind == ADDR_IPV6 && a->len == 16);
		break;
	case DNS_PTR:
		INVARIANT(a->kind == ADDR_NAME && a->len > 0);
		INVARIANT(fuzz_is_harmless((const char *)a->bytes, a->len, false));
		if (!memchr(a->bytes, '\\', a->len))
			INVARIANT(dns_name_from_text(a->bytes, a->len, &name));
		break;
	}
}

/* Reads the results of an answer. */
static void read_results(struct dns_answer *answer, enum dns_type type, struct outcome *outcome)
{
	struct addr a;
	unsigned count = 0;

	outcome->hash = 2166136261U; /* FNV-1a */
	for (; dns_answer_next(answer, &a); count++) {
		INVARIANT(count < outcome->count);
		check_result(&a, type);
		for (size_t i = 0; i < a.len; i++)
			outcome->hash = (outcome->hash ^ a.bytes[i]) * 16777619U;
	}
	INVARIANT(count == outcome->count);
	INVARIANT(!dns_answer_next(answer, &a));
}

static struct outcome parse(const uint8_t *bytes, size_t len, const struct dns_query *query)
{
	struct dns_answer answer;
	uint8_t *copy = fuzz_copy(bytes, len);
	struct outcome o = {.verdict = dns_parse_answer(copy, len, query, &answer)};

	if (o.verdict == DNS_ANSWER) {
		o.rcode = answer.rcode;
		o.count = answer.count;
		o.is_truncated = answer.is_truncated;
		o.has_edns = answer.has_edns;
		o.is_referral = answer.is_referral;
		o.ttl_s = answer.ttl_s;
		INVARIANT(o.rcode < 4096 && o.ttl_s <= INT32_MAX);
		INVARIANT(o.count == 0 || o.rcode == DNS_NOERROR);
		INVARIANT(!o.is_referral || (o.count == 0 && o.rcode == DNS_NOERROR));
		INVARIANT(o.ttl_s == 0 || !o.is_truncated);
		INVARIANT(o.ttl_s == 0 || o.rcode == DNS_NOERROR || o.rcode == DNS_NXDOMAIN);
		check_name(&answer.owner);
		read_results(&answer, query->type, &o);
	}
	free(copy);
	return o;
}

/* Compares the first bytes of a message with the message: without TC, a part has the same results
 * or none. */
static void check_part(const struct outcome *whole, const uint8_t *bytes, size_t len,
	const struct dns_query *query)
{
	const struct outcome part = parse(bytes, len, query);

	if (whole->verdict == DNS_NOT_OURS)
		INVARIANT(part.verdict == DNS_NOT_OURS);
	else if (part.verdict == DNS_ANSWER && !part.is_truncated)
		INVARIANT(is_same(whole, &part));
	if (whole->verdict == DNS_ANSWER && part.verdict == DNS_ANSWER)
		INVARIANT(part.is_truncated == whole->is_truncated);
}

/* Changes the case of each letter in the name of the query. */
static void check_case(
	const struct outcome *whole, const uint8_t *bytes, size_t len, struct dns_query query)
{
	for (size_t i = 0; i < query.name.len; i++)
		if ((query.name.bytes[i] | 0x20) >= 'a' && (query.name.bytes[i] | 0x20) <= 'z')
			query.name.bytes[i] ^= 0x20;
	const struct outcome other = parse(bytes, len, &query);
	INVARIANT(is_same(whole, &other));
}

/* A query is no answer. With QR, it is an answer without results. */
static void check_query(const struct dns_query *query, bool has_edns)
{
	uint8_t bytes[DNS_QUERY_MAX];
	struct writer w = writer_on(bytes, sizeof bytes);

	dns_put_query(&w, query, has_edns);
	INVARIANT(!w.full);
	INVARIANT(parse(bytes, w.len, query).verdict == DNS_NOT_OURS);
	bytes[2] |= 0x80;
	const struct outcome o = parse(bytes, w.len, query);
	INVARIANT(o.verdict == DNS_ANSWER && o.count == 0 && o.is_referral);
	INVARIANT(o.has_edns == has_edns);
}

static struct dns_query take_query(struct reader *in, unsigned choice)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_PTR, DNS_A};
	struct dns_query query = {.id = ID, .type = types[choice / 2 % 4]};
	const uint8_t len = reader_u8(in);
	const uint8_t *text = reader_bytes(in, len);

	if (!text || !dns_name_from_text(text, len, &query.name))
		INVARIANT(dns_name_from_text("a.b", 3, &query.name));
	return query;
}

/* Writes the header and the question of an answer. */
static void put_answer(struct writer *w, struct reader *in, const struct dns_query *query)
{
	writer_u16(w, query->id);
	writer_u16(w, (reader_u16(in) & 0x07ff) | 0x8000);
	writer_u16(w, 1);
	for (unsigned i = 0; i < 3; i++)
		writer_u16(w, reader_u8(in));
	writer_bytes(w, query->name.bytes, query->name.len);
	writer_u16(w, (uint16_t)query->type);
	writer_u16(w, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char message[MESSAGE_MAX];
	struct writer w = writer_on(message, sizeof message);
	struct reader in = reader_of(data, size);
	const unsigned choice = reader_u8(&in);
	const size_t cut = reader_u16(&in);
	struct dns_query query = take_query(&in, choice);
	const uint8_t *bytes = (const uint8_t *)message;

	if (!(choice & IS_WHOLE))
		put_answer(&w, &in, &query);
	writer_bytes(&w, data + in.at, in.len - in.at);
	if (choice & IS_WHOLE && w.len > 1)
		query.id = (uint16_t)(bytes[0] << 8 | bytes[1]);
	const struct outcome whole = parse(bytes, w.len, &query);
	check_part(&whole, bytes, cut % (w.len + 1), &query);
	if (choice & CHECK_CASE)
		check_case(&whole, bytes, w.len, query);
	if (choice & CHECK_QUERY) {
		check_query(&query, choice & HAS_EDNS);
		check_name(&query.name);
	}
	return 0;
}
