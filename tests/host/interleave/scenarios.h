/* SPDX-License-Identifier: BSD-2-Clause */
/* A scenario sets a few processes up; at the end of a run it looks at what they have seen. */
#ifndef SCENARIOS_H
#define SCENARIOS_H

struct scenario {
    const char *name, *what;
    void (*begin)(void);
    void (*check)(void);
};

extern const struct scenario scenario_call, scenario_close, scenario_kill, scenario_transfer,
    scenario_connect, scenario_ring; /* calls.c */
extern const struct scenario scenario_waitset, scenario_crowd, scenario_futex, scenario_timer,
    scenario_suspend, scenario_kill_busy, scenario_unpaid, scenario_spread; /* waits.c */

#endif
