/* SPDX-License-Identifier: BSD-2-Clause */
/* What the net service lies between, for fuzz_messages_net.c: programs with sockets, and a network card's driver. */
#ifndef NET_WORLD_H
#define NET_WORLD_H

#include "messages.h"

/* --- net_program.c: who has opened a session, and what it does with the memory it shares --- */

/* An answer to SK_NET_OP_OPEN: its handles are kept. */
void program_opened(struct call *call);
/* One of them writes, reads, or scribbles. */
void program_act(void);
void program_forget_all(void);

/* --- net_driver.c: plays "nic0" --- */

/* For double_answer: attaching; everything else as input_answer. */
status_t driver_answer(struct object *endpoint, const struct sk_out *out, struct sk_in *in);
/* Takes, gives back, delivers a frame, dies, or writes what it likes. Every frame of net's lies in its buffer. */
void driver_act(void);
/* An honest one from now on: gives back what it was given. False: there is none. */
bool driver_settle(void);
/* For each input: so many drivers in a row may be none. */
void driver_new_input(void);

/* --- net_frames.c: what arrives --- */

#define FRAME_MAX 1514u

/* A frame as somebody out there might send it, by the input; its length. */
size_t frame_make(uint8_t frame[FRAME_MAX]);
/* One that net has sent: the next may answer it. */
void frame_sent(const uint8_t *frame, size_t length);

/* Addresses that names, sockets and frames have, and ports. */
void address_make(uint8_t ip[4]);
uint16_t port_make(void);

#endif
