/* SPDX-License-Identifier: ISC */
/* The commands. Each serve_COMMAND() serves the request of a session until the session ends, and
 * returns the reason of its end. *list is scratch memory for the addresses of the destination. */
#pragma once

#include "stdsocks/destination.h"

/* RFC 1928 s4, CONNECT. */
enum record_end serve_connect(struct session *s, struct resolve_list *list);

/* RFC 1928 s4, BIND: accepts one inbound connection, from the remote host in the request. */
enum record_end serve_bind(struct session *s, struct resolve_list *list);

/* Tor's RESOLVE and RESOLVE_PTR. */
enum record_end serve_resolve(struct session *s, struct resolve_list *list);

/* RFC 1928 s4 and s7, UDP ASSOCIATE: relays datagrams as long as the client's connection lasts. */
enum record_end serve_udp(struct session *s, struct resolve_list *list);

/* Maps the memory of an association, once in a process. To be called before the sandbox is entered
 * if the command is configured. Returns 0 or -errno. */
int serve_udp_map(void);

/* Enters the stage SYSCALLS_RELAYING, and relays bytes between s->client and s->upstream. Returns
 * the reason of the session's end. Both connections have then been shut down or reset. */
enum record_end serve_relay(struct session *s);

/* Runs a relay or an association until it ends. Sets the timers in s->relay to the configured
 * values, and calls run(&s->relay), which moves data and obeys the timers. Writes the process title
 * before the first call; and each time that run() returns RELAY_TICK, after which it calls run()
 * again. Returns the reason of the session's end. */
enum record_end serve_until_end(struct session *s, enum relay_end (*run)(struct relay *relay));
