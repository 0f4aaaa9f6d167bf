/* SPDX-License-Identifier: ISC */
/* The parser and the encoder of wire/dns for another program: reads a question from each line of
 * standard input and writes its answer to a line of standard output. Names are hex text of their
 * text, messages are hex text.
 *
 *	query ID TYPE NAME EDNS       the query; EDNS is 0 or 1
 *	answer ID TYPE NAME MESSAGE   NOT_OURS, MALFORMED, or
 *	                              ANSWER RCODE TC EDNS REFERRAL TTL OWNER RESULT...
 *
 * An answer has numbers, and hex text of the text of the owner, and of an address or the text of a
 * name. */
#include "wire/dns.h"

#include "fuzz.h"

enum { LINE_MAX_ = 2 * DNS_ANSWER_MAX + 1024 };

static void put_hex(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	putchar(' ');
	for (size_t i = 0; i < len; i++)
		printf("%02x", at[i]);
}

static void put_query(const struct dns_query *query, bool has_edns)
{
	char bytes[DNS_QUERY_MAX];
	struct writer w = writer_on(bytes, sizeof bytes);

	dns_put_query(&w, query, has_edns);
	printf("QUERY");
	put_hex(bytes, w.len);
}

static void put_answer(const struct dns_query *query, const uint8_t *bytes, size_t len)
{
	char owner[DNS_NAME_TEXT_MAX];
	struct writer w = writer_on(owner, sizeof owner);
	struct dns_answer answer;
	struct addr a;
	const enum dns_verdict verdict = dns_parse_answer(bytes, len, query, &answer);

	if (verdict != DNS_ANSWER) {
		printf(verdict == DNS_NOT_OURS ? "NOT_OURS" : "MALFORMED");
		return;
	}
	printf("ANSWER %u %d %d %d %lu", answer.rcode, answer.is_truncated, answer.has_edns,
		answer.is_referral, (unsigned long)answer.ttl_s);
	dns_name_put(&w, &answer.owner);
	put_hex(owner, w.len);
	while (dns_answer_next(&answer, &a))
		put_hex(a.bytes, a.len);
}

/* Reads the next word of a line, which is hex text. */
static struct writer take_hex(void *bytes, size_t cap)
{
	struct writer w = writer_on(bytes, cap);
	struct hex h = hex_start();
	const char *word = strtok(NULL, " \n");

	if (!word || !hex_read(&h, word, strlen(word), &w) || !hex_end(&h) || w.full)
		exit(64);
	return w;
}

static unsigned long take_number(void)
{
	const char *word = strtok(NULL, " \n");
	if (!word)
		exit(64);
	return strtoul(word, NULL, 10);
}

int main(void)
{
	static char line[LINE_MAX_], bytes[DNS_ANSWER_MAX];

	while (fgets(line, sizeof line, stdin)) {
		const char *what = strtok(line, " ");
		struct dns_query query = {.id = (uint16_t)take_number()};
		query.type = (enum dns_type)take_number();
		struct writer w = take_hex(bytes, sizeof bytes);
		if (!dns_name_from_text(bytes, w.len, &query.name))
			return 64;
		if (strcmp(what, "query") == 0) {
			put_query(&query, take_number());
		} else {
			w = take_hex(bytes, sizeof bytes);
			uint8_t *copy = fuzz_copy(bytes, w.len);
			put_answer(&query, copy, w.len);
			free(copy);
		}
		putchar('\n');
	}
	return 0;
}
