/* SPDX-License-Identifier: ISC */
/* The steps of main() before the first byte of the client is read. */
#include "stdsocks/startup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "net/name_files.h"
#include "stdsocks/confine.h"
#include "stdsocks/serve.h"
#include "stdsocks/slots.h"

bool startup_check_slots(const struct config *config, struct writer *errors)
{
	const bool is_root = geteuid() == 0;

	confine_leave_root(config); /* the user is reported elsewhere */
	return slots_check(config, is_root, errors);
}

bool startup_check_name_files(const struct config *config, struct writer *errors)
{
	int error;

	confine_leave_root(config); /* the user is reported elsewhere */
	name_files_open();
	const char *path = name_files_unreadable(&error);
	if (!path)
		return true;
	writer_str(errors, path);
	writer_str(errors, ": ");
	writer_str(errors, strerror(-error));
	writer_str(errors, "; names cannot be resolved; use a file that the user can read\n");
	return false;
}

void startup_fill_standard_descriptors(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

const char *startup_client_error(enum client_kind kind)
{
	static const char *const errors[] = {
		[CLIENT_LISTENING] =
			"standard input is a listening socket, and no process can be started for "
			"it; provide /dev/null and at least 32 descriptors (LimitNOFILE=)",
		[CLIENT_DATAGRAM] =
			"standard input is not a stream socket; SOCKS needs a TCP connection "
			"(systemd: ListenStream=, inetd: stream tcp)",
		[CLIENT_CLOSED] =
			"standard input or output is closed; start stdsocks from a super-server or "
			"with pipes",
	};
	return errors[kind];
}

/* Discards what C libraries may write to standard error, which is the client's connection. Returns
 * 0, or -errno. */
static int silence_standard_error(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int error = dup2(fd, STDERR_FILENO) < 0 ? -errno : 0;
	close(fd);
	return error;
}

/* Refuses service, but keeps an earlier reason. */
static void refuse(struct session_input *input, const char *reason, int error)
{
	if (!input->refusal.reason)
		input->refusal = (struct refusal){.reason = reason, .error = -error};
}

void startup_prepare(struct session_input *input, const struct log *log)
{
	int error = log->stderr_is_ours ? 0 : silence_standard_error();
	if (error < 0)
		refuse(input,
			"standard error is the client's connection, and /dev/null cannot replace "
			"it; set StandardError=journal, or start with 2>FILE",
			error);
	if (input->refusal.reason)
		return;
	error = login_prepare(input->login, input->client, log->stderr_is_ours);
	if (error < 0)
		refuse(input,
			"cannot start a process for the checkpassword program; raise the limit "
			"(TasksMax=, LimitNOFILE=, ulimit -u, ulimit -n)",
			error);
}

void startup_map_memory(const struct config *config, struct refusal *refusal)
{
	const int error = config->commands & COMMAND_UDP ? serve_udp_map() : 0;

	if (error < 0 && !refusal->reason)
		*refusal = (struct refusal){
			.reason = "cannot map memory for UDP ASSOCIATE" SETTINGS_MEMORY_ADVICE,
			.error = -error};
}

void startup_enter_sandbox(struct session_input *input)
{
	const struct login *login = input->login;

	startup_map_memory(&input->settings->config, &input->refusal);
	name_files_open(); /* the sandbox does not allow it later */
	if (!input->refusal.reason)
		input->refusal = slots_open(&input->settings->config);
	const struct refusal refusal =
		confine_enter(&input->settings->config, session_stages(&input->settings->config),
			login->has_checker ? login->checker.pid : 0);

	if (!refusal.reason || input->refusal.reason)
		return;
	input->refusal = refusal;
	login_close(input->login); /* no password is checked if service is refused */
}
