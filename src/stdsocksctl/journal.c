/* SPDX-License-Identifier: ISC */
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

/* Returns true if the directory, or a journal file in it, may not be read. */
static bool has_unreadable(const char *directory)
{
	bool found = false;
	DIR *d = opendir(directory);

	if (!d)
		return errno == EACCES;
	for (struct dirent *e = readdir(d); e && !found; e = readdir(d)) {
		const char *dot = strrchr(e->d_name, '.');
		/* dirfd(3) does not fail for a result of opendir(3). */
		/* NOLINTBEGIN(clang-analyzer-unix.StdCLibraryFunctions) */
		found = dot && strcmp(dot, ".journal") == 0 &&
			faccessat(dirfd(d), e->d_name, R_OK, AT_EACCESS) != 0 && errno == EACCES;
		/* NOLINTEND(clang-analyzer-unix.StdCLibraryFunctions) */
	}
	closedir(d);
	return found;
}

static bool system_has_unreadable(void)
{
	sd_id128_t id;
	char directory[64];

	if (sd_id128_get_machine(&id) < 0)
		return false;
	for (size_t i = 0; i < 2; i++) {
		snprintf(directory, sizeof directory, "%s/" SD_ID128_FORMAT_STR,
			system_directories[i], SD_ID128_FORMAT_VAL(id));
		if (has_unreadable(directory))
			return true;
	}
	return false;
}

/* Returns the first file that cannot be opened, and sets *error to its errno. */
static const char *unreadable_file(const struct journal_location *location, int *error)
{
	for (size_t i = 0; i < location->files_count; i++) {
		const char *file[] = {location->files[i], NULL};
		sd_journal *journal;
		int r = sd_journal_open_files(&journal, file, 0);
		if (r < 0) {
			*error = -r;
			return file[0];
		}
		sd_journal_close(journal);
	}
	return "journal files";
}

static int print_open_error(const struct journal_location *location, int error)
{
	bool named = location->directory || location->files_count > 0;
	const char *name = location->directory ? location->directory
		: location->files_count        ? unreadable_file(location, &error)
					       : "journal";

	if (error == EBADMSG || error == ENODATA)
		fprintf(stderr, "stdsocksctl: %s: not a journal file\n", name);
	else
		fprintf(stderr, "stdsocksctl: %s: %s\n", name, strerror(error));
	if (named)
		return EX_NOINPUT;
	return error == EACCES || error == EPERM ? EX_NOPERM : EX_OSERR;
}

/* sd_journal_open(3) skips files that it may not read. */
static int check_access(const struct journal_location *location, sd_journal *journal)
{
	const char *directory = location->directory;
	uint64_t bytes = 0;
	const bool has_some = sd_journal_get_usage(journal, &bytes) >= 0 && bytes > 0;
	const bool is_partial = directory ? has_unreadable(directory)
		: location->files_count   ? false
					  : system_has_unreadable();

	if (is_partial)
		fprintf(stderr, "stdsocksctl: %s: permission denied%s%s\n",
			directory ? directory : "journal", has_some ? " for some of the files" : "",
			directory ? ""
				  : "; members of the groups systemd-journal and adm may read it");
	if (is_partial && !has_some)
		return directory ? EX_NOINPUT : EX_NOPERM;
	if (has_some || location->files_count)
		return EX_OK;
	if (directory) {
		fprintf(stderr, "stdsocksctl: %s: no journal files found\n", directory);
		return EX_NOINPUT;
	}
	fprintf(stderr, "stdsocksctl: no journal in %s or %s; is systemd running?\n",
		system_directories[0], system_directories[1]);
	return EX_UNAVAILABLE;
}

int journal_open(const struct journal_location *location, sd_journal **ret_journal)
{
	sd_journal *journal;
	int r;

	if (location->files_count)
		r = sd_journal_open_files(&journal, (const char **)location->files, 0);
	else if (location->directory)
		r = sd_journal_open_directory(&journal, location->directory, 0);
	else
		r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY);
	if (r < 0)
		return print_open_error(location, -r);
	r = check_access(location, journal);
	if (r == EX_OK)
		*ret_journal = journal;
	else
		sd_journal_close(journal);
	return r;
}
