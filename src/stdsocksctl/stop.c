/* SPDX-License-Identifier: ISC */
/* The command "stop": stops the units of open connections, and shows which. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/list.h"
#include "stdsocksctl/memory.h"

enum { KEY_ALL = 0x3000, KEY_DRY_RUN };

struct stop {
	struct list_options list;
	bool all, dry_run;
	char **units; /* named instead of a filter */
	size_t unit_count;
};

static const char service[] = ".service";

static bool is_service(const char *word)
{
	size_t len = strlen(word), end_len = sizeof service - 1;

	return len > end_len && strcmp(word + len - end_len, service) == 0;
}

/* No clause contains an "@". */
static bool is_unit(const char *word)
{
	return is_service(word) || (strchr(word, '@') && !word[strcspn(word, " \t\"")]);
}

/* Appends ".service" if it is missing, as systemctl(1) does. */
static char *unit_of(const char *word)
{
	size_t cap = strlen(word) + sizeof service;
	char *unit = memory_or_exit(malloc(cap));

	snprintf(unit, cap, "%s%s", word, is_service(word) ? "" : service);
	return unit;
}

static error_t parse_word(struct stop *stop, char *word, struct argp_state *state)
{
	const struct filter *f = &stop->list.common.filter;
	bool is_named_unit = !filter_wants_value(f) && is_unit(word);

	if (is_named_unit ? f->words > 0 : stop->unit_count > 0)
		argp_error(state, "units and a filter given; use either");
	if (!is_named_unit)
		return ARGP_ERR_UNKNOWN; /* options_children adds it to the filter */
	stop->units = memory_or_exit(
		reallocarray(stop->units, stop->unit_count + 1, sizeof stop->units[0]));
	stop->units[stop->unit_count++] = unit_of(word);
	return 0;
}

