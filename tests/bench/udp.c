/* SPDX-License-Identifier: ISC */
/* Measures the throughput of an association: datagrams to an echo and back, with a limited number
 * in flight, or as many as possible in one direction. A datagram that comes back was relayed twice
 * and counts as two. Client and upstream transfer many datagrams per system call, so that most of
 * the cost is the proxy's. */
#include <err.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "bench.h"

#define DATAGRAMS_MAX   64    /* per system call */
#define DATAGRAM_CAP    2048  /* bytes of a datagram with its headers */
#define BATCH_BYTES_MAX 60000 /* less than 65535, the limit of the kernel */
#define WARM_UP_US      100000
#define SILENCE_MS      100 /* after which missing datagrams are lost */
#define SILENCES_MAX    10  /* per slice */

static const unsigned char header_ipv4[10] = {0, 0, 0, 1, 127, 0, 0, 1}; /* RFC 1928 s7 */

struct datagrams {
	int batch_count; /* datagrams per GSO batch, or 1 */
	struct mmsghdr message[DATAGRAMS_MAX];
	struct iovec piece[DATAGRAMS_MAX];
	struct sockaddr_in peer[DATAGRAMS_MAX];
	char bytes[DATAGRAMS_MAX][DATAGRAM_CAP];
};

/* Returns buffers for DATAGRAMS_MAX datagrams. If segment_len is not 0, the socket sends datagrams
 * of this length to one address, in GSO batches. Exits on failure. */
static struct datagrams *datagrams_new(int fd, int segment_len)
{
	struct datagrams *d = calloc(1, sizeof *d);

	if (!d)
		err(1, "calloc");
	d->batch_count = segment_len ? BATCH_BYTES_MAX / segment_len : 1;
	if (segment_len &&
		setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment_len, sizeof segment_len) < 0)
		err(1, "UDP_SEGMENT");
	for (int i = 0; i < DATAGRAMS_MAX; i++)
		d->piece[i].iov_base = d->bytes[i];
	return d;
}

/* Prepares the messages for the first count datagrams, with batch_count datagrams per message, with
 * or without an address. Returns the number of messages. */
static int messages_of(struct datagrams *d, int count, int batch_count, bool has_peer)
{
	int messages = 0;

	for (int i = 0; i < count; i += batch_count)
		d->message[messages++].msg_hdr = (struct msghdr){
			.msg_name = has_peer ? &d->peer[i] : NULL,
			.msg_namelen = has_peer ? sizeof d->peer[i] : 0,
			.msg_iov = &d->piece[i],
			.msg_iovlen = (size_t)(count - i < batch_count ? count - i : batch_count)};
	return messages;
}

/* Waits for a datagram and receives all available ones. Returns their number, or -1 with errno. */
static int datagrams_receive(int fd, struct datagrams *d)
{
	int n;

	for (int i = 0; i < DATAGRAMS_MAX; i++)
		d->piece[i].iov_len = DATAGRAM_CAP;
	n = recvmmsg(fd, d->message, (unsigned)messages_of(d, DATAGRAMS_MAX, 1, true),
		MSG_WAITFORONE, NULL);
	for (int i = 0; i < n; i++)
		d->piece[i].iov_len = d->message[i].msg_len;
	return n;
}

/* Sends the first count datagrams back to their senders, or, if is_connected, to the connected
 * address. Returns 0, or -1 with errno. */
static int datagrams_send(int fd, struct datagrams *d, int count, bool is_connected)
{
	int messages = messages_of(d, count, d->batch_count, !is_connected);

	for (int n, done = 0; done < messages; done += n) {
		n = sendmmsg(fd, d->message + done, (unsigned)(messages - done), 0);
		if (n < 0)
			return -1;
	}
	return 0;
}

/* -- The upstream side. */

static int udp_receive(int fd, struct datagrams *d)
{
	int n = datagrams_receive(fd, d);

	if (n < 0 && errno != EINTR)
		err(1, "recvmmsg");
	return n < 0 ? 0 : n;
}

static void *udp_echo_thread(void *arg)
{
	struct upstream *up = arg;
	struct datagrams *d = datagrams_new(up->udp_echo_fd, up->segment_len);

	for (;;) {
		int n = udp_receive(up->udp_echo_fd, d);

		datagrams_send(up->udp_echo_fd, d, n, false); /* the sender may have closed */
	}
	return NULL;
}

static void *udp_sink_thread(void *arg)
{
	struct upstream *up = arg;
	struct datagrams *d = datagrams_new(up->udp_sink_fd, 0);

	for (;;)
		atomic_fetch_add(&up->received_datagrams,
			(unsigned long long)udp_receive(up->udp_sink_fd, d));
	return NULL;
}

void udp_start(struct upstream *up)
{
	pthread_t thread;

	up->udp_echo_fd = client_listen(SOCK_DGRAM, &up->udp_echo_port);
	up->udp_sink_fd = client_listen(SOCK_DGRAM, &up->udp_sink_port);
	thread_start(&thread, udp_echo_thread, up);
	thread_start(&thread, udp_sink_thread, up);
}

/* -- The client side. */

