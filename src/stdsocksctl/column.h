/* SPDX-License-Identifier: ISC */
/* Writes texts of records and titles to the columns of tables, which are separated by spaces. The
 * texts are escaped already, as writer_escaped() does. */
#pragma once

#include <stdint.h>

#include "wire/writer.h"

/* Writes a text with \x20 in place of each space. */
void column_put(struct writer *w, const char *text);

/* Writes a name from a client: as column_put() does, and in double quotes unless it is plain
 * (writer_is_plain()). Writes nothing for "". */
void column_put_name(struct writer *w, const char *name);

/* Writes a destination, which is an address or a name, and its port, unless that is negative. An
 * IPv6 address with a port is in brackets. Writes nothing for "". */
void column_put_destination(struct writer *w, const char *host, int64_t port);
