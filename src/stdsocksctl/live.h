/* SPDX-License-Identifier: ISC */
/* The connections that live: what systemd knows of the instances of a service.
 * Knows: systemd's D-Bus interface. Does not know: what is shown of them. */
#pragma once

#include <stddef.h>
#include <systemd/sd-bus.h>

#include "stdsocksctl/filter.h"
#include "stdsocksctl/instance.h"

#define LIVE_MANAGER      "org.freedesktop.systemd1"
#define LIVE_MANAGER_PATH "/org/freedesktop/systemd1"
#define LIVE_PATTERN      "stdsocks@*.service"

#define LIVE_UNKNOWN UINT64_MAX /* as systemd has it: nobody counts that */

enum live_stop { LIVE_GOES_ON, LIVE_STOPPING, LIVE_STOPPED, LIVE_STOP_FAILED };

struct live_connection {
	char *unit;
	char *path, *status;         /* what the rest was asked of, and read from */
	struct live_question *asked; /* while it is asked */
	struct instance_client client;
	struct instance_status said; /* its texts are in status */
	uint64_t since_us;           /* of CLOCK_MONOTONIC */
	uint64_t age_us;
	uint64_t memory, cpu_ns; /* of its cgroup, or LIVE_UNKNOWN */
	enum live_stop stop;     /* whether systemd was told to end it */
};

struct live {
	struct live_connection *connections;
	size_t count;
};

/* The bus on which systemd is. Returns 0, or -errno. */
int live_bus(sd_bus **ret_bus);

/* The active units that match the pattern, are instances that instance_client() reads, and pass the filter. Returns 0, or -errno; the list is then
 * empty. The process ends where memory does. */
int live_gather(
	sd_bus *bus, const char *pattern, const struct filter *filter, struct live *ret_live);

/* An address without its port, "unix", "other"; NULL: not known. */
const char *live_client(const struct live_connection *c);

/* Drops those of which it is not true. */
void live_keep(struct live *live,
	bool (*is_kept)(const struct live_connection *c, const void *input), const void *input);

void live_free(struct live *live);

/* Says on standard error why systemd could not be asked. Returns the exit status. */
int live_failed(int err);
