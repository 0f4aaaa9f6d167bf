/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/live.h"

#include <errno.h>
#include <fnmatch.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "record/title.h"
#include "stdsocksctl/command.h"
#include "stdsocksctl/memory.h"
#include "stdsocksctl/when.h"
#include "wire/socks5.h"

struct gathering {
	const char *pattern;
	const struct filter *filter;
	struct live live;
};

int live_print_error(int err)
{
	if (err == -EHOSTDOWN) {
		fputs("stdsocksctl: systemd is not running on this host\n", stderr);
		return EX_UNAVAILABLE;
	}
	fprintf(stderr, "stdsocksctl: cannot read /sys/fs/cgroup: %s\n", strerror(-err));
	return EX_OSERR;
}

static const char prefork_unit[] = "stdsocks-prefork.service";

/* If the pattern is NULL, the units are those of stdsocks. */
static bool is_wanted(const char *pattern, const char *unit)
{
	if (fnmatch("*.service", unit, 0) != 0)
		return false;
	if (pattern)
		return fnmatch(pattern, unit, 0) == 0;
	return fnmatch("stdsocks@*", unit, 0) == 0 || strcmp(unit, prefork_unit) == 0;
}

/* Returns true if the process has left the group of the supervisor, which leads its session. */
static bool has_left_group(const struct process *p)
{
	return p->group != p->session || (p->session == p->pid && p->parent != 1);
}

/* Returns true if a process of prefork mode has accepted a connection. The title does not matter,
 * because an attacker who has taken over a process can change it. A checkpassword program, which
 * has a group of its own, too, belongs to the connection that has started it. */
static bool has_accepted(const struct process *p)
{
	struct process parent;
	const bool has_parent = p->parent != 1 && process_read(p->parent, &parent);

	return has_left_group(p) && !(has_parent && has_left_group(&parent));
}

static bool is_role(const char *title, const char *role)
{
	return strncmp(title, TITLE_PREFIX, strlen(TITLE_PREFIX)) == 0 &&
		strcmp(title + strlen(TITLE_PREFIX), role) == 0;
}

/* Returns true if the process is a connection. In an instance that systemd started for a client,
 * this is the process that systemd started, whatever its title is; the others belong to a
 * checkpassword program. In units that are not those of stdsocks, the title decides. */
static bool is_connection(
	struct gathering *g, const char *unit, const struct live_connection *c, const char *title)
{
	const bool is_prefork = strcmp(unit, prefork_unit) == 0;

	if (c->client.text[0])
		return c->process.parent == 1;
	if (is_prefork && has_accepted(&c->process))
		return true;
	g->live.ready += is_role(title, TITLE_READY);
	return !is_prefork && strncmp(title, TITLE_PREFIX, strlen(TITLE_PREFIX)) == 0 &&
		!is_role(title, TITLE_READY) && !is_role(title, TITLE_ZYGOTE);
}

static bool is_selected(const struct filter *filter, const struct live_connection *c)
{
	const struct filter_connection known = {.client = c->client.text,
		.user = c->title.user[0] ? c->title.user : NULL,
		.command = c->title.command ? socks5_command_text(c->title.command) : NULL,
		.dst = c->title.dst,
		.port = c->title.dst_port,
		.uid = c->client.has_uid ? &c->client.uid : NULL};

	return filter_matches(filter, &known);
}

static void add(struct gathering *g, const char *unit, pid_t pid)
{
	struct live *live = &g->live;
	struct live_connection c = {0};
	char title[PROCESS_TITLE_MAX + 1];

	if (!process_read(pid, &c.process))
		return;
	process_title(pid, title);
	const bool is_instance = instance_client(unit, &c.client);
	if (!is_connection(g, unit, &c, title))
		return;
	c.title = instance_title(title);
	if (!is_instance)
		memcpy(c.client.text, c.title.client, sizeof c.client.text);
	if (!is_selected(g->filter, &c))
		return;
	snprintf(c.unit, sizeof c.unit, "%s", unit);
	c.cpu_ns = process_cpu_ns(pid);
	c.memory = process_memory(pid);
	if ((live->count & (live->count - 1)) == 0) /* room for the next power of two */
		live->connections = memory_or_exit(reallocarray(live->connections,
			live->count ? 2 * live->count : 1, sizeof live->connections[0]));
	live->connections[live->count++] = c;
}

/* Adds the connections in a cgroup, which may have been removed meanwhile. */
static void add_all(struct gathering *g, const char *unit, const char *cgroup)
{
	char path[PATH_MAX];
	pid_t pid;

	snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
	FILE *file = fopen(path, "re");
	/* The kernel writes valid numbers. */
	while (file && fscanf(file, "%d", &pid) == 1) /* NOLINT(cert-err34-c) */
		add(g, unit, pid);
	if (file)
		fclose(file);
}

/* Visits a cgroup before those below it. Those of slices are entered, and those of stdsocks,
 * because a process can have moved itself below its unit. */
static void visit(struct gathering *g, FTS *fts, FTSENT *e)
{
	const char *unit = e->fts_parent->fts_pointer; /* a unit of stdsocks above */

	if (!unit && is_wanted(g->pattern, e->fts_name))
		unit = e->fts_name;
	if (unit)
		add_all(g, unit, e->fts_path);
	if (unit && is_wanted(NULL, unit))
		e->fts_pointer = (void *)unit;
	else if (unit || fnmatch("*.slice", e->fts_name, 0) != 0)
		fts_set(fts, e, FTS_SKIP);
}

/* Finds the units in all slices. systemd is not asked, because a cgroup exists as long as it has
 * processes, even if systemd has stopped or unloaded the unit. The units of containers and of user
 * managers are not found, because their cgroups are below those of other units. */
static int search(struct gathering *g)
{
	/* With controllers of version 1, systemd has its own hierarchy. */
	const bool has_v1 = access("/sys/fs/cgroup/cgroup.procs", F_OK) != 0;
	char root[] = "/sys/fs/cgroup", v1_root[] = "/sys/fs/cgroup/systemd";
	char *const roots[] = {has_v1 ? v1_root : root, NULL};
	FTS *fts = access(roots[0], R_OK) == 0 ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL)
					       : NULL;

	if (!fts)
		return -errno;
	for (FTSENT *e = fts_read(fts); e; e = fts_read(fts))
		if (e->fts_info == FTS_D && e->fts_level > 0)
			visit(g, fts, e);
	fts_close(fts);
	return 0;
}

int live_gather(const char *pattern, const struct filter *filter, struct live *ret_live)
{
	struct gathering g = {.pattern = pattern, .filter = filter};

	if (sd_booted() <= 0)
		return -EHOSTDOWN;
	int r = search(&g);
	if (r < 0)
		return r;
	const uint64_t now_us = (uint64_t)when_clock_us(CLOCK_BOOTTIME);
	for (size_t i = 0; i < g.live.count; i++)
		g.live.connections[i].age_us = now_us - g.live.connections[i].process.start_us;
	*ret_live = g.live;
	return 0;
}

void live_keep(struct live *live,
	bool (*is_kept)(const struct live_connection *c, const void *input), const void *input)
{
	size_t kept = 0;

	for (size_t i = 0; i < live->count; i++)
		if (is_kept(&live->connections[i], input))
			live->connections[kept++] = live->connections[i];
	live->count = kept;
}

void live_free(struct live *live)
{
	free(live->connections);
	*live = (struct live){0};
}
