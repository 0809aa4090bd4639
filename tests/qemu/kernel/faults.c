/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fault ends the process that made it and nothing else. tests/qemu/process has the kinds of fault;
 * here are those that need prepared memory, and demand paging that nobody pays for.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "kernel_test.h"

/* Child: prepares memory by its argument, then touches it. */
int mode_fault(int argc, char **argv)
{
    const char *kind = argv[1];
    handle_t memory = make_memory(2);
    uint64_t address = map_memory(memory, 2, SK_PROT_READ | SK_PROT_WRITE);
    _Atomic uint32_t *word = (_Atomic uint32_t *)address;
    atomic_store(word, 0x00008067); /* ret */
    if (strcmp(kind, "unmapped") == 0) {
        must(sk_memory_unmap(sk_self_process, address, SK_PAGE_SIZE));
        atomic_store(word, 1);
    } else if (strcmp(kind, "read-only") == 0) {
        must(sk_memory_protect(sk_self_process, address, SK_PAGE_SIZE, SK_PROT_READ));
        if (atomic_load(word) != 0x00008067) {
            return 2;
        }
        atomic_store(word, 1);
    } else if (strcmp(kind, "no-access") == 0) {
        must(sk_memory_protect(sk_self_process, address, SK_PAGE_SIZE, 0));
        return (int)atomic_load(word);
    } else if (strcmp(kind, "execute") == 0) {
        must(sk_memory_protect(sk_self_process, address, SK_PAGE_SIZE, SK_PROT_READ));
        ((void (*)(void))address)();
    } else if (strcmp(kind, "misaligned-end") == 0) {
        /* Half of it in the page that is not there. */
        must(sk_memory_unmap(sk_self_process, address + SK_PAGE_SIZE, SK_PAGE_SIZE));
        uint64_t value;
        memcpy(&value, (const void *)(address + SK_PAGE_SIZE - 4), sizeof value);
        return (int)value;
    }
    return 0;
}

static void a_fault_ends_the_process_alone(void)
{
    static const char *const kinds[] = {"unmapped", "read-only", "no-access", "execute",
                                        "misaligned-end"};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        handle_t job = test_job();
        struct sk_child child = self_spawn(job, "fault", kinds[i], SK_HANDLE_NONE);
        struct sk_process_info info = test_child_end(&child);
        if (!test_equal(info.exit_reason, SK_EXIT_FAULT)) {
            printf("# kind %s, code %lld\n", kinds[i], (long long)info.exit_code);
        }
        test_job_end(job);
    }
}

/* Child: touches its job's memory page by page; the count so far lies in the shared page. */
int mode_touch(int argc, char **argv)
{
    handle_t memory;
    uint64_t shared, address;
    must(sk_memory_map(sk_self_process, sk_boot_handle("given"), 0, SK_PAGE_SIZE, 0,
                       SK_PROT_READ | SK_PROT_WRITE, &shared));
    must(sk_memory_create(sk_self_job, 10000 * (uint64_t)SK_PAGE_SIZE, 0, &memory));
    must(sk_memory_map(sk_self_process, memory, 0, 10000 * (uint64_t)SK_PAGE_SIZE, 0,
                       SK_PROT_READ | SK_PROT_WRITE, &address));
    if (strcmp(argv[1], "call") == 0) {
        /* The kernel's own touches end in an error, not in the end of the process. */
        static uint8_t bytes[SK_PAGE_SIZE];
        for (uint64_t i = 0; i < 10000; i++) {
            status_t status = sk_memory_write(memory, i * SK_PAGE_SIZE, bytes, sizeof bytes);
            if (status != SK_OK) {
                /* Leave room for what the way out of a process touches first. */
                must(sk_memory_unmap(sk_self_process, address, 10000 * (uint64_t)SK_PAGE_SIZE));
                must(sk_handle_close(memory));
                return status == SK_OVER_BUDGET && i > 100 ? 0 : 1;
            }
        }
        return 2;
    }
    for (uint64_t i = 0; i < 10000; i++) {
        atomic_store((_Atomic uint64_t *)(address + i * SK_PAGE_SIZE), i);
        atomic_fetch_add((_Atomic uint64_t *)shared, 1);
    }
    return 3;
}

static void nobody_pays_for_a_touch(void)
{
    static const char *const ways[] = {"self", "call"};
    for (size_t i = 0; i < COUNT(ways); i++) {
        handle_t memory = make_memory(1);
        uint64_t shared = map_memory(memory, 1, SK_PROT_READ | SK_PROT_WRITE);
        handle_t job = test_job_with((struct sk_budget){
            .pages = 400, .objects = 64, .handles = 64, .messages = 8, .threads = 2});
        struct sk_child child = self_spawn(job, "touch", ways[i], memory);
        struct sk_process_info info = test_child_end(&child);
        if (i == 0) {
            test_equal(info.exit_reason, SK_EXIT_OVER_BUDGET);
            uint64_t touched = atomic_load((_Atomic uint64_t *)shared);
            test_check(touched > 200 && touched < 400);
        } else {
            test_equal(info.exit_reason, SK_EXIT_EXITED);
            test_equal(info.exit_code, 0);
        }
        must(sk_memory_unmap(sk_self_process, shared, SK_PAGE_SIZE));
        test_job_end(job);
    }
}

/* Children that fault, many at a time: the others go on. */
static void faults_of_many(void)
{
    enum { CHILDREN = 8 };
    struct sk_child children[CHILDREN];
    handle_t job = test_job_with((struct sk_budget){
        .pages = 4000, .objects = 2000, .handles = 2000, .messages = 200, .threads = 40});
    struct sk_child witness = self_spawn(job, "idle", NULL, SK_HANDLE_NONE);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < CHILDREN; i++) {
            children[i] = self_spawn(job, "fault", "unmapped", SK_HANDLE_NONE);
        }
        for (int i = 0; i < CHILDREN; i++) {
            test_equal(test_child_end(&children[i]).exit_reason, SK_EXIT_FAULT);
        }
    }
    struct sk_process_info info;
    uint64_t written;
    must(sk_object_info(witness.process, &info, sizeof info, &written));
    test_equal(info.state, SK_PROCESS_RUNNING);
    must(sk_process_kill(witness.process, 5));
    info = test_child_end(&witness);
    test_equal(info.exit_reason, SK_EXIT_KILLED);
    test_equal(info.exit_code, 5);
    test_job_end(job);
}

void test_faults(void)
{
    self_case("fault: it ends the process alone", a_fault_ends_the_process_alone);
    self_case("fault: nobody pays for a touch", nobody_pays_for_a_touch);
    self_case("fault: many at a time", faults_of_many);
}
