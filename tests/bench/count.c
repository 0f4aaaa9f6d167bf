/* SPDX-License-Identifier: ISC */
/* count HANDLER [ARG]... - starts the handler on a connected TCP socket, in the same way as inetd,
 * requests a connection to an IPv4 address on loopback, and prints:
 *   syscalls N          system calls from exec to the reply, with exec
 *   minor_faults N      minor faults in the same time, with those of the kernel in exec
 *   relay_syscalls N    system calls from the reply until the handler first waits for both sides
 * The client acts only while the traced handler is stopped after a system call. Therefore the
 * result does not depend on time, and tests can compare it with limits. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* For struct ptrace_syscall_info. It must come after sys/ptrace.h, with which it conflicts. */
#include <linux/ptrace.h>

#define NOBODY        65534
#define RUN_TIMEOUT_S 10
#define RUNS          5 /* the lowest counts are used; the first run also reads the file */

enum { METHOD_LEN = 2, REPLY_LEN = 10, ANSWER_LEN = METHOD_LEN + REPLY_LEN };

struct client {
	int fd;
	uint16_t upstream_port;
	size_t answer_len;
	unsigned char answer[ANSWER_LEN];
};

enum { SYSCALLS, MINOR_FAULTS, RELAY_SYSCALLS, COUNTS };
static const char *const names[COUNTS] = {"syscalls", "minor_faults", "relay_syscalls"};

static void send_or_exit(int fd, const unsigned char *bytes, size_t len)
{
	if (client_send(fd, bytes, len) < 0)
		err(1, "send");
}

/* Receives available bytes, and sends the request after the method. Returns true if the reply is
 * complete. */
static bool client_step(struct client *client)
{
	static const unsigned char success[] = {5, 0};
	uint16_t port = client->upstream_port;
	unsigned char request[] = {5, 1, 0, 1, 127, 0, 0, 1, (uint8_t)(port >> 8), (uint8_t)port};
	/* The reply comes after the request, which waits for the method. */
	size_t at = client->answer_len < METHOD_LEN ? 0 : METHOD_LEN,
	       end = at == 0 ? METHOD_LEN : ANSWER_LEN;
	ssize_t n = recv(client->fd, client->answer + client->answer_len, end - client->answer_len,
		MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN)
		err(1, "recv");
	client->answer_len += n > 0 ? (size_t)n : 0;
	if (n > 0 && client->answer_len >= at + 2 && memcmp(client->answer + at, success, 2) != 0)
		errx(1, "not SOCKS5, or refused: byte %zu is %02x, the next byte %02x", at,
			client->answer[at], client->answer[at + 1]);
	if (n > 0 && client->answer_len == METHOD_LEN)
		send_or_exit(client->fd, request, sizeof request);
	return client->answer_len == ANSWER_LEN;
}

static long minor_faults_of(pid_t pid)
{
	char path[64];
	long faults;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %ld", &faults) != 1)
		err(1, "%s", path);
	fclose(f);
	return faults;
}

static pid_t start(char *argv[], int fd)
{
	int status;
	int program = open(argv[0], O_PATH | O_CLOEXEC);
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		if (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
			ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			err(127, "start");
		raise(SIGSTOP);
		/* As root, the handler would make more system calls. It is started by descriptor
		 * because nobody may not be able to reach its path. */
		if (geteuid() == 0 &&
			(setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
			err(127, "setuid");
		execveat(program, "", argv, environ, AT_EMPTY_PATH);
		err(127, "%s", argv[0]);
	}
	close(program);
	if (waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status) ||
		ptrace(PTRACE_SETOPTIONS, pid, NULL,
			PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0)
		err(1, "ptrace");
	return pid;
}

/* Continues the handler until its next stop before or after a system call. Returns false if the
 * handler has ended. */
static bool next_stop(pid_t pid, struct client *client, struct ptrace_syscall_info *ret_info)
{
	int status, signal = 0;
	pid_t stopped;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)signal) < 0)
			err(1, "ptrace");
		/* The handler may block in a system call until the client sends more bytes. */
		while ((stopped = waitpid(pid, &status, WNOHANG)) == 0) {
			client_step(client);
			sched_yield();
		}
		if (stopped < 0)
			err(1, "waitpid");
		if (!WIFSTOPPED(status))
			return false;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			break;
		/* An exec event, or a signal for the handler. */
		signal = status >> 16 ? 0 : WSTOPSIG(status);
	}
	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof *ret_info, ret_info) <= 0)
		err(1, "ptrace");
	return true;
}

