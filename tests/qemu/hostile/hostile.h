/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hostile programs. Each is a mode of this program, run as children in a job of its own, at a
 * priority and with connections as any program without a line in the manifest would have. A mode
 * goes on until it is killed, or returns: 0 when it was refused what it must not get.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "self.h"

#define HOSTILE_PRIORITY SK_PRIORITY_DEFAULT
#define HTTP_PORT 80u

/* Ends the hostile program with the line as its exit code, if what must hold does not: it has no
 * console to say more. */
#define insist(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            hostile_broke(__LINE__);                                                               \
        }                                                                                          \
    } while (0)
_Noreturn void hostile_broke(int line);

/* resources.c: takes until nothing is left, gives some back, takes again. */
int mode_exhaust(int argc, char **argv);
int mode_fork_bomb(int argc, char **argv);
int mode_hog(int argc, char **argv);
int mode_flood(int argc, char **argv);
int mode_loop(int argc, char **argv);
/* messages.c */
int mode_stuff(int argc, char **argv);
int mode_cycles(int argc, char **argv);
int mode_deaf(int argc, char **argv);
int mode_die(int argc, char **argv);
int mode_malformed(int argc, char **argv);
int mode_connect(int argc, char **argv);
/* connections.c */
int mode_slow(int argc, char **argv);
int mode_storm(int argc, char **argv);
int mode_unread(int argc, char **argv);
int mode_datagrams(int argc, char **argv);
int mode_bulk(int argc, char **argv);
int mode_ring(int argc, char **argv);
/* reach.c */
int mode_reach(int argc, char **argv);
int mode_elf(int argc, char **argv);
/* fuzz.c. Ends with FUZZ_LEAK if the kernel told it an address of its own. */
#define FUZZ_LEAK 0x5ec4e7
int mode_fuzz(int argc, char **argv);

/* loops.c: on one hart. */
void loops_by_share_and_priority(void);
void loops_alone(void);
void loops_of_equals(void);
void loops_give_back_their_shares(void);

/* client.c: the client that is watched. */
struct client {
    uint32_t requests, failures;
    uint64_t p50_ns, p99_ns, worst_ns;
};
/* Gets the page `requests` times, a short while apart, each time over a new connection. */
void client_run(struct client *client, uint32_t requests);

#endif
