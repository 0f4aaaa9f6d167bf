/* SPDX-License-Identifier: ISC */
/* Opens the journal of this host, or journal files from another host. */
#pragma once

#include <stddef.h>
#include <systemd/sd-journal.h>

#define JOURNAL_FILES_MAX 64 /* upper limit of the files that can be read together */

/* The place of the journal. If all members are zero, it is the journal of this host. */
struct journal_location {
	const char *directory;                    /* with journal files; NULL: not given */
	const char *files[JOURNAL_FILES_MAX + 1]; /* ends with NULL */
	size_t files_count;
};

/* Opens the journal. The caller closes it with sd_journal_close(). If only a part of the journal
 * can be read, prints a warning. Returns EX_OK; or prints an error and returns the exit status for
 * it; then *ret_journal is unchanged. */
int journal_open(const struct journal_location *location, sd_journal **ret_journal);
