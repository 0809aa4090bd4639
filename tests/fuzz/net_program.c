/* SPDX-License-Identifier: BSD-2-Clause */
/* See net_world.h. */
#include "net_world.h"

#include <string.h>

#include <sk/protocol/net.h>

#define PROGRAMS_MAX 6u

static struct program {
    struct held control, data, to_net;
    uint32_t slots;
    uint32_t named; /* our index in to_net */
} programs[PROGRAMS_MAX];
static uint32_t next;

static void program_forget(struct program *program)
{
    held_drop(&program->control);
    held_drop(&program->data);
    held_drop(&program->to_net);
}

void program_forget_all(void)
{
    for (uint32_t i = 0; i < PROGRAMS_MAX; i++) {
        program_forget(&programs[i]);
    }
}

void program_opened(struct call *call)
{
    const struct sk_net_open_reply *reply = (const void *)call->bytes;
    struct program *program = &programs[next++ % PROGRAMS_MAX];
    if (call->length != sizeof *reply || call->handle_count != 4 || reply->slots == 0) {
        double_broke("a session of %zu bytes and %zu handles", call->length, call->handle_count);
    }
    program_forget(program);
    *program = (struct program){call->handles[0], call->handles[1], call->handles[2], reply->slots,
                                0};
    held_drop(&call->handles[3]);
    call->handle_count = 0;
}

static struct sk_net_control *control(const struct program *program)
{
    return (void *)program->control.object->bytes;
}

static void name(struct program *program, uint32_t slot)
{
    struct sk_net_control *c = control(program);
    if (atomic_exchange(&c->slots[slot].named_to_net, 1) == 0) {
        c->to_net_slots[program->named++ % SK_NET_SLOTS_MAX] = (uint16_t)slot;
        atomic_store(&c->to_net.head, program->named);
    }
}

/* Bytes of the input, behind what is in the transmit ring. */
static void put(struct program *program, uint32_t slot, const void *bytes, uint32_t count)
{
    struct sk_ring_shared *tx = &control(program)->slots[slot].tx;
    uint8_t *data = program->data.object->bytes + sk_net_tx_offset(slot);
    uint32_t head = atomic_load(&tx->head);
    for (uint32_t i = 0; i < count; i++) {
        data[(head + i) % SK_NET_TX_BYTES] = ((const uint8_t *)bytes)[i];
    }
    atomic_store(&tx->head, head + count);
}

static void send(struct program *program, uint32_t slot)
{
    static uint8_t bytes[4096];
    uint8_t how = input_byte();
    struct sk_ring_shared *tx = &control(program)->slots[slot].tx;
    uint32_t used = atomic_load(&tx->head) - atomic_load(&tx->tail);
    uint32_t count = how % 8 == 0 ? how * 16u : how % 16;
    if (used <= SK_NET_TX_BYTES - sizeof bytes || how == UINT8_MAX) {
        input_fill(bytes, how % 16);
        put(program, slot, bytes, count);
    }
}

/* A datagram, mostly one that is whole. */
static void send_datagram(struct program *program, uint32_t slot)
{
    struct {
        struct sk_net_datagram header;
        uint8_t bytes[2048];
    } datagram = {.header = {.length = input_byte()}};
    uint8_t how = input_byte();
    address_make(datagram.header.address.ip);
    datagram.header.address.port = port_make();
    if (how % 8 == 1) {
        datagram.header.length = (uint32_t)input_word();
    } else if (how % 8 == 2) {
        datagram.header.length *= 8;
    }
    uint32_t whole = sizeof datagram.header + (datagram.header.length + 15) / 16 * 16;
    put(program, slot, &datagram, how % 8 == 3 || whole > sizeof datagram ? how : whole);
}

static void receive(struct program *program, uint32_t slot)
{
    struct sk_net_control *c = control(program);
    struct sk_ring_shared *rx = &c->slots[slot].rx;
    atomic_store(&rx->tail, atomic_load(&rx->head));
    atomic_store(&c->slots[slot].named_to_program, 0);
    atomic_store(&c->to_program.tail, atomic_load(&c->to_program.head));
}

static void scribble(struct program *program)
{
    uint64_t at = input_word() * 4 % (program->control.object->size - 4);
    input_fill(program->control.object->bytes + at / 4 * 4, 1 + input_byte() % 4);
}

void program_act(void)
{
    uint8_t how = input_byte();
    struct program *program = &programs[how % PROGRAMS_MAX];
    for (uint32_t i = 1; program->control.object == NULL; i++) {
        if (i == PROGRAMS_MAX) {
            return;
        }
        program = &programs[(how + i) % PROGRAMS_MAX];
    }
    uint32_t slot = input_byte() % program->slots;
    struct sk_net_slot *shared = &control(program)->slots[slot];
    switch (how / PROGRAMS_MAX % 8) {
    case 0:
    case 1:
        send(program, slot);
        break;
    case 2:
        send_datagram(program, slot);
        break;
    case 3:
        receive(program, slot);
        break;
    case 4:
        atomic_store(&shared->requests, input_byte() % 8);
        break;
    case 5:
        atomic_store(&shared->wants, input_byte() % 4);
        break;
    case 6:
        scribble(program);
        break;
    default:
        break;
    }
    name(program, slot);
    object_signal(program->to_net.object, SK_SIGNAL_EVENT);
}
