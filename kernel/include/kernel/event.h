/* SPDX-License-Identifier: BSD-2-Clause */
/* Events and timers (ipc/event.c, ipc/timer.c) as the kernel itself uses them. */
#ifndef KERNEL_EVENT_H
#define KERNEL_EVENT_H

#include <kernel/object.h>

extern const struct object_type event_type;
extern const struct object_type timer_type;

/* Sets the event; one waiter takes it. No lock at or above LOCK_OBJECT held. */
void event_signal(struct object *event);

#endif
