/* SPDX-License-Identifier: ISC */
/* Finds the open connections of this host: processes in the cgroups of systemd's services. */
#pragma once

#include <stddef.h>

#include "stdsocksctl/filter.h"
#include "stdsocksctl/instance.h"
#include "stdsocksctl/process.h"

#define LIVE_UNIT_MAX 255 /* bytes of the name of a unit */

#define LIVE_UNKNOWN UINT64_MAX /* INSTANCE_UNKNOWN, PROCESS_UNKNOWN */

/* The progress of the command "stop" for a connection. */
enum live_stop { LIVE_NOT_STOPPED, LIVE_STOPPING, LIVE_STOPPED };

struct live_connection {
	char unit[LIVE_UNIT_MAX + 1];
	struct process process;
	struct instance_client client; /* from the name of an instance, otherwise from the title */
	struct instance_title title;
	uint64_t age_us;         /* of the process */
	uint64_t memory, cpu_ns; /* of the process, in bytes and nanoseconds; or LIVE_UNKNOWN */
	enum live_stop stop;
};

/* A list of connections. */
struct live {
	struct live_connection *connections;
	size_t count;
	size_t ready; /* processes that wait for a connection */
};

/* Reads the connections that match the filter, in the services whose names match the pattern of
 * fnmatch(3); if it is NULL, in stdsocks@*.service and stdsocks-prefork.service. The state of a
 * service has no effect. The caller frees *ret_live with live_free(). Returns 0, or -errno; on
 * error *ret_live is unchanged. */
int live_gather(const char *pattern, const struct filter *filter, struct live *ret_live);

/* Removes the connections for which is_kept(connection, input) returns false. */
void live_keep(struct live *live,
	bool (*is_kept)(const struct live_connection *c, const void *input), const void *input);

/* Frees the connections. The list is then empty. */
void live_free(struct live *live);

/* Prints why live_gather() has failed. err is -errno. Returns the exit status for it. */
int live_print_error(int err);
