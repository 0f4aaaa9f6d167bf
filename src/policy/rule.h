/* SPDX-License-Identifier: ISC */
/* An access rule: "allow" or "deny", and clauses that must all match. The syntax and the meaning of
 * each clause are in stdsocks.conf(5), ACCESS RULES. */
#pragma once

#include "policy/special.h"
#include "text/words.h"

/* The kind of standard input, for "from". RULE_CLIENT_OTHER, as AF_VSOCK, matches only "any". */
enum rule_client { RULE_CLIENT_OTHER, RULE_CLIENT_IP, RULE_CLIENT_UNIX, RULE_CLIENT_STDIO };

/* The request that a rule is evaluated for. */
struct rule_context {
	enum rule_client client_kind;
	struct addr client;    /* of RULE_CLIENT_IP */
	int64_t uid;           /* of RULE_CLIENT_UNIX; -1 if it is not known */
	const char *user;      /* authenticated; NULL: none */
	uint8_t command;       /* RFC 1928 s4 */
	struct addr requested; /* the address or name that the client sent, and the port */
	/* An address of it, or it itself; ADDR_NONE if it is a name that is not resolved yet. */
	struct addr resolved;
	/* The address that it leads to: special_embedded(); rules_evaluate() sets it. */
	struct addr embedded;
};

/* Whether a rule matches. MAYBE: the rule depends on an address that is not resolved yet. */
enum rule_answer { RULE_NO, RULE_MAYBE, RULE_YES };

enum rule_clause {
	RULE_FROM,
	RULE_USER,
	RULE_COMMAND,
	RULE_TO,
	RULE_AT,
	RULE_PORT,
	RULE_CLAUSES /* their number; as a value: none of them */
};

/* A parsed rule. In memory its items follow, and the text of its line if that is kept. It is small,
 * because each page that the rules fill costs a page fault per connection. */
struct rule {
	const char *location; /* as in struct words_line */
	unsigned number : 30; /* likewise */
	unsigned allow : 1;
	unsigned has_at : 1; /* the clause "at" is present */
	uint16_t items_len;  /* bytes */
	uint16_t size;       /* bytes up to the next rule */
};

/* A rule has at most sizeof(struct rule) bytes, and RULE_GROWTH bytes for each byte of its line:
 * the item "::," has 24 bytes, and its text 3. */
#define RULE_GROWTH 9

struct rule_match {
	bool allow; /* the rule's first word */
	enum rule_answer answer;
	enum rule_clause failed; /* with RULE_NO the first clause that does not match */
	bool implied;            /* that clause is the implied "at public" of an allowed name */
};

/* Returns true if the words are a rule: the first one is "allow" or "deny". */
bool rule_is_rule(const struct words *words);

/* Parses a rule and appends it to pool, whose memory is aligned to 8 bytes. Overwrites the commas
 * in words. The line's location must outlive the rule. On error returns NULL and writes a message
 * to problem; then pool->len is unchanged. */
const struct rule *rule_parse(const struct words_line *line, struct words *words, bool keep_text,
	struct writer *pool, struct writer *problem);

/* Returns the rule that was appended to the pool after this one. */
const struct rule *rule_next(const struct rule *rule);

/* Returns the text of the rule's line, or "" if it is not kept. */
const char *rule_text(const struct rule *rule);

/* Evaluates a rule up to the first clause that does not match. */
struct rule_match rule_evaluate(const struct rule *rule, const struct rule_context *context);

/* Returns true if "to" does not accept the text as a name because it is an address class, "any", or
 * similar to one: "Public", "all". A host of that name is written with a final dot. */
bool rule_is_like_class(const char *text);

/* Returns "from", "user", ..., or "" for RULE_CLAUSES: a static string. */
const char *rule_clause_text(enum rule_clause clause);
