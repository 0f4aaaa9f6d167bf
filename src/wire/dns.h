/* SPDX-License-Identifier: ISC */
/* The queries and answers of a DNS stub resolver (RFC 1035; EDNS: RFC 6891). */
#pragma once

#include "wire/addr.h"

/* Octets of the longest name in wire form, including the length of each label and the root label
 * (RFC 1035 s2.3.4). */
#define DNS_NAME_MAX 255

/* Bytes of the longest text that dns_name_put() writes: that of a name with four labels, which have
 * 250 bytes in all. Each of these bytes is written as \DDD, and there are three dots. */
#define DNS_NAME_TEXT_MAX 1003

#define DNS_HEADER_LEN 12

/* Bytes of the largest answer over UDP; the OPT record of a query announces this limit. A packet
 * with such an answer is not longer than IPv6's smallest MTU (1280 bytes). If the query has no OPT
 * record, the limit is 512 bytes. */
#define DNS_UDP_MAX 1232

/* Bytes of the longest query: a header, a question and an OPT record. Over TCP, two bytes with the
 * length precede each message (RFC 1035 s4.2.2). They are not included, here and in DNS_ANSWER_MAX.
 */
#define DNS_QUERY_MAX (DNS_HEADER_LEN + DNS_NAME_MAX + 4 + 11)

/* Bytes of the longest answer over TCP. */
#define DNS_ANSWER_MAX 65535

/* Upper limit of the CNAME records that lead from the queried name to the results. An answer with
 * more of them is malformed. */
#define DNS_CNAMES_MAX 16

/* Upper limit of compression pointers (RFC 1035 s4.1.4) in one name. A name with more of them is
 * malformed: it has at most 127 labels, and no server needs two pointers for one label. */
#define DNS_POINTERS_MAX 127

enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28 };

/* Some values of rcode. An answer can have any value from 0 to 4095. */
enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16 /* the server does not implement this version of EDNS */
};

/* A name in wire form (RFC 1035 s3.1), never compressed: labels of 1 to 63 bytes, each preceded by
 * its length, and the root label, which is a zero. */
struct dns_name {
	uint8_t len; /* bytes of the name: 1 to 255 */
	uint8_t bytes[DNS_NAME_MAX];
};

/* Converts a text of len bytes to a name. Every dot separates labels, and there are no escapes: a
 * backslash is a byte of a label. A final dot is optional; "." is the root. Returns false if the
 * text or a label is empty, a label has more than 63 bytes, or the name would have more than 255
 * octets; then *ret_name is unchanged. */
bool dns_name_from_text(const void *text, size_t len, struct dns_name *ret_name);

/* Appends a suffix, such as a search domain, to *name. The root as a suffix changes nothing.
 * Returns false if the result would have more than 255 octets; then *name is unchanged. */
bool dns_name_append(struct dns_name *name, const struct dns_name *suffix);

/* Returns the name to query for the PTR records of an address: a name below in-addr.arpa for IPv4
 * (RFC 1035 s3.5), below ip6.arpa for IPv6 (RFC 3596 s2.5). To an IPv4-mapped IPv6 address apply
 * addr_unmapped() first. */
struct dns_name dns_name_reverse(const struct addr *a);

/* Returns true if both names are equal. The case of ASCII letters is ignored (RFC 4343). */
bool dns_name_is_same(const struct dns_name *a, const struct dns_name *b);

/* Appends the text of a name without a final dot; the root is ".". A dot or a backslash inside a
 * label is preceded by a backslash. A space, or a byte that is not printable ASCII, is written as
 * \DDD, which is its decimal value (RFC 1035 s5.1). */
void dns_name_put(struct writer *w, const struct dns_name *name);

/* A query with one question, of class IN. */
struct dns_query {
	uint16_t id;
	enum dns_type type;
	struct dns_name name;
};

/* Appends a query with RD (recursion desired) set. If has_edns is true, the query has an OPT record
 * with version 0, UDP payload size DNS_UDP_MAX and no options; DO is not set. */
void dns_put_query(struct writer *w, const struct dns_query *query, bool has_edns);

