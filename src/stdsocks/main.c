/* SPDX-License-Identifier: ISC */
/* stdsocks: a SOCKS server on standard input and output, for one connection. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/wait.h"
#include "record/title.h"
#include "sandbox/dumps.h"
#include "sandbox/sandbox.h"
#include "stdsocks/confine.h"
#include "stdsocks/connection.h"
#include "stdsocks/debug_explain.h"
#include "stdsocks/debug_hex.h"
#include "stdsocks/output.h"
#include "stdsocks/prefork.h"
#include "stdsocks/startup.h"

/* Serves the client on the standard descriptors, or refuses service. Returns the exit status. */
static int serve_client(const struct options *options, struct settings *settings,
	const struct refusal *refusal, const struct client *client, int64_t start_us)
{
	struct login login = {.settings = settings};
	struct session_input input = {.settings = settings,
		.refusal = *refusal,
		.login = &login,
		.client = client,
		.start_us = start_us,
		.stranger_status = EXIT_OVER,
		.two_replies = debug_hex_two_replies()};

	if (client->kind == CLIENT_TERMINAL)
		return refusal->exit_status
			? refusal->exit_status
			: output_text(STDERR_FILENO, options_on_a_terminal, EXIT_USAGE);
	if (client->kind == CLIENT_CLOSED || fcntl(STDERR_FILENO, F_GETFD) < 0)
		startup_fill_standard_descriptors();
	if (startup_client_error(client->kind))
		return output_error(startup_client_error(client->kind), EXIT_USAGE);
	struct log log = log_open(options->trace || options->hex);
	input.trace = options->trace && log.stderr_is_ours;
	startup_prepare(&input, &log);
	wait_prepare();
	startup_enter_sandbox(&input);
	return connection_run(&input, &log, options->trace);
}

int main(int argc, char **argv)
{
	int64_t start_us = clock_now_us();
	struct writer errors = output_error_writer();
	static struct options options;
	static struct settings settings;
	struct refusal refusal = {.reason = NULL};

	title_use(argv);
	dumps_disable();
	if (!options_parse(argc, argv, &options, &errors)) {
		output_errors(&errors);
		return EXIT_USAGE;
	}
	if (options.mode == MODE_HELP)
		return output_text(STDOUT_FILENO, options_help, EXIT_OVER);
	if (options.mode == MODE_VERSION)
		return output_text(STDOUT_FILENO, "stdsocks " VERSION "\n", EXIT_OVER);

	struct client client = client_on(STDIN_FILENO, STDOUT_FILENO);
	struct prefork_listeners listeners;
	const bool serves = options.mode == MODE_SERVE && !options.hex;
	if (serves && prefork_find_listeners(&client, &listeners))
		return prefork_run(&options, argv, &listeners);

	bool is_valid = settings_read(&options, &settings, &errors);
	if (options.mode == MODE_CHECK) {
		is_valid = is_valid && startup_check_slots(&settings.config, &errors) &&
			startup_check_name_files(&settings.config, &errors);
		return output_check(&settings, &errors, is_valid);
	}
	if (!is_valid) {
		output_errors(&errors);
		refusal.reason = SETTINGS_REFUSAL;
		refusal.exit_status = EXIT_CONFIG;
	}
	struct refusal root = confine_leave_root(&settings.config);
	if (is_valid) /* an error in the configuration has precedence */
		refusal = root;
	if (options.mode == MODE_EXPLAIN)
		return is_valid ? debug_explain(&settings, options.question) : EXIT_CONFIG;

	/* Not earlier: the configuration may be an inherited descriptor. */
	sandbox_close_inherited(STDERR_FILENO + 1);
	if (!options.hex)
		return serve_client(&options, &settings, &refusal, &client, start_us);
	if (!debug_hex_enter())
		return output_error(strerror(errno), EXIT_SYSTEM);
	client = client_on(STDIN_FILENO, STDOUT_FILENO); /* pipes to the translators */
	return debug_hex_leave(serve_client(&options, &settings, &refusal, &client, start_us));
}
