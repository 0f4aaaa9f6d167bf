/* SPDX-License-Identifier: ISC */
#include "text/amount.h"

#include <string.h>

/* Powers of 1000. K, M and G are also the units of "rate" in stdsocks.conf(5). */
static const char units[] = "KMGT";

void amount_put_bytes(struct writer *w, uint64_t bytes)
{
	size_t power = 0;
	uint64_t unit = 1;

	for (; bytes / unit >= 1000 && units[power]; power++)
		unit *= 1000;
	writer_decimal(w, bytes / unit, 1);
	if (power == 0)
		return;
	if (bytes / unit < 100) {
		writer_u8(w, '.');
		writer_decimal(w, bytes % unit / (unit / 10), 1);
	}
	writer_u8(w, (uint8_t)units[power - 1]);
}

void amount_put_span(struct writer *w, int64_t span_us)
{
	uint64_t s = (uint64_t)span_us / 1000000;

	writer_decimal(w, s < 60 ? s : s < 3600 ? s / 60 : s < 86400 ? s / 3600 : s / 86400, 1);
	writer_u8(w, s < 60 ? 's' : s < 3600 ? 'm' : s < 86400 ? 'h' : 'd');
}

void amount_put_grouped(struct writer *w, uint64_t value)
{
	uint64_t scale = 1;

	while (value / scale >= 1000)
		scale *= 1000;
	writer_decimal(w, value / scale, 1);
	for (scale /= 1000; scale > 0; scale /= 1000) {
		writer_u8(w, ',');
		writer_decimal(w, value / scale % 1000, 3);
	}
}

/* Appends the digits at *text to value, and moves *text behind them. Returns false if there is no
 * digit or the value is too large. */
static bool read_digits(const char **text, const char *end, uint64_t *value)
{
	const char *start = *text;

	for (; *text < end && **text >= '0' && **text <= '9'; (*text)++) {
		if (*value > (UINT64_MAX - 9) / 10)
			return false;
		*value = *value * 10 + (uint64_t)(**text - '0');
	}
	return *text > start;
}

bool amount_bytes(const char *text, size_t len, uint64_t *ret_bytes)
{
	const char *end = text + len, *unit;
	uint64_t value = 0, scale = 1;

	if (!read_digits(&text, end, &value))
		return false;
	bool has_tenths = text < end && *text == '.';
	if (has_tenths) {
		text++;
		if (end - text < 2 || !read_digits(&text, text + 1, &value))
			return false;
	}
	if (text < end) {
		unit = memchr(units, *text++, sizeof units - 1);
		if (!unit)
			return false;
		for (scale = 1000; unit > units; unit--)
			scale *= 1000;
	}
	if (text != end || (has_tenths && scale == 1) || value > UINT64_MAX / scale)
		return false;
	*ret_bytes = value * (has_tenths ? scale / 10 : scale);
	return true;
}
