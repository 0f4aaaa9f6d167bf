/* SPDX-License-Identifier: ISC */
/* The connections that live: what systemd knows of the instances of a service.
 * Knows: systemd's D-Bus interface. Does not know: what is shown of them. */
#include "stdsocksctl/live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/memory.h"
#include "wire/socks5.h"

/* Questions that are on their way at a time: dbus-daemon cuts off who has more than 128. */
#define ASKED_MAX 64

/* One property, asked of all connections, and what an answer is read into. */
struct live_question {
	const char *interface, *property;
	int (*read)(sd_bus_message *answer, struct live_connection *c);
	size_t open; /* answers that have not come yet */
};

/* Root's own way to systemd needs no dbus-daemon, and takes a third of the time. */
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

int live_bus(sd_bus **ret_bus)
{
	if (sd_booted() <= 0)
		return -EHOSTDOWN;
	if (geteuid() == 0 && private_bus(ret_bus) == 0)
		return 0;
	int r = sd_bus_open_system(ret_bus);
	return r < 0 ? r : 0;
}

int live_failed(int err)
{
	switch (-err) {
	case EHOSTDOWN:
		fputs("stdsocksctl: there is no systemd here\n", stderr);
		return EX_UNAVAILABLE;
	case ENOENT:
	case ECONNREFUSED:
		fprintf(stderr, "stdsocksctl: systemd cannot be asked: no system bus: %s\n",
			strerror(-err));
		return EX_UNAVAILABLE;
	case EPERM:
	case EACCES:
		fprintf(stderr, "stdsocksctl: systemd cannot be asked: %s\n", strerror(-err));
		return EX_NOPERM;
	default:
		fprintf(stderr, "stdsocksctl: systemd cannot be asked: %s\n", strerror(-err));
		return EX_OSERR;
	}
}

static int read_status(sd_bus_message *answer, struct live_connection *c)
{
	const char *text;
	int r = sd_bus_message_read(answer, "v", "s", &text);

	if (r < 0)
		return r;
	size_t cap = 2 * strlen(text);
	c->status = memory_or_end(calloc(1, cap + 1));
	struct writer w = writer_on(c->status, cap);
	if (!instance_put_status(&w, text))
		w.len = 0;
	c->status[w.len] = '\0';
	return r;
}

static int read_since(sd_bus_message *answer, struct live_connection *c)
{
	return sd_bus_message_read(answer, "v", "t", &c->since_us);
}

static int read_memory(sd_bus_message *answer, struct live_connection *c)
{
	return sd_bus_message_read(answer, "v", "t", &c->memory);
}

static int read_cpu(sd_bus_message *answer, struct live_connection *c)
{
	return sd_bus_message_read(answer, "v", "t", &c->cpu_ns);
}

static int answered(sd_bus_message *answer, void *userdata, sd_bus_error *ret_error)
{
	struct live_connection *c = userdata;
	struct live_question *q = c->asked;

	(void)ret_error;
	q->open--;
	/* Whoever has gone meanwhile has no answer, and what is not known stays so. */
	if (!sd_bus_message_is_method_error(answer, NULL))
		q->read(answer, c);
	return 0;
}

/* Until no more than that many answers are to come. */
static int wait_until(sd_bus *bus, const struct live_question *q, size_t open_max)
{
	while (q->open > open_max) {
		int r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = sd_bus_wait(bus, UINT64_MAX);
		if (r < 0)
			return r;
	}
	return 0;
}

static int ask_all(sd_bus *bus, struct live *live, struct live_question *q)
{
	int r = 0;

	for (size_t i = 0; i < live->count && r >= 0; i++) {
		struct live_connection *c = &live->connections[i];
		c->asked = q;
		r = sd_bus_call_method_async(bus, NULL, LIVE_MANAGER, c->path,
			"org.freedesktop.DBus.Properties", "Get", answered, c, "ss", q->interface,
			q->property);
		if (r >= 0) {
			q->open++;
			r = wait_until(bus, q, ASKED_MAX - 1);
		}
	}
	return r < 0 ? r : wait_until(bus, q, 0);
}

static int ask_everything(sd_bus *bus, struct live *live)
{
	struct live_question questions[] = {
		{LIVE_MANAGER ".Service", "StatusText", read_status, 0},
		{LIVE_MANAGER ".Unit", "ActiveEnterTimestampMonotonic", read_since, 0},
		{LIVE_MANAGER ".Service", "MemoryCurrent", read_memory, 0},
		{LIVE_MANAGER ".Service", "CPUUsageNSec", read_cpu, 0},
	};

	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
		int r = ask_all(bus, live, &questions[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What is no service of a connection is left out, whatever the pattern is: a socket, a slice, init. */
static void add(struct live *live, const char *unit, const char *path)
{
	struct instance_client client;

	if (!instance_client(unit, &client))
		return;
	if ((live->count & (live->count - 1)) == 0) /* room for the next power of two */
		live->connections = memory_or_end(reallocarray(live->connections,
			live->count ? 2 * live->count : 1, sizeof live->connections[0]));
	struct live_connection *c = &live->connections[live->count++];
	*c = (struct live_connection){.unit = memory_or_end(strdup(unit)),
		.path = memory_or_end(strdup(path)),
		.client = client,
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
	free(c->status);
}

const char *live_client(const struct live_connection *c)
{
	return c->client.text[0] ? c->client.text : c->said.client;
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

/* It still lives, and is meant. */
static bool passes(const struct live_connection *c, const void *filter)
{
	const struct filter_parties who = {.client = live_client(c),
		.user = c->said.user,
		.command = c->said.command ? socks5_command_text(c->said.command) : NULL,
		.dst = c->said.dst,
		.port = c->said.dst_port,
		.uid = c->client.has_uid ? &c->client.uid : NULL};

	return c->since_us != 0 && filter_passes(filter, &who);
}

/* What follows from the answers. */
static void understand(struct live *live)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	for (size_t i = 0; i < live->count; i++) {
		struct live_connection *c = &live->connections[i];
		c->age_us = now_us > c->since_us ? now_us - c->since_us : 0;
		if (c->status)
			instance_status(c->status, &c->said);
	}
}

int live_gather(
	sd_bus *bus, const char *pattern, const struct filter *filter, struct live *ret_live)
{
	struct live live = {0};
	int r = list_units(bus, pattern, &live);

	if (r >= 0)
		r = ask_everything(bus, &live);
	if (r < 0) {
		live_free(&live);
		return r;
	}
	understand(&live);
	live_keep(&live, passes, filter);
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
