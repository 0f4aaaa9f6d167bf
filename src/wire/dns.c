/* SPDX-License-Identifier: ISC */
/* The queries and answers of a DNS stub resolver (RFC 1035; EDNS: RFC 6891). */
#include "wire/dns.h"

#include <string.h>

/* Types that occur only in answers, and the type of the EDNS record. */
enum { CNAME = 5, SOA = 6, OPT = 41 };

enum { CLASS_IN = 1 };

/* The second 16 bits of a header (RFC 1035 s4.1.1). */
enum { QR = 0x8000, OPCODE = 0x7800, AA = 0x0400, TC = 0x0200, RD = 0x0100, RA = 0x0080 };
enum { RCODE = 0x000f };

/* The two upper bits of the first byte of a pointer (RFC 1035 s4.1.4). */
enum { POINTER = 0xc0 };

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

bool dns_name_from_text(const void *text, size_t len, struct dns_name *ret_name)
{
	const uint8_t *at = text, *end = at + len;
	struct dns_name name;
	struct writer w = writer_on(name.bytes, sizeof name.bytes);

	if (len == 0)
		return false;
	if (len == 1 && *at == '.')
		at = end;
	while (at < end) {
		const uint8_t *dot = memchr(at, '.', (size_t)(end - at));
		const size_t label_len = (size_t)((dot ? dot : end) - at);
		if (label_len == 0 || label_len > ADDR_LABEL_MAX)
			return false;
		writer_u8(&w, (uint8_t)label_len);
		writer_bytes(&w, at, label_len);
		at = dot ? dot + 1 : end;
	}
	writer_u8(&w, 0);
	if (w.full)
		return false;
	name.len = (uint8_t)w.len;
	*ret_name = name;
	return true;
}

bool dns_name_append(struct dns_name *name, const struct dns_name *suffix)
{
	const size_t len = name->len - 1U; /* without the root label */

	if (len + suffix->len > DNS_NAME_MAX)
		return false;
	memcpy(name->bytes + len, suffix->bytes, suffix->len);
	name->len = (uint8_t)(len + suffix->len);
	return true;
}

struct dns_name dns_name_reverse(const struct addr *a)
{
	static const char digits[] = "0123456789abcdef";
	char text[80]; /* the longest has 32 digits and dots, and "ip6.arpa" */
	struct writer w = writer_on(text, sizeof text);
	struct dns_name name = {.len = 1};

	for (size_t i = a->len; i-- > 0;) {
		if (a->kind == ADDR_IPV4) {
			writer_decimal(&w, a->bytes[i], 1);
		} else {
			writer_bytes(&w, digits + (a->bytes[i] & 15), 1);
			writer_u8(&w, '.');
			writer_bytes(&w, digits + (a->bytes[i] >> 4), 1);
		}
		writer_u8(&w, '.');
	}
	writer_str(&w, a->kind == ADDR_IPV4 ? "in-addr.arpa" : "ip6.arpa");
	dns_name_from_text(text, w.len, &name);
	return name;
}

bool dns_name_is_same(const struct dns_name *a, const struct dns_name *b)
{
	if (a->len != b->len)
		return false;
	/* The length of a label is less than 'A'. */
	for (size_t i = 0; i < a->len; i++)
		if (lower(a->bytes[i]) != lower(b->bytes[i]))
			return false;
	return true;
}

void dns_name_put(struct writer *w, const struct dns_name *name)
{
	const size_t start = w->len;
	struct reader r = reader_of(name->bytes, name->len);

	if (name->len == 1)
		writer_u8(w, '.');
	for (uint8_t left; (left = reader_u8(&r)) > 0;) {
		if (r.at > 1)
			writer_u8(w, '.');
		while (left-- > 0) {
			const uint8_t c = reader_u8(&r);
			if (c == '.' || c == '\\' || c <= ' ' || c > '~')
				writer_u8(w, '\\');
			if (c <= ' ' || c > '~')
				writer_decimal(w, c, 3);
			else
				writer_u8(w, c);
		}
	}
	if (w->full)
		w->len = start; /* nothing of it is written */
}

/* Reads a name, which may be compressed, and moves r behind it. Returns false if it is malformed or
 * incomplete; then r is unchanged. Each pointer leads to a lower position than the previous one, so
 * that the loop ends, but that alone would allow 8,000 pointers. */
static bool read_name(struct reader *r, struct dns_name *ret_name)
{
	struct writer w = writer_on(ret_name->bytes, sizeof ret_name->bytes);
	struct reader part = *r; /* the labels up to a pointer */
	size_t part_start = part.at, end = 0;
	unsigned pointers = 0;

	for (;;) {
		const uint8_t first = reader_u8(&part);
		if (first >= POINTER) {
			const size_t to = (size_t)(first - POINTER) << 8 | reader_u8(&part);
			if (part.ended || to < DNS_HEADER_LEN || to >= part_start)
				return false;
			if (++pointers > DNS_POINTERS_MAX)
				return false;
			if (end == 0)
				end = part.at;
			part.len = part_start;
			part_start = part.at = to;
			continue;
		}
		const uint8_t *label = reader_bytes(&part, first);
		if (!label || first > ADDR_LABEL_MAX)
			return false;
		writer_u8(&w, first);
		writer_bytes(&w, label, first);
		if (w.full)
			return false;
		if (first == 0)
			break;
	}
	r->at = end > 0 ? end : part.at;
	ret_name->len = (uint8_t)w.len;
	return true;
}

