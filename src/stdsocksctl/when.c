/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/when.h"

#include <string.h>

#include "text/words.h"

int64_t when_clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Reads digits without a sign, and moves *text behind them. */
static bool read_number(const char **text, uint64_t *ret_value)
{
	size_t len = strspn(*text, "0123456789");

	if (!words_number(*text, len, WHEN_MAX_US / 1000000, ret_value))
		return false;
	*text += len;
	return true;
}

/* Reads a span and the text behind it: "1d12h ago" if that is " ago". */
static bool read_span(const char *text, const char *behind, int64_t *ret_us)
{
	static const struct {
		const char *unit;
		int64_t s;
	} units[] = {{"min", 60}, {"m", 60}, {"s", 1}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
	int64_t span_s = 0;
	uint64_t value;

	do {
		size_t i = 0;
		if (!read_number(&text, &value))
			return false;
		while (i < 6 && strncmp(text, units[i].unit, strlen(units[i].unit)) != 0)
			i++;
		if (i == 6 || value > (uint64_t)(WHEN_MAX_US / 1000000 / units[i].s))
			return false;
		text += strlen(units[i].unit);
		span_s += (int64_t)value * units[i].s;
	} while (strcmp(text, behind) != 0 && span_s < WHEN_MAX_US / 1000000);
	*ret_us = span_s * 1000000;
	return strcmp(text, behind) == 0;
}

/* Returns the start of the day that is `days` after the day of now_us. */
static int64_t midnight_us(int64_t now_us, int days)
{
	time_t now_s = now_us / 1000000;
	struct tm day;

	localtime_r(&now_s, &day);
	day.tm_mday += days;
	day.tm_hour = day.tm_min = day.tm_sec = 0;
	day.tm_isdst = -1;
	return (int64_t)mktime(&day) * 1000000;
}

static bool read_calendar(const char *text, int64_t now_us, int64_t *ret_us)
{
	static const char *const formats[] = {"%Y-%m-%d%n", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S",
		"%Y-%m-%d%n%H:%M", "%Y-%m-%d%n%H:%M:%S", "%H:%M", "%H:%M:%S"};
	time_t today_s = midnight_us(now_us, 0) / 1000000;

	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		struct tm tm;
		localtime_r(&today_s, &tm);
		const char *end = strptime(text, formats[i], &tm);
		bool utc = end && strcmp(end, "Z") == 0;
		if (!end || (*end && !utc))
			continue;
		int day = tm.tm_mday;
		tm.tm_isdst = -1;
		int64_t s = utc ? timegm(&tm) : mktime(&tm);
		if (tm.tm_mday != day || s < 0 || s > WHEN_MAX_US / 1000000)
			return false; /* such as February 31 */
		*ret_us = s * 1000000;
		return true;
	}
	return false;
}

bool when_read(const char *text, int64_t now_us, int64_t *ret_us, bool *ret_moves)
{
	const char *digits = text + 1;
	uint64_t epoch_s;
	int64_t span_us = 0;

	*ret_moves = false;
	if (strcmp(text, "today") == 0 || strcmp(text, "yesterday") == 0) {
		*ret_moves = text[0] == 'y';
		*ret_us = midnight_us(now_us, *ret_moves ? -1 : 0);
		return true;
	}
	if (text[0] == '@') {
		bool whole = read_number(&digits, &epoch_s) && !*digits;
		*ret_us = whole ? (int64_t)epoch_s * 1000000 : 0;
		return whole;
	}
	if (strcmp(text, "now") == 0 || (text[0] == '-' && read_span(text + 1, "", &span_us)) ||
		read_span(text, " ago", &span_us)) {
		*ret_us = now_us - span_us;
		*ret_moves = true;
		return *ret_us >= 0;
	}
	return read_calendar(text, now_us, ret_us);
}

void when_local(int64_t us, char text[WHEN_TEXT_MAX])
{
	time_t s = us / 1000000;
	struct tm tm;

	localtime_r(&s, &tm);
	strftime(text, WHEN_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
}

void when_utc(int64_t us, char text[WHEN_TEXT_MAX])
{
	time_t s = us / 1000000;
	struct tm tm;

	gmtime_r(&s, &tm);
	size_t len = strftime(text, WHEN_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, WHEN_TEXT_MAX - len, ".%06dZ", (int)(us % 1000000));
}

int64_t when_offset_s(int64_t us)
{
	time_t s = us / 1000000;
	struct tm tm;

	localtime_r(&s, &tm);
	return tm.tm_gmtoff;
}
