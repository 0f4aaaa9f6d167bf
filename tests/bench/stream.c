/* SPDX-License-Identifier: ISC */
/* What an open connection carries: bulk in one direction, or a message to and fro. */
#include <err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define BUFFER_CAP (256 * 1024)
#define WARM_UP_US 200000 /* windows open, buffers grow, processes settle on processors */

struct stream {
	pthread_t thread;
	int fd;
	bool upload;
	atomic_ullong *received_bytes;
};

/* Ends when main shuts the socket down, or after WAIT_TIMEOUT_MS of nothing. */
static void *stream_thread(void *arg)
{
	struct stream *s = arg;
	char *bytes = calloc(1, BUFFER_CAP);
	ssize_t n;

	if (!bytes)
		err(1, "calloc");
	do {
		if (s->upload) {
			n = send(s->fd, bytes, BUFFER_CAP, MSG_NOSIGNAL);
		} else {
			n = recv(s->fd, bytes, BUFFER_CAP, 0);
			atomic_fetch_add(s->received_bytes, n > 0 ? (unsigned long long)n : 0);
		}
	} while (n > 0);
	free(bytes);
	return NULL;
}

/* Opens all, then starts all: a slow setup must not eat into the window of the others. */
static int streams_start(struct plan *plan, struct contestant *c, struct stream *streams,
	atomic_ullong *received_bytes)
{
	struct upstream *up = plan->upstream;

	for (int i = 0; i < plan->streams; i++) {
		int fd = client_open(c, plan->upload ? up->sink_port : up->source_port);

		if (fd < 0) {
			while (i-- > 0)
				close(streams[i].fd);
			return -1;
		}
		streams[i] = (struct stream){
			.fd = fd, .upload = plan->upload, .received_bytes = received_bytes};
	}
	for (int i = 0; i < plan->streams; i++)
		if (pthread_create(&streams[i].thread, NULL, stream_thread, &streams[i]) != 0)
			errx(1, "pthread_create failed");
	return 0;
}

/* With RST. A source that is stopped by a closed window would not see a FIN, and would go on probing
 * for it into the next contestant's slice. */
static void streams_stop(struct stream *streams, int streams_len)
{
	static const struct linger reset = {1, 0};

	for (int i = 0; i < streams_len; i++)
		shutdown(streams[i].fd, SHUT_RDWR);
	for (int i = 0; i < streams_len; i++) {
		pthread_join(streams[i].thread, NULL);
		setsockopt(streams[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		close(streams[i].fd);
	}
}

/* Bytes count where they arrive. The window lies inside the transfer, so neither setup nor
 * teardown is in it. */
int bulk_slice(struct plan *plan, struct contestant *c, double ret_figure[FIGURES_MAX])
{
	struct stream streams[plan->streams];
	atomic_ullong downloaded_bytes = 0;
	atomic_ullong *received_bytes =
		plan->upload ? &plan->upstream->received_bytes : &downloaded_bytes;
	int64_t start_us, busy_us, took_us;
	double bytes;

	if (streams_start(plan, c, streams, &downloaded_bytes) < 0)
		return -1;
	sleep_us(WARM_UP_US);
	bytes = -(double)atomic_load(received_bytes);
	busy_us = -system_busy_us();
	start_us = now_us();
	sleep_us(plan->slice_ms * INT64_C(1000));
	took_us = now_us() - start_us;
	busy_us += system_busy_us();
	bytes += (double)atomic_load(received_bytes);
	streams_stop(streams, plan->streams);
	if (bytes <= 0) {
		warnx("%s: no bytes arrived", c->label);
		return -1;
	}
	ret_figure[0] = bytes * 8 / 1000 / (double)took_us;
	ret_figure[1] = (double)busy_us / 1e6 / (bytes / (1 << 30));
	return 0;
}

int pingpong_slice(struct plan *plan, struct contestant *c, double ret_figure[FIGURES_MAX])
{
	size_t len = (size_t)plan->message_len;
	char message[len];
	int64_t begin_us = now_us(), start_us = begin_us, end_us = begin_us;
	int fd = client_open(c, plan->upstream->echo_port), done = 0;

	if (fd < 0)
		return -1;
	for (size_t i = 0; i < len; i++)
		message[i] = (char)i;
	while (done == 0 || end_us - start_us < plan->slice_ms * INT64_C(1000)) {
		if (client_send(fd, message, len) < 0 || client_receive(fd, message, len) < 0) {
			warn("%s: ping-pong", c->label);
			close(fd);
			return -1;
		}
		end_us = now_us();
		if (done == 0 && end_us - begin_us < WARM_UP_US / 4)
			start_us = end_us; /* still warming up */
		else
			done++;
	}
	close(fd);
	ret_figure[0] = done * 1e6 / (double)(end_us - start_us);
	return 0;
}