static uint32_t read_u32(struct reader *r)
{
	const uint32_t high = reader_u16(r);
	return high << 16 | reader_u16(r);
}

/* RFC 1035 s4.1.3. */
struct record {
	struct dns_name owner;
	uint16_t type, class;
	uint32_t ttl;       /* of an OPT record: its extended rcode and flags */
	struct reader data; /* from the first byte of RDATA in the message; ends behind RDATA */
};

/* Reads a record. Returns false if it is incomplete or if its owner is malformed. RDATA is not
 * checked. */
static bool read_record(struct reader *r, struct record *ret_record)
{
	if (!read_name(r, &ret_record->owner))
		return false;
	ret_record->type = reader_u16(r);
	ret_record->class = reader_u16(r);
	ret_record->ttl = read_u32(r);
	const uint16_t data_len = reader_u16(r);
	ret_record->data = *r;
	reader_bytes(r, data_len);
	ret_record->data.len = r->at;
	return !r->ended;
}

/* Reads RDATA that is a name. */
static bool read_data_name(const struct record *record, struct dns_name *ret_name)
{
	struct reader data = record->data;
	return read_name(&data, ret_name) && data.at == data.len;
}

/* Converts RDATA of an A, AAAA or PTR record to an address or a name. Sets ADDR_NONE if the text of
 * the name is too long. Returns false if RDATA is malformed. */
static bool read_data(const struct record *record, struct addr *ret_addr)
{
	const size_t len = record->data.len - record->data.at;
	const uint8_t *bytes = record->data.bytes + record->data.at;
	char text[ADDR_NAME_MAX];
	struct writer w = writer_on(text, sizeof text);
	struct dns_name name;

	if (record->type != DNS_PTR) {
		const bool is_ipv4 = record->type == DNS_A;
		if (len != (is_ipv4 ? 4 : 16))
			return false;
		*ret_addr = addr_of(is_ipv4 ? ADDR_IPV4 : ADDR_IPV6, bytes, (uint8_t)len, 0);
		return true;
	}
	if (!read_data_name(record, &name))
		return false;
	dns_name_put(&w, &name);
	*ret_addr = addr_of(w.full ? ADDR_NONE : ADDR_NAME, text, (uint8_t)w.len, 0);
	return true;
}

void dns_put_query(struct writer *w, const struct dns_query *query, bool has_edns)
{
	/* The root, the type, the UDP payload size, and zeros (RFC 6891 s6.1.2). */
	static const uint8_t opt[11] = {0, 0, OPT, DNS_UDP_MAX >> 8, DNS_UDP_MAX & 0xff};
	const uint16_t header[] = {query->id, RD, 1, 0, 0, has_edns};

	for (size_t i = 0; i < sizeof header / sizeof header[0]; i++)
		writer_u16(w, header[i]);
	writer_bytes(w, query->name.bytes, query->name.len);
	writer_u16(w, (uint16_t)query->type);
	writer_u16(w, CLASS_IN);
	if (has_edns)
		writer_bytes(w, opt, sizeof opt);
}

/* Returns true if the next question is that of the query. */
static bool read_question(struct reader *r, const struct dns_query *query)
{
	struct dns_name name;

	if (!read_name(r, &name))
		return false;
	const uint16_t type = reader_u16(r), class = reader_u16(r);
	return !r->ended && type == query->type && class == CLASS_IN &&
		dns_name_is_same(&name, &query->name);
}

/* RFC 2181 s8: a TTL with the uppermost bit set is 0. */
static void limit_ttl(struct dns_answer *answer, uint32_t ttl)
{
	if (ttl > INT32_MAX)
		ttl = 0;
	if (ttl < answer->ttl_s)
		answer->ttl_s = ttl;
}

/* Returns the time for which a negative answer may be cached: the lower of the SOA record's TTL and
 * its last field (RFC 2308 s5). Returns 0 if RDATA is malformed. */
static uint32_t negative_ttl(const struct record *soa)
{
	struct reader data = soa->data;
	struct dns_name mname, rname;

	if (!read_name(&data, &mname) || !read_name(&data, &rname))
		return 0;
	reader_bytes(&data, 16); /* SERIAL, REFRESH, RETRY and EXPIRE */
	const uint32_t minimum = read_u32(&data);
	if (data.ended || data.at < data.len)
		return 0;
	return minimum < soa->ttl ? minimum : soa->ttl;
}

/* Reads the records of all sections: sets the records of the answer section, and uses the OPT
 * record and the first SOA record. Returns false if a record is malformed or incomplete; then the
 * records before it were used. */
