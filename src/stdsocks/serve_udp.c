/* SPDX-License-Identifier: ISC */
/* UDP ASSOCIATE (RFC 1928 s4, s7), from the request to the record.
 * Knows: what an association needs, and in which order it gets it. Does not know: datagrams. */
#include <errno.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/lookups.h"
#include "sandbox/sandbox.h"
#include "stdsocks/association.h"
#include "stdsocks/serve.h"
#include "wire/large.h"

/* Where the client's datagrams are to come from is not said (RFC 1928 s4, s6): 0.0.0.0, ::, and the
 * names that some clients send in their place, "0" and nothing. */
static bool is_unsaid(const struct addr *dst)
{
	if (dst->kind == ADDR_NAME)
		return dst->len == 0 || (dst->len == 1 && dst->bytes[0] == '0');
	return addr_is_unspecified(dst);
}

/* Whose datagrams are taken: those of the client's own address, and where it has said so, of that
 * port. */
static bool find_client(struct session *s, struct addr *ret_client)
{
	const struct client *client = s->input->client;
	const struct addr said = addr_unmapped(&s->requested);

	if (client->kind == CLIENT_OTHER)
		return talk_refuse(s, SOCKS5_GENERAL_FAILURE, 0,
			"a client without an address sends no datagrams");
	*ret_client = client->kind == CLIENT_INET ? client->remote : addr_loopback;
	ret_client->port = said.port;
	if (is_unsaid(&said)) {
		if (said.kind == ADDR_NAME)
			s->request.dst = addr_of(ADDR_IPV4, "\0\0\0\0", 4, said.port);
		return true;
	}
	if (said.kind == ADDR_NAME)
		return talk_refuse(s, SOCKS5_ATYP_NOT_SUPPORTED, 0,
			"datagrams come from an address, not from a name; 0.0.0.0 would do");
	if (!addr_is_same_host(&said, ret_client))
		return talk_refuse(s, SOCKS5_NOT_ALLOWED, 0,
			"datagrams are taken from the client's own address; 0.0.0.0 would do");
	return true;
}

/* The process that looks names up, and has nothing of the client's. */
static _Noreturn void become_lookups(const struct config *config, int fd, struct resolve_list *list)
{
	const char *part;

	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	if (dup(fd) != STDIN_FILENO)
		_exit(1);
	sandbox_close_inherited();
	if (sandbox_enter_stage(SYSCALLS_LOOKUPS, &part) < 0 && !config->sandbox_best_effort)
		_exit(1);
	lookups_serve(STDIN_FILENO, list);
}

static bool split_lookups(struct session *s, struct association *a, struct resolve_list *list)
{
	int result = lookups_split(&a->lookups_fd);

	if (result > 0)
		become_lookups(s->config, a->lookups_fd, list);
	return result == 0 ||
		talk_refuse(s, SOCKS5_GENERAL_FAILURE, -result,
			"no process to look names up; a higher limit would do "
			"(TasksMax=, LimitNOFILE=, ulimit -u, ulimit -n)");
}

/* The socket for a family, -1 where there is no way to it; or the client is refused. */
static bool open_upstream(struct session *s, enum addr_kind kind, int *ret_fd)
{
	const struct dial_source source = destination_source(s->config);
	int fd = udp_from(kind, &source);

	if (fd < 0 && fd != -ENETUNREACH)
		return destination_failed(s, -fd, NULL);
	*ret_fd = fd < 0 ? -1 : fd;
	return true;
}

static bool open_sockets(struct session *s, struct association *a, struct addr *ret_bound)
{
	a->client_fd = udp_open_local(s->client.in, ret_bound);
	if (a->client_fd < 0)
		return talk_refuse(s, SOCKS5_GENERAL_FAILURE, -a->client_fd, NULL);
	return open_upstream(s, ADDR_IPV4, &a->upstream_ipv4) &&
		open_upstream(s, ADDR_IPV6, &a->upstream_ipv6);
}

/* Down to moving datagrams. */
static bool tighten(struct session *s)
{
	const char *part;
	int error = sandbox_enter_stage(SYSCALLS_DATAGRAMS, &part);

	return error == 0 || s->config->sandbox_best_effort ||
		talk_fail(s, -error, talk_no_stage(part));
}

/* To its end; from time to time a line says how it goes. */
static int run_and_tell(struct session *s, struct association *a)
{
	int how;

	a->tick_us = serve_first_tick(s, a->moved_us);
	while ((how = association_run(a)) == -EAGAIN)
		a->tick_waits = serve_tell(s, clock_now_us(), &a->tick_us);
	return how;
}

/* Always false. */
static bool end(struct session *s, int how)
{
	const int error = s->client.error;

	switch (-how) {
	case 0:
		return talk_end(s,
			!error                       ? RECORD_CLOSED
				: error == ETIMEDOUT ? RECORD_VANISHED
						     : RECORD_RESET,
			RECORD_CLIENT, error);
	case ETIMEDOUT:
		return talk_end(s, RECORD_IDLE_TIMEOUT, RECORD_STDSOCKS, 0);
	case ETIME:
		return talk_end(s, RECORD_LIFETIME, RECORD_STDSOCKS, 0);
	case ECANCELED:
		return talk_end(s, RECORD_TERMINATED, RECORD_STDSOCKS, 0);
	case ECHILD:
		s->why = "the process that looks names up has ended";
		return talk_end(s, RECORD_FAILED, RECORD_STDSOCKS, ECHILD);
	default:
		return talk_end(s, RECORD_FAILED, RECORD_STDSOCKS, -how);
	}
}

bool serve_udp(struct session *s, struct resolve_list *list)
{
	static struct association a LARGE;
	struct addr bound;

	a.session = s;
	if (!find_client(s, &a.client) || !split_lookups(s, &a, list) ||
		!open_sockets(s, &a, &bound))
		return false;
	endpoint_set_options(&s->client);
	if (!tighten(s))
		return false;
	s->bound = bound;
	s->datagrams = &a.counts;
	if (!talk_reply(s, SOCKS5_SUCCEEDED, &s->bound))
		return false;
	a.moved_us = clock_now_us();
	a.lifetime_deadline_us = clock_after(a.moved_us, s->config->lifetime_us);
	return end(s, run_and_tell(s, &a));
}
