/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rest of a message on the short way: bytes beyond the registers, and handles, straight from one
 * process to the other.
 *
 * Owns nothing. Bytes are copied once, through both page tables, under both spaces' locks; handles move
 * under both tables' locks. Only what needs nothing to be made first is done here: a page that is not
 * there yet, or a table that is full, is left to the long way. Tests: tests/host/ipc/test_ways.c.
 */
#include <string.h>

#include <arch/mmu.h>
#include <ipc/channel.h>
#include <ipc/message.h>

#define REGISTER_BYTES SK_MESSAGE_REGISTER_BYTES
#define INFO_MASK (SK_INFO_LENGTH_MASK | SK_INFO_HANDLES_MASK << SK_INFO_HANDLES_SHIFT)

static uint64_t rest_of_page(vaddr_t va)
{
    return PAGE_SIZE - (va & PAGE_MASK);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Bytes beyond the registers, from user memory to user memory; false if a page of either is not there. */
static __attribute__((noinline)) bool pass_bytes(struct thread *from, struct thread *to,
                                                 uint64_t size)
{
    struct address_space *giver = &from->process->space, *taker = &to->process->space;
    vaddr_t source = from->frame.extra[MESSAGE_OUT_BYTES] + REGISTER_BYTES;
    vaddr_t target = to->frame.extra[MESSAGE_IN_BYTES] + REGISTER_BYTES;
    lock_pair_acquire(&giver->lock, &taker->lock);
    while (size > 0) {
        uint64_t part = least(size, least(rest_of_page(source), rest_of_page(target)));
        paddr_t source_pa, target_pa;
        if (!mmu_lookup(&giver->arch, source, SK_PROT_READ | MMU_MEMORY, &source_pa) ||
            !mmu_lookup(&taker->arch, target, SK_PROT_WRITE | MMU_MEMORY, &target_pa)) {
            break;
        }
        memcpy(phys_to_virt(target_pa), phys_to_virt(source_pa), part);
        source += part;
        target += part;
        size -= part;
    }
    lock_pair_release(&giver->lock, &taker->lock);
    return size == 0;
}

/* A user's array of handles, if it lies in one page that is there. Space locked. */
ALWAYS_INLINE handle_t *array_at(struct address_space *space, vaddr_t va, uint32_t count,
                                 uint32_t prot)
{
    paddr_t pa;
    bool good = va % sizeof(handle_t) == 0 && count * sizeof(handle_t) <= rest_of_page(va) &&
                mmu_lookup(&space->arch, va, prot | MMU_MEMORY, &pa);
    return good ? phys_to_virt(pa) : NULL;
}

/* A handle to the channel in its own message would keep it alive for ever: those to its ends, which share
 * its lock, are left to the long way. Tables locked. */
static bool pass_handles(struct thread *from, struct thread *to, uint32_t count,
                         const struct channel *channel)
{
    struct process *giver = from->process, *taker = to->process;
    lock_pair_acquire(&giver->space.lock, &taker->space.lock);
    const handle_t *given = array_at(&giver->space, from->frame.extra[MESSAGE_OUT_HANDLES], count,
                                     SK_PROT_READ);
    handle_t *taken = array_at(&taker->space, to->frame.extra[MESSAGE_IN_HANDLES], count,
                               SK_PROT_WRITE);
    bool passed = given != NULL && taken != NULL &&
                  handle_pass(&giver->handles, &taker->handles, count, given, taken,
                              channel != NULL ? &channel->lock : NULL);
    lock_pair_release(&giver->space.lock, &taker->space.lock);
    return passed;
}

bool message_pass(struct thread *from, struct thread *to, uint64_t info,
                  const struct channel *channel)
{
    uint64_t length = SK_INFO_LENGTH(info), count = SK_INFO_HANDLES(info);
    uint64_t room = to->frame.extra[MESSAGE_IN_ROOM];
    if ((info & ~(uint64_t)INFO_MASK) != 0 || length > SK_MESSAGE_BYTES_MAX ||
        count > SK_MESSAGE_HANDLES_MAX || (length > REGISTER_BYTES && length > (room & 0xffff)) ||
        count > (room >> 16 & 0xff)) {
        return false;
    }
    if (length > REGISTER_BYTES && !pass_bytes(from, to, length - REGISTER_BYTES)) {
        return false;
    }
    if (count == 0) {
        return true;
    }
    struct spinlock *given = &from->process->handles.lock, *taken = &to->process->handles.lock;
    lock_pair_acquire(given, taken);
    bool passed = pass_handles(from, to, (uint32_t)count, channel);
    lock_pair_release(given, taken);
    return passed;
}
