/* SPDX-License-Identifier: ISC */
/* UDP ASSOCIATE (RFC 1928 s4, s7): prepares an association and runs it. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/name_files.h"
#include "sandbox/syscalls.h"
#include "stdsocks/association.h"
#include "stdsocks/confine.h"
#include "stdsocks/reply.h"
#include "stdsocks/serve.h"

static struct association *association;

int serve_udp_map(void)
{
	if (association)
		return 0;
	void *memory = mmap(NULL, sizeof *association, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	association = memory;
	return 0;
}

/* Whether DST does not say where the client's datagrams come from (RFC 1928 s4, s6): 0.0.0.0, ::,
 * and the names that some clients send instead, "0" and the empty one. */
static bool is_unspecified(const struct addr *dst)
{
	if (dst->kind == ADDR_NAME)
		return dst->len == 0 || (dst->len == 1 && dst->bytes[0] == '0');
	return addr_is_unspecified(dst);
}

/* Finds the address whose datagrams are accepted: the client's own, with the port in DST. */
static enum record_end find_client(struct session *s, struct addr *ret_client)
{
	const struct client *client = s->input->client;
	const struct addr dst = addr_unmapped(&s->requested);

	if (client->kind == CLIENT_OTHER)
		return reply_refuse(s, SOCKS5_GENERAL_FAILURE, 0,
			"a client without an IP address cannot send datagrams");
	*ret_client = client->kind == CLIENT_INET ? client->remote : addr_loopback;
	ret_client->port = dst.port;
	if (is_unspecified(&dst)) {
		if (dst.kind == ADDR_NAME) /* the record has the address that it stands for */
			s->request.dst = addr_of(ADDR_IPV4, "\0\0\0\0", 4, dst.port);
		return RECORD_ONGOING;
	}
	if (dst.kind == ADDR_NAME)
		return reply_refuse(s, SOCKS5_ATYP_NOT_SUPPORTED, 0,
			"DST of UDP ASSOCIATE is a name; send an address, or 0.0.0.0");
	if (!addr_is_same_host(&dst, ret_client))
		return reply_refuse(s, SOCKS5_NOT_ALLOWED, 0,
			"DST of UDP ASSOCIATE is not the client's address; send that, or 0.0.0.0");
	return RECORD_ONGOING;
}

/* Opens the socket for destinations of one family; -1 if the family is not reached. */
static enum record_end open_upstream(struct session *s, enum addr_kind kind, int *ret_fd)
{
	const struct dial_source source = destination_source(s->config);
	int fd = udp_from(kind, &source);

	if (fd < 0 && fd != -ENETUNREACH)
		return destination_failed(s, -fd, NULL);
	*ret_fd = fd < 0 ? -1 : fd;
	return RECORD_ONGOING;
}

static enum record_end open_sockets(
	struct session *s, struct association *a, struct addr *ret_bound)
{
	enum record_end end;

	a->client_fd = udp_open_local(s->client.in, ret_bound);
	if (a->client_fd < 0)
		return reply_refuse(s, SOCKS5_GENERAL_FAILURE, -a->client_fd, NULL);
	if ((end = open_upstream(s, ADDR_IPV4, &a->upstream_ipv4)))
		return end;
	return open_upstream(s, ADDR_IPV6, &a->upstream_ipv6);
}

static enum relay_end run_association(struct relay *relay)
{
	(void)relay;
	return association_run(association);
}

enum record_end serve_udp(struct session *s, struct resolve_list *list)
{
	struct association *a = association;
	struct addr bound;
	enum record_end end;

	a->session = s;
	a->found = list;
	if ((end = find_client(s, &a->client)) || (end = open_sockets(s, a, &bound)))
		return end;
	name_files_resolv_conf(NULL); /* an association keeps what it has read at its start */
	endpoint_set_options(&s->client);
	const struct refusal refusal = confine_to_stage(s->config, SYSCALLS_DATAGRAMS);
	if (refusal.reason)
		return reply_fail(s, refusal.error, refusal.reason);
	s->record.bound = bound;
	s->record.datagrams = &a->counts;
	if ((end = reply_send(s, SOCKS5_SUCCEEDED, &bound)))
		return end;
	return serve_until_end(s, run_association);
}
