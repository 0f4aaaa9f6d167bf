/* SPDX-License-Identifier: ISC */
/* Writes protocol messages and text to a buffer of fixed size. */
#include "wire/writer.h"

#include <string.h>

struct writer writer_on(void *bytes, size_t cap)
{
	return (struct writer){.bytes = bytes, .cap = cap};
}

void writer_bytes(struct writer *w, const void *bytes, size_t n)
{
	if (w->full || w->cap - w->len < n) {
		w->full = true;
		return;
	}
	if (n > 0)
		memcpy(w->bytes + w->len, bytes, n);
	w->len += n;
}

void writer_u8(struct writer *w, uint8_t byte)
{
	writer_bytes(w, &byte, 1);
}

void writer_u16(struct writer *w, uint16_t value)
{
	writer_bytes(w, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

void writer_str(struct writer *w, const char *text)
{
	writer_bytes(w, text, strlen(text));
}

void writer_decimal(struct writer *w, uint64_t value, unsigned digits)
{
	char text[20]; /* 2^64 - 1 has 20 digits */
	size_t at = sizeof text;
	do
		text[--at] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	while (at > 0 && sizeof text - at < digits)
		text[--at] = '0';
	writer_bytes(w, text + at, sizeof text - at);
}

void writer_hex(struct writer *w, uint8_t byte)
{
	static const char digits[] = "0123456789abcdef";
	writer_bytes(w, (char[]){digits[byte >> 4], digits[byte & 15]}, 2);
}

void writer_escaped(struct writer *w, const void *bytes, size_t n)
{
	static const char specials[] = "\n\r\t\"\\", names[] = "nrt\"\\";
	const uint8_t *p = bytes;
	size_t start = w->len;
	for (size_t i = 0; i < n; i++) {
		const char *special = memchr(specials, p[i], sizeof specials - 1);
		if (special) {
			writer_u8(w, '\\');
			writer_u8(w, (uint8_t)names[special - specials]);
		} else if (p[i] < 0x20 || p[i] > 0x7e) {
			writer_str(w, "\\x");
			writer_hex(w, p[i]);
		} else {
			writer_u8(w, p[i]);
		}
	}
	if (w->full)
		w->len = start; /* nothing of it is written */
}

static bool is_plain(uint8_t byte)
{
	const uint8_t lower = byte | 0x20;

	return (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') ||
		(byte != '\0' && strchr(".-_@", byte));
}

bool writer_is_plain(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		if (!is_plain(p[i]))
			return false;
	return n > 0;
}

void writer_quoted(struct writer *w, const void *bytes, size_t n)
{
	const char *quote = writer_is_plain(bytes, n) ? "" : "\"";
	const size_t start = w->len;

	writer_str(w, quote);
	writer_escaped(w, bytes, n);
	writer_str(w, quote);
	if (w->full)
		w->len = start; /* nothing of it is written */
}
