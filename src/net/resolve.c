/* SPDX-License-Identifier: ISC */
/* From a name to addresses, and from an address to its name.
 * Knows: getaddrinfo(3) and getnameinfo(3), which nothing else calls. */
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
#include "wire/large.h"

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

/* What is looked up, a name or an address, and what is found. */
static struct lookup {
	const char *name; /* or NULL */
	struct addrinfo *found;
	const union sockaddr_any *address;
	socklen_t address_len;
} sought;

static char host[NI_MAXHOST] LARGE;

static int ask(void)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};

	if (sought.name)
		return getaddrinfo(sought.name, NULL, &hints, &sought.found);
	return getnameinfo(
		&sought.address->sa, sought.address_len, host, sizeof host, NULL, 0, NI_NAMEREQD);
}

/* The resolver's answer, or EAI_SYSTEM with errno ETIMEDOUT or ECANCELED when a signal ended it. */
static int ask_before(int64_t deadline_us)
{
	int signal_number = sigsetjmp(escape, 1); /* 1: jumping out restores the mask, too */
	if (signal_number != 0) {
		listen_no_more();
		errno = signal_number == SIGALRM ? ETIMEDOUT : ECANCELED;
		return EAI_SYSTEM;
	}
	listen_for_signals();
	alarm_at(deadline_us);
	int error = ask();
	listen_no_more(); /* which keeps errno: none of it fails */
	return error;
}

/* error is the resolver's, system_error its errno. */
static enum resolve_status failure(int error, int system_error, struct resolve_list *list)
{
	/* "Bad flags", which there are none of, is what musl says where it cannot open resolv.conf.
	 */
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
	sought = (struct lookup){.name = (const char *)name->bytes};
	int error = ask_before(deadline_us);
	int system_error = errno;

	ret_list->count = 0;
	if (error != 0)
		return failure(error, system_error, ret_list);
	for (struct addrinfo *a = sought.found; a && ret_list->count < RESOLVE_MAX;
		a = a->ai_next) {
		union sockaddr_any any = {.sa.sa_family = AF_UNSPEC};
		if (a->ai_addrlen > sizeof any)
			continue;
		memcpy(&any, a->ai_addr, a->ai_addrlen);
		struct addr *to = &ret_list->addrs[ret_list->count];
		*to = sockaddr_read(&any);
		to->port = name->port;
		ret_list->count += to->kind != ADDR_NONE;
	}
	freeaddrinfo(sought.found);
	return ret_list->count > 0 ? RESOLVE_DONE : failure(EAI_NODATA, 0, ret_list);
}

enum resolve_status resolve_address(
	const struct addr *a, int64_t deadline_us, struct resolve_list *ret_list)
{
	union sockaddr_any any;

	sought = (struct lookup){.address = &any, .address_len = sockaddr_write(&any, a)};
	int error = ask_before(deadline_us);
	int system_error = errno;

	ret_list->count = 0;
	if (error != 0)
		return failure(error, system_error, ret_list);
	size_t len = strlen(host);
	if (len == 0 || len > ADDR_NAME_MAX)
		return failure(EAI_NODATA, 0, ret_list);
	ret_list->addrs[ret_list->count++] = addr_of(ADDR_NAME, host, (uint8_t)len, 0);
	return RESOLVE_DONE;
}
