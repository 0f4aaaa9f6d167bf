/* SPDX-License-Identifier: ISC */
/* The queries and answers of a DNS stub resolver (RFC 1035; EDNS: RFC 6891). */
#pragma once

#include "wire/addr.h"

/* Octets of a name in wire form, with the length of each label and the root label (RFC 1035
 * s2.3.4). */
#define DNS_NAME_MAX 255

/* Bytes of the longest text that dns_name_put() writes: 250 bytes as \DDD, in four labels with a
 * dot between them. */
#define DNS_NAME_TEXT_MAX 1003

#define DNS_HEADER_LEN 12

/* The largest answer over UDP that a query with an OPT record allows. It fits into the smallest
 * MTU of IPv6 (1280 bytes). Without an OPT record the limit is 512 bytes. */
#define DNS_UDP_MAX 1232

/* Bytes of the longest query: a header, a question and an OPT record. Over TCP, two bytes with the
 * length come before a message (RFC 1035 s4.2.2), here and in an answer. */
#define DNS_QUERY_MAX (DNS_HEADER_LEN + DNS_NAME_MAX + 4 + 11)

/* Bytes of the longest answer over TCP. */
#define DNS_ANSWER_MAX 65535

/* An answer with more links in its chain of CNAME records is malformed. */
#define DNS_CNAMES_MAX 16

/* A name with more compression pointers is malformed. A name has at most 127 labels, and a pointer
 * that leads to another pointer is useless. */
#define DNS_POINTERS_MAX 127

enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28 };

/* The rcodes that need a decision. An answer can have any value from 0 to 4095. */
enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16 /* the server does not implement this version of EDNS */
};

/* A name in wire form: labels of 1 to 63 bytes, each after its length, and the root label. It is
 * never compressed. */
struct dns_name {
	uint8_t len; /* of bytes: 1 to 255 */
	uint8_t bytes[DNS_NAME_MAX];
};

/* Converts the text of a name, whose bytes are taken literally: there is no escape, and every dot
 * separates labels. A final dot is optional; "." is the root. Returns false if the text or a label
 * is empty, a label has more than 63 bytes or the name more than 255 octets; then *ret_name is
 * unchanged. */
bool dns_name_from_text(const void *text, size_t len, struct dns_name *ret_name);

/* Appends a suffix, such as a search domain, to *name. Returns false if the result has more than
 * 255 octets; then *name is unchanged. If suffix is the root, *name does not change. */
bool dns_name_append(struct dns_name *name, const struct dns_name *suffix);

/* Returns the name that has the PTR records of an IPv4 or IPv6 address: in in-addr.arpa (RFC 1035
 * s3.5) or ip6.arpa (RFC 3596 s2.5). An IPv4-mapped IPv6 address is not converted; see
 * addr_unmapped(). */
struct dns_name dns_name_reverse(const struct addr *a);

/* Returns true if both names are equal. The case of ASCII letters is ignored (RFC 4343). */
bool dns_name_is_same(const struct dns_name *a, const struct dns_name *b);

/* Appends the text of a name without the final dot; the root is ".". A dot or backslash inside a
 * label is written after a backslash, and a byte that is not printable ASCII, or is a space, as
 * \DDD (RFC 1035 s5.1). */
void dns_name_put(struct writer *w, const struct dns_name *name);

/* A question of class IN, and the id of the query for it. */
struct dns_query {
	uint16_t id;
	enum dns_type type;
	struct dns_name name;
};

/* Appends a query that asks for recursion. With has_edns, it has an OPT record: version 0, UDP
 * payload size DNS_UDP_MAX, no options, DO not set. */
void dns_put_query(struct writer *w, const struct dns_query *query, bool has_edns);

enum dns_verdict {
	DNS_NOT_OURS,  /* no answer to this query: ignore it and wait for the answer */
	DNS_MALFORMED, /* an answer to this query that cannot be used: the server has failed */
	DNS_ANSWER     /* the output is set */
};

/* An answer. It refers to the bytes that were parsed and must not outlive them. */
struct dns_answer {
	uint16_t rcode; /* with the upper bits from the OPT record (RFC 6891 s6.1.3) */
	/* TC: records are missing, and perhaps the OPT record. Repeat the query over TCP. The
	 * records that were received complete can be used if that fails. */
	bool is_truncated;
	/* The answer has an OPT record. A server that does not implement EDNS answers with
	 * DNS_FORMERR or DNS_NOTIMP and without an OPT record: repeat the query without it. */
	bool has_edns;
	/* DNS_NOERROR without a result, from a server that neither has authority for the name nor
	 * offers recursion: query another server. */
	bool is_referral;
	/* The results that dns_answer_next() returns. With DNS_NOERROR and 0, the name may exist,
	 * but it has no record of the type. */
	uint16_t count;
	/* Seconds for which the answer may be cached, less than 2^31: the minimum of the TTLs of
	 * the CNAME records and the results, also of omitted ones. If there is no result and the
	 * rcode is DNS_NOERROR or DNS_NXDOMAIN, the SOA record counts (RFC 2308 s5). 0 if it is
	 * missing, with any other rcode, and if the answer is truncated. */
	uint32_t ttl_s;
	struct dns_name owner; /* of the results: the queried name, or the end of its CNAMEs */
	/* Private: the type of the results, and the records that were not read yet. */
	uint16_t type;
	uint16_t records;
	struct reader r;
};

/* Parses a message of at most DNS_ANSWER_MAX bytes that may be the answer to a query.
 *
 * Returns DNS_NOT_OURS if the header is incomplete, QR is not set, the id or the opcode differs, or
 * the message does not have exactly one question, with the type, the class and the name (in any
 * case) of the query. A message without a question is accepted if its rcode is DNS_FORMERR or
 * DNS_NOTIMP, because the server may not have been able to read the question.
 *
 * Returns DNS_MALFORMED if a record is incomplete and TC is not set, if the owner of a record or
 * the name in a CNAME or PTR record that is used is not valid, if an A, AAAA, CNAME or PTR record
 * that is used does not have the right length, or if the CNAME records are a loop or more than
 * DNS_CNAMES_MAX. A compressed name is valid if it has at most DNS_POINTERS_MAX pointers, and each
 * pointer leads to labels, or another pointer, that lie behind the header and end before the part
 * of the name that ends in the pointer.
 *
 * Otherwise returns DNS_ANSWER. Results are the records in the answer section with the type of the
 * query and class IN, whose owner is the name that is reached from the queried name by CNAME
 * records. Records may be in any order. If a name has several CNAME records, the first one counts;
 * if it has a CNAME record, its other records are ignored. Bytes behind the last record are
 * ignored. */
enum dns_verdict dns_parse_answer(const uint8_t *bytes, size_t len, const struct dns_query *query,
	struct dns_answer *ret_answer);

/* Returns true and sets *ret_addr to the next result: an IPv4 or IPv6 address, or a name as
 * dns_name_put() writes it, with port 0. The order is that of the message. A name whose text has
 * more than ADDR_NAME_MAX bytes is omitted, and dns_answer.count does not include it. Returns false
 * if there are no more; then *ret_addr is unchanged. */
bool dns_answer_next(struct dns_answer *answer, struct addr *ret_addr);

/* Return the mnemonic of a type ("AAAA") and of an rcode ("NXDOMAIN"), or "unassigned". Static
 * strings. */
const char *dns_type_text(uint16_t type);
const char *dns_rcode_text(uint16_t rcode);
