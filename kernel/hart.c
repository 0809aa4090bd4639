/* SPDX-License-Identifier: BSD-2-Clause */
/* The harts that take part. Owns: harts, hart_count. */
#include <kernel/sched.h>

struct hart harts[HARTS_MAX];
uint32_t hart_count;

void sched_init_hart(struct hart *hart, uint32_t number, uint64_t id)
{
    hart->number = number;
    hart->id = id;
    lock_init(&hart->runqueue_lock, LOCK_RUNQUEUE);
    for (uint32_t i = 0; i < RANKS; i++) {
        list_init(&hart->ready[i]);
    }
    hart->turn_armed = SK_DEADLINE_NEVER;
    lock_init(&hart->timers_lock, LOCK_TIMERS);
    hart->armed_ns = SK_DEADLINE_NEVER;
    list_init(&hart->lazy);
    hart->timers_next_ns = SK_DEADLINE_NEVER;
    hart->lazy_next_ns = SK_DEADLINE_NEVER;
    list_init(&hart->searches);
    chores_init(&hart->own_chores);
    chores_init(&hart->fresh_chores);
    hart->chores_to = &hart->fresh_chores;
}
