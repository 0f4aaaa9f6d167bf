/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/entry.h"

#include <stdbool.h>
#include <string.h>

#include "text/words.h"

struct field {
	const char *name;
	size_t name_len, offset;
	bool is_text;
	int64_t max; /* of a number */
};

/* Versions of clang-format disagree on braces in a macro. */
/* clang-format off */
#define TEXT(name, word, member) \
	{(name), sizeof(name) - 1, offsetof(struct entry, member), true, 0},
#define NUMBER(name, word, member, max) \
	{(name), sizeof(name) - 1, offsetof(struct entry, member), false, (max)},
/* clang-format on */

static const struct field fields[] = {ENTRY_FIELDS(TEXT, NUMBER)};

enum { FIELDS = sizeof fields / sizeof fields[0] };

const char *const entry_ends[] = {
#define X(name, value, phrase) value,
	RECORD_ENDS(X)
#undef X
		"other"};

static void *member_of(const struct entry *e, const struct field *f)
{
	return (char *)e + f->offset;
}

const char *entry_destination(const struct entry *e, int64_t *ret_port)
{
	const bool has_datagrams = e->destinations != ENTRY_NONE && e->connected[0];

	*ret_port = has_datagrams ? e->connected_port : e->dst_port;
	return has_datagrams ? e->connected : e->dst;
}

static void store_number(int64_t *number, int64_t max, const char *text, size_t len)
{
	uint64_t value;

	*number = words_number(text, len, (uint64_t)max, &value) ? (int64_t)value : ENTRY_NONE;
}

static void store_text(char *text, const char *bytes, size_t n)
{
	struct writer w = writer_on(text, ENTRY_TEXT_MAX);

	for (size_t i = 0; i < n; i++) {
		bool plain = bytes[i] >= 0x20 && bytes[i] <= 0x7e;
		if (w.cap - w.len < (plain ? 1 : sizeof "\\xHH" - 1))
			break; /* \xHH is not truncated */
		if (plain) {
			writer_u8(&w, (uint8_t)bytes[i]);
		} else {
			writer_str(&w, "\\x");
			writer_hex(&w, (uint8_t)bytes[i]);
		}
	}
	text[w.len] = '\0';
}

void entry_clear(struct entry *e)
{
	for (size_t i = 0; i < FIELDS; i++) {
		if (fields[i].is_text)
			*(char *)member_of(e, &fields[i]) = '\0';
		else
			*(int64_t *)member_of(e, &fields[i]) = ENTRY_NONE;
	}
}

/* Stores the end of a message, if that is a suggested rule. */
static void store_suggested_rule(struct entry *e, const char *message, size_t len)
{
	static const char before[] = RECORD_TO_ALLOW_IT;
	const size_t before_len = sizeof before - 1;

	for (size_t at = len; at >= before_len; at--)
		if (memcmp(message + at - before_len, before, before_len) == 0) {
			store_text(e->suggested_rule, message + at, len - at);
			return;
		}
}

void entry_store(struct entry *e, const char *data, size_t len)
{
	const char *equals = memchr(data, '=', len);

	/* Skips most of the fields that journald adds. */
	if (!equals || !strchr("S_EM", data[0]))
		return;
	size_t name_len = (size_t)(equals - data);
	for (size_t i = 0; i < FIELDS; i++) {
		const struct field *f = &fields[i];
		if (f->name_len != name_len || memcmp(f->name, data, name_len) != 0)
			continue;
		if (f->offset == offsetof(struct entry, suggested_rule))
			store_suggested_rule(e, equals + 1, len - name_len - 1);
		else if (f->is_text)
			store_text(member_of(e, f), equals + 1, len - name_len - 1);
		else
			store_number(member_of(e, f), f->max, equals + 1, len - name_len - 1);
		return;
	}
}