/* An association and its counters. */
struct flow {
	int control_fd, fd; /* control_fd is -1 without a proxy */
	struct datagrams *out, *in;
	size_t len; /* of each sent datagram with its header */
	long long sent, received;
	int in_flight, silences;
};

/* Writes the datagrams to send, which are always the same. */
static void flow_fill(struct flow *f, size_t header_len, uint16_t upstream_port)
{
	for (int i = 0; i < DATAGRAMS_MAX; i++) {
		unsigned char *bytes = (unsigned char *)f->out->bytes[i];

		memset(bytes, 'u', f->len);
		memcpy(bytes, header_ipv4, header_len);
		if (header_len > 0) {
			bytes[8] = (unsigned char)(upstream_port >> 8);
			bytes[9] = (unsigned char)upstream_port;
		}
		f->out->piece[i].iov_len = f->len;
	}
}

static int flow_open(struct flow *f, const struct plan *plan, uint16_t upstream_port)
{
	static const struct timeval silence = {0, SILENCE_MS * 1000};
	size_t header_len = plan->port ? sizeof header_ipv4 : 0;
	uint16_t port = upstream_port;

	*f = (struct flow){.control_fd = -1, .len = header_len + (size_t)plan->message_len};
	if (plan->port && (f->control_fd = client_associate(plan, &port)) < 0)
		return -1;
	f->fd = client_connect(plan->label, SOCK_DGRAM, port);
	if (f->fd < 0)
		return -1;
	setsockopt(f->fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
	f->out = datagrams_new(f->fd, plan->upstream.segment_len ? (int)f->len : 0);
	f->in = datagrams_new(f->fd, 0);
	flow_fill(f, header_len, upstream_port);
	return 0;
}

static void flow_close(struct flow *f)
{
	close(f->fd);
	close(f->control_fd);
}

/* Returns 0, or -1 with errno: ECONNREFUSED if the proxy has closed its port, EAGAIN after
 * SILENCES_MAX timeouts, EPROTO if a datagram has the wrong length. */
static int flow_receive(struct flow *f)
{
	int n = datagrams_receive(f->fd, f->in);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -1;
	if (n < 0) {
		f->in_flight = 0;
		return ++f->silences < SILENCES_MAX ? 0 : -1;
	}
	for (int i = 0; i < n; i++)
		if (f->in->message[i].msg_len != f->len) {
			errno = EPROTO;
			return -1;
		}
	f->received += n;
	f->in_flight = n < f->in_flight ? f->in_flight - n : 0; /* more if some were late */
	return 0;
}

/* Keeps the number of datagrams in flight at window, so that a slower proxy loses none. */
static int flow_run(struct flow *f, int window, int64_t until_us)
{
	while (now_us() < until_us) {
		int n = window - f->in_flight;

		if (n > DATAGRAMS_MAX)
			n = DATAGRAMS_MAX;
		if (datagrams_send(f->fd, f->out, n, true) < 0)
			return -1;
		f->sent += n;
		f->in_flight += n;
		if (flow_receive(f) < 0)
			return -1;
	}
	return 0;
}

static int flow_drain(struct flow *f)
{
	while (f->in_flight > 0)
		if (flow_receive(f) < 0)
			return -1;
	return 0;
}

int udp_slice(struct plan *plan)
{
	struct flow f;
	int64_t start_us, took_us, busy_us, cpu_us;
	double passed;
	int result;

	if (flow_open(&f, plan, plan->upstream.udp_echo_port) < 0)
		return -1;
	result = flow_run(&f, plan->streams, now_us() + WARM_UP_US);
	passed = -2.0 * (double)f.received;
	cpu_us = -group_cpu_us(plan->group);
	busy_us = -system_busy_us();
	start_us = now_us();
	if (result == 0)
		result = flow_run(&f, plan->streams, start_us + plan->slice_ms * INT64_C(1000));
	took_us = now_us() - start_us;
	busy_us += system_busy_us();
	cpu_us += group_cpu_us(plan->group);
	passed += 2.0 * (double)f.received;
	if (result == 0)
		result = flow_drain(&f);
	if (result < 0)
		warn("%s: datagrams", plan->label);
	flow_close(&f);
	figure(passed * 1e6 / (double)took_us);
	figure((double)(f.sent - f.received));
	figure((double)busy_us / passed);
	if (plan->group)
		figure((double)cpu_us / passed);
	return result;
}

/* Reads the counter of received datagrams SILENCE_MS after the last datagram was sent. */
int flood_slice(struct plan *plan)
{
	struct flow f;
	int64_t start_us, took_us;
	double received;
	int result;

	if (flow_open(&f, plan, plan->upstream.udp_sink_port) < 0)
		return -1;
	start_us = now_us();
	do {
		result = datagrams_send(f.fd, f.out, DATAGRAMS_MAX, true);
		f.sent += DATAGRAMS_MAX;
		took_us = now_us() - start_us;
	} while (result == 0 && took_us < plan->slice_ms * INT64_C(1000));
	if (result < 0)
		warn("%s: datagrams", plan->label);
	sleep_us(SILENCE_MS * INT64_C(1000));
	flow_close(&f);
	received = (double)atomic_load(&plan->upstream.received_datagrams);
	figure(received * 1e6 / (double)took_us);
	figure(100.0 * received / (double)f.sent);
	return result;
}
