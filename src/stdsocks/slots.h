/* SPDX-License-Identifier: ISC */
/* Counts the connections of a client address and of a user, over all processes of this host. A
 * limit of N connections has N slots, and each connection that it permits has one of them: a record
 * lock (fcntl(2), F_SETLK) on a byte of a file. The kernel releases the lock when the process ends,
 * whatever ends it.
 *
 * The kernel also releases it if the process closes any descriptor of the file. So these files must
 * not be opened a second time, and nothing closes their descriptors. */
#pragma once

#include "stdsocks/session.h"

#define SLOTS_DIRECTORY "/run/stdsocks"

/* The slots of a limit are distributed over this number of files, because the kernel searches all
 * locks of a file one after another. */
#define SLOTS_FILES 4

/* A client that exceeds "limit from" has only this time, in place of "timeout handshake", to send
 * its request and get the reply. Otherwise one client could hold any number of processes. */
#define SLOTS_HANDSHAKE_US INT64_C(1000000)

/* Opens the files if the configuration has a limit and they are not open yet. Must be called as the
 * user that serves clients, and before the sandbox is entered, which forbids open(2). If a file
 * cannot be opened, returns the reason to refuse service. */
struct refusal slots_open(const struct config *config);

/* Like slots_open(), but sets the default of "limit from" first, which only prefork mode has. If
 * only this default applies, and slots_create_shared() has created files, uses these. */
struct refusal slots_open_for_prefork(struct config *config);

/* For --check: opens the files if a limit applies in one of the two modes. is_root says whether the
 * process was started as root; for other users, who may not see the files, only a configured limit
 * counts. Returns false, and appends an error message and a newline to *errors, if a file cannot be
 * opened, or if other users could lock it. */
bool slots_check(const struct config *config, bool is_root, struct writer *errors);

/* For the supervisor of prefork mode: if there is no SLOTS_DIRECTORY, creates files in memory,
 * which slots_open_for_prefork() uses. Without memory it creates none. */
void slots_create_shared(void);

/* Returns the number of descriptors, from the given one on, that slots_create_shared() has created
 * before this program executed itself again: SLOTS_FILES or 0. They are used again. */
unsigned slots_inherit_shared(int first);

/* For the zygote: gives these descriptors numbers from the given one on. */
void slots_move_shared(int first);

/* Determines whether execve(2) closes these descriptors. */
void slots_keep_shared(bool is_kept);

/* Takes a slot of "limit from" for the client's address. Without a free slot the session goes on
 * until slots_admit(), but has at most SLOTS_HANDSHAKE_US. */
void slots_take_for_client(struct session *s);

/* Takes a slot of "limit user" for an authenticated user. Returns RECORD_ONGOING; or, if a limit is
 * exceeded, replies "not allowed by ruleset" (02) and returns the reason of the end. */
enum record_end slots_admit(struct session *s);
