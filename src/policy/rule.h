/* SPDX-License-Identifier: ISC */
/* An access rule: "allow" or "deny", followed by clauses. A clause is a keyword and a list of
 * items, such as "to 10.0.0.0/8,example.com", of which one must match. The rule matches if all its
 * clauses match. Each clause is explained in stdsocks.conf(5), ACCESS RULES. */
#pragma once

#include "policy/special.h"
#include "text/words.h"

/* The kind of the client, for the clause "from". RULE_CLIENT_OTHER is a client of another address
 * family, such as AF_VSOCK; only "from any" matches it. */
enum rule_client { RULE_CLIENT_OTHER, RULE_CLIENT_IP, RULE_CLIENT_UNIX, RULE_CLIENT_STDIO };

/* The request for which a rule is evaluated. */
struct rule_context {
	enum rule_client client_kind;
	struct addr client;    /* the address of a RULE_CLIENT_IP */
	int64_t uid;           /* the user ID of a RULE_CLIENT_UNIX; -1: not known */
	const char *user;      /* the authenticated user; NULL: none */
	uint8_t command;       /* the CMD octet, RFC 1928 s4 */
	struct addr requested; /* the destination: an address or a name, and the port */
	/* One address of the destination: requested itself, or an address to which its name
	 * resolves. ADDR_NONE if the name is not resolved yet. */
	struct addr resolved;
	/* The route (enum special_route) of each address that a connection to `resolved` may reach,
	 * in the order of special_embedded(). */
	uint8_t routes[SPECIAL_EMBEDDED_MAX];
	/* One of these addresses, and its route. rules_evaluate() sets them; a caller of
	 * rule_evaluate() has to set them. */
	struct addr embedded;
	enum special_route route;
};

/* Whether a rule matches. RULE_MAYBE: this depends on an address that is not resolved yet, or on a
 * route that is not known. */
enum rule_answer { RULE_NO, RULE_MAYBE, RULE_YES };

enum rule_clause {
	RULE_FROM,
	RULE_USER,
	RULE_COMMAND,
	RULE_TO,
	RULE_AT,
	RULE_PORT,
	RULE_CLAUSES /* the number of clauses; as a value it means none of them */
};

/* A parsed rule. Behind it in memory are its parsed items, and then the text of its line, or "" if
 * the text is not kept. The struct is small because each page of rules costs a page fault per
 * connection. */
struct rule {
	const char *location; /* the path of a file, or "-o", "built-in 1", ... */
	unsigned number : 30; /* of the line in the file, from 1; 0 if it is not in a file */
	unsigned allow : 1;   /* the first word is "allow", not "deny" */
	unsigned has_at : 1;  /* the clause "at" is present */
	uint16_t items_len;   /* bytes of the items */
	uint16_t size;        /* bytes of the struct, the items and the text, up to the next rule */
};

/* The upper limit of bytes that a rule takes in memory for each byte of its line, in addition to
 * sizeof(struct rule). The 3 bytes "::," take the most: the parsed item has 24 bytes, and its text
 * 3. */
#define RULE_GROWTH 9

/* The result of an evaluation. */
struct rule_match {
	bool allow;              /* the first word of the rule is "allow" */
	enum rule_answer answer; /* whether the rule matches */
	enum rule_clause failed; /* if RULE_NO: the first clause that does not match */
	/* The clause that does not match is not in the rule, but implied: a rule that allows a
	 * name, and has no clause "at", allows it only "at public". */
	bool implied;
};

/* Returns true if the first word is "allow" or "deny". */
bool rule_is_rule(const struct words *words);

/* Parses a rule and appends it to *pool, whose memory must be aligned to 8 bytes. *words has the
 * words of *line; their commas are overwritten. line->location must outlive the rule. keep_text is
 * for rule_text(). Returns the rule in the pool. On error returns NULL and writes a message to
 * *problem; then pool->len is unchanged. */
const struct rule *rule_parse(const struct words_line *line, struct words *words, bool keep_text,
	struct writer *pool, struct writer *problem);

/* Returns the end of the rule in the pool, where the next rule begins, if there is one. */
const struct rule *rule_next(const struct rule *rule);

/* Returns the text of the rule's line; "" if keep_text was false. */
const char *rule_text(const struct rule *rule);

/* Evaluates a rule for a request, up to the first clause that does not match. */
struct rule_match rule_evaluate(const struct rule *rule, const struct rule_context *context);

/* Returns true if the text is one of the words that cannot be a host name in the clause "to":
 * "any", "all", "loopback", "private", "public", "link-local" and "link_local", in upper or lower
 * case. A host that has such a name must be written with a final dot. */
bool rule_is_like_class(const char *text);

/* Returns the keyword of a clause, such as "from", or "" for RULE_CLAUSES: a static string. */
const char *rule_clause_text(enum rule_clause clause);