static bool is_wait(uint64_t number)
{
	switch (number) {
	case SYS_ppoll:
	case SYS_pselect6:
	case SYS_epoll_pwait:
#ifdef SYS_poll /* newer architectures have only the calls above */
	case SYS_poll:
	case SYS_select:
	case SYS_epoll_wait:
#endif
		return true;
	default:
		return false;
	}
}

static void until_exec(pid_t pid, struct client *client)
{
	struct ptrace_syscall_info info;

	do
		if (!next_stop(pid, client, &info))
			errx(1, "the handler was not started");
	while (info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr != SYS_execveat);
}

/* Returns the number of system calls. */
static long until_reply(pid_t pid, struct client *client)
{
	struct ptrace_syscall_info info = {0};
	long syscalls = 0;

	do {
		if (!next_stop(pid, client, &info))
			errx(1, "the handler ended before the reply");
		syscalls += info.op == PTRACE_SYSCALL_INFO_ENTRY;
	} while (info.op != PTRACE_SYSCALL_INFO_EXIT || !client_step(client));
	return syscalls;
}

/* Returns the number of system calls until the handler waits or ends. */
static long until_wait(pid_t pid, struct client *client)
{
	struct ptrace_syscall_info info;
	long syscalls = 0;

	while (next_stop(pid, client, &info)) {
		if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
			continue;
		if (is_wait(info.entry.nr))
			break;
		syscalls++;
	}
	return syscalls;
}

static void trace(pid_t pid, struct client *client, long ret_counts[COUNTS])
{
	until_exec(pid, client);
	ret_counts[MINOR_FAULTS] = -minor_faults_of(pid);
	ret_counts[SYSCALLS] = 1 + until_reply(pid, client);
	ret_counts[MINOR_FAULTS] += minor_faults_of(pid);
	ret_counts[RELAY_SYSCALLS] = until_wait(pid, client);
}

static void run(char *argv[], long ret_counts[COUNTS])
{
	static const unsigned char greeting[] = {5, 1, 0};
	uint16_t port;
	struct client client = {0};
	/* Connections stay in the backlog. */
	int upstream_fd = client_listen(SOCK_STREAM, &client.upstream_port);
	int listen_fd = client_listen(SOCK_STREAM, &port);
	int fd;
	pid_t pid;

	client.fd = client_connect("count", SOCK_STREAM, port);
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		err(1, "accept");
	send_or_exit(client.fd, greeting, sizeof greeting);
	pid = start(argv, fd);
	close(fd);
	trace(pid, &client, ret_counts);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(client.fd);
	close(listen_fd);
	close(upstream_fd);
}

int main(int argc, char *argv[])
{
	long least[COUNTS], counts[COUNTS];

	if (argc < 2) {
		fputs("usage: count HANDLER [ARG]...\n", stderr);
		return 64;
	}
	alarm(RUN_TIMEOUT_S);
	run(argv + 1, least);
	for (int i = 1; i < RUNS; i++) {
		run(argv + 1, counts);
		for (int k = 0; k < COUNTS; k++)
			least[k] = counts[k] < least[k] ? counts[k] : least[k];
	}
	for (int k = 0; k < COUNTS; k++)
		printf("%s %ld\n", names[k], least[k]);
	return 0;
}
