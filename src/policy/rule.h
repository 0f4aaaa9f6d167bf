/* SPDX-License-Identifier: ISC */
/* One access rule: allow or deny, and the clauses that must all hold.
 * Knows: the rule's grammar (stdsocks.conf(5), ACCESS RULES) and what each clause means.
 * Does not know: the other rules. */
#pragma once

#include "policy/special.h"
#include "text/words.h"

/* What standard input is, for "from". OTHER, such as AF_VSOCK, is only in "any". */
enum rule_client { RULE_CLIENT_OTHER, RULE_CLIENT_IP, RULE_CLIENT_UNIX, RULE_CLIENT_STDIO };

/* What is asked: who, what, where to. */
struct rule_context {
	enum rule_client client_kind;
	struct addr client;    /* with RULE_CLIENT_IP */
	int64_t uid;           /* with RULE_CLIENT_UNIX; -1: not known */
	const char *user;      /* who has logged in; NULL: nobody */
	uint8_t command;       /* RFC 1928 s4 */
	struct addr requested; /* as the client said it: an address or a name, and the port */
	struct addr resolved;  /* the address that it means; ADDR_NONE: not looked up yet */
	struct addr embedded;  /* what a connection to that reaches, of special_embedded();
				  rules_evaluate() sets it */
};

/* Whether a rule matches; MAYBE where that hangs on an address not looked up yet. */
enum rule_answer { RULE_NO, RULE_MAYBE, RULE_YES };

enum rule_clause {
	RULE_FROM,
	RULE_USER,
	RULE_COMMAND,
	RULE_TO,
	RULE_AT,
	RULE_PORT,
	RULE_CLAUSES /* how many there are; also: none of them */
};

/* Whether a line is a rule: its first word is "allow" or "deny". */
bool rule_is_one(const struct words *words);

/* A rule held against context. */
struct rule_match {
	bool allow; /* what it says */
	enum rule_answer answer;
	enum rule_clause failed; /* with RULE_NO, a clause that does not hold */
	bool implied;            /* which is not in the rule: a name's "at public" */
};

/* Reads a rule and holds it against the context; the commas in its words are no more afterwards.
 * False when it is a mistake, whatever the context: then what is wrong was put into problem. With
 * problem NULL the rule is one that was right before, and is only read up to a clause that does not
 * hold. */
bool rule_match(struct words *words, const struct rule_context *context,
	struct rule_match *ret_match, struct writer *problem);

/* Whether an item of "to" cannot be a name for being an address class, "any", or too much like one:
 * "Public", "all". A host that is called so is written with the dot at its end. */
bool rule_is_like_class(const char *text);

/* "from", "user", ...: a static string. */
const char *rule_clause_text(enum rule_clause clause);
