/* SPDX-License-Identifier: ISC */
/*
 * launch: a small inetd. It accepts connections, starts a program for each, and reports how each
 * program ended.
 *
 * Lines on standard output: "listening ADDRESS [PORT]", "start PID", then "exit PID STATUS" or
 * "signal PID NUMBER". With -k, the program's last close() sends no FIN: if the client gets FIN or
 * RST, the program has called shutdown(2) or has reset the connection.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const int BACKLOG = 128;

static const char USAGE[] =
	"usage: launch [-2k] [-l ADDRESS] PROGRAM [ARGUMENT]...\n"
	"  -l ADDRESS  listen at 127.0.0.1 (the default), ::1, or the path of a new socket\n"
	"  -2          the socket becomes standard error as well\n"
	"  -k          keep a duplicate of every accepted socket until launch ends\n";

struct options {
	const char *address;
	bool with_stderr;
	bool keep;
	char **program;
};

static struct options options_read(int argc, char **argv)
{
	struct options options = {.address = "127.0.0.1"};
	int option;

	while ((option = getopt(argc, argv, "+l:2k")) != -1) {
		switch (option) {
		case 'l':
			options.address = optarg;
			break;
		case '2':
			options.with_stderr = true;
			break;
		case 'k':
			options.keep = true;
			break;
		default:
			fputs(USAGE, stderr);
			exit(64);
		}
	}
	options.program = argv + optind;
	if (*options.program == NULL) {
		fputs(USAGE, stderr);
		exit(64);
	}
	return options;
}

static socklen_t address_parse(const char *text, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;
	struct sockaddr_un *un = (struct sockaddr_un *)ret_address;

	*ret_address = (struct sockaddr_storage){0};
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		return sizeof(*in6);
	}
	if (text[0] != '/' || strlen(text) >= sizeof(un->sun_path))
		errx(64, "%s: not an IP address or a path of at most 107 bytes", text);
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, text);
	return sizeof(*un);
}

/* Listens on a port that the kernel chooses, and prints the address. */
static int listen_at(const char *text)
{
	struct sockaddr_storage address;
	socklen_t address_len = address_parse(text, &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, address_len) < 0 ||
		listen(fd, BACKLOG) < 0)
		err(71, "%s", text);
	getsockname(fd, (struct sockaddr *)&address, &address_len);
	printf("listening %s", text);
	if (address.ss_family != AF_UNIX) /* sin_port and sin6_port have the same offset */
		printf(" %u", ntohs(((struct sockaddr_in *)&address)->sin_port));
	putchar('\n');
	return fd;
}

static void child_run(int fd, const struct options *options, const sigset_t *signals)
{
	sigprocmask(SIG_UNBLOCK, signals, NULL);
	signal(SIGPIPE, SIG_DFL); /* as inetd does */
	for (int target = 0; target <= (options->with_stderr ? 2 : 1); target++)
		dup2(fd, target);
	close_range(3, ~0U, 0);
	execvp(options->program[0], options->program);
	_exit(127);
}

/* Accepts a connection, if it still exists, and starts the program for it. */
static void connection_start(int listening, const struct options *options, const sigset_t *signals)
{
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	pid_t pid;

	if (fd < 0)
		return;
	pid = fork();
	if (pid < 0)
		err(71, "fork");
	if (pid == 0)
		child_run(fd, options, signals);
	printf("start %d\n", (int)pid);
	if (!options->keep)
		close(fd);
}

/* Reports each child that has ended. */
static void children_reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (WIFSIGNALED(status))
			printf("signal %d %d\n", (int)pid, WTERMSIG(status));
		else
			printf("exit %d %d\n", (int)pid, WEXITSTATUS(status));
	}
}

int main(int argc, char **argv)
{
	struct options options = options_read(argc, argv);
	struct signalfd_siginfo info;
	struct pollfd fds[2];
	sigset_t signals;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fds[0] = (struct pollfd){.fd = listen_at(options.address), .events = POLLIN};
	fds[1] = (struct pollfd){.fd = signalfd(-1, &signals, SFD_CLOEXEC), .events = POLLIN};

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			err(71, "poll");
		if (fds[1].revents != 0) {
			if (read(fds[1].fd, &info, sizeof(info)) < 0)
				err(71, "signalfd");
			children_reap();
		}
		if (fds[0].revents != 0)
			connection_start(fds[0].fd, &options, &signals);
	}
}
