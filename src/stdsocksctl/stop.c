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

static bool is_unit(const char *word)
{
	size_t len = strlen(word), end_len = strlen(".service");

	return len > end_len && strcmp(word + len - end_len, ".service") == 0;
}

static error_t parse_word(struct stop *stop, char *word, struct argp_state *state)
{
	bool has_filter = stop->ask.common.filter.text[0];

	if (has_filter || !is_unit(word)) {
		if (stop->unit_count > 0)
			argp_error(state, "either units or a filter");
		return ARGP_ERR_UNKNOWN; /* the filter's */
	}
	stop->units = memory_or_end(
		reallocarray(stop->units, stop->unit_count + 1, sizeof stop->units[0]));
	stop->units[stop->unit_count++] = word;
	return 0;
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
		if (stop->all == (stop->unit_count > 0 || stop->ask.common.filter.text[0]))
			argp_error(state, "which connections? a filter, units, or --all");
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
	if (!stop->dry_run)
		status = stop_all(bus, &live);
	if (live.count > 0)
		ask_show(&stop->ask, &live, stdout);
	else if (status == EX_OK)
		fputs("stdsocksctl: no such connection\n", stderr);
	if (live.count == 0 && status == EX_OK)
		status = EX_NOTHING;
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
		.doc = "Ends connections that live, and shows them as they were.",
		.children = ask_children};
	struct stop stop = {.ask = ask_default()};
	sd_bus *bus = NULL;

	argp_parse(&argp, argc, argv, 0, NULL, &stop);
	int r = live_bus(&bus);
	int status = r < 0 ? live_failed(r) : act(bus, &stop);
	sd_bus_flush_close_unref(bus);
	free(stop.units);
	return status;
}

const struct command stop_command = {"stop", "end connections that live", run};
