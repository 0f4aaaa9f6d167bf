/* SPDX-License-Identifier: ISC */
/* The files that names come from: hosts(5) and resolv.conf(5). */
#pragma once

#include "net/resolve.h"
#include "text/resolv_conf.h"

#define NAME_FILES_HOSTS       "/etc/hosts"
#define NAME_FILES_RESOLV_CONF "/etc/resolv.conf"

/* Opens both files; the sandbox prevents that later. The functions below report a failure. */
void name_files_open(void);

/* Returns the path of a file that exists and cannot be read, and sets *ret_error to -errno; or
 * returns NULL. */
const char *name_files_unreadable(int *ret_error);

/* Appends the addresses of a name, or, to an empty list, the name of an IPv4 or IPv6 address, that
 * hosts(5) has, with the port of *wanted. Returns 0; or -errno if the file exists and cannot be
 * read. */
int name_files_find_host(const struct addr *wanted, struct resolve_list *list);

/* Returns the content of resolv.conf(5), with 127.0.0.1 if there is no name server or no file; or
 * NULL, and sets *ret_error to -errno, if the file exists and cannot be read. ret_error may be
 * NULL. The file is read once. */
const struct resolv_conf *name_files_resolv_conf(int *ret_error);
