/* SPDX-License-Identifier: ISC */
/* The configuration, parsed into values. The keywords, their units, defaults and ranges are in
 * stdsocks.conf(5). */
#pragma once

#include "policy/command.h"
#include "policy/limit.h"
#include "policy/rules.h"
#include "text/words.h"
#include "wire/addr.h"

/* The value of a timeout that is configured as "none". */
#define CONFIG_NEVER_US INT64_MAX

/* The range of other timeouts, in microseconds: 1 ms to 365 days. */
#define CONFIG_DURATION_MIN_US INT64_C(1000)
#define CONFIG_DURATION_MAX_US (INT64_C(365) * 24 * 3600 * 1000000)

#define CONFIG_DEVICE_MAX 15 /* bytes of a device name: IFNAMSIZ without the NUL */

#define CONFIG_USER_MAX 32 /* bytes of a user name, as in useradd(8) */

/* The range of a rate, in bytes per second: 10 KB to 1 TB. */
#define CONFIG_RATE_MIN UINT64_C(10000)
#define CONFIG_RATE_MAX UINT64_C(1000000000000)

/* Prefork mode: upper limits of "prefork ready" and "prefork connections". */
#define CONFIG_READY_MAX       64
#define CONFIG_CONNECTIONS_MAX 65535

/* The authentication methods that a client can use, as bits. */
enum config_auth { CONFIG_AUTH_NONE = 1, CONFIG_AUTH_PASSWORD = 2 };

/* The versions of SOCKS that are accepted, as bits. */
enum config_version { CONFIG_VERSION_4 = 1, CONFIG_VERSION_5 = 2 };

/* The source of passwords. */
enum config_passwords {
	CONFIG_NO_PASSWORDS,
	CONFIG_USERS,            /* a file: "users FILE" */
	CONFIG_USERS_CREDENTIAL, /* a systemd credential: "users credential:NAME" */
	CONFIG_CHECKPASSWORD     /* "checkpassword PROGRAM [ARG]..." */
};

struct config {
	/* The timeouts. */
	int64_t handshake_us;   /* from the start, or the accept, until the reply was sent */
	int64_t connect_us;     /* of CONNECT: for all addresses of the destination together */
	int64_t bind_us;        /* of BIND: from its first reply until a host has connected */
	int64_t idle_us;        /* of the relay: without data while both directions are open */
	int64_t half_closed_us; /* of the relay: without data after one direction has closed */
	int64_t lifetime_us;    /* of the relay: its whole duration */
	/* from a login until the answer that refuses it; CONFIG_NEVER_US: at once */
	int64_t refused_login_us;

	/* The source addresses of connections; ADDR_NONE: the kernel chooses. If only one of them
	 * is set, destinations of the other family cannot be reached. */
	struct addr source_ipv4, source_ipv6;
	char device[CONFIG_DEVICE_MAX + 1]; /* for SO_BINDTODEVICE; "": none */
	uint32_t mark;                      /* for SO_MARK; 0: none */

	/* A process that was started as root changes to this user. */
	char user[CONFIG_USER_MAX + 1];
	bool sandbox_best_effort; /* serve clients even if a part of the sandbox fails */

	uint64_t rate_up, rate_down; /* bytes per second; 0: no limit */

	struct limit limit; /* connections of a client address and of a user */

	/* Prefork mode: processes that wait for a connection, and the limit of connections. */
	unsigned prefork_ready, prefork_connections;
	int64_t prefork_idle_us; /* the time without a connection after which the service exits */

	unsigned commands; /* bits of enum command */
	unsigned versions; /* bits of enum config_version */
	unsigned auth;     /* bits of enum config_auth; 0: not configured yet */
	enum config_passwords passwords;
	/* The locations of the line with "auth" and of the line with "users" or "checkpassword",
	 * for error messages. Their text is NULL. */
	struct words_line auth_line, passwords_line;
	/* The path of the file; the NAME of the credential; or the program and its arguments. Each
	 * of these words has a NUL in passwords_text; passwords_words is their number. */
	unsigned passwords_words;
	char passwords_text[WORDS_LINE_MAX + 1];
};

/* Returns the default values. */
struct config config_default(void);

/* Returns true if the line is an access rule: it can be split into words, and the first word is
 * "allow" or "deny". The rule may be invalid. */
bool config_is_rule(const struct words_line *line);

/* Parses a line. A setting changes *config, and an access rule is appended to *rules; an empty line
 * or a comment changes nothing. line->location must outlive *config and *rules. On error returns
 * false and writes a message to *problem; then *config and *rules are unchanged. */
bool config_line(struct config *config, struct rules *rules, const struct words_line *line,
	struct writer *problem);

/* Completes the configuration after the last line. If *rules is empty, appends the built-in rules.
 * If "auth" is not configured, sets config->auth: to a password if "users" or "checkpassword" is
 * configured, otherwise to none. Returns false, and writes a message about config->auth_line to
 * *problem, if "auth" requires a password and neither of the two is configured. */
bool config_finish(struct config *config, struct rules *rules, struct writer *problem);
