/* SPDX-License-Identifier: ISC */
/* Reads the open connections of this host from systemd, over D-Bus. Each connection is an active
 * instance of stdsocks@.service. */
#pragma once

#include <stddef.h>
#include <systemd/sd-bus.h>

#include "stdsocksctl/filter.h"
#include "stdsocksctl/instance.h"

#define LIVE_MANAGER      "org.freedesktop.systemd1"
#define LIVE_MANAGER_PATH "/org/freedesktop/systemd1"
#define LIVE_PATTERN      "stdsocks@*.service"

#define LIVE_UNKNOWN UINT64_MAX /* a number that is not known; systemd uses this value, too */

/* The progress of the command "stop" for a connection. */
enum live_stop { LIVE_NOT_STOPPED, LIVE_STOPPING, LIVE_STOPPED, LIVE_STOP_FAILED };

struct live_connection {
	char *unit;               /* the name of the unit */
	char *path;               /* of the unit's D-Bus object */
	char *status_text;        /* memory for the texts in `status`; NULL: there is no status */
	struct live_query *query; /* private to live.c */
	struct instance_client client;
	struct instance_status status; /* the numbers of bytes and the rate can be LIVE_UNKNOWN */
	uint64_t since_us;             /* start of the unit, CLOCK_MONOTONIC; 0: it has ended */
	uint64_t age_us;
	uint64_t memory, cpu_ns; /* of its cgroup, in bytes and nanoseconds; or LIVE_UNKNOWN */
	enum live_stop stop;
};

/* A list of connections. */
struct live {
	struct live_connection *connections;
	size_t count;
};

/* Connects to systemd. The caller releases *ret_bus with sd_bus_flush_close_unref(). Returns 0, or
 * -errno; on error *ret_bus is unchanged. */
int live_open_bus(sd_bus **ret_bus);

/* Processes a message from the bus, or waits until there is one. Call it in a loop. Returns 0 or
 * more, or -errno. */
int live_process(sd_bus *bus);

/* Reads the connections whose unit names match the pattern, and which match the filter. A unit
 * whose name instance_client() does not accept is not a connection. The caller frees *ret_live with
 * live_free(). Returns 0, or -errno; on error *ret_live is unchanged. */
int live_gather(
	sd_bus *bus, const char *pattern, const struct filter *filter, struct live *ret_live);

/* Returns the client of a connection: an address without a port, "unix" or "other"; NULL if it is
 * not known. */
const char *live_client(const struct live_connection *c);

/* Removes and frees the connections for which is_kept(connection, input) returns false. */
void live_keep(struct live *live,
	bool (*is_kept)(const struct live_connection *c, const void *input), const void *input);

/* Frees the connections. The list is then empty. */
void live_free(struct live *live);

/* Prints why a call to systemd has failed. err is -errno. Returns the exit status for it. */
int live_print_error(int err);
