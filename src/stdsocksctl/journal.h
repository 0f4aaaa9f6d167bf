/* SPDX-License-Identifier: ISC */
/* The journal, opened: this host's, or that of files which were brought here.
 * Knows: where journals are, and who may read them. Does not know: what is looked for in them. */
#pragma once

#include <stddef.h>
#include <systemd/sd-journal.h>

#define JOURNAL_FILES_MAX 64

/* All zero is this host's own journal. */
struct journal_place {
	const char *directory;                    /* NULL: not that */
	const char *files[JOURNAL_FILES_MAX + 1]; /* ends in NULL; none: not that */
	size_t files_count;
};

/* 0, and the journal is the caller's to close; else an exit status, and what is wrong has been said on
 * standard error, as has been which group would help where only a part can be read. */
int journal_open(const struct journal_place *place, sd_journal **ret_journal);
