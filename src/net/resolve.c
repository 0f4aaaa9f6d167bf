/* SPDX-License-Identifier: ISC */
/* From a name to addresses. Knows: getaddrinfo(3), which nothing else calls. */
#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "net/clock.h"
#include "net/sockaddr.h"
#include "net/wait.h"

/* getaddrinfo(3) takes no deadline and goes on after EINTR. So a signal jumps out of it. What it
 * leaves behind ends with the process, which after that has only an answer to send. */
static sigjmp_buf escape;

static void jump_out(int signal_number)
{
	siglongjmp(escape, signal_number);
}

static void alarm_at(int64_t deadline_us)
{
	int64_t left_us = deadline_us - clock_now_us();
	if (left_us < 1)
		left_us = 1; /* 0 would disarm it */
	struct itimerval timer = {
		.it_value = {.tv_sec = left_us / 1000000, .tv_usec = left_us % 1000000}};
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void alarm_off(void)
{
	setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
}

static const int signals[] = {SIGALRM, SIGTERM, SIGINT, SIGHUP};
#define SIGNALS_COUNT (sizeof signals / sizeof signals[0])

/* Those of them that jump out, and what they did before. */
static struct {
	sigset_t set, mask;
	struct sigaction actions[SIGNALS_COUNT];
} jumping;

/* Installs jump_out() and lets its signals through. */
static void listen_for_signals(void)
{
	const struct sigaction action = {.sa_handler = jump_out};

	wait_stop_signals(&jumping.set);
	sigaddset(&jumping.set, SIGALRM);
	for (size_t i = 0; i < SIGNALS_COUNT; i++)
		if (sigismember(&jumping.set, signals[i]) == 1)
			sigaction(signals[i], &action, &jumping.actions[i]);
	sigprocmask(SIG_UNBLOCK, &jumping.set, &jumping.mask);
}

/* One that comes later must not jump to where nobody is any more. */
static void listen_no_more(void)
{
	alarm_off();
	sigprocmask(SIG_SETMASK, &jumping.mask, NULL);
	for (size_t i = 0; i < SIGNALS_COUNT; i++)
		if (sigismember(&jumping.set, signals[i]) == 1)
			sigaction(signals[i], &jumping.actions[i], NULL);
}

/* getaddrinfo(3), or EAI_SYSTEM with errno ETIMEDOUT or ECANCELED when a signal ended it. */
static int lookup(const char *name, int64_t deadline_us, struct addrinfo **ret_found)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};

	int signal_number = sigsetjmp(escape, 1); /* 1: jumping out restores the mask, too */
	if (signal_number != 0) {
		listen_no_more();
		errno = signal_number == SIGALRM ? ETIMEDOUT : ECANCELED;
		return EAI_SYSTEM;
	}
	listen_for_signals();
	alarm_at(deadline_us);
	int error = getaddrinfo(name, NULL, &hints, ret_found);
	listen_no_more(); /* which keeps errno: none of it fails */
	return error;
}

/* error is getaddrinfo(3)'s, system_error its errno. */
static enum resolve_status failure(int error, int system_error, struct resolve_list *list)
{
	/* "Bad flags", which there are none of, is what musl says where it cannot open resolv.conf. */
	bool is_system = error == EAI_SYSTEM || error == EAI_BADFLAGS;
	list->error = is_system ? system_error : error == EAI_MEMORY ? ENOMEM : 0;
	list->why = list->error ? strerror(list->error) : gai_strerror(error);
	if (error == EAI_NONAME || error == EAI_NODATA)
		return RESOLVE_NO_NAME;
	if (error == EAI_AGAIN || list->error == ETIMEDOUT)
		return RESOLVE_NO_ANSWER;
	return list->error == ECANCELED ? RESOLVE_STOPPED : RESOLVE_FAILED;
}

enum resolve_status resolve_name(
	const struct addr *name, int64_t deadline_us, struct resolve_list *ret_list)
{
	struct addrinfo *found = NULL;
	int error = lookup((const char *)name->bytes, deadline_us, &found);
	int system_error = errno;

	ret_list->count = 0;
	if (error != 0)
		return failure(error, system_error, ret_list);
	for (struct addrinfo *a = found; a && ret_list->count < RESOLVE_MAX; a = a->ai_next) {
		union sockaddr_any any = {.sa.sa_family = AF_UNSPEC};
		if (a->ai_addrlen > sizeof any)
			continue;
		memcpy(&any, a->ai_addr, a->ai_addrlen);
		struct addr *to = &ret_list->addrs[ret_list->count];
		*to = sockaddr_read(&any);
		to->port = name->port;
		ret_list->count += to->kind != ADDR_NONE;
	}
	freeaddrinfo(found);
	return ret_list->count > 0 ? RESOLVE_DONE : failure(EAI_NODATA, 0, ret_list);
}
