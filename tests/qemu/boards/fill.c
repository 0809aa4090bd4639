/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes all the memory that its budget has, writes to every word and reads it back: no frame is two
 * things, and none is something that is not memory. The host looks at what must not have been touched
 * (odd_machines.py).
 */
#include <stdint.h>
#include <stdio.h>

#include <guest_test.h>

#define CHUNK ((uint64_t)1 << 20)
#define CHUNKS_MAX 1024

static uint64_t *chunk[CHUNKS_MAX];

static uint64_t pattern(uint64_t number, uint64_t word)
{
    return (number << 32 | word) * 0x9e3779b97f4a7c15ull;
}

/* What is mapped first needs page tables when it is touched, from the same budget: a system call that touches it is
 * refused where a store would end us. */
static bool is_reachable(handle_t memory, uint64_t address)
{
    uint64_t *first = (uint64_t *)address, *last = first + CHUNK / sizeof(uint64_t) - 1;
    return sk_memory_read(memory, 0, first, sizeof(*first)) == SK_OK &&
           sk_memory_read(memory, 0, last, sizeof(*last)) == SK_OK;
}

static bool take(uint64_t number)
{
    handle_t memory;
    uint64_t address = 0;
    if (sk_memory_create(sk_self_job, CHUNK, SK_MEMORY_COMMIT, &memory) != SK_OK) {
        return false;
    }
    status_t status = sk_memory_map(sk_self_process, memory, 0, CHUNK, 0,
                                    SK_PROT_READ | SK_PROT_WRITE, &address);
    bool taken = status == SK_OK && is_reachable(memory, address);
    sk_handle_close(memory);
    chunk[number] = (uint64_t *)address;
    return taken;
}

static void all_memory_is_memory(void)
{
    uint64_t count = 0, wrong = 0;
    while (count < CHUNKS_MAX && take(count)) {
        for (uint64_t word = 0; word < CHUNK / sizeof(uint64_t); word++) {
            chunk[count][word] = pattern(count, word);
        }
        count++;
    }
    for (uint64_t number = 0; number < count; number++) {
        for (uint64_t word = 0; word < CHUNK / sizeof(uint64_t); word++) {
            wrong += chunk[number][word] != pattern(number, word);
        }
        sk_memory_unmap(sk_self_process, (uint64_t)chunk[number], CHUNK);
    }
    test_equal(wrong, 0);
    printf("# filled %lu MiB\n", (unsigned long)(count * CHUNK >> 20));
}

int main(void)
{
    test_case_uncounted("all memory that can be had is memory, and one's own",
                        all_memory_is_memory);
    int code = test_done();
    sk_sleep(SK_DEADLINE_NEVER); /* the host looks at the memory now, then ends the machine */
    return code;
}
