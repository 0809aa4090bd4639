/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing the messages of one service: what a fuzz_messages_NAME.c supplies. messages.c does the rest: it
 * makes clients, sends each operation (and some that there are not) with words, names, bytes and handles
 * of all kinds, lets clients give up and go at any moment, lets time pass and allocations fail; and checks
 * that every call is answered once, and that the service has no more than before when all have gone.
 */
#ifndef MESSAGES_H
#define MESSAGES_H

#include "double/double.h"

#define FIELD_MAX 512u

struct target {
    const char *service; /* its clients come by "control:SERVICE"; "": a driver's, by "control" */
    int (*run)(void);    /* its main */
    uint64_t operations; /* they count from 1 */
    uint64_t waits;      /* bit n: operation n may stay unanswered */
    /* For each operation the fields that follow it: w word, 0 a zero one, i 32 bits, n a name in 32 bytes,
     * s a name as long as it is, b and f some bytes, x what field() makes. Half of the messages are like that. May
     * be NULL. */
    const char *const *shapes;
    size_t (*field)(uint8_t *field, uint64_t operation); /* at most FIELD_MAX bytes; how many */
    uint32_t
        kept; /* handles that it may keep for its clients' next lives: a leak makes more in the end */
    const char *const *words; /* names and the like that its requests may have; ends with NULL */
    void (*prepare)(void);    /* before it starts: its boot handles. May be NULL */
    void (*settle)(void);     /* once, after its start: all that it keeps for good. May be NULL */
    /* Makes a client, or gives a way to the service that there is; NULL: by the control channel. */
    struct held (*connect)(uint8_t how);
    void (*answered)(struct call *call); /* looks at an answer, may take its handles. May be NULL */
    void (*special)(void);               /* what else can happen to it: see input_*. May be NULL */
    void (*rest)(void); /* before the last look: so that nothing is left to wait for. May be NULL */
};

extern const struct target target;

/* A connection as init makes one. */
struct held connect_by_control(uint8_t how);
/* The input; 0 when it has come to its end. */
uint8_t input_byte(void);
uint64_t input_word(void);
/* A message as the input says, for the operation if it is not 0. */
size_t input_message(uint8_t *bytes, size_t capacity, uint64_t operation);
/* A call of a client that is not counted; the service has come to rest afterwards. True: it says OK. */
bool ask(const void *bytes, size_t length);
/* Fills with what the input says, for double_fill. */
void input_fill(void *buffer, size_t size);
/* For double_answer: noise, or a service that has gone, or init, which gives connections. */
status_t input_answer(struct object *endpoint, const struct sk_out *out, struct sk_in *in);
/* The service has no more than before any client. */
bool all_is_back(void);
/* Outside's end of what the service last connected to under this name; NULL: nothing. */
struct object *connected(const char *service);
/* Closes that end, as if that service had ended. */
void disconnect(const char *service);

#endif
