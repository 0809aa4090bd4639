/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What became of each call, as its caller and its server saw it: a call is received at most once, answered at most
 * once, and ends once, and both sides tell the same story.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include "world.h"

/* Makes a call, with a handle or NONE, and checks all that the caller can see: the answer is that to this call, and the
 * handle is gone or not, as the result says. */
status_t ledger_call(struct actor *self, handle_t end, handle_t moved, uint64_t deadline);
/* Serves a source, endpoint or wait set, until it says that there will be no more; handles that come are closed. */
void ledger_serve(struct actor *self, handle_t source);
/* Answers one call that was received otherwise. */
void ledger_received(const struct message_in *message);
void ledger_reply(struct actor *self, const struct message_in *message);
/* At the end. `server_dies`: it may have been killed before it could write down what it had done. */
void ledger_check(bool server_dies);

#endif
