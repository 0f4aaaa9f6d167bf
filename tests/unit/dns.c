/* SPDX-License-Identifier: ISC */
/* wire/dns: the wire form of names and queries, and which messages are answers with which results.
 */
#include "wire/dns.h"

#include "check.h"

enum { ID = 0x1234, AA = 0x0400, TC = 0x0200, RD = 0x0100, RA = 0x0080, QR = 0x8000 };
enum { ANSWERED = QR | RD | RA };

static struct dns_name name_of(const char *text)
{
	struct dns_name name = {.len = 0};
	CHECK(dns_name_from_text(text, strlen(text), &name));
	return name;
}

/* Fills a text with labels of at most label_max bytes, separated by dots. */
static void fill_text(char *text, size_t len, size_t label_max)
{
	for (size_t i = 0; i < len; i++)
		text[i] = i % (label_max + 1) == label_max && i + 1 < len ? '.' : 'a';
}

static void converts_names_from_text(void)
{
	static const struct {
		const char *text, *wire;
		size_t len;
	} rows[] = {
		{".", "\0", 1},
		{"a", "\1a\0", 3},
		{"a.", "\1a\0", 3},
		{"www.Example.com", "\3www\7Example\3com\0", 17},
		{"www.Example.com.", "\3www\7Example\3com\0", 17},
		{"a b.\\\xff", "\3a b\2\\\xff\0", 8},
	};
	static const char *const wrong[] = {"", "..", "a..", ".a", "a..b", "...", ".a."};

	EACH_ROW(row, rows, text) {
		const struct dns_name name = name_of(row->text);
		CHECK_BYTES(name.bytes, name.len, row->wire, row->len);
	}
	EACH_TEXT(text, wrong) {
		struct dns_name name = {.len = 77};
		CHECK(!dns_name_from_text(text, strlen(text), &name));
		CHECK_NUMBER(name.len, 77);
	}
}

/* RFC 1035 s2.3.4. The limits do not count the final dot. */
static void limits_labels_and_names(void)
{
	static char about[32];
	char text[300];
	struct dns_name name;

	for (size_t len = 1; len <= 256; len++) {
		snprintf(about, sizeof about, "%zu bytes", len);
		check_about = about;
		memset(text, 'a', sizeof text); /* a label */
		CHECK_NUMBER(dns_name_from_text(text, len, &name), len <= 63);
		fill_text(text, len, 60);
		if (text[len - 1] == '.' || (len > 1 && text[len - 2] == '.'))
			continue;
		CHECK_NUMBER(dns_name_from_text(text, len, &name), len <= 253);
		if (len <= 253)
			CHECK_NUMBER(name.len, len + 2);
		text[len] = '.';
		CHECK_NUMBER(dns_name_from_text(text, len + 1, &name), len <= 253);
	}
}

static void appends_a_suffix_up_to_255_octets(void)
{
	char text[254];
	const struct dns_name root = name_of("."), suffix = name_of("bb.cc");
	struct dns_name name = name_of("a"), before;

	CHECK(dns_name_append(&name, &suffix));
	CHECK_BYTES(name.bytes, name.len, "\1a\2bb\2cc\0", 9);
	CHECK(dns_name_append(&name, &root));
	CHECK_NUMBER(name.len, 9);
	name = root;
	CHECK(dns_name_append(&name, &suffix) && dns_name_is_same(&name, &suffix));

	for (size_t len = 240; len <= 253; len++) {
		fill_text(text, len, 60);
		CHECK(dns_name_from_text(text, len, &name));
		before = name;
		CHECK_NUMBER(dns_name_append(&name, &suffix), len + 1 + 5 <= 253);
		CHECK_NUMBER(name.len, len + 1 + 5 <= 253 ? before.len + 6 : before.len);
		CHECK(memcmp(name.bytes, before.bytes, before.len - 1U) == 0);
	}
}

static void names_the_reverse_of_an_address(void)
{
	static const struct {
		const char *address, *text;
	} rows[] = {
		{"192.0.2.1", "1.2.0.192.in-addr.arpa"},
		{"255.255.255.255", "255.255.255.255.in-addr.arpa"},
		{"0.0.0.0", "0.0.0.0.in-addr.arpa"},
		{"2001:db8::567:89ab",
			"b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1."
			"0.0.2.ip6.arpa"}, /* RFC 3596 s2.5 has a similar one */
		{"::ffff:1.2.3.4",
			"4.0.3.0.2.0.1.0.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa"},
	};

	EACH_ROW(row, rows, address) {
		const struct addr a = fuzz_address(row->address, 80);
		const struct dns_name name = dns_name_reverse(&a);
		CHECK_PUT(row->text, dns_name_put, &name);
	}
}

/* RFC 4343: only the 26 ASCII letters have two cases. */
static void compares_names_without_case(void)
{
	for (unsigned i = 1; i < 256; i++) {
		for (unsigned k = 1; k < 256; k++) {
			const struct dns_name a = {.len = 3, .bytes = {1, (uint8_t)i, 0}},
					      b = {.len = 3, .bytes = {1, (uint8_t)k, 0}};
			const bool letters = i < 128 && k < 128 && ((i | 32) == (k | 32)) &&
				(i | 32) >= 'a' && (i | 32) <= 'z';
			if (dns_name_is_same(&a, &b) != (i == k || letters))
				CHECK_NUMBER(i, k);
		}
	}
	const struct dns_name a = name_of("aa.b"), b = name_of("a.bb"), c = name_of("aa.b.c");
	CHECK(dns_name_is_same(&a, &a));
	CHECK(!dns_name_is_same(&a, &b));
	CHECK(!dns_name_is_same(&a, &c));
}

