/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/memory.h"
#include "stdsocksctl/when.h"
#include "wire/socks5.h"

/* Calls in progress at a time: dbus-daemon disconnects a client that has more than 128. */
#define CALLS_MAX 64

/* One property, which is read from all connections. */
struct live_query {
	const char *interface, *property;
	size_t offset;  /* of a uint64_t in struct live_connection; of status_text: a string */
	size_t pending; /* calls */
};

/* Root can connect to systemd without dbus-daemon, which takes a third of the time. */
static int private_bus(sd_bus **ret_bus)
{
	sd_bus *bus = NULL;
	int r = sd_bus_new(&bus);

	if (r >= 0)
		r = sd_bus_set_address(bus, "unix:path=/run/systemd/private");
	if (r >= 0)
		r = sd_bus_start(bus);
	if (r < 0) {
		sd_bus_unref(bus);
		return r;
	}
	*ret_bus = bus;
	return 0;
}

int live_open_bus(sd_bus **ret_bus)
{
	if (sd_booted() <= 0)
		return -EHOSTDOWN;
	if (geteuid() == 0 && private_bus(ret_bus) == 0)
		return 0;
	int r = sd_bus_open_system(ret_bus);
	return r < 0 ? r : 0;
}

int live_process(sd_bus *bus)
{
	int r = sd_bus_process(bus, NULL);

	return r == 0 ? sd_bus_wait(bus, UINT64_MAX) : r;
}

int live_print_error(int err)
{
	const bool is_denied = err == -EPERM || err == -EACCES;
	const bool has_no_bus = err == -ENOENT || err == -ECONNREFUSED;

	if (err == -EHOSTDOWN) {
		fputs("stdsocksctl: systemd is not running on this host\n", stderr);
		return EX_UNAVAILABLE;
	}
	fprintf(stderr, "stdsocksctl: cannot query systemd: %s%s\n",
		has_no_bus ? "no system bus: " : "", strerror(-err));
	return has_no_bus ? EX_UNAVAILABLE : is_denied ? EX_NOPERM : EX_OSERR;
}

static int read_status(sd_bus_message *answer, struct live_connection *c)
{
	const char *text;
	int r = sd_bus_message_read(answer, "v", "s", &text);

	if (r < 0)
		return r;
	size_t cap = 2 * strlen(text);
	c->status_text = memory_or_exit(calloc(1, cap + 1));
	struct writer w = writer_on(c->status_text, cap);
	if (!instance_put_status(&w, text))
		w.len = 0;
	c->status_text[w.len] = '\0';
	instance_status(c->status_text, &c->status);
	return r;
}

/* If the unit has ended meanwhile, the answer is an error and the value remains unknown. */
static int on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *ret_error)
{
	struct live_connection *c = userdata;
	const size_t offset = c->query->offset;

	(void)ret_error;
	c->query->pending--;
	if (sd_bus_message_is_method_error(answer, NULL))
		return 0;
	if (offset == offsetof(struct live_connection, status_text))
		read_status(answer, c);
	else
		sd_bus_message_read(answer, "v", "t", (uint64_t *)((char *)c + offset));
	return 0;
}

static int wait_until_pending(sd_bus *bus, const struct live_query *q, size_t pending_max)
{
	int r = 0;

	while (r >= 0 && q->pending > pending_max)
		r = live_process(bus);
	return r;
}

static int query_all(sd_bus *bus, struct live *live, struct live_query *q)
{
	int r = 0;

	for (size_t i = 0; i < live->count && r >= 0; i++) {
		struct live_connection *c = &live->connections[i];
		c->query = q;
		r = sd_bus_call_method_async(bus, NULL, LIVE_MANAGER, c->path,
			"org.freedesktop.DBus.Properties", "Get", on_answer, c, "ss", q->interface,
			q->property);
		if (r >= 0) {
			q->pending++;
			r = wait_until_pending(bus, q, CALLS_MAX - 1);
		}
	}
	return r < 0 ? r : wait_until_pending(bus, q, 0);
}

