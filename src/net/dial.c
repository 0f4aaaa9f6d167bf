/* SPDX-License-Identifier: ISC */
/* Connects to whichever of several addresses accepts first (RFC 8305, Happy Eyeballs). */
#include "net/dial.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "net/address_selection.h"
#include "net/clock.h"
#include "net/sockaddr.h"
#include "net/wait.h"

/* attempts[0] to attempts[running - 1] are in progress, in the order of their addresses. Ended
 * attempts are removed, because poll(2) accepts no more entries than the descriptor limit. */
struct race {
	struct resolve_list *list;
	const struct dial_source *source;
	struct dial_lookup lookup;
	size_t started; /* addresses of the list that were tried */
	size_t running;
	int error; /* 0, or the -errno of the attempt that got furthest */
	/* 0, or -EMFILE or -ENFILE: the next attempt needs a descriptor that another releases. */
	int starved;
	/* Behind the attempts are the entries of the lookup, and those of wait_poll(). */
	struct pollfd attempts[DIAL_MAX + RESOLVE_FDS + WAIT_OWN_FDS];
	struct dial_ends ends; /* of the connection */
};

void dial_order(struct addr *addrs, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		size_t other = i;
		while (other < count && addrs[other].kind == addrs[i - 1].kind)
			other++;
		if (other == count)
			return;
		const struct addr next = addrs[other];
		memmove(&addrs[i + 1], &addrs[i], (other - i) * sizeof next);
		addrs[i] = next;
	}
}

/* Returns how far an attempt got. An answer from the host ranks above a timeout, and a timeout
 * above a missing route. */
static int distance(int error)
{
	switch (-error) {
	case 0:
		return 0;
	default:
		return 1;
	case ENETUNREACH:
	case ENONET:
		return 2;
	case EACCES:
	case EPERM:
		return 3;
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case ETIMEDOUT:
		return 4;
	case ECONNREFUSED:
	case ECONNRESET:
	case ENOPROTOOPT:
		return 5;
	}
}

/* Returns the -errno of the attempt that got further. */
static int furthest(int error, int other)
{
	return distance(other) > distance(error) ? other : error;
}

static bool set(int fd, int level, int name, const void *value, size_t len)
{
	return setsockopt(fd, level, name, value, (socklen_t)len) == 0;
}

bool dial_from(int fd, enum addr_kind kind, const struct dial_source *source)
{
	const struct addr *from = kind == ADDR_IPV4 ? source->ipv4 : source->ipv6;
	const int on = 1;

	if (source->is_not_set)
		return true;
	if (source->mark && !set(fd, SOL_SOCKET, SO_MARK, &source->mark, sizeof source->mark))
		return false;
	if (source->device &&
		!set(fd, SOL_SOCKET, SO_BINDTODEVICE, source->device, strlen(source->device)))
		return false;
	if (!from)
		return true;
	union sockaddr_any any;
	socklen_t len = sockaddr_write(&any, from);
	/* The kernel then chooses the port in connect(2), so that there are 28,000 ports for each
	 * destination and not 28,000 in total. qemu-user does not have the option. */
	set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	return bind(fd, &any.sa, len) == 0;
}

