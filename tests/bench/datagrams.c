/* SPDX-License-Identifier: ISC */
/* Many datagrams a system call, so that the two ends cost little beside what is between them.
 * Does not know what is in them. */
#include <err.h>
#include <stdlib.h>

#include "bench.h"

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

int datagrams_send(int fd, struct datagrams *d, int count, bool is_connected)
{
	for (int i = 0; i < count; i++) {
		d->message[i].msg_hdr.msg_name = is_connected ? NULL : &d->peer[i];
		d->message[i].msg_hdr.msg_namelen = is_connected ? 0 : sizeof d->peer[i];
	}
	for (int done = 0; done < count;) {
		int n = sendmmsg(fd, d->message + done, (unsigned)(count - done), 0);

		if (n < 0)
			return -1;
		done += n;
	}
	return 0;
}