static void writes_names_with_escapes(void)
{
	static const struct {
		const char *text, *wire;
		size_t len;
	} rows[] = {
		{".", "\0", 1},
		{"www.example", "\3www\7example\0", 13},
		{"a\\.b.c", "\3a.b\1c\0", 7},
		{"\\\\", "\1\\\0", 3},
		{"\\000\\032\\127\\255!~", "\6\0 \177\377!~\0", 8},
	};
	struct dns_name name = {.len = 255, .bytes = {[0] = 63, [64] = 63, [128] = 63, [192] = 61}};
	char text[DNS_NAME_TEXT_MAX];
	struct writer w = writer_on(text, sizeof text);

	dns_name_put(&w, &name); /* the longest text */
	CHECK_NUMBER(w.len, DNS_NAME_TEXT_MAX);
	CHECK(!w.full);
	w = writer_on(text, sizeof text - 1);
	dns_name_put(&w, &name);
	CHECK(w.full && w.len == 0);

	EACH_ROW(row, rows, text) {
		name = (struct dns_name){.len = (uint8_t)row->len};
		memcpy(name.bytes, row->wire, row->len);
		CHECK_PUT(row->text, dns_name_put, &name);
	}
}

static void writes_queries(void)
{
	static const char plain[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3www\7example\0\0\34\0\1";
	static const char edns[] = "\x12\x34\1\0\0\1\0\0\0\0\0\1\3www\7example\0\0\34\0\1"
				   "\0\0\x29\4\xd0\0\0\0\0\0\0";
	char text[253], bytes[DNS_QUERY_MAX];
	struct dns_query query = {.id = ID, .type = DNS_AAAA, .name = name_of("www.example")};
	struct writer w = writer_on(bytes, sizeof bytes);

	CHECK_PUT_BYTES(plain, sizeof plain - 1, dns_put_query, &query, false);
	CHECK_PUT_BYTES(edns, sizeof edns - 1, dns_put_query, &query, true);

	fill_text(text, sizeof text, 63);
	CHECK(dns_name_from_text(text, sizeof text, &query.name));
	dns_put_query(&w, &query, true);
	CHECK(!w.full);
	CHECK_NUMBER(w.len, DNS_QUERY_MAX);
}

/* -- Answers. Their records are written as lines: OWNER TYPE TTL DATA. A type may be followed by a
 * class: "A/3". The data of a SOA record is its last field, that of an OPT record nothing, because
 * the upper byte of its TTL is the rest of the rcode. Data that begins with "x" is hex text. */

static const struct {
	const char *name;
	unsigned type;
} types[] = {
	{"A", 1}, {"CNAME", 5}, {"SOA", 6}, {"PTR", 12}, {"AAAA", 28}, {"OPT", 41}, {"TXT", 16}};

static void put_name(struct writer *w, const char *text)
{
	const struct dns_name name = name_of(text);
	writer_bytes(w, name.bytes, name.len);
}

static void put_u32(struct writer *w, unsigned long value)
{
	writer_u16(w, (uint16_t)(value >> 16));
	writer_u16(w, (uint16_t)value);
}

static void put_data(struct writer *w, unsigned type, const char *data)
{
	const struct addr a = fuzz_address(data, 0);
	struct hex h = hex_start();

	if (data[0] == 'x') {
		CHECK(hex_read(&h, data + 1, strlen(data + 1), w) && hex_end(&h));
	} else if (type == 6) {
		put_name(w, "ns.example");
		put_name(w, "root.example");
		for (unsigned i = 0; i < 4; i++)
			put_u32(w, 1);
		put_u32(w, strtoul(data, NULL, 10));
	} else if (a.kind != ADDR_NAME) {
		writer_bytes(w, a.bytes, a.len);
	} else if (type != 41) {
		put_name(w, data);
	}
}

/* Appends the records of a section. Returns their number. */
static uint16_t put_records(struct writer *w, const char *records)
{
	char owner[256], type_text[16], data[512], bytes[512];
	uint16_t count = 0;
	unsigned long ttl;

	for (int used; records &&
		sscanf(records, "%255s %15s %lu %511s%n", owner, type_text, &ttl, data, &used) == 4;
		records += used) {
		struct writer d = writer_on(bytes, sizeof bytes);
		const char *slash = strchr(type_text, '/');
		unsigned type = 0;
		for (size_t i = 0; i < COUNT(types); i++)
			if (strncmp(type_text, types[i].name, strcspn(type_text, "/")) == 0 &&
				strlen(types[i].name) == strcspn(type_text, "/"))
				type = types[i].type;
		CHECK(type > 0);
		put_name(w, owner);
		writer_u16(w, (uint16_t)type);
		writer_u16(w, (uint16_t)(slash ? atoi(slash + 1) : 1));
		put_u32(w, ttl);
		put_data(&d, type, data);
		writer_u16(w, (uint16_t)d.len);
		writer_bytes(w, bytes, d.len);
		count++;
	}
	return count;
}

/* A message, and the bytes of its records. */
static char message[DNS_ANSWER_MAX + 64];

static void put_header(struct writer *w, unsigned flags, const uint16_t counts[4])
{
	writer_u16(w, ID);
	writer_u16(w, (uint16_t)flags);
	for (size_t i = 0; i < 4; i++)
		writer_u16(w, counts[i]);
}

static void put_question(struct writer *w, const struct dns_query *query)
{
	writer_bytes(w, query->name.bytes, query->name.len);
	writer_u16(w, (uint16_t)query->type);
	writer_u16(w, 1);
}

/* Builds an answer to the query from the records of the three sections. Returns its length. */
static size_t build(const struct dns_query *query, unsigned flags, const char *const sections[3])
{
	static char records[DNS_ANSWER_MAX];
	struct writer r = writer_on(records, sizeof records),
		      w = writer_on(message, sizeof message);
	uint16_t counts[4] = {1};

	for (size_t i = 0; i < 3; i++)
		counts[i + 1] = put_records(&r, sections[i]);
	put_header(&w, flags, counts);
	put_question(&w, query);
	writer_bytes(&w, records, r.len);
	CHECK(!w.full);
	return w.len;
}

/* Writes the values of an answer: "NOERROR 60s 192.0.2.1", with "TC", "EDNS" and "referral". */
static void put_answer(
	struct writer *w, const uint8_t *bytes, size_t len, const struct dns_query *query)
{
	struct dns_answer answer;
	struct addr a;
	unsigned count = 0;
	uint8_t *copy = fuzz_copy(bytes, len);
	const enum dns_verdict verdict = dns_parse_answer(copy, len, query, &answer);

	if (verdict != DNS_ANSWER) {
		writer_str(w, verdict == DNS_MALFORMED ? "malformed" : "not ours");
		free(copy);
		return;
	}
	writer_str(w, dns_rcode_text(answer.rcode));
	writer_str(w, answer.is_truncated ? " TC" : "");
	writer_str(w, answer.has_edns ? " EDNS" : "");
	writer_str(w, answer.is_referral ? " referral" : "");
	writer_u8(w, ' ');
	writer_decimal(w, answer.ttl_s, 1);
	writer_u8(w, 's');
	for (unsigned expected = answer.count; dns_answer_next(&answer, &a); count++) {
		CHECK(count < expected);
		CHECK_NUMBER(a.port, 0);
		writer_u8(w, ' ');
		if (a.kind == ADDR_NAME)
			writer_bytes(w, a.bytes, a.len);
		else
			addr_put_host(w, &a);
	}
	CHECK_NUMBER(count, answer.count);
	CHECK(!dns_answer_next(&answer, &a));
	free(copy);
}

#define CHECK_ANSWER(want, len, query)                                                             \
	CHECK_PUT(want, put_answer, (const uint8_t *)message, len, query)

struct answer_row {
	const char *name;
	const char *query; /* TYPE NAME */
	unsigned flags;
	const char *sections[3];
	const char *want;
};

static struct dns_query query_of(const char *text)
{
	const char *space = strchr(text, ' ');
	struct dns_query query = {.id = ID, .type = DNS_A, .name = name_of(space + 1)};

	if (strncmp(text, "AAAA ", 5) == 0)
		query.type = DNS_AAAA;
	if (strncmp(text, "PTR ", 4) == 0)
		query.type = DNS_PTR;
	return query;
}

static void check_rows(const struct answer_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct dns_query query = query_of(rows[i].query);
		check_about = rows[i].name;
		const size_t len = build(&query, rows[i].flags, rows[i].sections);
		CHECK_ANSWER(rows[i].want, len, &query);
	}
}

