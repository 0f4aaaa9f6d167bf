/* SPDX-License-Identifier: ISC */
/* What every fuzzer uses: promises that must hold, and copies that end where their bytes do.
 * Knows: how to stop. Does not know: what is promised. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/reader.h"
#include "wire/writer.h"

/* Not assert(3): NDEBUG must not turn it off, and a release build may replay the corpus. */
#define INVARIANT(holds) ((holds) ? (void)0 : fuzz_broken(#holds, __FILE__, __LINE__))

static inline _Noreturn void fuzz_broken(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
	abort();
}

/* A copy of len bytes with nothing behind it that may be read. free() takes it. */
static inline uint8_t *fuzz_copy(const void *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	if (!copy)
		abort();
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

static inline bool fuzz_same(const void *a, size_t a_len, const void *b, size_t b_len)
{
	return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

/* Printable ASCII, and newlines where lines are allowed: nothing that a terminal obeys. */
static inline bool fuzz_is_harmless(const char *text, size_t len, bool lines)
{
	for (size_t i = 0; i < len; i++)
		if ((text[i] < 0x20 || text[i] > 0x7e) && !(lines && text[i] == '\n'))
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
