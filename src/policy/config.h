/* SPDX-License-Identifier: ISC */
/* The configuration: text in, values out.
 * Knows: the keywords, their units, defaults and ranges (stdsocks.conf(5)).
 * Does not know: files, sockets, the clock. */
#pragma once

#include "policy/command.h"
#include "text/words.h"
#include "wire/addr.h"

/* A time that never comes; as a timeout, "none". */
#define CONFIG_NEVER_US INT64_MAX

/* A duration's range, but for "none": 1 ms to 365 days. */
#define CONFIG_DURATION_MIN_US INT64_C(1000)
#define CONFIG_DURATION_MAX_US (INT64_C(365) * 24 * 3600 * 1000000)

#define CONFIG_DEVICE_MAX 15 /* bytes: IFNAMSIZ less the NUL */

#define CONFIG_USER_MAX 32 /* bytes: what useradd(8) takes */

/* Bytes a second: 10 KB to 1 TB. K, M and G are 10^3, 10^6 and 10^9, as is usual with rates. */
#define CONFIG_RATE_MIN UINT64_C(10000)
#define CONFIG_RATE_MAX UINT64_C(1000000000000)

/* What a client may do to be heard: bits. */
enum config_auth { CONFIG_AUTH_NONE = 1, CONFIG_AUTH_PASSWORD = 2 };

/* Which versions of the protocol are spoken: bits. */
enum config_version { CONFIG_VERSION_4 = 1, CONFIG_VERSION_5 = 2 };

/* How "users" names a systemd credential instead of a file. */
#define CONFIG_CREDENTIAL "credential:"

/* Who knows passwords. */
enum config_passwords { CONFIG_NO_PASSWORDS, CONFIG_USERS, CONFIG_CHECKPASSWORD };

struct config {
	int64_t handshake_us;   /* from the start until the reply has been sent */
	int64_t connect_us;     /* for all addresses of the destination together */
	int64_t bind_us;        /* for the peer's call, after the first reply to BIND */
	int64_t idle_us;        /* with no byte moved while both directions are open */
	int64_t half_closed_us; /* the same once one direction has ended */
	int64_t lifetime_us;    /* of the relay, whatever moves */

	struct addr source_ipv4, source_ipv6; /* ADDR_NONE: the kernel's choice. One alone excludes
					       * destinations of the other family. */
	char device[CONFIG_DEVICE_MAX + 1];   /* "": any */
	uint32_t mark;                        /* 0: none */

	char user[CONFIG_USER_MAX + 1]; /* whom a process becomes that was started as root */
	bool sandbox_best_effort;       /* serves without what the kernel does not give */

	uint64_t rate_up, rate_down; /* bytes a second; 0: as fast as it goes */

	unsigned commands; /* enum command, which are served */
	unsigned versions; /* enum config_version */
	unsigned auth;     /* enum config_auth; 0: as config_finish() decides */
	enum config_passwords passwords;
	/* The line that says who knows them, "users ..." or "checkpassword ...", and the one of
	 * "auth"; what they point to belongs to who called config_line(). */
	struct words_line passwords_line, auth_line;
};

/* What holds where nothing is configured. */
struct config config_default(void);

/* Whether a line is an access rule (policy/rule.h). */
bool config_is_rule(const struct words_line *line);

enum config_kind {
	CONFIG_ERROR,   /* *config is as it was; what is wrong, and what would do, is in problem */
	CONFIG_SETTING, /* it was applied to *config; or it is empty, or a comment */
	CONFIG_RULE     /* an access rule, and a right one: policy/rules.h has a use for it */
};

/* Reads one line. Its text must outlive *config, which may point into it. */
enum config_kind config_line(
	struct config *config, const struct words_line *line, struct writer *problem);

/* After the last line: whether all of them make sense together, and what holds where nothing was
 * said. Where somebody knows passwords and auth does not stand, one is required. When it is a
 * mistake, *ret_line is the line that it lies in. */
bool config_finish(
	struct config *config, const struct words_line **ret_line, struct writer *problem);