static void returns_the_results(void)
{
	static const struct answer_row rows[] = {
		{"A", "A a.example", ANSWERED, {"a.example A 60 192.0.2.1"},
			"NOERROR 60s 192.0.2.1"},
		{"several", "A a.example", ANSWERED,
			{"a.example A 60 192.0.2.1 a.example A 50 192.0.2.2 a.example A 60 "
			 "192.0.2.1"},
			"NOERROR 50s 192.0.2.1 192.0.2.2 192.0.2.1"},
		{"AAAA", "AAAA a.example", ANSWERED,
			{"a.example AAAA 1 2001:db8::1 a.example AAAA 1 ::"},
			"NOERROR 1s 2001:db8::1 ::"},
		{"another case", "A a.eXample", ANSWERED, {"A.ExAMPLE A 60 192.0.2.1"},
			"NOERROR 60s 192.0.2.1"},
		{"another owner", "A a.example", ANSWERED,
			{"b.example A 1 192.0.2.1 a.example.example A 1 192.0.2.1 . A 1 192.0.2.1 "
			 "a.example A 60 192.0.2.2"},
			"NOERROR 60s 192.0.2.2"},
		{"another type", "A a.example", ANSWERED,
			{"a.example AAAA 1 ::1 a.example TXT 1 x00 a.example A 60 192.0.2.2 "
			 "a.example PTR 1 b"},
			"NOERROR 60s 192.0.2.2"},
		{"another class", "A a.example", ANSWERED,
			{"a.example A/3 1 192.0.2.1 a.example CNAME/3 1 b.example "
			 "a.example A 60 192.0.2.2"},
			"NOERROR 60s 192.0.2.2"},
		{"other sections", "A a.example", ANSWERED,
			{"", "a.example A 60 192.0.2.1", "a.example A 60 192.0.2.1"}, "NOERROR 0s"},
		{"the root", "A .", ANSWERED, {". A 60 192.0.2.1"}, "NOERROR 60s 192.0.2.1"},
		{"PTR", "PTR 1.2.0.192.in-addr.arpa", ANSWERED,
			{"1.2.0.192.in-addr.arpa PTR 9 A.example 1.2.0.192.in-addr.arpa PTR 9 b"},
			"NOERROR 9s A.example b"},
		{"PTR to the root", "PTR a", ANSWERED, {"a PTR 9 ."}, "NOERROR 9s ."},
		{"PTR with a wrong label", "PTR a", ANSWERED, {"a PTR 9 x03612e0a0162ff00"},
			"malformed"},
		{"PTR with escapes", "PTR a", ANSWERED, {"a PTR 9 x03612e0a0262ff00"},
			"NOERROR 9s a\\.\\010.b\\255"},
		{"PTR behind CNAME (RFC 2317)", "PTR 1.example", ANSWERED,
			{"1.example CNAME 8 1.sub.example 1.sub.example PTR 9 a"}, "NOERROR 8s a"},
	};

	check_rows(rows, COUNT(rows));
}

