/* SPDX-License-Identifier: ISC */
/* Opens the journal of this host, or journal files from another. */
#pragma once

#include <stddef.h>
#include <systemd/sd-journal.h>

#define JOURNAL_FILES_MAX 64

/* If it is all zero, it is the journal of this host. */
struct journal_location {
	const char *directory;                    /* or NULL */
	const char *files[JOURNAL_FILES_MAX + 1]; /* ends in NULL */
	size_t files_count;
};

/* Returns EX_OK, or prints an error and returns its exit status. The caller closes the journal. If
 * only a part of the journal can be read, prints a warning. */
int journal_open(const struct journal_location *location, sd_journal **ret_journal);
