/* SPDX-License-Identifier: ISC */
/* Messages to systemd (sd_notify(3)). Without $NOTIFY_SOCKET, nothing is sent. */
#pragma once

/* Sends one message: "READY=1", for example. */
void prefork_notify(const char *message);

/* Removes the variable: the processes that this one starts send no messages. */
void prefork_notify_forget(void);
