/* SPDX-License-Identifier: ISC */
/* net/udp: the queue has space for one batch. */
#include "net/udp.h"

#include "check.h"

static struct udp_queue queue;

static void refuses_a_datagram_if_the_queue_is_full(void)
{
	const union sockaddr_any to = {.in = {.sin_family = AF_INET}};
	const struct udp_payload payload = {.bytes = (const uint8_t *)"x", .len = 1};

	for (unsigned i = 0; i < 32 * 128; i++)
		if (!CHECK(udp_write(&queue, &to, &payload)))
			return;
	for (unsigned i = 0; i < 2; i++)
		CHECK(!udp_write(&queue, &to, &payload));
	CHECK_NUMBER(queue.count, 32 * 128);
}

int main(void)
{
	return CHECK_ALL(refuses_a_datagram_if_the_queue_is_full);
}
