/* SPDX-License-Identifier: ISC */
/* One record, as it stands in the journal, as values.
 * Knows: the record's fields (stdsocks(8), RECORD). Does not know: which records are read, and why. */
#include "stdsocksctl/entry.h"

#include <stdbool.h>
#include <string.h>

#include "text/words.h"

/* Versions of clang-format disagree on braces in a macro. */
/* clang-format off */
#define FIELD(name, word, member, is_text, most) \
	{(name), sizeof(name) - 1, (word), offsetof(struct entry, member), (is_text), (most)}
/* clang-format on */
#define TEXT(name, word, member)        FIELD(name, word, member, 1, 0)
#define NUMBER(name, word, member)      FIELD(name, word, member, 0, ENTRY_NUMBER_MAX)
#define SMALL(name, word, member, most) FIELD(name, word, member, 0, most)

const struct entry_field entry_fields[] = {
	TEXT("_HOSTNAME", "host", host),
	TEXT("_SYSTEMD_UNIT", "unit", unit),
	TEXT("STDSOCKS_CLIENT", "client", client),
	SMALL("STDSOCKS_CLIENT_PORT", "client_port", client_port, UINT16_MAX),
	TEXT("STDSOCKS_USER", "user", user),
	TEXT("STDSOCKS_USERID", "userid", userid),
	TEXT("STDSOCKS_COMMAND", "command", command),
	TEXT("STDSOCKS_DST", "dst", dst),
	SMALL("STDSOCKS_DST_PORT", "dst_port", dst_port, UINT16_MAX),
	TEXT("STDSOCKS_REACHED", "reached", reached),
	SMALL("STDSOCKS_REACHED_PORT", "reached_port", reached_port, UINT16_MAX),
	TEXT("STDSOCKS_BOUND", "bound", bound),
	SMALL("STDSOCKS_BOUND_PORT", "bound_port", bound_port, UINT16_MAX),
	SMALL("STDSOCKS_REPLY", "reply", reply, UINT8_MAX),
	TEXT("STDSOCKS_END", "end", end),
	TEXT("STDSOCKS_CLOSED_BY", "closed_by", closed_by),
	NUMBER("STDSOCKS_BYTES_UP", "bytes_up", up),
	NUMBER("STDSOCKS_BYTES_DOWN", "bytes_down", down),
	NUMBER("STDSOCKS_DATAGRAMS_UP", "datagrams_up", datagrams_up),
	NUMBER("STDSOCKS_DATAGRAMS_DOWN", "datagrams_down", datagrams_down),
	NUMBER("STDSOCKS_DESTINATIONS", "destinations", destinations),
	NUMBER("STDSOCKS_DROPPED", "dropped", dropped),
	TEXT("STDSOCKS_DROPPED_FOR", "dropped_for", dropped_for),
	NUMBER("STDSOCKS_RESOLVE_USEC", "resolve_usec", resolve_us),
	NUMBER("STDSOCKS_CONNECT_USEC", "connect_usec", connect_us),
	NUMBER("STDSOCKS_TOTAL_USEC", "total_usec", total_us),
	TEXT("STDSOCKS_RULE", "rule", rule),
	TEXT("STDSOCKS_REMEDY", "remedy", remedy),
	NUMBER("ERRNO", "errno", error),
};

const size_t entry_fields_count = sizeof entry_fields / sizeof entry_fields[0];

static void *place_of(const struct entry *e, const struct entry_field *f)
{
	return (char *)e + f->offset;
}

const char *entry_text_of(const struct entry *e, const struct entry_field *f)
{
	return place_of(e, f);
}

int64_t entry_number_of(const struct entry *e, const struct entry_field *f)
{
	return *(int64_t *)place_of(e, f);
}

const char *entry_destination(const struct entry *e, int64_t *ret_port)
{
	const bool is_of_datagrams = e->destinations != ENTRY_NONE && e->reached[0];

	*ret_port = is_of_datagrams ? e->reached_port : e->dst_port;
	return is_of_datagrams ? e->reached : e->dst;
}

static void put_number(int64_t *number, int64_t most, const char *text, size_t len)
{
	uint64_t value;

	*number = words_number(text, len, (uint64_t)most, &value) ? (int64_t)value : ENTRY_NONE;
}

static void put_text(char *text, const char *bytes, size_t n)
{
	struct writer w = writer_on(text, ENTRY_TEXT_MAX);

	for (size_t i = 0; i < n; i++) {
		bool plain = bytes[i] >= 0x20 && bytes[i] <= 0x7e;
		if (w.cap - w.len < (plain ? 1 : sizeof "\\xHH" - 1))
			break; /* none is cut within */
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
	for (size_t i = 0; i < entry_fields_count; i++) {
		if (entry_fields[i].is_text)
			*(char *)place_of(e, &entry_fields[i]) = '\0';
		else
			*(int64_t *)place_of(e, &entry_fields[i]) = ENTRY_NONE;
	}
}

void entry_take(struct entry *e, const char *data, size_t len)
{
	const char *equals = memchr(data, '=', len);

	/* Of the many fields that journald adds, two are wanted. */
	if (!equals || (data[0] != 'S' && data[0] != '_' && data[0] != 'E'))
		return;
	size_t name_len = (size_t)(equals - data);
	for (size_t i = 0; i < entry_fields_count; i++) {
		const struct entry_field *f = &entry_fields[i];
		if (f->name_len != name_len || memcmp(f->name, data, name_len) != 0)
			continue;
		if (f->is_text)
			put_text(place_of(e, f), equals + 1, len - name_len - 1);
		else
			put_number(place_of(e, f), f->most, equals + 1, len - name_len - 1);
		return;
	}
}
