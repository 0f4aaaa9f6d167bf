/* SPDX-License-Identifier: ISC */
/* One question, which is sent to the configured name servers, one after the other, until one of
 * them has answered it (RFC 1035 s7.2). A try is a question to one server. */
#include "net/query.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/sockaddr.h"
#include "text/words.h"
#include "wire/large.h"

#define LEN_LEN 2 /* bytes of the length before a message over TCP (RFC 1035 s4.2.2) */

/* A received message, which is used before the next one is received. */
static uint8_t received[DNS_ANSWER_MAX] LARGE;

static const struct resolv_conf_server *server_of(const struct query *q)
{
	return &q->conf->servers[q->tries % q->conf->servers_count];
}

const struct addr *query_server(const struct query *q)
{
	return &server_of(q)->addr;
}

static void observe(const struct query *q, const struct dns_answer *answer)
{
	const struct query_event event = {.server = query_server(q),
		.over_tcp = q->over_tcp,
		.query = &q->dns,
		.answer = answer,
		.elapsed_us = clock_now_us() - q->sent_us};

	if (q->observe)
		q->observe(&event);
}

static void close_socket(struct query *q)
{
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
}

/* Sets the scope of a link-local address, which is a number or the name of an interface. Returns
 * false if there is no such interface. */
static bool set_scope(int fd, const char *scope, struct sockaddr_in6 *to)
{
	struct ifreq interface = {0};
	const size_t len = strlen(scope);
	uint64_t number;

	if (words_number(scope, len, UINT32_MAX, &number)) {
		to->sin6_scope_id = (uint32_t)number;
		return true;
	}
	if (len >= sizeof interface.ifr_name)
		return false;
	memcpy(interface.ifr_name, scope, len);
	if (ioctl(fd, SIOCGIFINDEX, &interface) < 0)
		return false;
	to->sin6_scope_id = (uint32_t)interface.ifr_ifindex;
	return true;
}

/* Makes poll(2) report bytes over TCP only if len of them, or the end, can be received. */
static bool wait_for_bytes(int fd, size_t len)
{
	const int low = (int)len;
	return setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low) == 0;
}

/* Opens a socket that is connected to the server, or over TCP is connecting to it. The kernel then
 * receives only from that server, and chooses an unpredictable port. */
