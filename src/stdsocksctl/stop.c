/* SPDX-License-Identifier: ISC */
/* stdsocksctl stop: ends connections that live, and says which.
 * Knows: how systemd is asked to stop a unit. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stdsocksctl/ask.h"
#include "stdsocksctl/command.h"
#include "stdsocksctl/memory.h"

enum { KEY_ALL = 0x3000, KEY_DRY_RUN };

struct stop {
	struct ask ask;
	bool all, dry_run;
	char **units; /* instead of a filter; NULL: none */
	size_t unit_count;
};

static const char service[] = ".service";

static bool is_service(const char *word)
{
	size_t len = strlen(word), end_len = sizeof service - 1;

	return len > end_len && strcmp(word + len - end_len, service) == 0;
}

/* No clause has an "@". */
static bool is_unit(const char *word)
{
	return is_service(word) || (strchr(word, '@') && !word[strcspn(word, " \t\"")]);
}

/* As systemctl(1) completes it. */
static char *unit_of(const char *word)
{
	size_t cap = strlen(word) + sizeof service;
	char *unit = memory_or_end(malloc(cap));

	snprintf(unit, cap, "%s%s", word, is_service(word) ? "" : service);
	return unit;
}

static error_t parse_word(struct stop *stop, char *word, struct argp_state *state)
{
	const struct filter *f = &stop->ask.common.filter;
	bool is_one = !filter_wants_value(f) && is_unit(word);

	if (is_one ? f->words > 0 : stop->unit_count > 0)
		argp_error(state, "either units or a filter");
	if (!is_one)
		return ARGP_ERR_UNKNOWN; /* the filter's */
	stop->units = memory_or_end(
		reallocarray(stop->units, stop->unit_count + 1, sizeof stop->units[0]));
	stop->units[stop->unit_count++] = unit_of(word);
	return 0;
}

static void check_chosen(const struct stop *stop, struct argp_state *state)
{
	bool has_clause = stop->ask.common.filter.words > 0;

	if (stop->all && has_clause)
		argp_error(state, "either --all or a filter");
	if (stop->all && stop->unit_count > 0)
		argp_error(state, "either --all or units");
	if (!stop->all && !has_clause && stop->unit_count == 0)
		argp_error(state, "which connections? a filter, units, or --all");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct stop *stop = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &stop->ask;
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
		check_chosen(stop, state);
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

/* Says which units are none. Returns EX_NOTHING, or EX_OK when there is no such one. */
static int find_named(const struct stop *stop, const struct live *live)
{
	int status = EX_OK;

	for (size_t i = 0; i < stop->unit_count; i++) {
		size_t at = 0;
		while (at < live->count && strcmp(live->connections[at].unit, stop->units[i]) != 0)
			at++;
		if (at < live->count)
			continue;
		fprintf(stderr, "stdsocksctl: %s: no such connection\n", stop->units[i]);
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

/* systemd has done what it was told to. */
static int job_removed(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error)
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
			fprintf(stderr, "stdsocksctl: %s: not stopped: %s\n", unit, result);
	}
	return 0;
}

/* Returns 0, or the exit status after it has said why. A connection that ended by itself is no failure. */
static int stop_one(sd_bus *bus, struct live_connection *c)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int status = EX_OK;
	int r = sd_bus_call_method(bus, LIVE_MANAGER, LIVE_MANAGER_PATH, LIVE_MANAGER ".Manager",
		"StopUnit", &error, NULL, "ss", c->unit, "replace");

	if (r >= 0) {
		c->stop = LIVE_STOPPING;
	} else if (r == -EACCES || r == -EPERM) {
		fputs("stdsocksctl: not permitted: root may stop connections, or whom polkit lets "
		      "do "
		      "org.freedesktop.systemd1.manage-units\n",
			stderr);
		status = EX_NOPERM;
	} else if (!sd_bus_error_has_name(&error, LIVE_MANAGER ".NoSuchUnit")) {
		fprintf(stderr, "stdsocksctl: %s: not stopped: %s\n", c->unit,
			error.message ? error.message : strerror(-r));
		status = EX_OSERR;
	}
	sd_bus_error_free(&error);
	return status;
}

static int wait_stopped(sd_bus *bus, struct live *live)
{
	while (is_any_stopping(live)) {
		int r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = sd_bus_wait(bus, UINT64_MAX);
		if (r < 0)
			return live_failed(r);
	}
	return EX_OK;
}

/* Those that systemd has stopped are left in live. Returns 0, or the exit status. */
static int stop_all(sd_bus *bus, struct live *live)
{
	int status = EX_OK;
	sd_bus_slot *slot = NULL;
	int r = sd_bus_match_signal(bus, &slot, LIVE_MANAGER, LIVE_MANAGER_PATH,
		LIVE_MANAGER ".Manager", "JobRemoved", job_removed, live);

	if (r >= 0)
		r = sd_bus_call_method(bus, LIVE_MANAGER, LIVE_MANAGER_PATH,
			LIVE_MANAGER ".Manager", "Subscribe", NULL, NULL, NULL);
	if (r < 0) {
		sd_bus_slot_unref(slot);
		return live_failed(r);
	}
	for (size_t i = 0; i < live->count && status != EX_NOPERM; i++) {
		int failed = stop_one(bus, &live->connections[i]);
		status = failed ? failed : status;
	}
	int failed = wait_stopped(bus, live);
	sd_bus_slot_unref(slot);
	live_keep(live, is_stopped, NULL);
	return failed ? failed : status;
}

static int act(sd_bus *bus, const struct stop *stop)
{
	struct live live;
	int status = EX_OK, r = ask_live(bus, &stop->ask, &live);

	if (r < 0)
		return live_failed(r);
	live_keep(&live, is_named, stop);
	int missed = find_named(stop, &live);
	if (!stop->dry_run)
		status = stop_all(bus, &live);
	if (live.count > 0)
		ask_show(&stop->ask, &live, stdout);
	else if (status == EX_OK && !missed)
		fputs("stdsocksctl: no such connection\n", stderr);
	if (status == EX_OK)
		status = live.count == 0 ? EX_NOTHING : missed;
	live_free(&live);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"all", KEY_ALL, NULL, 0, "End all of them", 0},
		{"dry-run", KEY_DRY_RUN, NULL, 0, "Show which would end", 0}, {0}};
	static const struct argp argp = {.options = options,
		.parser = parse,
		.args_doc = "FILTER\nUNIT...\n--all",
		.doc = "Ends connections that live, and shows them as they "
		       "were." OPTIONS_FILTER_DOC,
		.children = ask_children};
	struct stop stop = {.ask = ask_default()};
	sd_bus *bus = NULL;

	argp_parse(&argp, argc, argv, 0, NULL, &stop);
	if (stop.unit_count > 0 && !stop.ask.pattern)
		stop.ask.pattern = "*@*.service"; /* a unit that is named stands for itself */
	int r = live_bus(&bus);
	int status = r < 0 ? live_failed(r) : act(bus, &stop);
	sd_bus_flush_close_unref(bus);
	for (size_t i = 0; i < stop.unit_count; i++)
		free(stop.units[i]);
	free(stop.units);
	return status;
}

const struct command stop_command = {"stop", "end connections that live", run};
