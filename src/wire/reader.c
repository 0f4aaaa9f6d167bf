/* SPDX-License-Identifier: ISC */
/* Reads integers and byte strings from a buffer that may be incomplete. */
#include "wire/reader.h"

struct reader reader_of(const void *bytes, size_t len)
{
	return (struct reader){.bytes = bytes, .len = len};
}

const uint8_t *reader_bytes(struct reader *r, size_t n)
{
	if (r->ended || r->len - r->at < n) {
		r->ended = true;
		return NULL;
	}
	const uint8_t *p = r->bytes + r->at;
	r->at += n;
	return p;
}

uint8_t reader_u8(struct reader *r)
{
	const uint8_t *p = reader_bytes(r, 1);
	return p ? p[0] : 0;
}

uint16_t reader_u16(struct reader *r)
{
	const uint8_t *p = reader_bytes(r, 2);
	return (uint16_t)(p ? p[0] << 8 | p[1] : 0);
}
