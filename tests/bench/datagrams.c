/* SPDX-License-Identifier: ISC */
/* Many datagrams a system call, so that the two ends cost little beside what is between them.
 * Does not know what is in them. */
#include <err.h>
#include <linux/udp.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define TRAIN_BYTES_MAX 60000 /* of the 65535 of a datagram */

bool datagrams_as_trains;

struct datagrams *datagrams_new(void)
{
	struct datagrams *d = calloc(1, sizeof *d);

	if (!d)
		err(1, "calloc");
	for (int i = 0; i < DATAGRAMS_MAX; i++) {
		d->piece[i].iov_base = d->bytes[i];
		d->message[i].msg_hdr.msg_iov = &d->piece[i];
		d->message[i].msg_hdr.msg_iovlen = 1;
	}
	return d;
}

int datagrams_receive(int fd, struct datagrams *d, int max)
{
	int n;

	for (int i = 0; i < max; i++) {
		d->piece[i].iov_len = DATAGRAM_CAP;
		d->message[i].msg_hdr.msg_name = &d->peer[i];
		d->message[i].msg_hdr.msg_namelen = sizeof d->peer[i];
	}
	n = recvmmsg(fd, d->message, (unsigned)max, MSG_WAITFORONE, NULL);
	for (int i = 0; i < n; i++)
		d->piece[i].iov_len = d->message[i].msg_len;
	return n;
}

/* Those from the first on that can be one train: to one peer, of one length. */
static int train_of(const struct datagrams *d, int first, int count, bool is_connected)
{
	int n = 1;

	while (datagrams_as_trains && first + n < count &&
		d->piece[first + n].iov_len == d->piece[first].iov_len &&
		(size_t)(n + 1) * d->piece[first].iov_len <= TRAIN_BYTES_MAX &&
		(is_connected ||
			memcmp(&d->peer[first + n], &d->peer[first], sizeof d->peer[first]) == 0))
		n++;
	return n;
}

/* Tells the kernel where to part it. */
static void make_train(struct datagrams *d, struct msghdr *m, int message, size_t len)
{
	struct cmsghdr *header = (struct cmsghdr *)d->control[message];
	uint16_t segment_len = (uint16_t)len;

	header->cmsg_level = IPPROTO_UDP;
	header->cmsg_type = UDP_SEGMENT;
	header->cmsg_len = CMSG_LEN(sizeof segment_len);
	memcpy(CMSG_DATA(header), &segment_len, sizeof segment_len);
	m->msg_control = header;
	m->msg_controllen = CMSG_SPACE(sizeof segment_len);
}

int datagrams_send(int fd, struct datagrams *d, int count, bool is_connected)
{
	int messages = 0;

	for (int i = 0, n; i < count; i += n) {
		struct msghdr *m = &d->departure[messages].msg_hdr;

		n = train_of(d, i, count, is_connected);
		*m = (struct msghdr){.msg_iov = &d->piece[i], .msg_iovlen = (size_t)n};
		if (!is_connected) {
			m->msg_name = &d->peer[i];
			m->msg_namelen = sizeof d->peer[i];
		}
		if (n > 1)
			make_train(d, m, messages, d->piece[i].iov_len);
		messages++;
	}
	for (int done = 0; done < messages;) {
		int n = sendmmsg(fd, d->departure + done, (unsigned)(messages - done), 0);

		if (n < 0)
			return -1;
		done += n;
	}
	return 0;
}
