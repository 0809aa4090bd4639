/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who called whom, for a panic.
 *
 * The kernel keeps no frame pointers, which would cost every function. A function's prologue tells the
 * same: how far it moved sp and where it put ra. The symbol table tells where the function begins.
 * What does not make sense ends the list. Owns nothing; any context.
 */
#include <arch/cpu.h>

#include "internal.h"
#include "kernel_map.h"

#include <arch_impl/offsets.h>
#include <kernel/hart.h>
#include <kernel/symbols.h>

/* What a function's code up to some point has done to the stack. */
struct prologue {
    uint64_t size; /* bytes that sp moved down */
    bool saves_ra;
    uint64_t ra_offset; /* from sp */
};

static bool is_code(uint64_t address)
{
    return address % 2 == 0 && address >= (uint64_t)image_start + 4 &&
           address < (uint64_t)image_text_end;
}

/* A field of an instruction: `count` bits from `from`, moved to `to`. */
static uint32_t field(uint32_t instruction, uint32_t from, uint32_t count, uint32_t to)
{
    return (instruction >> from & ((1u << count) - 1)) << to;
}

static void note_short(struct prologue *p, uint32_t i)
{
    if ((i & 0xff83) == 0x1101) { /* c.addi sp, -n */
        p->size += 32 - field(i, 2, 5, 0);
    } else if ((i & 0xff83) == 0x7101) { /* c.addi16sp -n */
        p->size += 512 -
                   (field(i, 6, 1, 4) | field(i, 5, 1, 6) | field(i, 3, 2, 7) | field(i, 2, 1, 5));
    } else if ((i & 0xe07f) == 0xe006) { /* c.sdsp ra, n(sp) */
        p->saves_ra = true;
        p->ra_offset = field(i, 10, 3, 3) | field(i, 7, 3, 6);
    }
}

static void note_long(struct prologue *p, uint32_t i)
{
    if ((i & 0x800fffff) == 0x80010113) { /* addi sp, sp, -n */
        p->size += 4096 - field(i, 20, 12, 0);
    } else if ((i & 0x1fff07f) == 0x113023) { /* sd ra, n(sp) */
        p->saves_ra = true;
        p->ra_offset = field(i, 25, 7, 5) | field(i, 7, 5, 0);
    }
}

static struct prologue read_prologue(uint64_t start, uint64_t end)
{
    struct prologue p = {0};
    while (start < end) {
        const uint16_t *half = (const uint16_t *)start;
        if ((half[0] & 3) == 3) {
            note_long(&p, (uint32_t)half[1] << 16 | half[0]);
            start += 4;
        } else {
            note_short(&p, half[0]);
            start += 2;
        }
    }
    return p;
}

/* From the function that `pc` is in to its caller. `ra`: the register, if it is known, else 0. */
static bool step(uint64_t *pc, uint64_t *sp, uint64_t ra)
{
    uint64_t offset;
    uint64_t top = cpu_hart()->stack_top;
    if (!is_code(*pc) || symbol_find(*pc, &offset) == NULL) {
        *pc = ra;
        return is_code(ra);
    }
    struct prologue p = read_prologue(*pc - offset, *pc);
    uint64_t slot = *sp + p.ra_offset;
    if (p.saves_ra && slot % 8 == 0 && slot >= top - STACK_BYTES && slot < top) {
        ra = *(const uint64_t *)slot;
    } else if (p.saves_ra) {
        return false;
    }
    *pc = ra;
    *sp += p.size;
    return is_code(ra);
}

uint32_t cpu_backtrace(uint64_t *addresses, uint32_t most)
{
    uint64_t pc = (uint64_t)__builtin_return_address(0);
    uint64_t sp = (uint64_t)__builtin_frame_address(0);
    uint64_t ra = 0;
    uint32_t count = 0;
    if (kernel_trap_reported != NULL) {
        pc = kernel_trap_reported->pc;
        ra = kernel_trap_reported->x[0];
        sp = kernel_trap_reported->x[1];
    } else {
        pc -= 2;
    }
    for (; count < most; ra = 0) {
        addresses[count++] = pc;
        if (!step(&pc, &sp, ra)) {
            break;
        }
        pc -= 2; /* into the call, which may be the last instruction of its function */
    }
    return count;
}
