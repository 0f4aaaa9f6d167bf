/* SPDX-License-Identifier: ISC */
/* Reads the record of a connection from the fields of a journal entry (stdsocks(8), RECORD). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "record/record.h"

/* Any process that may write to the journal can write these fields, with any values. Therefore
 * texts are truncated to ENTRY_TEXT_MAX bytes, and bytes that are not printable ASCII are replaced
 * by \xHH. A number that is malformed, or greater than its limit, is treated as missing
 * (ENTRY_NONE). */
#define ENTRY_TEXT_MAX   1023
#define ENTRY_NUMBER_MAX (INT64_C(1) << 53) /* all JSON parsers read numbers up to this exactly */
#define ENTRY_NONE       (-1)

/* The members of struct entry, in the order of output. The arguments of TEXT and NUMBER are the
 * name of the field in the journal, its name in JSON, and the name of the member; the last argument
 * of NUMBER is the limit of the number. Of MESSAGE, the suggested rule at its end is stored. */
#define ENTRY_FIELDS(TEXT, NUMBER)                                                                 \
	TEXT("_HOSTNAME", "host", host)                                                            \
	TEXT("_SYSTEMD_UNIT", "unit", unit)                                                        \
	NUMBER("_PID", "pid", pid, INT32_MAX)                                                      \
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
	TEXT("MESSAGE", "remedy", suggested_rule)                                                  \
	TEXT("STDSOCKS_SANDBOX", "sandbox", sandbox)                                               \
	NUMBER("ERRNO", "errno", error, ENTRY_NUMBER_MAX)

/* A record. A missing text is "", a missing number is ENTRY_NONE. */
struct entry {
	int64_t time_us; /* when journald received the entry, since the epoch */
#define TEXT(name, word, member)        char member[ENTRY_TEXT_MAX + 1];
#define NUMBER(name, word, member, max) int64_t member;
	ENTRY_FIELDS(TEXT, NUMBER)
#undef TEXT
#undef NUMBER
};

/* The number of values of STDSOCKS_END. The array entry_ends has these values in the order of enum
 * record_end, from RECORD_CLOSED on, and then "other", which stands for any other value. */
#define X(name, value, phrase) +1
enum { ENTRY_ENDS = RECORD_ENDS(X) };
#undef X

extern const char *const entry_ends[ENTRY_ENDS + 1];

/* Makes all members missing, except time_us, which is unchanged. */
void entry_clear(struct entry *e);

/* Stores a field of the journal, "NAME=VALUE", of len bytes in all. Ignores a field that is not in
 * ENTRY_FIELDS. */
void entry_store(struct entry *e, const char *data, size_t len);

/* Returns the destination, and sets *ret_port to its port. The destination is DST of the request;
 * but of UDP ASSOCIATE it is the first address to which a datagram was sent, if there is one. If it
 * is missing, returns "", and the port is ENTRY_NONE. */
const char *entry_destination(const struct entry *e, int64_t *ret_port);
