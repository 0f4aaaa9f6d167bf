/* SPDX-License-Identifier: ISC */
/* One record, as it stands in the journal, as values.
 * Knows: the record's fields (stdsocks(8), RECORD). Does not know: which records are read, and why. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Whoever may write to the journal may write any of these fields, and anything into them. So a text is
 * cut, and what is no printable ASCII in it is \xHH; a number that is none, or that nothing can have
 * reached, is as if it were not there. */
#define ENTRY_TEXT_MAX   1023
#define ENTRY_NUMBER_MAX (INT64_C(1) << 53) /* JSON's readers are sure of no more */
#define ENTRY_NONE       (-1)

struct entry {
	int64_t time_us; /* since the epoch: when journald got it */
	/* Microseconds, bytes, or ENTRY_NONE. */
	int64_t client_port, dst_port, reached_port, bound_port, reply, up, down;
	int64_t resolve_us, connect_us, total_us, error;
	int64_t datagrams_up, datagrams_down, destinations, dropped;
	/* "" when there is none. */
	char client[ENTRY_TEXT_MAX + 1], user[ENTRY_TEXT_MAX + 1], userid[ENTRY_TEXT_MAX + 1];
	char command[ENTRY_TEXT_MAX + 1];
	char dst[ENTRY_TEXT_MAX + 1], reached[ENTRY_TEXT_MAX + 1], bound[ENTRY_TEXT_MAX + 1];
	char end[ENTRY_TEXT_MAX + 1];
	char closed_by[ENTRY_TEXT_MAX + 1], rule[ENTRY_TEXT_MAX + 1], remedy[ENTRY_TEXT_MAX + 1];
	char dropped_for[ENTRY_TEXT_MAX + 1];
	char unit[ENTRY_TEXT_MAX + 1], host[ENTRY_TEXT_MAX + 1];
};

/* Everything but time_us, in the order in which it is told. */
struct entry_field {
	const char *name; /* in the journal */
	size_t name_len;
	const char *word; /* in JSON */
	size_t offset;
	int is_text;
	int64_t most; /* of a number */
};

extern const struct entry_field entry_fields[];
extern const size_t entry_fields_count;

/* All of it is not there. */
void entry_clear(struct entry *e);

/* One field as journald keeps it, "NAME=VALUE" in len bytes; what is none of ours changes nothing. */
void entry_take(struct entry *e, const char *data, size_t len);

/* Where it was to go: as the client asked; of datagrams, of which the request says nothing, where the first of them went. Either
 * may be missing. */
const char *entry_destination(const struct entry *e, int64_t *ret_port);

const char *entry_text_of(const struct entry *e, const struct entry_field *f);
int64_t entry_number_of(const struct entry *e, const struct entry_field *f);