static void follows_cname_records(void)
{
	static const struct answer_row rows[] = {
		{"in order", "A a", ANSWERED, {"a CNAME 30 b b CNAME 20 C c A 60 192.0.2.1"},
			"NOERROR 20s 192.0.2.1"},
		{"in reverse", "A a", ANSWERED, {"c A 60 192.0.2.1 b CNAME 30 c a CNAME 40 b"},
			"NOERROR 30s 192.0.2.1"},
		{"links between addresses", "A a", ANSWERED,
			{"c A 60 192.0.2.1 b CNAME 30 c c A 60 192.0.2.2 a CNAME 40 B"},
			"NOERROR 30s 192.0.2.1 192.0.2.2"},
		{"not from another name", "A a", ANSWERED, {"b CNAME 30 a a A 60 192.0.2.1"},
			"NOERROR 60s 192.0.2.1"},
		{"not past its end", "A a", ANSWERED, {"a CNAME 30 b c A 60 192.0.2.1"},
			"NOERROR 0s"},
		{"the first of two", "A a", ANSWERED,
			{"a CNAME 30 b a CNAME 10 c b A 60 192.0.2.1 c A 60 192.0.2.2"},
			"NOERROR 30s 192.0.2.1"},
		{"beside an address", "A a", ANSWERED,
			{"a A 60 192.0.2.1 a CNAME 30 b b A 60 192.0.2.2"},
			"NOERROR 30s 192.0.2.2"},
		{"to itself", "A a", ANSWERED, {"a CNAME 30 a a A 60 192.0.2.1"}, "malformed"},
		{"in a loop", "A a", ANSWERED, {"a CNAME 30 b b CNAME 30 c c CNAME 30 b"},
			"malformed"},
		{"with a byte behind the name", "A a", ANSWERED, {"a CNAME 30 x01620000"},
			"malformed"},
		{"of another owner, malformed", "A a", ANSWERED,
			{"b CNAME 30 x01620000 a A 60 192.0.2.1"}, "NOERROR 60s 192.0.2.1"},
		{"in another section", "A a", ANSWERED, {"b A 60 192.0.2.1", "a CNAME 30 b"},
			"NOERROR 0s"},
		{"to a name that does not exist", "A a", ANSWERED | DNS_NXDOMAIN,
			{"a CNAME 30 b", ". SOA 60 50"}, "NXDOMAIN 30s"},
	};

	check_rows(rows, COUNT(rows));
}

static void follows_16_cname_records(void)
{
	const struct dns_query query = query_of("A n0");
	char text[1024];

	for (unsigned links = DNS_CNAMES_MAX - 1; links <= DNS_CNAMES_MAX + 1; links++) {
		for (unsigned reverse = 0; reverse < 2; reverse++) {
			struct writer w = writer_on(text, sizeof text - 1);
			memset(text, 0, sizeof text);
			for (unsigned i = 0; i < links; i++) {
				const unsigned at = reverse ? links - 1 - i : i;
				char line[64];
				snprintf(line, sizeof line, "n%u CNAME 9 n%u ", at, at + 1);
				writer_str(&w, line);
			}
			snprintf(text + w.len, sizeof text - w.len, "n%u A 9 192.0.2.1", links);
			const char *const sections[3] = {text};
			CHECK_ANSWER(links <= DNS_CNAMES_MAX ? "NOERROR 9s 192.0.2.1" : "malformed",
				build(&query, ANSWERED, sections), &query);
		}
	}
}

