/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bad pointers to every system call that takes one: the kernel's, unmapped, read-only, straddling the
 * end of what is mapped, wrapping around. The answer is BAD_ADDRESS, and nothing has happened.
 */
#include "kernel_test.h"

/* Where the kernel reads from, or writes to, with the address in this argument. */
enum direction { READS, WRITES };

struct pointer_call {
    const char *name;
    uint32_t number, place;
    uint64_t arguments[6];
    enum direction direction;
    size_t size; /* bytes that it touches */
};

static uint64_t window; /* one page, then nothing */
static uint64_t read_only;

static void try_one(const struct pointer_call *call, uint64_t address)
{
    uint64_t a[6];
    memcpy(a, call->arguments, sizeof a);
    a[call->place] = address;
    struct sk_result result = sk_syscall6(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (result.status != SK_BAD_ADDRESS) {
        printf("# %s at 0x%llx\n", call->name, (unsigned long long)address);
        test_status(result.status, SK_BAD_ADDRESS);
    }
}

static void try_all(const struct pointer_call *call)
{
    uint64_t end = window + SK_PAGE_SIZE;
    const uint64_t bad[] = {0,
                            1,
                            8,
                            SK_USER_BASE - 8,
                            end,
                            end - call->size + 1,
                            SK_USER_LIMIT - 8,
                            SK_USER_LIMIT,
                            (uint64_t)1 << 38,
                            (uint64_t)1 << 63,
                            0xffffffc000000000,
                            0xffffffc080200000,
                            0xffffffff80000000,
                            0xffffffff80001000,
                            ~(uint64_t)0,
                            ~(uint64_t)0 - call->size / 2};
    for (size_t i = 0; i < COUNT(bad); i++) {
        try_one(call, bad[i]);
    }
    if (call->direction == WRITES) {
        try_one(call, read_only);
        try_one(call, (uint64_t)&test_pointers);
    }
}

static void make_windows(void)
{
    handle_t memory = make_memory(1);
    window = map_memory(memory, 1, SK_PROT_READ | SK_PROT_WRITE);
    read_only = map_memory(memory, 1, SK_PROT_READ);
    must(sk_handle_close(memory));
}

static void drop_windows(void)
{
    must(sk_memory_unmap(sk_self_process, window, SK_PAGE_SIZE));
    must(sk_memory_unmap(sk_self_process, read_only, SK_PAGE_SIZE));
}

static void plain_calls_refuse_bad_pointers(void)
{
    handle_t memory = make_memory(1), log = sk_boot_handle("log");
    handle_t reader = make_resource(SK_RESOURCE_LOG, 0, 0), inspect = sk_boot_handle("inspect");
    make_windows();
    const struct pointer_call calls[] = {
        {"object_info",
         SK_SYS_object_info,
         1,
         {sk_self_job, 0, 4096},
         WRITES,
         sizeof(struct sk_job_info)},
        {"memory_read", SK_SYS_memory_read, 2, {memory, 0, 0, 100}, WRITES, 100},
        {"memory_write", SK_SYS_memory_write, 2, {memory, 0, 0, 100}, READS, 100},
        {"job_create", SK_SYS_job_create, 1, {sk_self_job}, READS, sizeof(struct sk_budget)},
        {"process_create", SK_SYS_process_create, 1, {sk_self_job, 0, 20}, READS, 20},
        {"log_write", SK_SYS_log_write, 1, {log, 0, 20}, READS, 20},
        {"log_read", SK_SYS_log_read, 2, {reader, 0, 0, 100}, WRITES, 100},
        {"system_info",
         SK_SYS_system_info,
         2,
         {inspect, SK_SYSTEM_GENERAL, 0, 4096},
         WRITES,
         sizeof(struct sk_system_info)},
        {"system_info",
         SK_SYS_system_info,
         2,
         {inspect, SK_SYSTEM_PROCESSES, 0, 4096},
         WRITES,
         sizeof(struct sk_process_info)},
        {"system_info",
         SK_SYS_system_info,
         2,
         {inspect, SK_SYSTEM_HARTS, 0, 4096},
         WRITES,
         sizeof(struct sk_hart_info)},
    };
    for (size_t i = 0; i < COUNT(calls); i++) {
        try_all(&calls[i]);
    }
    drop_windows();
    close_all((handle_t[]){memory, reader}, 2);
}

/* Messages of 64 bytes: the kernel reads, or writes, those from 32 on. */
static void channel_calls_refuse_bad_pointers(void)
{
    handle_t ends[2], event = make_event();
    make_windows();
    make_channel(ends);
    handle_t array[1] = {event};
    uint64_t end = window + SK_PAGE_SIZE, good = (uint64_t)array;
    const uint64_t bytes[] = {
        8, end - 32, end - 63, SK_USER_LIMIT, 0xffffffff80000000, ~(uint64_t)0 - 48, ~(uint64_t)0};
    const uint64_t handles[] = {
        0, 8, end, end - 2, SK_USER_LIMIT, 0xffffffff80000000, ~(uint64_t)0 - 1};
    for (size_t i = 0; i < COUNT(bytes); i++) {
        struct sk_ipc_registers out = {.a0 = ends[0], .info = SK_INFO(64, 1), .deadline = soon()};
        out.out_bytes = bytes[i];
        out.out_handles = good;
        struct sk_ipc_registers r = out;
        sk_syscall_ipc(SK_SYS_channel_send, &r);
        test_status((status_t)r.a0, SK_BAD_ADDRESS);
        r = out;
        sk_syscall_ipc(SK_SYS_channel_call, &r);
        test_status((status_t)r.a0, SK_BAD_ADDRESS);
        test_equal(r.info, 0);
        r = out;
        r.token = 0x10001;
        sk_syscall_ipc(SK_SYS_channel_reply, &r);
        test_status((status_t)r.a0, SK_BAD_ADDRESS);
        out.out_bytes = window;
        out.out_handles = handles[i];
        r = out;
        sk_syscall_ipc(SK_SYS_channel_send, &r);
        test_status((status_t)r.a0, SK_BAD_ADDRESS);
        r = out;
        sk_syscall_ipc(SK_SYS_channel_call, &r);
        test_status((status_t)r.a0, SK_BAD_ADDRESS);
    }
    struct sk_out out = {(void *)window, 64, array, 1};
    must(sk_channel_send(ends[0], &out));
    for (size_t i = 0; i < COUNT(bytes) + 1; i++) {
        struct sk_ipc_registers r = {.a0 = ends[1], .in_room = SK_ROOM(64, 1)};
        r.in_bytes = i < COUNT(bytes) ? bytes[i] : read_only;
        r.in_handles = good;
        sk_syscall_ipc(SK_SYS_channel_receive, &r);
        test_status((status_t)r.a0, SK_BAD_ADDRESS);
        r = (struct sk_ipc_registers){.a0 = ends[1], .in_room = SK_ROOM(64, 1)};
        r.in_bytes = window;
        r.in_handles = i < COUNT(handles) ? handles[i] : read_only;
        sk_syscall_ipc(SK_SYS_channel_receive, &r);
        test_status((status_t)r.a0, SK_BAD_ADDRESS);
    }
    struct sk_in in = {(void *)window, 64, array, 1};
    test_status(sk_channel_receive(ends[1], &in, SK_DEADLINE_POLL), SK_OK);
    test_status(sk_event_signal(array[0]), SK_OK);
    close_all((handle_t[]){array[0], ends[0], ends[1]}, 3);
    drop_windows();
}

/* Nothing is touched where nothing is to be copied. */
static void zero_bytes_may_be_anywhere(void)
{
    handle_t memory = make_memory(1), log = sk_boot_handle("log");
    const void *nowhere = (const void *)0xffffffff80000000;
    test_status(sk_memory_read(memory, 0, nowhere, 0), SK_OK);
    test_status(sk_memory_write(memory, 0, nowhere, 0), SK_OK);
    test_status(sk_log_write(log, nowhere, 0), SK_OK);
    test_status(sk_handle_close(memory), SK_OK);
}

static void names_are_checked(void)
{
    handle_t job = test_job(), process = SK_HANDLE_NONE;
    static const char bad[] = "tab\there";
    test_status(sk_process_create(job, "x", 0, &process), SK_INVALID_ARGS);
    test_status(sk_process_create(job, bad, sizeof bad - 1, &process), SK_INVALID_ARGS);
    test_status(sk_process_create(job, "nul", 4, &process), SK_INVALID_ARGS);
    test_status(sk_process_create(job, "0123456789012345678901234567890", 32, &process),
                SK_INVALID_ARGS);
    test_status(sk_process_create(job, "x", ~0ull, &process), SK_INVALID_ARGS);
    test_status(sk_process_create(job, "0123456789012345678901234567890", 31, &process), SK_OK);
    test_status(sk_handle_close(process), SK_OK);
    test_status(sk_log_write(sk_boot_handle("log"), bad, 1025), SK_INVALID_ARGS);
    test_job_end(job);
}

void test_pointers(void)
{
    self_case("pointers: plain calls refuse bad ones", plain_calls_refuse_bad_pointers);
    self_case("pointers: channel calls refuse bad ones", channel_calls_refuse_bad_pointers);
    self_case("pointers: zero bytes may be anywhere", zero_bytes_may_be_anywhere);
    self_case("pointers: names and lengths are checked", names_are_checked);
}