enum dns_verdict {
	DNS_NOT_OURS,  /* not the answer to this query: ignore it and wait for another message */
	DNS_MALFORMED, /* the answer to this query, but not usable: the server has failed */
	DNS_ANSWER     /* the answer to this query */
};

/* A parsed answer. It points into the message, which must outlive it. */
struct dns_answer {
	uint16_t rcode; /* of 12 bits: the upper 8 are from the OPT record (RFC 6891 s6.1.3) */
	/* TC is set: records are missing, and perhaps the OPT record. Repeat the query over TCP. If
	 * that fails, the records that are complete can be used. */
	bool is_truncated;
	/* The answer has an OPT record. If it has none, and the rcode is DNS_FORMERR or DNS_NOTIMP,
	 * the server may not implement EDNS: repeat the query without an OPT record. */
	bool has_edns;
	/* The rcode is DNS_NOERROR, but there is no result, and the server neither has authority
	 * for the name nor offers recursion: query another server. */
	bool is_referral;
	/* The number of results that dns_answer_next() returns. If it is 0 and the rcode is
	 * DNS_NOERROR, the name may exist, but it has no record of the type. */
	uint16_t count;
	/* Seconds for which the answer may be cached, less than 2^31. This is the minimum of the
	 * TTLs of the CNAME records and the results, including the results that dns_answer_next()
	 * omits. If count is 0, the SOA record limits it, too (RFC 2308 s5); without a SOA record
	 * it is then 0. It is also 0 if the answer is truncated, or if the rcode is neither
	 * DNS_NOERROR nor DNS_NXDOMAIN. */
	uint32_t ttl_s;
	/* The owner of the results: the queried name, or the name to which its CNAME records lead.
	 */
	struct dns_name owner;
	/* Private: the type of the results, and the records that were not read yet. */
	uint16_t type;
	uint16_t records;
	struct reader r;
};

/* Parses a message of at most DNS_ANSWER_MAX bytes that may be the answer to a query. *ret_answer
 * is set only if DNS_ANSWER is returned.
 *
 * Returns DNS_NOT_OURS
 * - if the header is incomplete, QR is not set, or the id or the opcode is not that of the query;
 * - if the message does not have exactly one question, with the type, the class and the name (in
 *   any case) of the query. A message without a question is accepted if its rcode is DNS_FORMERR or
 *   DNS_NOTIMP, because the server may not have been able to read the question.
 *
 * Returns DNS_MALFORMED
 * - if a record is incomplete or has an invalid owner, and TC is not set;
 * - if an A, AAAA, CNAME or PTR record that is used has an invalid name or the wrong length;
 * - if the CNAME records are a loop, or more than DNS_CNAMES_MAX of them are used.
 *
 * Otherwise returns DNS_ANSWER. The results are records in the answer section, with the type of the
 * query and class IN. Their owner is the queried name, or the name to which its CNAME records lead.
 * Records may be in any order. If a name has several CNAME records, the first one is used. If a
 * name has a CNAME record, its other records are ignored. Bytes behind the last record are ignored.
 * If the rcode is not DNS_NOERROR, there are no results.
 *
 * A compressed name consists of parts. A part has labels, or none, and ends with the root label or
 * with a pointer to the next part. The name is valid if it has at most DNS_POINTERS_MAX pointers,
 * and each part to which a pointer leads is behind the header and ends before the part with that
 * pointer begins. */
enum dns_verdict dns_parse_answer(const uint8_t *bytes, size_t len, const struct dns_query *query,
	struct dns_answer *ret_answer);

/* Sets *ret_addr to the next result, in the order of the message: an IPv4 or IPv6 address, or a
 * name as dns_name_put() writes it, with port 0. Returns false if there are no more results; then
 * *ret_addr is unchanged. A name whose text has more than ADDR_NAME_MAX bytes is omitted. */
bool dns_answer_next(struct dns_answer *answer, struct addr *ret_addr);

/* Return the mnemonic of a type, such as "AAAA", or of an rcode, such as "NXDOMAIN", as a static
 * string. Return "unassigned" for an unknown value. */
const char *dns_type_text(uint16_t type);
const char *dns_rcode_text(uint16_t rcode);
