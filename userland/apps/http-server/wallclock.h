/* SPDX-License-Identifier: BSD-2-Clause */
/* The Date field: kept fresh once the machine's clock or the network has told the time. */
#ifndef HTTP_WALLCLOCK_H
#define HTTP_WALLCLOCK_H

#include <sk/socket.h>

#include "session.h"

/*
 * To be called once in a while with the time now; does something once a second, and asks for the
 * time at most every 10 s while it is not known, for at most 300 ms.
 */
void wallclock_update(struct http_server *server, struct sk_net *net, uint64_t now);

#endif
