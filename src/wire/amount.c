/* SPDX-License-Identifier: ISC */
/* Amounts as people read them, and back.
 * Knows: units. Does not know: what is counted. */
#include "wire/amount.h"

#include <string.h>

static const char bytes_units[] = "KMGT";

void amount_put_bytes(struct writer *w, uint64_t bytes)
{
	const char *unit = bytes_units;
	uint64_t tenths = bytes / 100; /* of K */

	if (bytes < 1000) {
		writer_decimal(w, bytes, 1);
		return;
	}
	for (; tenths >= 10000 && unit[1]; unit++)
		tenths /= 1000;
	writer_decimal(w, tenths / 10, 1);
	if (tenths < 1000) {
		writer_u8(w, '.');
		writer_decimal(w, tenths % 10, 1);
	}
	writer_u8(w, (uint8_t)*unit);
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

/* Digits at *text up to end, onto value. */
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
	if (has_tenths && (end - text < 3 || !(text++, read_digits(&text, text + 1, &value))))
		return false;
	if (text < end) {
		unit = memchr(bytes_units, *text++, sizeof bytes_units - 1);
		if (!unit)
			return false;
		for (scale = 1000; unit > bytes_units; unit--)
			scale *= 1000;
	}
	if (text != end || (has_tenths && scale == 1) || value > UINT64_MAX / scale)
		return false;
	*ret_bytes = value * (has_tenths ? scale / 10 : scale);
	return true;
}
