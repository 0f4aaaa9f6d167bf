/* SPDX-License-Identifier: ISC */
/* Reads the open connections from systemd over D-Bus: the active instances of a service. */
#pragma once

#include <stddef.h>
#include <systemd/sd-bus.h>

#include "stdsocksctl/filter.h"
#include "stdsocksctl/instance.h"

#define LIVE_MANAGER      "org.freedesktop.systemd1"
#define LIVE_MANAGER_PATH "/org/freedesktop/systemd1"
#define LIVE_PATTERN      "stdsocks@*.service"

#define LIVE_UNKNOWN UINT64_MAX /* systemd's value of a counter that is off */

enum live_stop { LIVE_NOT_STOPPED, LIVE_STOPPING, LIVE_STOPPED, LIVE_STOP_FAILED };

struct live_connection {
	char *unit;
	char *path;               /* of the unit's D-Bus object */
	char *status_text;        /* cut into pieces, to which status points; or NULL */
	struct live_query *query; /* that is in progress */
	struct instance_client client;
	struct instance_status status; /* its numbers can be LIVE_UNKNOWN */
	uint64_t since_us;             /* CLOCK_MONOTONIC; 0: it has ended */
	uint64_t age_us;
	uint64_t memory, cpu_ns; /* of its cgroup, or LIVE_UNKNOWN */
	enum live_stop stop;
};

struct live {
	struct live_connection *connections;
	size_t count;
};

/* Connects to systemd. Returns 0, or -errno. */
int live_open_bus(sd_bus **ret_bus);

/* Waits for a message and processes it. Returns 0 or more, or -errno. */
int live_process(sd_bus *bus);

/* Reads the active units that match the pattern, whose names instance_client() accepts, and that
 * match the filter. Returns 0, or -errno; on error *ret_live is unchanged. */
int live_gather(
	sd_bus *bus, const char *pattern, const struct filter *filter, struct live *ret_live);

/* Returns an address without port, "unix" or "other"; NULL if it is not known. */
const char *live_client(const struct live_connection *c);

/* Removes the connections for which is_kept() returns false. */
void live_keep(struct live *live,
	bool (*is_kept)(const struct live_connection *c, const void *input), const void *input);

void live_free(struct live *live);

/* Prints why a call to systemd failed with -errno. Returns the exit status. */
int live_print_error(int err);
