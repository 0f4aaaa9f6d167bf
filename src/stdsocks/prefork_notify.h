/* SPDX-License-Identifier: ISC */
/* Messages to systemd (sd_notify(3)). Without $NOTIFY_SOCKET, nothing is sent. */
#pragma once

/* Sends one message: "READY=1", for example. */
void prefork_notify(const char *message);

/* Removes the variable, and its value from the memory: this process and those that it starts send
 * no messages. */
void prefork_notify_forget(void);