static void check_selection(const struct stop *stop, struct argp_state *state)
{
	bool has_clause = stop->list.common.filter.words > 0;

	if (stop->all && has_clause)
		argp_error(state, "--all and a filter given; use either");
	if (stop->all && stop->unit_count > 0)
		argp_error(state, "--all and units given; use either");
	if (!stop->all && !has_clause && stop->unit_count == 0)
		argp_error(state, "no connection selected; add a filter, units, or --all");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct stop *stop = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &stop->list;
		return 0;
	case KEY_ALL:
		stop->all = true;
		return 0;
	case KEY_DRY_RUN:
		stop->dry_run = true;
		return 0;
	case ARGP_KEY_ARG:
		return parse_word(stop, arg, state);
	case ARGP_KEY_END:
		check_selection(stop, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool is_named(const struct live_connection *c, const void *input)
{
	const struct stop *stop = input;

	for (size_t i = 0; i < stop->unit_count; i++)
		if (strcmp(stop->units[i], c->unit) == 0)
			return true;
	return stop->unit_count == 0;
}

/* Prints which named units are not open connections. Returns EX_NOTHING if there are any. */
static int find_named(const struct stop *stop, const struct live *live)
{
	int status = EX_OK;

	for (size_t i = 0; i < stop->unit_count; i++) {
		size_t at = 0;
		while (at < live->count && strcmp(live->connections[at].unit, stop->units[i]) != 0)
			at++;
		if (at < live->count)
			continue;
		fprintf(stderr, "stdsocksctl: %s: not an open connection\n", stop->units[i]);
		status = EX_NOTHING;
	}
	return status;
}

static bool is_stopped(const struct live_connection *c, const void *input)
{
	(void)input;
	return c->stop == LIVE_STOPPED;
}

static bool is_any_stopping(const struct live *live)
{
	for (size_t i = 0; i < live->count; i++)
		if (live->connections[i].stop == LIVE_STOPPING)
			return true;
	return false;
}

/* Handles the signal that systemd has finished a job. */
static int on_job_removed(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error)
{
	struct live *live = userdata;
	const char *unit, *result;

	(void)ret_error;
	if (sd_bus_message_read(signal, "uoss", NULL, NULL, &unit, &result) < 0)
		return 0;
	for (size_t i = 0; i < live->count; i++) {
		struct live_connection *c = &live->connections[i];
		if (c->stop != LIVE_STOPPING || strcmp(c->unit, unit) != 0)
			continue;
		c->stop = strcmp(result, "done") == 0 ? LIVE_STOPPED : LIVE_STOP_FAILED;
		if (c->stop == LIVE_STOP_FAILED)
			fprintf(stderr, "stdsocksctl: cannot stop %s: %s\n", unit, result);
	}
	return 0;
}

/* Returns EX_OK, also if the unit has ended already, or prints an error and returns its status. */
static int stop_one(sd_bus *bus, struct live_connection *c)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int status = EX_OK;
	int r = sd_bus_call_method(bus, LIVE_MANAGER, LIVE_MANAGER_PATH, LIVE_MANAGER ".Manager",
		"StopUnit", &error, NULL, "ss", c->unit, "replace");

	if (r >= 0) {
		c->stop = LIVE_STOPPING;
	} else if (r == -EACCES || r == -EPERM) {
		fputs("stdsocksctl: permission denied: root may stop connections, and users whom "
		      "polkit grants org.freedesktop.systemd1.manage-units\n",
			stderr);
		status = EX_NOPERM;
	} else if (!sd_bus_error_has_name(&error, LIVE_MANAGER ".NoSuchUnit")) {
		fprintf(stderr, "stdsocksctl: cannot stop %s: %s\n", c->unit,
			error.message ? error.message : strerror(-r));
		status = EX_OSERR;
	}
	sd_bus_error_free(&error);
	return status;
}

/* Stops the units, and waits until they have stopped. The others are removed from *live. */
static int stop_all(sd_bus *bus, struct live *live)
{
	int status = EX_OK;
	sd_bus_slot *slot = NULL;
	int r = sd_bus_match_signal(bus, &slot, LIVE_MANAGER, LIVE_MANAGER_PATH,
		LIVE_MANAGER ".Manager", "JobRemoved", on_job_removed, live);

	if (r >= 0)
		r = sd_bus_call_method(bus, LIVE_MANAGER, LIVE_MANAGER_PATH,
			LIVE_MANAGER ".Manager", "Subscribe", NULL, NULL, NULL);
	if (r < 0) {
		sd_bus_slot_unref(slot);
		return live_print_error(r);
	}
	for (size_t i = 0; i < live->count && status != EX_NOPERM; i++) {
		int failed = stop_one(bus, &live->connections[i]);
		status = failed ? failed : status;
	}
	while (r >= 0 && is_any_stopping(live))
		r = live_process(bus);
	sd_bus_slot_unref(slot);
	live_keep(live, is_stopped, NULL);
	return r < 0 ? live_print_error(r) : status;
}

static int act(sd_bus *bus, const struct stop *stop)
{
	struct live live;
	int status = EX_OK, r = list_gather(bus, &stop->list, &live);

	if (r < 0)
		return live_print_error(r);
	live_keep(&live, is_named, stop);
	int missing = find_named(stop, &live);
	if (!stop->dry_run)
		status = stop_all(bus, &live);
	if (live.count > 0)
		list_print(&stop->list, &live, stdout);
	else if (status == EX_OK && !missing)
		fputs("stdsocksctl: no open connection matches\n", stderr);
	if (status == EX_OK)
		status = live.count == 0 ? EX_NOTHING : missing;
	live_free(&live);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"all", KEY_ALL, NULL, 0, "Stop all open connections", 0},
		{"dry-run", KEY_DRY_RUN, NULL, 0, "Show which connections would be stopped", 0},
		{0}};
	static const struct argp argp = {.options = options,
		.parser = parse,
		.args_doc = "FILTER\nUNIT...\n--all",
		.doc = "Stops open connections, and shows them as they were." OPTIONS_FILTER_DOC,
		.children = list_children};
	struct stop stop = {0};
	sd_bus *bus = NULL;

	argp_parse(&argp, argc, argv, 0, NULL, &stop);
	if (stop.unit_count > 0 && !stop.list.pattern)
		stop.list.pattern = "*@*.service"; /* named units need not match LIVE_PATTERN */
	int r = live_open_bus(&bus);
	int status = r < 0 ? live_print_error(r) : act(bus, &stop);
	sd_bus_flush_close_unref(bus);
	for (size_t i = 0; i < stop.unit_count; i++)
		free(stop.units[i]);
	free(stop.units);
	return status;
}

const struct command stop_command = {"stop", "stop open connections", run};
