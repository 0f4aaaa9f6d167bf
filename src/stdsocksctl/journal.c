/* SPDX-License-Identifier: ISC */
/* The journal, opened: this host's, or that of files which were brought here.
 * Knows: where journals are, and who may read them. Does not know: what is looked for in them. */
#include "stdsocksctl/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "stdsocksctl/command.h"

static const char *const system_directories[] = {"/var/log/journal", "/run/log/journal"};

/* Whether there is a journal file in the directory, or the directory itself, that we may not read. */
static bool hides_something(const char *directory)
{
	bool hides = false;
	DIR *d = opendir(directory);

	if (!d)
		return errno == EACCES;
	for (struct dirent *e = readdir(d); e && !hides; e = readdir(d)) {
		const char *dot = strrchr(e->d_name, '.');
		/* dirfd(3) of what opendir(3) returned does not fail. */
		/* NOLINTBEGIN(clang-analyzer-unix.StdCLibraryFunctions) */
		hides = dot && strcmp(dot, ".journal") == 0 &&
			faccessat(dirfd(d), e->d_name, R_OK, AT_EACCESS) != 0 && errno == EACCES;
		/* NOLINTEND(clang-analyzer-unix.StdCLibraryFunctions) */
	}
	closedir(d);
	return hides;
}

static bool system_hides_something(void)
{
	sd_id128_t id;
	char directory[64];

	if (sd_id128_get_machine(&id) < 0)
		return false;
	for (size_t i = 0; i < 2; i++) {
		snprintf(directory, sizeof directory, "%s/" SD_ID128_FORMAT_STR,
			system_directories[i], SD_ID128_FORMAT_VAL(id));
		if (hides_something(directory))
			return true;
	}
	return false;
}

/* Which one of the files cannot be opened: it alone cannot, either. */
static const char *wrong_file(const struct journal_place *place, int *error)
{
	for (size_t i = 0; i < place->files_count; i++) {
		const char *file[] = {place->files[i], NULL};
		sd_journal *journal;
		int r = sd_journal_open_files(&journal, file, 0);
		if (r < 0) {
			*error = -r;
			return file[0];
		}
		sd_journal_close(journal);
	}
	return "the named files";
}

static int cannot_open(const struct journal_place *place, int error)
{
	bool named = place->directory || place->files_count > 0;
	const char *what = place->directory ? place->directory
		: place->files_count        ? wrong_file(place, &error)
					    : "the journal";

	if (error == EBADMSG || error == ENODATA)
		fprintf(stderr, "stdsocksctl: %s: this is no journal\n", what);
	else
		fprintf(stderr, "stdsocksctl: %s: %s\n", what, strerror(error));
	if (named)
		return EX_NOINPUT;
	return error == EACCES || error == EPERM ? EX_NOPERM : EX_OSERR;
}

/* What has been opened may be less than there is. */
static int check_access(const struct journal_place *place, sd_journal *journal)
{
	uint64_t bytes = 0;
	bool some = sd_journal_get_usage(journal, &bytes) >= 0 && bytes > 0;
	bool hides = place->directory ? hides_something(place->directory)
		: place->files_count  ? false
				      : system_hides_something();

	if (hides)
		fprintf(stderr, "stdsocksctl: %s%s%s%s\n", place->directory ? place->directory : "",
			place->directory ? ": " : "",
			some ? "not all of the journal can be read" : "the journal cannot be read",
			place->directory
				? ""
				: "; members of the groups systemd-journal and adm may read it");
	if (hides && !some)
		return place->directory ? EX_NOINPUT : EX_NOPERM;
	if (some || place->files_count)
		return EX_OK;
	if (place->directory) {
		fprintf(stderr, "stdsocksctl: %s: no journal is there\n", place->directory);
		return EX_NOINPUT;
	}
	fprintf(stderr, "stdsocksctl: no journal in %s or %s: is there no systemd here?\n",
		system_directories[0], system_directories[1]);
	return EX_UNAVAILABLE;
}

int journal_open(const struct journal_place *place, sd_journal **ret_journal)
{
	sd_journal *journal;
	int r;

	if (place->files_count)
		r = sd_journal_open_files(&journal, (const char **)place->files, 0);
	else if (place->directory)
		r = sd_journal_open_directory(&journal, place->directory, 0);
	else
		r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY);
	if (r < 0)
		return cannot_open(place, -r);
	r = check_access(place, journal);
	if (r == EX_OK)
		*ret_journal = journal;
	else
		sd_journal_close(journal);
	return r;
}
