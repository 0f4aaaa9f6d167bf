/* SPDX-License-Identifier: ISC */
/* The configuration, parsed into values. The keywords, their units, defaults and ranges are in
 * stdsocks.conf(5). */
#pragma once

#include "policy/command.h"
#include "policy/rules.h"
#include "text/words.h"
#include "wire/addr.h"

/* The value of a timeout that is "none". */
#define CONFIG_NEVER_US INT64_MAX

/* Range of other durations: 1 ms to 365 days. */
#define CONFIG_DURATION_MIN_US INT64_C(1000)
#define CONFIG_DURATION_MAX_US (INT64_C(365) * 24 * 3600 * 1000000)

#define CONFIG_DEVICE_MAX 15 /* bytes: IFNAMSIZ without the NUL */

#define CONFIG_USER_MAX 32 /* bytes, as in useradd(8) */

/* Bytes per second: 10 KB to 1 TB. K, M and G are 10^3, 10^6 and 10^9. */
#define CONFIG_RATE_MIN UINT64_C(10000)
#define CONFIG_RATE_MAX UINT64_C(1000000000000)

/* Prefork mode: children that wait for a connection, and connections. */
#define CONFIG_READY_MAX       64
#define CONFIG_CONNECTIONS_MAX 65535

/* Authentication methods that a client can use: bits. */
enum config_auth { CONFIG_AUTH_NONE = 1, CONFIG_AUTH_PASSWORD = 2 };

/* Accepted versions of the protocol: bits. */
enum config_version { CONFIG_VERSION_4 = 1, CONFIG_VERSION_5 = 2 };

/* The source of passwords. */
enum config_passwords {
	CONFIG_NO_PASSWORDS,
	CONFIG_USERS,            /* a file: "users FILE" */
	CONFIG_USERS_CREDENTIAL, /* a systemd credential: "users credential:NAME" */
	CONFIG_CHECKPASSWORD     /* "checkpassword PROGRAM [ARG]..." */
};

struct config {
	int64_t handshake_us;   /* from the start of the process until the reply was sent */
	int64_t connect_us;     /* for all addresses of the destination together */
	int64_t bind_us;        /* for the inbound connection, after the first reply to BIND */
	int64_t idle_us;        /* without data while both directions are open */
	int64_t half_closed_us; /* without data while one direction is open */
	int64_t lifetime_us;    /* of the relay */

	/* ADDR_NONE: the kernel chooses. If only one is set, destinations of the other family
	 * cannot be reached. */
	struct addr source_ipv4, source_ipv6;
	char device[CONFIG_DEVICE_MAX + 1]; /* "": any */
	uint32_t mark;                      /* 0: none */

	/* A process that was started as root changes to this user. */
	char user[CONFIG_USER_MAX + 1];
	bool sandbox_best_effort; /* serve without the parts of the sandbox that fail */

	uint64_t rate_up, rate_down; /* bytes per second; 0: no limit */

	unsigned prefork_ready, prefork_connections;
	int64_t prefork_idle_us; /* without a connection, until the processes exit */

	unsigned commands; /* enum command */
	unsigned versions; /* enum config_version */
	unsigned auth;     /* enum config_auth; 0 until config_finish() */
	enum config_passwords passwords;
	/* Locations, for error messages: of "auth", and of "users" or "checkpassword". Their text
	 * is NULL. */
	struct words_line auth_line, passwords_line;
	/* The file, the credential's NAME, or the program and its arguments, each with a NUL. */
	unsigned passwords_words;
	char passwords_text[WORDS_LINE_MAX + 1];
};

struct config config_default(void);

/* Returns true if the line is an access rule; the rule may be invalid. */
bool config_is_rule(const struct words_line *line);

/* Parses a line and applies it: a setting to *config, an access rule to *rules. Empty lines and
 * comments change nothing. The line's location must outlive both. On error returns false
 * and writes a message to problem; then *config and *rules are unchanged. */
bool config_line(struct config *config, struct rules *rules, const struct words_line *line,
	struct writer *problem);

/* Completes the configuration after the last line. If a password can be verified and "auth" is not
 * configured, a password is required; if there is no rule, the built-in rules apply. If "auth"
 * requires passwords that are not configured, returns false and writes a message about auth_line
 * to problem. */
bool config_finish(struct config *config, struct rules *rules, struct writer *problem);
