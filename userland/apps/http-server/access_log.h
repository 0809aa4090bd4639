/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access lines on their way to the console, many in one message: a line costs no system call of its
 * own, and a slow console never holds the server up.
 */
#ifndef HTTP_ACCESS_LOG_H
#define HTTP_ACCESS_LOG_H

#include "access.h"

/* Adds a line. `now` is the monotonic time. */
void access_log_add(uint64_t now, const uint8_t ip[4], const struct http_request *request,
                    int status, uint64_t sent);
/* When the lines are to be written; SK_DEADLINE_NEVER while there are none. */
uint64_t access_log_due(void);
/* Writes them if it is time. */
void access_log_update(uint64_t now);

#endif