static bool open_socket(struct query *q)
{
	const struct resolv_conf_server *server = server_of(q);
	union sockaddr_any at;
	socklen_t len = sockaddr_write(&at, &server->addr);

	q->fd = socket(at.sa.sa_family,
		(q->over_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK,
		q->over_tcp ? IPPROTO_TCP : 0);
	return q->fd >= 0 &&
		(server->scope[0] == '\0' || set_scope(q->fd, server->scope, &at.in6)) &&
		(!q->over_tcp || wait_for_bytes(q->fd, LEN_LEN)) &&
		(connect(q->fd, &at.sa, len) == 0 || errno == EINPROGRESS);
}

static bool send_query(struct query *q)
{
	char bytes[LEN_LEN + DNS_QUERY_MAX];
	struct writer w = writer_on(bytes + LEN_LEN, DNS_QUERY_MAX);
	struct writer len = writer_on(bytes, LEN_LEN);
	const size_t skip = q->over_tcp ? 0 : LEN_LEN;

	dns_put_query(&w, &q->dns, !q->without_edns);
	writer_u16(&len, (uint16_t)w.len);
	const size_t size = LEN_LEN - skip + w.len;
	observe(q, NULL);
	q->is_sent = true;
	return send(q->fd, bytes + skip, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* Begins to ask the current server. Returns false if it cannot be reached. */
static bool ask(struct query *q)
{
	close_socket(q);
	q->is_sent = false;
	q->answer_len = 0;
	q->sent_us = clock_now_us();
	if (getrandom(&q->dns.id, sizeof q->dns.id, 0) == sizeof q->dns.id && open_socket(q) &&
		(q->over_tcp || send_query(q)))
		return true;
	q->error = errno;
	return false;
}

/* Asks the current server or, if it cannot be reached, the next one that can. Sets the state if no
 * try is left. */
static void ask_from_here(struct query *q)
{
	const unsigned max = q->conf->servers_count * q->conf->attempts;

	for (; q->tries < max; q->tries++) {
		q->over_tcp = q->conf->use_vc;
		/* Some firewalls drop queries with EDNS: from the second round on, there is none.
		 */
		q->without_edns = q->tries >= q->conf->servers_count;
		q->until_us = clock_after(clock_now_us(), q->conf->timeout_s * INT64_C(1000000));
		if (ask(q))
			return;
	}
	query_stop(q);
	q->state = q->is_refused ? QUERY_REFUSED : QUERY_TIMED_OUT;
}

static void ask_next(struct query *q)
{
	q->tries++;
	ask_from_here(q);
}

/* Asks the next server after an error of the system, or of the connection. */
static void fail(struct query *q, int error)
{
	q->error = error;
	ask_next(q);
}

void query_start(struct query *q, const struct resolv_conf *conf, const struct dns_query *dns,
	void (*observe_event)(const struct query_event *event))
{
	*q = (struct query){.state = QUERY_PENDING,
		.conf = conf,
		.observe = observe_event,
		.dns = *dns,
		.fd = -1};
	ask_from_here(q);
}

struct pollfd query_poll(const struct query *q)
{
	return (struct pollfd){.fd = q->state == QUERY_PENDING ? q->fd : -1,
		.events = q->over_tcp && !q->is_sent ? POLLOUT : POLLIN};
}

/* Asks the same server again, in another way. */
static void ask_again(struct query *q)
{
	if (!ask(q))
		ask_next(q);
}

/* Returns true if the error may come from the OPT record (RFC 6891 s7). */
static bool is_edns_error(const struct query *q, const struct dns_answer *answer)
{
	if (q->without_edns)
		return false;
	return answer->rcode == DNS_BADVERS || answer->rcode == DNS_FORMERR ||
		(answer->rcode == DNS_NOTIMP && !answer->has_edns);
}

static void handle_answer(struct query *q, const struct dns_answer *answer)
{
	observe(q, answer);
	if (answer->is_truncated && !q->over_tcp) {
		q->over_tcp = true;
		ask_again(q);
	} else if (is_edns_error(q, answer)) {
		q->without_edns = true;
		ask_again(q);
	} else if (answer->rcode == DNS_NXDOMAIN ||
		(answer->rcode == DNS_NOERROR && !answer->is_referral)) {
		query_stop(q);
		q->state = QUERY_ANSWERED;
	} else {
		q->is_refused = true;
		ask_next(q);
	}
}

/* Takes a message. One that is not the answer is ignored. */
static void take_message(struct query *q, size_t len, struct dns_answer *ret_answer)
{
	q->answer_len = 0;
	switch (dns_parse_answer(received, len, &q->dns, ret_answer)) {
	case DNS_NOT_OURS:
		if (q->over_tcp && !wait_for_bytes(q->fd, LEN_LEN))
			ask_next(q);
		break;
	case DNS_MALFORMED:
		q->is_refused = true;
		ask_next(q);
		break;
	case DNS_ANSWER:
		handle_answer(q, ret_answer);
		break;
	}
}

static void receive_datagram(struct query *q, struct dns_answer *ret_answer)
{
	ssize_t n = recv(q->fd, received, sizeof received, 0);

	if (n >= 0)
		take_message(q, (size_t)n, ret_answer);
	else if (errno != EAGAIN)
		fail(q, errno); /* the server does not listen, or cannot be reached */
}

static void receive_stream(struct query *q, struct dns_answer *ret_answer)
{
	const size_t wanted = q->answer_len ? q->answer_len : LEN_LEN;
	ssize_t n = recv(q->fd, received, wanted, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n != (ssize_t)wanted) {
		fail(q, n < 0 ? errno : ECONNRESET);
		return;
	}
	if (q->answer_len) {
		take_message(q, wanted, ret_answer);
		return;
	}
	struct reader r = reader_of(received, LEN_LEN);
	q->answer_len = reader_u16(&r);
	if (q->answer_len == 0)
		fail(q, EBADMSG);
	else if (!wait_for_bytes(q->fd, q->answer_len))
		fail(q, errno);
}

void query_continue(struct query *q, short revents, struct dns_answer *ret_answer)
{
	/* The clock first: a flood of messages that are no answer does not extend the timeout. */
	if (clock_now_us() >= q->until_us) {
		ask_next(q);
	} else if (revents && !q->over_tcp) {
		receive_datagram(q, ret_answer);
	} else if (revents && q->is_sent) {
		receive_stream(q, ret_answer);
	} else if (revents && !send_query(q)) {
		fail(q, errno);
	}
}

void query_stop(struct query *q)
{
	if (q->state == QUERY_PENDING)
		close_socket(q);
	q->state = QUERY_IDLE;
}