static void reports_the_state_of_the_server(void)
{
	static const struct answer_row rows[] = {
		{"SERVFAIL", "A a", ANSWERED | DNS_SERVFAIL, {"a A 60 192.0.2.1", ". SOA 9 9"},
			"SERVFAIL 0s"},
		{"NXDOMAIN", "A a", ANSWERED | DNS_NXDOMAIN, {"a A 60 192.0.2.1"}, "NXDOMAIN 0s"},
		{"REFUSED", "A a", QR | RD | DNS_REFUSED, {""}, "REFUSED 0s"},
		{"unassigned", "A a", ANSWERED | 15, {""}, "unassigned 0s"},
		{"EDNS", "A a", ANSWERED, {"a A 60 192.0.2.1", "", ". OPT/1232 0 -"},
			"NOERROR EDNS 60s 192.0.2.1"},
		{"EDNS with an option", "A a", ANSWERED, {"", "", ". OPT/1232 32768 x00030000"},
			"NOERROR EDNS 0s"},
		{"BADVERS", "A a", ANSWERED, {"a A 60 192.0.2.1", "", ". OPT/1232 16777216 -"},
			"BADVERS EDNS 0s"},
		{"all upper bits", "A a", ANSWERED | 15, {"", "", ". OPT/1232 4278190080 -"},
			"unassigned EDNS 0s"},
		{"the first of two OPT records", "A a", ANSWERED,
			{"", "", ". OPT/1232 0 - . OPT/1232 16777216 -"}, "NOERROR EDNS 0s"},
		{"OPT in another section", "A a", ANSWERED,
			{". OPT/1232 16777216 -", ". OPT/1232 16777216 -"}, "NOERROR 0s"},
		{"referral", "A a", QR | RD, {"", "b TXT 9 x00"}, "NOERROR referral 0s"},
		{"no referral: authority", "A a", QR | AA, {""}, "NOERROR 0s"},
		{"no referral: recursion", "A a", QR | RA, {""}, "NOERROR 0s"},
		{"no referral: results", "A a", QR, {"a A 9 192.0.2.1"}, "NOERROR 9s 192.0.2.1"},
		{"no referral: truncated", "A a", QR | TC, {""}, "NOERROR TC 0s"},
		{"no referral: refused", "A a", QR | DNS_REFUSED, {""}, "REFUSED 0s"},
	};

	check_rows(rows, COUNT(rows));
}

/* RFC 2308 s5, RFC 2181 s8. */
static void returns_how_long_an_answer_may_be_cached(void)
{
	static const struct answer_row rows[] = {
		{"0", "A a", ANSWERED, {"a A 0 192.0.2.1"}, "NOERROR 0s 192.0.2.1"},
		{"2^31 - 1", "A a", ANSWERED, {"a A 2147483647 192.0.2.1"},
			"NOERROR 2147483647s 192.0.2.1"},
		{"2^31", "A a", ANSWERED, {"a A 2147483648 192.0.2.1"}, "NOERROR 0s 192.0.2.1"},
		{"SOA with results", "A a", ANSWERED, {"a A 60 192.0.2.1", ". SOA 9 9"},
			"NOERROR 60s 192.0.2.1"},
		{"SOA: its last field", "A a", ANSWERED, {"", ". SOA 20 10"}, "NOERROR 10s"},
		{"SOA: its TTL", "A a", ANSWERED | DNS_NXDOMAIN, {"", ". SOA 10 20"},
			"NXDOMAIN 10s"},
		{"SOA: the first", "A a", ANSWERED, {"", ". SOA 20 20 . SOA 10 10"}, "NOERROR 20s"},
		{"SOA: incomplete", "A a", ANSWERED,
			{"", ". SOA 9 x0000000000010000000100000001000000010000"}, "NOERROR 0s"},
		{"SOA: with a byte behind it", "A a", ANSWERED,
			{"", ". SOA 9 x0000000000010000000100000001000000010000000700"},
			"NOERROR 0s"},
		{"SOA: its first name", "A a", ANSWERED, {"", ". SOA 9 xc000"}, "NOERROR 0s"},
		{"SOA: its second name", "A a", ANSWERED, {"", ". SOA 9 x004000"}, "NOERROR 0s"},
		{"SOA: another class", "A a", ANSWERED, {"", ". SOA/3 9 9 . SOA 8 8"},
			"NOERROR 8s"},
		{"SOA: complete", "A a", ANSWERED,
			{"", ". SOA 9 x00000000000100000001000000010000000100000007"},
			"NOERROR 7s"},
		{"SOA: in another section", "A a", ANSWERED, {". SOA 9 9", "", ". SOA 9 9"},
			"NOERROR 0s"},
		{"SOA: CNAME", "A a", ANSWERED, {"a CNAME 5 b", ". SOA 9 9"}, "NOERROR 5s"},
		{"truncated", "A a", ANSWERED | TC, {"a A 60 192.0.2.1"},
			"NOERROR TC 0s 192.0.2.1"},
	};

	check_rows(rows, COUNT(rows));
}

