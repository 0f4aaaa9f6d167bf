/* SPDX-License-Identifier: ISC */
/* Reads a record from the fields of a journal entry (stdsocks(8), RECORD). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "record/record.h"

/* Any process that may write to the journal may write these fields with any value. So texts are
 * truncated, and their bytes that are not printable ASCII are written as \xHH. Numbers that are
 * malformed or too large are ignored. */
#define ENTRY_TEXT_MAX   1023
#define ENTRY_NUMBER_MAX (INT64_C(1) << 53) /* the greatest that all JSON parsers read exactly */
#define ENTRY_NONE       (-1)

/* The members of struct entry, in the order of output: name in the journal, in JSON and in the
 * struct; of a number, also its limit. */
#define ENTRY_FIELDS(TEXT, NUMBER)                                                                 \
	TEXT("_HOSTNAME", "host", host)                                                            \
	TEXT("_SYSTEMD_UNIT", "unit", unit)                                                        \
	TEXT("STDSOCKS_CLIENT", "client", client)                                                  \
	NUMBER("STDSOCKS_CLIENT_PORT", "client_port", client_port, UINT16_MAX)                     \
	TEXT("STDSOCKS_USER", "user", user)                                                        \
	TEXT("STDSOCKS_USERID", "userid", userid)                                                  \
	TEXT("STDSOCKS_COMMAND", "command", command)                                               \
	TEXT("STDSOCKS_DST", "dst", dst)                                                           \
	NUMBER("STDSOCKS_DST_PORT", "dst_port", dst_port, UINT16_MAX)                              \
	TEXT("STDSOCKS_REACHED", "reached", connected)                                             \
	NUMBER("STDSOCKS_REACHED_PORT", "reached_port", connected_port, UINT16_MAX)                \
	TEXT("STDSOCKS_BOUND", "bound", bound)                                                     \
	NUMBER("STDSOCKS_BOUND_PORT", "bound_port", bound_port, UINT16_MAX)                        \
	NUMBER("STDSOCKS_REPLY", "reply", reply, UINT8_MAX)                                        \
	TEXT("STDSOCKS_END", "end", end)                                                           \
	TEXT("STDSOCKS_CLOSED_BY", "closed_by", closed_by)                                         \
	NUMBER("STDSOCKS_BYTES_UP", "bytes_up", up, ENTRY_NUMBER_MAX)                              \
	NUMBER("STDSOCKS_BYTES_DOWN", "bytes_down", down, ENTRY_NUMBER_MAX)                        \
	NUMBER("STDSOCKS_DATAGRAMS_UP", "datagrams_up", datagrams_up, ENTRY_NUMBER_MAX)            \
	NUMBER("STDSOCKS_DATAGRAMS_DOWN", "datagrams_down", datagrams_down, ENTRY_NUMBER_MAX)      \
	NUMBER("STDSOCKS_DESTINATIONS", "destinations", destinations, ENTRY_NUMBER_MAX)            \
	NUMBER("STDSOCKS_DROPPED", "dropped", dropped, ENTRY_NUMBER_MAX)                           \
	TEXT("STDSOCKS_DROPPED_FOR", "dropped_for", dropped_for)                                   \
	TEXT("STDSOCKS_RESOLVER", "resolver", resolver)                                            \
	NUMBER("STDSOCKS_RESOLVE_USEC", "resolve_usec", resolve_us, ENTRY_NUMBER_MAX)              \
	NUMBER("STDSOCKS_CONNECT_USEC", "connect_usec", connect_us, ENTRY_NUMBER_MAX)              \
	NUMBER("STDSOCKS_TOTAL_USEC", "total_usec", total_us, ENTRY_NUMBER_MAX)                    \
	TEXT("STDSOCKS_RULE", "rule", rule)                                                        \
	TEXT("STDSOCKS_REMEDY", "remedy", suggested_rule)                                          \
	NUMBER("ERRNO", "errno", error, ENTRY_NUMBER_MAX)

/* A text that is missing is "", a number ENTRY_NONE. Times are in microseconds. */
struct entry {
	int64_t time_us; /* since the epoch; when journald received it */
#define TEXT(name, word, member)        char member[ENTRY_TEXT_MAX + 1];
#define NUMBER(name, word, member, max) int64_t member;
	ENTRY_FIELDS(TEXT, NUMBER)
#undef TEXT
#undef NUMBER
};

/* The values of STDSOCKS_END in the order of enum record_end, from RECORD_CLOSED on; and "other",
 * which no record has. */
#define X(name, value, phrase) +1
enum { ENTRY_ENDS = RECORD_ENDS(X) };
#undef X

extern const char *const entry_ends[ENTRY_ENDS + 1];

/* Removes all values but time_us. */
void entry_clear(struct entry *e);

/* Stores a field "NAME=VALUE" of len bytes. Ignores fields that are not in entry_fields. */
void entry_store(struct entry *e, const char *data, size_t len);

/* Returns the destination and sets *ret_port to its port: DST of the request or, if UDP ASSOCIATE
 * has sent datagrams, the first address that one was sent to. A missing address is "", a missing
 * port ENTRY_NONE. */
const char *entry_destination(const struct entry *e, int64_t *ret_port);
