/* SPDX-License-Identifier: ISC */
/* The configuration: text in, values out.
 * Knows: the keywords, their units, defaults and ranges (stdsocks.conf(5)).
 * Does not know: files, sockets, the clock. */
#pragma once

#include "wire/addr.h"

/* A time that never comes; as a timeout, "none". */
#define CONFIG_NEVER_US INT64_MAX

/* A duration's range, but for "none": 1 ms to 365 days. */
#define CONFIG_DURATION_MIN_US INT64_C(1000)
#define CONFIG_DURATION_MAX_US (INT64_C(365) * 24 * 3600 * 1000000)

/* One line's words: keyword and arguments. */
#define CONFIG_WORDS_MAX  32
#define CONFIG_LINE_MAX   1024 /* bytes, without the newline */
#define CONFIG_DEVICE_MAX 15   /* bytes: IFNAMSIZ less the NUL */

/* Bytes of a word that a mistake quotes. */
#define CONFIG_QUOTED_MAX 200

struct config {
	int64_t handshake_us;   /* from the start until the reply has been sent */
	int64_t connect_us;     /* for all addresses of the destination together */
	int64_t idle_us;        /* with no byte moved while both directions are open */
	int64_t half_closed_us; /* the same once one direction has ended */
	int64_t lifetime_us;    /* of the relay, whatever moves */

	struct addr source_ipv4, source_ipv6; /* ADDR_NONE: the kernel's choice. One alone excludes
						* destinations of the other family. */
	char device[CONFIG_DEVICE_MAX + 1];   /* "": any */
	uint32_t mark;                        /* 0: none */
};

/* What holds where nothing is configured. */
struct config config_default(void);

/* Applies one line (without its newline) to *config. False when it is a mistake: then *config is
 * as it was and what was wrong, and what would do, is put into problem. A line that is empty or
 * only a comment is fine. */
bool config_line(struct config *config, const char *line, size_t len, struct writer *problem);
