/* SPDX-License-Identifier: ISC */
#include "policy/siphash.h"

#define WORD_LEN 8

/* The last bytes of the input: fewer than a word. */
static uint64_t read_word(const uint8_t *bytes, size_t len)
{
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++)
		word |= (uint64_t)bytes[i] << 8 * i;
	return word;
}

static uint64_t rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

/* SipRound, section 2.2. */
static void apply_rounds(uint64_t v[4], unsigned rounds)
{
	for (; rounds > 0; rounds--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32) + v[3];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void add_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	apply_rounds(v, 2);
	v[0] ^= word;
}

uint64_t siphash(const uint8_t secret[SIPHASH_SECRET_LEN], const void *bytes, size_t len)
{
	const uint64_t k0 = read_word(secret, WORD_LEN);
	const uint64_t k1 = read_word(secret + WORD_LEN, WORD_LEN);
	uint64_t v[4] = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
		k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
	const uint8_t *at = bytes;
	size_t rest = len;

	for (; rest >= WORD_LEN; rest -= WORD_LEN, at += WORD_LEN)
		add_word(v, read_word(at, WORD_LEN));
	add_word(v, read_word(at, rest) | (uint64_t)len << 56);
	v[2] ^= 0xff;
	apply_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