static void ignores_messages_that_are_not_the_answer(void)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t value;
		const char *want;
	} rows[] = {
		{"unchanged", 0, ID >> 8, "NOERROR 60s 192.0.2.1"},
		{"id, first byte", 0, 0x13, "not ours"},
		{"id, second byte", 1, 0x35, "not ours"},
		{"QR", 2, RD >> 8, "not ours"},
		{"opcode 1", 2, 0x88, "not ours"},
		{"opcode 8", 2, 0xc0, "not ours"},
		{"AA", 2, 0x85, "NOERROR 60s 192.0.2.1"},
		{"RD", 2, 0x80, "NOERROR 60s 192.0.2.1"},
		{"Z, AD and CD", 3, 0x70, "NOERROR 60s 192.0.2.1"},
		{"no question", 5, 0, "not ours"},
		{"two questions", 5, 2, "not ours"},
		{"257 questions", 4, 1, "not ours"},
		{"name", 13, 'b', "not ours"},
		{"case of the name", 13, 'A', "NOERROR 60s 192.0.2.1"},
		{"length of a label", 12, 2, "not ours"},
		{"type of a label", 12, 0x41, "not ours"},
		{"pointer", 12, 0xc0, "not ours"},
		{"type", 16, 28, "not ours"},
		{"type, upper byte", 15, 1, "not ours"},
		{"class", 18, 3, "not ours"},
		{"class, upper byte", 17, 1, "not ours"},
	};
	const struct dns_query query = query_of("A a");
	const char *const sections[3] = {"a A 60 192.0.2.1"};

	EACH_ROW(row, rows, name) {
		const size_t len = build(&query, ANSWERED, sections);
		message[row->at] = (char)row->value;
		CHECK_ANSWER(row->want, len, &query);
	}
}

/* A server that cannot read a query with an OPT record may not repeat the question. */
static void accepts_an_error_without_a_question(void)
{
	static const struct {
		const char *name;
		unsigned flags;
		const char *want;
	} rows[] = {
		{"FORMERR", QR | DNS_FORMERR, "FORMERR 0s"},
		{"NOTIMP", QR | DNS_NOTIMP, "NOTIMP 0s"},
		{"NOERROR", QR, "not ours"},
		{"SERVFAIL", QR | DNS_SERVFAIL, "not ours"},
		{"NXDOMAIN", QR | DNS_NXDOMAIN, "not ours"},
		{"REFUSED", QR | DNS_REFUSED, "not ours"},
		{"a query", DNS_FORMERR, "not ours"},
	};
	const struct dns_query query = query_of("A a");
	static const uint16_t counts[4];

	EACH_ROW(row, rows, name) {
		struct writer w = writer_on(message, sizeof message);
		put_header(&w, row->flags, counts);
		CHECK_ANSWER(row->want, w.len, &query);
		message[5] = 2; /* questions */
		CHECK_ANSWER("not ours", w.len, &query);
		message[5] = 0;
	}
	message[1]++;
	CHECK_ANSWER("not ours", DNS_HEADER_LEN, &query);
}

/* Without TC, an answer that is cut anywhere has no results. With TC, it has those before the
 * cut. */
static void is_not_deceived_by_a_cut(void)
{
	const struct dns_query query = query_of("A a.example");
	const char *const sections[3] = {
		"a.example A 60 192.0.2.1 a.example A 60 192.0.2.2", "", ". OPT/1232 0 -"};
	const size_t question = DNS_HEADER_LEN + query.name.len + 4U, record = query.name.len + 14U;
	static char about[32];

	check_about = about;
	for (unsigned flags = ANSWERED; flags <= (ANSWERED | TC); flags += TC) {
		const size_t len = build(&query, flags, sections);
		for (size_t cut = 0; cut <= len; cut++) {
			const char *want = "NOERROR TC EDNS 0s 192.0.2.1 192.0.2.2";
			snprintf(about, sizeof about, "flags %x, %zu bytes", flags, cut);
			if (cut < question)
				want = "not ours";
			else if (!(flags & TC))
				want = cut < len ? "malformed"
						 : "NOERROR EDNS 60s 192.0.2.1 192.0.2.2";
			else if (cut < question + record)
				want = "NOERROR TC 0s";
			else if (cut < question + 2 * record)
				want = "NOERROR TC 0s 192.0.2.1";
			else if (cut < len)
				want = "NOERROR TC 0s 192.0.2.1 192.0.2.2";
			CHECK_ANSWER(want, cut, &query);
		}
		memset(message + len, 'x', 20); /* bytes behind the last record */
		CHECK_ANSWER(flags & TC ? "NOERROR TC EDNS 0s 192.0.2.1 192.0.2.2"
					: "NOERROR EDNS 60s 192.0.2.1 192.0.2.2",
			len + 20, &query);
	}
}

static void requires_the_length_of_the_type(void)
{
	static const struct answer_row rows[] = {
		{"A of 3 bytes", "A a", ANSWERED, {"a A 9 x000000"}, "malformed"},
		{"A of 5 bytes", "A a", ANSWERED, {"a A 9 192.0.2.1 a A 9 x0000000000"},
			"malformed"},
		{"A of another name", "A a", ANSWERED, {"b A 9 x000000 a A 9 192.0.2.1"},
			"NOERROR 9s 192.0.2.1"},
		{"A with SERVFAIL", "A a", ANSWERED | DNS_SERVFAIL, {"a A 9 x000000"},
			"SERVFAIL 0s"},
		{"A of 5 bytes with TC", "A a", ANSWERED | TC, {"a A 9 x0000000000"}, "malformed"},
		{"AAAA of 15 bytes", "AAAA a", ANSWERED,
			{"a AAAA 9 x000000000000000000000000000000"}, "malformed"},
		{"AAAA of 17 bytes", "AAAA a", ANSWERED,
			{"a AAAA 9 x0000000000000000000000000000000000"}, "malformed"},
		{"AAAA of 4 bytes", "AAAA a", ANSWERED, {"a AAAA 9 192.0.2.1"}, "malformed"},
		{"PTR of 0 bytes", "PTR a", ANSWERED, {"a PTR 9 x"}, "malformed"},
		{"PTR with a byte too many", "PTR a", ANSWERED, {"a PTR 9 x0000"}, "malformed"},
		{"PTR with a byte too few", "PTR a", ANSWERED, {"a PTR 9 x0161 b A 9 x000000"},
			"malformed"},
	};

	check_rows(rows, COUNT(rows));
}

