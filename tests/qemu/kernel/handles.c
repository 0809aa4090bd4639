/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every handle argument of every system call: no handle, a stale one, one of another type, one that
 * lacks a right. The table below repeats abi/syscalls.tbl on purpose: it is what was promised.
 */
#include "kernel_test.h"

#define ANY SK_TYPE_NONE
#define ARGUMENTS 6u

/* One handle argument: which call, which place, what it must be. */
static const struct row {
    const char *name;
    uint32_t number, place, type, rights;
} rows[] = {
#define ROW(call, place, type, rights)                                                             \
    {                                                                                              \
#call, SK_SYS_##call, place, type, rights                                                  \
    }
    ROW(handle_duplicate, 0, ANY, SK_RIGHT_DUPLICATE),
    ROW(object_wait, 0, ANY, SK_RIGHT_WAIT),
    ROW(object_info, 0, ANY, SK_RIGHT_INSPECT),
    ROW(channel_create, 0, SK_TYPE_JOB, SK_RIGHT_MANAGE),
    ROW(channel_send, 0, SK_TYPE_ENDPOINT, SK_RIGHT_WRITE),
    ROW(channel_receive, 0, SK_TYPE_ENDPOINT, SK_RIGHT_READ),
    ROW(channel_receive, 0, SK_TYPE_WAITSET, SK_RIGHT_READ),
    ROW(channel_call, 0, SK_TYPE_ENDPOINT, SK_RIGHT_READ),
    ROW(channel_call, 0, SK_TYPE_ENDPOINT, SK_RIGHT_WRITE),
    ROW(channel_reply_receive, 0, SK_TYPE_ENDPOINT, SK_RIGHT_READ),
    ROW(waitset_create, 0, SK_TYPE_JOB, SK_RIGHT_MANAGE),
    ROW(waitset_add, 0, SK_TYPE_WAITSET, SK_RIGHT_WRITE),
    ROW(waitset_add, 1, ANY, SK_RIGHT_WAIT),
    ROW(waitset_remove, 0, SK_TYPE_WAITSET, SK_RIGHT_WRITE),
    ROW(waitset_remove, 1, ANY, 0),
    ROW(event_create, 0, SK_TYPE_JOB, SK_RIGHT_MANAGE),
    ROW(event_signal, 0, SK_TYPE_EVENT, SK_RIGHT_WRITE),
    ROW(timer_create, 0, SK_TYPE_JOB, SK_RIGHT_MANAGE),
    ROW(timer_set, 0, SK_TYPE_TIMER, SK_RIGHT_WRITE),
    ROW(memory_create, 0, SK_TYPE_JOB, SK_RIGHT_MANAGE),
    ROW(memory_create_dma, 0, SK_TYPE_RESOURCE, SK_RIGHT_MANAGE),
    ROW(memory_create_dma, 1, SK_TYPE_JOB, SK_RIGHT_MANAGE),
    ROW(memory_create_physical, 0, SK_TYPE_RESOURCE, SK_RIGHT_MANAGE),
    ROW(memory_read, 0, SK_TYPE_MEMORY, SK_RIGHT_READ),
    ROW(memory_write, 0, SK_TYPE_MEMORY, SK_RIGHT_WRITE),
    ROW(memory_map, 0, SK_TYPE_PROCESS, SK_RIGHT_MAP),
    ROW(memory_map, 1, SK_TYPE_MEMORY, SK_RIGHT_MAP),
    ROW(memory_unmap, 0, SK_TYPE_PROCESS, SK_RIGHT_MAP),
    ROW(memory_protect, 0, SK_TYPE_PROCESS, SK_RIGHT_MAP),
    ROW(job_create, 0, SK_TYPE_JOB, SK_RIGHT_MANAGE),
    ROW(job_kill, 0, SK_TYPE_JOB, SK_RIGHT_MANAGE),
    ROW(process_create, 0, SK_TYPE_JOB, SK_RIGHT_MANAGE),
    ROW(process_start, 0, SK_TYPE_PROCESS, SK_RIGHT_MANAGE),
    ROW(process_kill, 0, SK_TYPE_PROCESS, SK_RIGHT_MANAGE),
    ROW(thread_create, 0, SK_TYPE_PROCESS, SK_RIGHT_MANAGE),
    ROW(thread_suspend, 0, SK_TYPE_THREAD, SK_RIGHT_MANAGE),
    ROW(thread_resume, 0, SK_TYPE_THREAD, SK_RIGHT_MANAGE),
    ROW(thread_set_priority, 0, SK_TYPE_THREAD, SK_RIGHT_MANAGE),
    ROW(resource_create, 0, SK_TYPE_RESOURCE, SK_RIGHT_MANAGE),
    ROW(interrupt_create, 0, SK_TYPE_RESOURCE, SK_RIGHT_MANAGE),
    ROW(interrupt_create, 2, SK_TYPE_JOB, SK_RIGHT_MANAGE),
    ROW(interrupt_ack, 0, SK_TYPE_INTERRUPT, SK_RIGHT_WRITE),
    ROW(log_write, 0, SK_TYPE_RESOURCE, SK_RIGHT_WRITE),
    ROW(log_read, 0, SK_TYPE_RESOURCE, SK_RIGHT_READ),
    ROW(log_take_console, 0, SK_TYPE_RESOURCE, SK_RIGHT_MANAGE),
    ROW(log_take_console, 1, SK_TYPE_EVENT, SK_RIGHT_WRITE),
    ROW(system_power, 0, SK_TYPE_RESOURCE, SK_RIGHT_MANAGE),
    ROW(system_info, 0, SK_TYPE_RESOURCE, SK_RIGHT_READ),
#undef ROW
};

