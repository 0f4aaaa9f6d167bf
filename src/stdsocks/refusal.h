/* SPDX-License-Identifier: ISC */
/* Why this process refuses service to every client. */
#pragma once

struct refusal {
	const char *reason; /* static text for log and record; NULL: service is not refused */
	int error;          /* the errno behind it, or 0 */
	/* The exit status, whatever the client does; EXIT_OVER: the record decides. */
	int exit_status;
};