/* The question is at 12, its root label at 21; the record begins at 26, its RDATA at 38. */
static void reads_compressed_names(void)
{
	static const struct {
		const char *name;
		const char *owner; /* hex text of the owner, two bytes */
		const char *data;  /* hex text of a PTR record */
		const char *want;
	} rows[] = {
		{"the question", "c00c", "c00c", "NOERROR 9s ptr.test"},
		{"a label and the rest of the question", "c00c", "0161c010", "NOERROR 9s a.test"},
		{"the root label", "c00c", "0161c015", "NOERROR 9s a"},
		{"a pointer to a pointer", "c00c", "0162c01a", "NOERROR 9s b.ptr.test"},
		{"a zero byte of the class", "c00c", "c018", "NOERROR 9s ."},
		{"the header", "c000", "00", "malformed"},
		{"the last byte of the header", "c00b", "00", "malformed"},
		{"the pointer itself", "c01a", "00", "malformed"},
		{"a place behind it", "c01c", "00", "malformed"},
		{"a label that reaches into the owner", "c019", "00", "malformed"},
		{"another owner", "c010", "00", "NOERROR 0s"},
		{"RDATA: the pointer itself", "c00c", "c026", "malformed"},
		{"RDATA: its own label", "c00c", "0161c026", "malformed"},
		{"RDATA: the last byte of RDLENGTH as a label", "c00c", "c025", "malformed"},
		{"RDATA: the last byte of the TTL, 9 bytes that reach into RDATA", "c00c", "c023",
			"malformed"},
		{"RDATA: a zero byte of RDLENGTH", "c00c", "c024", "NOERROR 9s ."},
		{"RDATA: a cut pointer", "c00c", "c0", "malformed"},
		{"label type 01", "4000", "00", "malformed"},
		{"label type 10", "8000", "00", "malformed"},
		{"the end of the message", "ffff", "00", "malformed"},
	};
	static const uint16_t counts[4] = {1, 1};
	const struct dns_query query = query_of("PTR ptr.test");

	EACH_ROW(row, rows, name) {
		struct writer w = writer_on(message, sizeof message);
		struct hex h = hex_start();
		put_header(&w, ANSWERED, counts);
		put_question(&w, &query);
		CHECK_NUMBER(w.len, 26);
		CHECK(hex_read(&h, row->owner, 4, &w));
		writer_u16(&w, DNS_PTR);
		writer_u16(&w, 1);
		put_u32(&w, 9);
		writer_u16(&w, (uint16_t)(strlen(row->data) / 2));
		CHECK(hex_read(&h, row->data, strlen(row->data), &w) && hex_end(&h));
		for (unsigned i = 0; i < 100; i++)
			writer_u16(&w, 0); /* behind the record */
		CHECK_ANSWER(row->want, w.len, &query);
	}
}

/* The PTR record has a label of len bytes and then the name of the question, of 192 octets. */
static void limits_compressed_names_to_255_octets(void)
{
	static const uint16_t counts[4] = {1, 1};
	struct dns_query query = {.id = ID, .type = DNS_PTR};
	char text[190], label[64];

	memset(label, 'b', sizeof label);
	fill_text(text, sizeof text, 62);
	CHECK(dns_name_from_text(text, sizeof text, &query.name) && query.name.len == 192);
	for (uint8_t len = 60; len <= 63; len++) {
		struct writer w = writer_on(message, sizeof message);
		put_header(&w, ANSWERED, counts);
		put_question(&w, &query);
		writer_u16(&w, 0xc00c);
		writer_u16(&w, DNS_PTR);
		writer_u16(&w, 1);
		put_u32(&w, 9);
		writer_u16(&w, (uint16_t)(len + 3));
		writer_u8(&w, len);
		writer_bytes(&w, label, len);
		writer_u16(&w, 0xc00c);
		char want[300];
		snprintf(want, sizeof want, "NOERROR 9s %.*s.%.*s", (int)len, label,
			(int)sizeof text, text);
		CHECK_ANSWER(len <= 62 ? want : "malformed", w.len, &query);
	}
}

/* The owner of the second record leads through all pointers in the data of the first one. */
static void limits_the_pointers_of_a_name(void)
{
	static const uint16_t counts[4] = {1, 2};
	const struct dns_query query = query_of("A a");

	for (unsigned count = DNS_POINTERS_MAX - 1; count <= DNS_POINTERS_MAX + 1; count++) {
		struct writer w = writer_on(message, sizeof message);
		size_t at = DNS_HEADER_LEN;
		put_header(&w, ANSWERED, counts);
		put_question(&w, &query);
		writer_bytes(&w, "\0\0\20\0\1\0\0\0\1", 9);
		writer_u16(&w, (uint16_t)(2 * (count - 1)));
		for (unsigned i = 0; i < count; i++) {
			const size_t here = w.len;
			writer_u16(&w, (uint16_t)(0xc000 | at));
			at = here;
		}
		writer_bytes(&w, "\0\1\0\1\0\0\0\1\0\4\1\2\3\4", 14);
		CHECK_ANSWER(count <= DNS_POINTERS_MAX ? "NOERROR 1s 1.2.3.4" : "malformed", w.len,
			&query);
	}
}