static bool read_sections(struct dns_answer *answer, const uint16_t *counts, uint32_t *ret_negative)
{
	struct reader r = answer->r;
	bool has_soa = false;

	for (unsigned section = 0; section < 3; section++) {
		for (unsigned i = 0; i < counts[section]; i++) {
			struct record record;
			if (!read_record(&r, &record))
				return false;
			if (section == 0)
				answer->records++;
			if (section == 1 && record.type == SOA && record.class == CLASS_IN &&
				!has_soa) {
				*ret_negative = negative_ttl(&record);
				has_soa = true;
			}
			if (section == 2 && record.type == OPT && !answer->has_edns) {
				answer->rcode |= (uint16_t)(record.ttl >> 24 << 4);
				answer->has_edns = true;
			}
		}
	}
	return true;
}

/* Reads on to a record of the type and the owner. Returns false if there is none. */
static bool next_record(struct dns_answer *answer, struct record *ret_record)
{
	while (answer->records > 0) {
		answer->records--;
		if (read_record(&answer->r, ret_record) && ret_record->type == answer->type &&
			ret_record->class == CLASS_IN &&
			dns_name_is_same(&ret_record->owner, &answer->owner))
			return true;
	}
	return false;
}

/* Replaces the owner by the end of its CNAME records. Returns false if one is malformed or there
 * are too many. */
static bool follow_cnames(struct dns_answer *answer)
{
	for (unsigned links = 0;; links++) {
		struct dns_answer all = *answer;
		struct record record;
		all.type = CNAME;
		if (!next_record(&all, &record))
			return true;
		if (links == DNS_CNAMES_MAX || !read_data_name(&record, &answer->owner))
			return false;
		limit_ttl(answer, record.ttl);
	}
}

/* Returns false if a result is malformed. */
static bool count_results(struct dns_answer *answer)
{
	struct dns_answer all = *answer;
	struct record record;
	struct addr a;

	while (next_record(&all, &record)) {
		if (!read_data(&record, &a))
			return false;
		limit_ttl(answer, record.ttl);
		if (a.kind != ADDR_NONE)
			answer->count++;
	}
	return true;
}

enum dns_verdict dns_parse_answer(const uint8_t *bytes, size_t len, const struct dns_query *query,
	struct dns_answer *ret_answer)
{
	struct reader r = reader_of(bytes, len);
	struct dns_answer a = {.ttl_s = INT32_MAX, .owner = query->name, .type = query->type};
	uint16_t header[6];
	uint32_t negative = 0;

	for (size_t i = 0; i < sizeof header / sizeof header[0]; i++)
		header[i] = reader_u16(&r);
	const uint16_t flags = header[1], questions = header[2];
	a.rcode = flags & RCODE;
	a.is_truncated = flags & TC;
	if (r.ended || header[0] != query->id || !(flags & QR) || flags & OPCODE)
		return DNS_NOT_OURS;
	const bool may_lack_question = a.rcode == DNS_FORMERR || a.rcode == DNS_NOTIMP;
	if (questions != 1 && !(questions == 0 && may_lack_question))
		return DNS_NOT_OURS;
	if (questions == 1 && !read_question(&r, query))
		return DNS_NOT_OURS;

	a.r = r;
	if (!read_sections(&a, header + 3, &negative) && !a.is_truncated)
		return DNS_MALFORMED;
	if (a.rcode != DNS_NOERROR && a.rcode != DNS_NXDOMAIN)
		a.records = 0;
	if (!follow_cnames(&a))
		return DNS_MALFORMED;
	if (a.rcode == DNS_NXDOMAIN)
		a.records = 0; /* it is the end of the CNAME records that does not exist */
	if (!count_results(&a))
		return DNS_MALFORMED;
	if (a.count == 0)
		limit_ttl(&a, negative);
	if (a.is_truncated || (a.rcode != DNS_NOERROR && a.rcode != DNS_NXDOMAIN))
		a.ttl_s = 0;
	a.is_referral = a.rcode == DNS_NOERROR && a.count == 0 && !(flags & (AA | RA | TC));
	*ret_answer = a;
	return DNS_ANSWER;
}

bool dns_answer_next(struct dns_answer *answer, struct addr *ret_addr)
{
	struct record record;
	struct addr a;

	while (next_record(answer, &record)) {
		if (read_data(&record, &a) && a.kind != ADDR_NONE) {
			*ret_addr = a;
			return true;
		}
	}
	return false;
}

const char *dns_type_text(uint16_t type)
{
	switch (type) {
	case DNS_A:
		return "A";
	case CNAME:
		return "CNAME";
	case SOA:
		return "SOA";
	case DNS_PTR:
		return "PTR";
	case DNS_AAAA:
		return "AAAA";
	case OPT:
		return "OPT";
	default:
		return "unassigned";
	}
}

const char *dns_rcode_text(uint16_t rcode)
{
	/* The IANA registry "DNS RCODEs". */
	static const char *const texts[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
		"REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE",
		"DSOTYPENI", [DNS_BADVERS] = "BADVERS", "BADKEY", "BADTIME", "BADMODE", "BADNAME",
		"BADALG", "BADTRUNC", "BADCOOKIE"};

	if (rcode < sizeof texts / sizeof texts[0] && texts[rcode])
		return texts[rcode];
	return "unassigned";
}
