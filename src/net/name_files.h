/* SPDX-License-Identifier: ISC */
/* The files of the resolver: hosts(5) and resolv.conf(5). */
#pragma once

#include "net/resolve.h"
#include "text/resolv_conf.h"

#define NAME_FILES_HOSTS       "/etc/hosts"
#define NAME_FILES_RESOLV_CONF "/etc/resolv.conf"

/* Opens both files. Must be called before the sandbox is entered, which forbids open(2). If a file
 * cannot be opened, the functions below return the error. A missing file is treated as an empty
 * one. */
void name_files_open(void);

/* Returns NULL if each of the two files can be read or is missing. Otherwise returns the path of
 * the first file that cannot be read, and sets *ret_error to -errno. */
const char *name_files_unreadable(int *ret_error);

/* Searches hosts(5). If *wanted is a name, appends all its addresses to *list. If *wanted is an
 * IPv4 or IPv6 address, *list must be empty, and the first name of the address is appended. The
 * results have the port of *wanted. Returns 0, even if nothing was found; or -errno if the file
 * cannot be read. */
int name_files_find_host(const struct addr *wanted, struct resolve_list *list);

/* Returns the contents of resolv.conf(5), which are read at the first call and never freed. If the
 * file is missing or has no name server, the name server is 127.0.0.1. If the file cannot be read,
 * returns NULL and, unless ret_error is NULL, sets *ret_error to -errno. */
const struct resolv_conf *name_files_resolv_conf(int *ret_error);