/* Each of the bytes 0x01 has four characters in text. */
static void omits_names_whose_text_is_too_long(void)
{
	const struct dns_query query = query_of("PTR a");
	char records[1024] = "a PTR 9 x";
	struct writer w = writer_on(records, sizeof records);

	for (unsigned len = 62; len <= 63; len++) {
		w.len = 0;
		writer_str(&w, "a PTR 9 b a PTR 5 x");
		writer_hex(&w, (uint8_t)len);
		for (unsigned i = 0; i < len; i++)
			writer_hex(&w, 1);
		writer_str(&w, "06616161616161"); /* 7 characters with the dot: 255 */
		writer_str(&w, "00");
		writer_u8(&w, '\0');
		const char *const sections[3] = {records};
		struct dns_answer answer;
		const size_t size = build(&query, ANSWERED, sections);
		CHECK(dns_parse_answer((const uint8_t *)message, size, &query, &answer) ==
			DNS_ANSWER);
		CHECK_NUMBER(answer.count, len == 62 ? 2 : 1);
		CHECK_NUMBER(answer.ttl_s, 5);
		struct addr a;
		while (dns_answer_next(&answer, &a))
			CHECK(a.len == 1 || a.len == ADDR_NAME_MAX);
	}
}

static void reads_the_longest_message(void)
{
	const struct dns_query query = query_of("A a");
	const unsigned count = (DNS_ANSWER_MAX - DNS_HEADER_LEN - 7) / 16;
	const uint16_t counts[4] = {1, (uint16_t)count};
	struct writer w = writer_on(message, DNS_ANSWER_MAX);
	struct dns_answer answer;
	struct addr a;

	put_header(&w, ANSWERED, counts);
	put_question(&w, &query);
	for (unsigned i = 0; i < count; i++) {
		writer_bytes(&w, "\xc0\x0c\0\1\0\1\0\0\0\1\0\4", 12);
		put_u32(&w, i);
	}
	CHECK(!w.full);
	CHECK(dns_parse_answer((const uint8_t *)message, w.len, &query, &answer) == DNS_ANSWER);
	CHECK_NUMBER(answer.count, count);
	for (unsigned i = 0; i < count; i++) {
		CHECK(dns_answer_next(&answer, &a));
		CHECK_NUMBER(a.bytes[2] << 8 | a.bytes[3], i);
	}
	CHECK(!dns_answer_next(&answer, &a));
}

static void leaves_the_output_unchanged_without_an_answer(void)
{
	const struct dns_query query = query_of("A a");
	const char *const sections[3] = {"a A 9 x000000"};
	struct dns_answer answer, before;
	const size_t len = build(&query, ANSWERED, sections);

	memset(&answer, 0x5a, sizeof answer);
	before = answer;
	CHECK(dns_parse_answer((const uint8_t *)message, len, &query, &answer) == DNS_MALFORMED);
	CHECK(dns_parse_answer((const uint8_t *)message, 11, &query, &answer) == DNS_NOT_OURS);
	CHECK(memcmp(&answer, &before, sizeof answer) == 0);
}

static void names_types_and_rcodes(void)
{
	static const char *const rcodes[] = {
		"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};

	CHECK_STRING(dns_type_text(DNS_A), "A");
	CHECK_STRING(dns_type_text(DNS_AAAA), "AAAA");
	CHECK_STRING(dns_type_text(DNS_PTR), "PTR");
	CHECK_STRING(dns_type_text(5), "CNAME");
	CHECK_STRING(dns_type_text(6), "SOA");
	CHECK_STRING(dns_type_text(41), "OPT");
	CHECK_STRING(dns_type_text(0), "unassigned");
	CHECK_STRING(dns_type_text(65535), "unassigned");
	for (uint16_t i = 0; i < COUNT(rcodes); i++)
		CHECK_STRING(dns_rcode_text(i), rcodes[i]);
	CHECK_STRING(dns_rcode_text(12), "unassigned");
	CHECK_STRING(dns_rcode_text(DNS_BADVERS), "BADVERS");
	CHECK_STRING(dns_rcode_text(23), "BADCOOKIE");
	CHECK_STRING(dns_rcode_text(24), "unassigned");
	CHECK_STRING(dns_rcode_text(4095), "unassigned");
}

int main(void)
{
	return CHECK_ALL(converts_names_from_text, limits_labels_and_names,
		appends_a_suffix_up_to_255_octets, names_the_reverse_of_an_address,
		compares_names_without_case, writes_names_with_escapes, writes_queries,
		returns_the_results, follows_cname_records, follows_16_cname_records,
		reports_the_state_of_the_server, returns_how_long_an_answer_may_be_cached,
		ignores_messages_that_are_not_the_answer, accepts_an_error_without_a_question,
		is_not_deceived_by_a_cut, requires_the_length_of_the_type, reads_compressed_names,
		limits_compressed_names_to_255_octets, limits_the_pointers_of_a_name,
		omits_names_whose_text_is_too_long, reads_the_longest_message,
		leaves_the_output_unchanged_without_an_answer, names_types_and_rcodes);
}