/* A good handle of each type; nothing bad happens to them, as every call has one bad argument. */
static handle_t good[SK_TYPE_COUNT];
static struct sk_thread helper;

static void sleep_on(void *argument)
{
    uint64_t observed;
    sk_object_wait(*(handle_t *)argument, SK_SIGNAL_EVENT, SK_DEADLINE_NEVER, &observed);
}

static void make_good_ones(void)
{
    handle_t ends[2];
    make_channel(ends);
    test_status(sk_handle_close(ends[1]), SK_OK);
    good[SK_TYPE_ENDPOINT] = ends[0];
    good[SK_TYPE_JOB] = test_job();
    must(sk_process_create(good[SK_TYPE_JOB], "nobody", 6, &good[SK_TYPE_PROCESS]));
    good[SK_TYPE_MEMORY] = make_memory(1);
    must(sk_waitset_create(sk_self_job, &good[SK_TYPE_WAITSET]));
    good[SK_TYPE_EVENT] = make_event();
    must(sk_timer_create(sk_self_job, &good[SK_TYPE_TIMER]));
    /* A source that no device of the test machine uses. */
    must(sk_interrupt_create(root_resource(), 31, sk_self_job, &good[SK_TYPE_INTERRUPT]));
    good[SK_TYPE_RESOURCE] = make_resource(SK_RESOURCE_INSPECT, 0, 0);
    start_thread(&helper, sleep_on, &good[SK_TYPE_EVENT]);
    good[SK_TYPE_THREAD] = duplicate(helper.handle, rights_of(helper.handle));
}

static void drop_good_ones(void)
{
    test_status(sk_event_signal(good[SK_TYPE_EVENT]), SK_OK);
    join_thread(&helper);
    test_job_end(good[SK_TYPE_JOB]);
    for (uint32_t type = SK_TYPE_PROCESS; type < SK_TYPE_COUNT; type++) {
        test_status(sk_handle_close(good[type]), SK_OK);
    }
}

/* The arguments of a row's call, with good handles in all its handle places. */
static void prepare(const struct row *row, uint64_t arguments[ARGUMENTS])
{
    memset(arguments, 0, ARGUMENTS * sizeof arguments[0]);
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].number == row->number) {
            uint32_t type = rows[i].type != ANY ? rows[i].type : SK_TYPE_EVENT;
            arguments[rows[i].place] = good[type];
        }
    }
}

static void expect(const struct row *row, uint64_t handle, status_t status)
{
    uint64_t a[ARGUMENTS];
    prepare(row, a);
    a[row->place] = handle;
    struct sk_result result = sk_syscall6(row->number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (result.status != status) {
        printf("# %s, argument %u\n", row->name, (unsigned)row->place);
        test_status(result.status, status);
    }
}

static void bad_handles_are_told(void)
{
    make_good_ones();
    handle_t stale = make_event();
    test_status(sk_handle_close(stale), SK_OK);
    const uint64_t bad[] = {0,          stale,      0x7fffffff,
                            0xffffffff, 0x80000001, good[SK_TYPE_EVENT] + 1000};
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t k = 0; k < COUNT(bad); k++) {
            expect(&rows[i], bad[k], SK_BAD_HANDLE);
        }
    }
    drop_good_ones();
}