static int query_properties(sd_bus *bus, struct live *live)
{
	struct live_query queries[] = {
		{LIVE_MANAGER ".Service", "StatusText",
			offsetof(struct live_connection, status_text), 0},
		{LIVE_MANAGER ".Unit", "ActiveEnterTimestampMonotonic",
			offsetof(struct live_connection, since_us), 0},
		{LIVE_MANAGER ".Service", "MemoryCurrent", offsetof(struct live_connection, memory),
			0},
		{LIVE_MANAGER ".Service", "CPUUsageNSec", offsetof(struct live_connection, cpu_ns),
			0},
	};
	int r = 0;

	for (size_t i = 0; i < sizeof queries / sizeof queries[0] && r >= 0; i++)
		r = query_all(bus, live, &queries[i]);
	return r;
}

/* Ignores units that are not the service of a connection: sockets, slices. */
static void add(struct live *live, const char *unit, const char *path)
{
	struct instance_client client;

	if (!instance_client(unit, &client))
		return;
	if ((live->count & (live->count - 1)) == 0) /* room for the next power of two */
		live->connections = memory_or_exit(reallocarray(live->connections,
			live->count ? 2 * live->count : 1, sizeof live->connections[0]));
	struct live_connection *c = &live->connections[live->count++];
	*c = (struct live_connection){.unit = memory_or_exit(strdup(unit)),
		.path = memory_or_exit(strdup(path)),
		.client = client,
		.status = {.bytes_up = LIVE_UNKNOWN,
			.bytes_down = LIVE_UNKNOWN,
			.rate = LIVE_UNKNOWN},
		.memory = LIVE_UNKNOWN,
		.cpu_ns = LIVE_UNKNOWN};
}

static int list_units(sd_bus *bus, const char *pattern, struct live *live)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *answer = NULL;
	const char *unit, *path;

	int r = sd_bus_call_method(bus, LIVE_MANAGER, LIVE_MANAGER_PATH, LIVE_MANAGER ".Manager",
		"ListUnitsByPatterns", &error, &answer, "asas", 1, "active", 1, pattern);
	if (r >= 0)
		r = sd_bus_message_enter_container(answer, 'a', "(ssssssouso)");
	while (r >= 0 &&
		(r = sd_bus_message_read(answer, "(ssssssouso)", &unit, NULL, NULL, NULL, NULL,
			 NULL, &path, NULL, NULL, NULL)) > 0)
		add(live, unit, path);
	sd_bus_message_unref(answer);
	sd_bus_error_free(&error);
	return r;
}

static void free_connection(struct live_connection *c)
{
	free(c->unit);
	free(c->path);
	free(c->status_text);
}

const char *live_client(const struct live_connection *c)
{
	return c->client.text[0] ? c->client.text : c->status.client;
}

void live_keep(struct live *live,
	bool (*is_kept)(const struct live_connection *c, const void *input), const void *input)
{
	size_t kept = 0;

	for (size_t i = 0; i < live->count; i++) {
		struct live_connection *c = &live->connections[i];
		if (is_kept(c, input))
			live->connections[kept++] = *c;
		else
			free_connection(c);
	}
	live->count = kept;
}

static bool is_selected(const struct live_connection *c, const void *filter)
{
	const struct filter_connection known = {.client = live_client(c),
		.user = c->status.user,
		.command = c->status.command ? socks5_command_text(c->status.command) : NULL,
		.dst = c->status.dst,
		.port = c->status.dst_port,
		.uid = c->client.has_uid ? &c->client.uid : NULL};

	return c->since_us != 0 && filter_matches(filter, &known);
}

static void set_ages(struct live *live)
{
	const uint64_t now_us = (uint64_t)when_clock_us(CLOCK_MONOTONIC);

	for (size_t i = 0; i < live->count; i++) {
		struct live_connection *c = &live->connections[i];
		c->age_us = now_us > c->since_us ? now_us - c->since_us : 0;
	}
}

int live_gather(
	sd_bus *bus, const char *pattern, const struct filter *filter, struct live *ret_live)
{
	struct live live = {0};
	int r = list_units(bus, pattern, &live);

	if (r >= 0)
		r = query_properties(bus, &live);
	if (r < 0) {
		live_free(&live);
		return r;
	}
	set_ages(&live);
	live_keep(&live, is_selected, filter);
	*ret_live = live;
	return 0;
}

void live_free(struct live *live)
{
	for (size_t i = 0; i < live->count; i++)
		free_connection(&live->connections[i]);
	free(live->connections);
	*live = (struct live){0};
}
