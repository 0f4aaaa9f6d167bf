/* SPDX-License-Identifier: ISC */
/* Functions that all fuzzers use: checks of invariants, and copies for the sanitizers. */
#pragma once

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/hex.h"
#include "text/words.h"
#include "wire/addr.h"

/* Aborts if the condition is false. assert(3) is not used because NDEBUG would disable it, and a
 * release build may replay the corpus. Unit tests define INVARIANT as a check (unit/check.h). */
#ifndef INVARIANT
#define INVARIANT(condition) ((condition) ? (void)0 : fuzz_abort(#condition, __FILE__, __LINE__))
#endif

static inline _Noreturn void fuzz_abort(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: invariant violated: %s\n", file, line, condition);
	abort();
}

/* Returns a copy in allocated memory of exactly len bytes: a sanitizer detects reads after it. The
 * caller frees it. */
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

/* Returns true if the text is printable ASCII. Newlines are allowed if `lines` is set. */
static inline bool fuzz_is_harmless(const char *text, size_t len, bool lines)
{
	for (size_t i = 0; i < len; i++)
		if ((text[i] < 0x20 || text[i] > 0x7e) && !(lines && text[i] == '\n'))
			return false;
	return true;
}

/* Returns true if the text is hex text for these bytes. len is at most 1024. */
static inline bool fuzz_is_hex_of(const struct writer *text, const uint8_t *bytes, size_t len)
{
	static char back[1024];
	struct writer w = writer_on(back, sizeof back);
	struct hex h = hex_start();
	return !text->full && hex_read(&h, text->bytes, text->len, &w) && hex_end(&h) &&
		fuzz_same(back, w.len, bytes, len);
}

/* Reads a numeric address. Returns a name if the text is no address. */
static inline struct addr fuzz_address(const char *text, uint16_t port)
{
	uint8_t ip[16];
	if (inet_pton(AF_INET, text, ip) == 1)
		return addr_of(ADDR_IPV4, ip, 4, port);
	if (inet_pton(AF_INET6, text, ip) == 1)
		return addr_of(ADDR_IPV6, ip, 16, port);
	return addr_of(ADDR_NAME, text, (uint8_t)strlen(text), port);
}

/* Returns the line that begins at *text, and moves *text behind its newline. */
static inline struct words_line fuzz_take_line(const char **text, const char *end, size_t number)
{
	const char *newline = memchr(*text, '\n', (size_t)(end - *text));
	const size_t len = (size_t)((newline ? newline : end) - *text);
	const struct words_line line = {
		.text = *text, .len = len, .location = "input", .number = number};
	*text += len + 1;
	return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
