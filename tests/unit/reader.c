/* SPDX-License-Identifier: ISC */
/* wire/reader: reads bytes in order, and returns none after a read that failed. */
#include "wire/reader.h"

#include "check.h"

static const uint8_t sample[] = {0x01, 0x02, 0x03, 0xfe, 0xff};

static void reads_integers_in_network_byte_order(void)
{
	struct reader r = reader_of(sample, sizeof sample);
	CHECK_NUMBER(reader_u8(&r), 0x01);
	CHECK_NUMBER(reader_u16(&r), 0x0203);
	CHECK_NUMBER(reader_u16(&r), 0xfeff);
	CHECK_NUMBER(r.at, 5);
	CHECK(!r.ended);
}

static void returns_pointers_into_the_buffer(void)
{
	struct reader r = reader_of(sample, sizeof sample);
	reader_u8(&r);
	CHECK(reader_bytes(&r, 3) == sample + 1);
	CHECK(reader_bytes(&r, 1) == sample + 4);
	CHECK(reader_bytes(&r, 0) == sample + 5);
	CHECK(!r.ended);
}

static void ends_if_too_few_bytes_are_left(void)
{
	for (size_t len = 0; len <= sizeof sample; len++) {
		for (size_t n = 0; n <= sizeof sample + 1; n++) {
			struct reader r = reader_of(sample, len);
			const uint8_t *bytes = reader_bytes(&r, n);
			CHECK((bytes != NULL) == (n <= len));
			CHECK_NUMBER(r.ended, n > len);
			CHECK_NUMBER(r.at, n <= len ? n : 0);
		}
	}
	struct reader r = reader_of(sample, sizeof sample);
	reader_u8(&r);
	CHECK(!reader_bytes(&r, SIZE_MAX));
	CHECK(r.ended);
}

/* After a read of more bytes than are left, further reads fail, even of the bytes that are left. */
static void stays_ended(void)
{
	struct reader r = reader_of(sample, 1);
	CHECK_NUMBER(reader_u16(&r), 0);
	CHECK(r.ended);
	CHECK_NUMBER(reader_u8(&r), 0);
	CHECK_NUMBER(reader_u16(&r), 0);
	CHECK(!reader_bytes(&r, 1));
	CHECK(!reader_bytes(&r, 0));
	CHECK(r.ended);
	CHECK_NUMBER(r.at, 0);
}

int main(void)
{
	return CHECK_ALL(reads_integers_in_network_byte_order, returns_pointers_into_the_buffer,
		ends_if_too_few_bytes_are_left, stays_ended);
}