int dial_socket(enum addr_kind kind, int type, int protocol, const struct dial_source *source)
{
	const struct addr *from = kind == ADDR_IPV4 ? source->ipv4 : source->ipv6;
	const int on = 1;

	if (!from && (source->ipv4 || source->ipv6))
		return -ENETUNREACH;
	int fd = socket(kind == ADDR_IPV4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK,
		protocol);
	if (fd < 0) /* EAFNOSUPPORT: the kernel has no IPv6 */
		return errno == EAFNOSUPPORT ? -ENETUNREACH : -errno;
	int error = 0;
	if (kind == ADDR_IPV6 && !set(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on))
		error = -errno;
	else if (!dial_from(fd, kind, source))
		error = -EADDRNOTAVAIL;
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

/* Returns a socket that is connecting to the address, or -errno. */
static int start(const struct addr *to, const struct dial_source *source, int type, int protocol)
{
	union sockaddr_any any;
	const socklen_t len = sockaddr_write(&any, to);
	const int fd = dial_socket(to->kind, type, protocol, source);
	int error;

	if (fd < 0)
		return fd;
	do /* after EINTR connecting continues, and the next call reports its state */
		error = connect(fd, &any.sa, len) < 0 ? errno : 0;
	while (error == EINTR);
	if (error == 0 || error == EINPROGRESS || error == EALREADY || error == EISCONN)
		return fd;
	close(fd);
	/* The host has no IPv6 address to connect from. */
	return to->kind == ADDR_IPV6 && error == EADDRNOTAVAIL ? -ENETUNREACH : -error;
}

/* Starts the next attempt. Returns false if it failed immediately. */
static bool start_next(struct race *race)
{
	int fd = start(&race->list->addrs[race->started], race->source, SOCK_STREAM, IPPROTO_TCP);
	if (fd == -EMFILE || fd == -ENFILE) {
		race->starved = fd;
		return false;
	}
	race->started++;
	if (fd < 0) {
		race->error = furthest(race->error, fd);
		return false;
	}
	race->attempts[race->running++] = (struct pollfd){.fd = fd, .events = POLLOUT};
	return true;
}

static bool is_from(const struct addr *local, const struct dial_source *source)
{
	const struct addr *from = local->kind == ADDR_IPV4 ? source->ipv4 : source->ipv6;
	return !from || memcmp(local->bytes, from->bytes, from->len) == 0;
}

/* Returns 0 if a ready attempt is connected, or -errno. */
static int attempt_result(struct race *race, int fd)
{
	int error = 0;
	socklen_t len = sizeof error;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	if (error != 0)
		return -error;

	race->ends.local = sockaddr_local(fd);
	race->ends.remote =
		sockaddr_remote(fd); /* differs from the destination if that is 0.0.0.0 */
	bool itself = race->ends.local.port == race->ends.remote.port &&
		addr_is_same_host(&race->ends.local, &race->ends.remote);
	if (itself)
		return -ECONNREFUSED;
	/* A socket can be bound to a broadcast address, but connects from another address. */
	return is_from(&race->ends.local, race->source) ? 0 : -EADDRNOTAVAIL;
}

/* Examines each ready attempt. Returns the descriptor of a connected one, which is removed from the
 * race, or -1. Sets *ret_failed if an attempt has failed. */
static int take_connected(struct race *race, bool *ret_failed)
{
	for (size_t i = 0; i < race->running;) {
		struct pollfd *attempt = &race->attempts[i];
		if (!attempt->revents) {
			i++;
			continue;
		}
		int fd = attempt->fd, error = attempt_result(race, fd);
		race->running--;
		memmove(attempt, attempt + 1, (race->running - i) * sizeof *attempt);
		if (error == 0)
			return fd;
		race->error = furthest(race->error, error);
		*ret_failed = true;
		close(fd);
		race->starved = 0;
	}
	return -1;
}

static bool is_looking_up(const struct race *race)
{
	return race->lookup.resolve && race->lookup.resolve->status == RESOLVE_PENDING;
}

/* Continues the lookup, and adds the permitted addresses that it finds. The address after the one
 * tried last is of the other family if there is one (RFC 8305 s4). */
static void continue_lookup(struct race *race)
{
	const struct dial_lookup *lookup = &race->lookup;
	struct resolve_list *list = race->list;
	const size_t before = list->count, last = race->started > 0 ? race->started - 1 : 0;

	resolve_continue(lookup->resolve, race->attempts + race->running, list);
	if (!is_looking_up(race))
		race->starved = 0; /* its sockets are closed */
	if (list->count == before)
		return;
	lookup->permit(lookup->context, list, before);
	address_selection_sort(&list->addrs[before], list->count - before, race->source);
	dial_order(&list->addrs[last], list->count - last);
}

/* Waits until an attempt or the lookup is ready, or until_us has passed, and continues the lookup.
 * Returns the number of ready entries, with those of the lookup, or -errno. */
static int wait_for_one(struct race *race, int64_t until_us)
{
	nfds_t count = race->running;

	if (is_looking_up(race)) {
		const int64_t lookup_us = resolve_until_us(race->lookup.resolve);
		resolve_poll(race->lookup.resolve, race->attempts + count);
		count += RESOLVE_FDS;
		until_us = lookup_us < until_us ? lookup_us : until_us;
	}
	int ready = wait_poll(race->attempts, count, until_us);
	if ((ready >= 0 || ready == -ETIMEDOUT) && is_looking_up(race))
		continue_lookup(race);
	return ready;
}

/* Returns the connected descriptor or -errno. Other attempts may still be in progress. */
static int run(struct race *race, int64_t deadline_us)
{
	int64_t next_us = 0; /* when to start the next attempt */

	for (;;) {
		bool more = race->started < race->list->count && race->started < DIAL_MAX &&
			!race->starved;
		/* wait_poll() does not time out while a name server sends without pause. */
		int64_t now_us = clock_now_us();
		if (now_us >= deadline_us) {
			race->error = furthest(race->error, -ETIMEDOUT);
			break;
		}
		if (more && (race->running == 0 || now_us >= next_us)) {
			next_us = start_next(race) ? now_us + DIAL_DELAY_US : now_us;
			continue;
		}
		if (race->running == 0 && !is_looking_up(race))
			break;

		int ready =
			wait_for_one(race, more && next_us < deadline_us ? next_us : deadline_us);
		if (ready < 0 && ready != -ETIMEDOUT)
			return ready;
		bool failed = false;
		int fd = ready > 0 ? take_connected(race, &failed) : -1;
		if (fd >= 0)
			return fd;
		if (failed)
			next_us = 0; /* RFC 8305 s5: do not wait after a failure */
	}
	/* If addresses were not tried for lack of descriptors, that is the error. */
	return race->starved ? race->starved : race->error;
}

int dial(struct resolve_list *list, const struct dial_source *source,
	const struct dial_lookup *lookup, int64_t deadline_us, struct dial_ends *ret_ends)
{
	struct race race = {.list = list, .source = source, .lookup = *lookup};
	int fd = run(&race, deadline_us);
	for (size_t i = 0; i < race.running; i++)
		close(race.attempts[i].fd);
	if (fd >= 0)
		*ret_ends = race.ends;
	return fd;
}

int dial_local_address_for(
	const struct addr *to, const struct dial_source *source, struct addr *ret_local)
{
	int fd = start(to, source, SOCK_DGRAM, 0); /* connect(2) sends nothing */
	if (fd < 0)
		return fd;
	*ret_local = sockaddr_local(fd);
	ret_local->port = 0;
	close(fd);
	return 0;
}

int dial_local_address(
	const struct resolve_list *list, const struct dial_source *source, struct addr *ret_local)
{
	int error = 0;

	for (size_t i = 0; i < list->count; i++) {
		int one = dial_local_address_for(&list->addrs[i], source, ret_local);
		if (one == 0 && sockaddr_is_broadcast(ret_local))
			one = -EADDRNOTAVAIL;
		if (one == 0)
			return 0;
		error = furthest(error, one);
	}
	return error;
}