static void wrong_types_are_told(void)
{
    make_good_ones();
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (uint32_t type = SK_TYPE_JOB; rows[i].type != ANY && type < SK_TYPE_COUNT; type++) {
            bool receives = rows[i].number == SK_SYS_channel_receive ||
                            rows[i].number == SK_SYS_channel_reply_receive;
            bool source = type == SK_TYPE_ENDPOINT || type == SK_TYPE_WAITSET;
            if (type == rows[i].type || (receives && source)) {
                continue;
            }
            /* Whichever is found first: these two fail for handles of other types. */
            bool readable = (rights_of(good[type]) & SK_RIGHT_READ) != 0;
            expect(&rows[i], good[type], receives && !readable ? SK_ACCESS_DENIED : SK_WRONG_TYPE);
        }
    }
    drop_good_ones();
}

static void missing_rights_are_told(void)
{
    make_good_ones();
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint32_t type = rows[i].type != ANY ? rows[i].type : SK_TYPE_EVENT;
        if (rows[i].rights == 0) {
            continue;
        }
        handle_t poor = duplicate(good[type], rights_of(good[type]) & ~rows[i].rights);
        expect(&rows[i], poor, SK_ACCESS_DENIED);
        test_status(sk_handle_close(poor), SK_OK);
    }
    drop_good_ones();
}

/* What an object's first handle allows is what its type can do, no more. */
static void types_and_ids_are_told(void)
{
    make_good_ones();
    uint64_t type_and_rights = 0, id = 0, last = 0;
    for (uint32_t type = SK_TYPE_JOB; type < SK_TYPE_COUNT; type++) {
        test_status(sk_handle_info(good[type], &type_and_rights, &id), SK_OK);
        test_equal((uint32_t)type_and_rights, type);
        test_check(type_and_rights >> 32 != 0 && (type_and_rights >> 32 & ~SK_RIGHTS_ALL) == 0);
        test_check(id != 0 && id != last);
        last = id;
    }
    handle_t copy = duplicate(good[SK_TYPE_EVENT], 0);
    test_equal(id_of(copy), id_of(good[SK_TYPE_EVENT]));
    test_equal(rights_of(copy), 0);
    test_status(sk_handle_close(copy), SK_OK);
    drop_good_ones();
}

static void information_fits_or_is_refused(void)
{
    static const uint32_t types[] = {SK_TYPE_JOB, SK_TYPE_PROCESS, SK_TYPE_THREAD, SK_TYPE_MEMORY};
    static const size_t sizes[] = {sizeof(struct sk_job_info), sizeof(struct sk_process_info),
                                   sizeof(struct sk_thread_info), sizeof(struct sk_memory_info)};
    uint8_t buffer[256];
    uint64_t written = 0;
    make_good_ones();
    for (size_t i = 0; i < COUNT(types); i++) {
        handle_t handle = good[types[i]];
        test_status(sk_object_info(handle, buffer, sizes[i] - 1, &written), SK_TOO_SMALL);
        test_status(sk_object_info(handle, buffer, 0, &written), SK_TOO_SMALL);
        memset(buffer, 0xee, sizeof buffer);
        test_status(sk_object_info(handle, buffer, sizeof buffer, &written), SK_OK);
        test_equal(written, sizes[i]);
        test_equal(buffer[sizes[i]], 0xee);
    }
    test_status(sk_object_info(good[SK_TYPE_RESOURCE], buffer, sizeof buffer, &written),
                SK_NOT_SUPPORTED);
    drop_good_ones();
}

void test_handles(void)
{
    self_case("handles: bad ones are told at every place", bad_handles_are_told);
    self_case("handles: wrong types are told at every place", wrong_types_are_told);
    self_case("handles: missing rights are told at every place", missing_rights_are_told);
    self_case("handles: types, rights and ids", types_and_ids_are_told);
    self_case("handles: information fits or is refused", information_fits_or_is_refused);
}
