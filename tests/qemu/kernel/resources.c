/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resources: narrowing, and the calls that need one. What devices do is tested with their drivers.
 */
#include "kernel_test.h"

#define FREE_SOURCE 31u /* no device of the test machine has it */

handle_t root_resource(void)
{
    return sk_boot_handle("resource");
}

handle_t make_resource(uint32_t kind, uint64_t base, uint64_t size)
{
    handle_t resource;
    must(sk_resource_create(root_resource(), kind, base, size, &resource));
    return resource;
}

static status_t narrow(handle_t parent, uint32_t kind, uint64_t base, uint64_t size)
{
    handle_t resource;
    status_t status = sk_resource_create(parent, kind, base, size, &resource);
    if (status == SK_OK) {
        sk_handle_close(resource);
    }
    return status;
}

static void ranges_only_narrow(void)
{
    handle_t root = root_resource(), mmio = make_resource(SK_RESOURCE_MMIO, 0x10001000, 0x2000);
    test_status(narrow(root, SK_RESOURCE_ROOT, 0, 0), SK_INVALID_ARGS);
    test_status(narrow(root, SK_RESOURCE_KIND_COUNT, 0, 0), SK_INVALID_ARGS);
    test_status(narrow(root, SK_RESOURCE_LOG, 1, 0), SK_INVALID_ARGS);
    test_status(narrow(root, SK_RESOURCE_MMIO, 0x10000000, 0), SK_OUT_OF_RANGE);
    test_status(narrow(root, SK_RESOURCE_MMIO, ~0ull - 10, 100), SK_OUT_OF_RANGE);
    test_status(narrow(root, SK_RESOURCE_MMIO, 0x80000000, 0x1000), SK_OUT_OF_RANGE); /* RAM */
    test_status(narrow(root, SK_RESOURCE_MMIO, 0x7ffff000, 0x2000), SK_OUT_OF_RANGE);
    test_status(narrow(root, SK_RESOURCE_MMIO, 0, ~0ull), SK_OUT_OF_RANGE);
    test_status(narrow(mmio, SK_RESOURCE_MMIO, 0x10001000, 0x2000), SK_OK);
    test_status(narrow(mmio, SK_RESOURCE_MMIO, 0x10002000, 0x1000), SK_OK);
    test_status(narrow(mmio, SK_RESOURCE_MMIO, 0x10002000, 0x2000), SK_OUT_OF_RANGE);
    test_status(narrow(mmio, SK_RESOURCE_MMIO, 0x10000000, 0x2000), SK_OUT_OF_RANGE);
    test_status(narrow(mmio, SK_RESOURCE_IRQ, 1, 1), SK_INVALID_ARGS);
    test_status(narrow(mmio, SK_RESOURCE_LOG, 0, 0), SK_INVALID_ARGS);
    test_status(sk_handle_close(mmio), SK_OK);
}

/* The list has what is held, with its rights, in parts of any size. */
static void what_is_held_is_told(void)
{
    handle_t inspect = make_resource(SK_RESOURCE_INSPECT, 0, 0), memory = make_memory(1);
    handle_t reader = duplicate(memory, SK_RIGHT_READ), slice;
    struct sk_handle_entry entries[64], one;
    uint64_t written, next = 0, self = id_of(sk_self_process), found = 0, total = 0, ones = 0;
    must(sk_memory_slice(memory, sk_self_job, 0, SK_PAGE_SIZE, &slice));
    do {
        must(sk_handle_list(inspect, self, next, entries, sizeof entries, &written, &next));
        for (uint64_t i = 0; i < written / sizeof one; i++) {
            one = entries[i];
            found += one.object_id == id_of(memory) && one.type == SK_TYPE_MEMORY &&
                     one.kind == SK_MEMORY_RAM &&
                     (one.rights == SK_RIGHT_READ || one.rights == rights_of(memory));
            found += one.object_id == id_of(slice) && one.kind == SK_MEMORY_SLICE;
            found += one.type == SK_TYPE_RESOURCE && one.kind == SK_RESOURCE_INSPECT;
            total++;
        }
    } while (next != 0);
    test_check(found >= 4);
    do {
        must(sk_handle_list(inspect, self, next, &one, sizeof one, &written, &next));
        ones += written / sizeof one;
    } while (next != 0);
    test_equal(ones, total);
    test_status(sk_handle_list(inspect, self, ~0ull, entries, sizeof entries, &written, &next),
                SK_OK);
    test_equal(written + next, 0);
    test_status(sk_handle_list(inspect, self + 1000000, 0, entries, 64, &written, &next),
                SK_NOT_FOUND);
    test_status(sk_handle_list(inspect, 0, 0, entries, 64, &written, &next), SK_NOT_FOUND);
    test_status(sk_handle_list(inspect, self, 0, (void *)8, 64, &written, &next), SK_BAD_ADDRESS);
    test_status(sk_handle_list(memory, self, 0, entries, 64, &written, &next), SK_WRONG_TYPE);
    close_all((handle_t[]){inspect, memory, reader, slice}, 4);
}

static void each_call_wants_its_kind(void)
{
    handle_t log = make_resource(SK_RESOURCE_LOG, 0, 0), got;
    handle_t inspect = make_resource(SK_RESOURCE_INSPECT, 0, 0), event = make_event();
    uint8_t buffer[512];
    uint64_t written, next, position;
    test_status(sk_log_write(inspect, "x", 1), SK_WRONG_TYPE);
    test_status(sk_log_read(inspect, 0, buffer, 1, &written, &next), SK_WRONG_TYPE);
    test_status(sk_log_take_console(inspect, event, &position), SK_WRONG_TYPE);
    test_status(sk_system_info(log, SK_SYSTEM_GENERAL, buffer, sizeof buffer, &written),
                SK_WRONG_TYPE);
    test_status(sk_system_power(log, SK_POWER_OFF, SK_POWER_SUCCESS), SK_WRONG_TYPE);
    test_status(sk_memory_create_dma(log, sk_self_job, 4096, &got, &written), SK_WRONG_TYPE);
    test_status(sk_memory_create_physical(log, 0, 4096, &got), SK_WRONG_TYPE);
    test_status(sk_interrupt_create(log, FREE_SOURCE, sk_self_job, &got), SK_WRONG_TYPE);
    handle_t power = make_resource(SK_RESOURCE_POWER, 0, 0);
    test_status(sk_system_power(power, 77, SK_POWER_SUCCESS), SK_INVALID_ARGS);
    test_status(sk_system_power(power, SK_POWER_OFF, 77), SK_INVALID_ARGS);
    close_all((handle_t[]){log, inspect, event, power}, 4);
}

static void device_memory_is_bounded(void)
{
    handle_t mmio = make_resource(SK_RESOURCE_MMIO, 0x10001000, 0x2000), memory = SK_HANDLE_NONE;
    uint8_t byte = 0;
    test_status(sk_memory_create_physical(mmio, 0, 0, &memory), SK_INVALID_ARGS);
    test_status(sk_memory_create_physical(mmio, 1, 0x1000, &memory), SK_INVALID_ARGS);
    test_status(sk_memory_create_physical(mmio, 0, 0x3000, &memory), SK_OUT_OF_RANGE);
    test_status(sk_memory_create_physical(mmio, 0x2000, 0x1000, &memory), SK_OUT_OF_RANGE);
    test_status(sk_memory_create_physical(mmio, ~0xfffull, 0x1000, &memory), SK_OUT_OF_RANGE);
    test_status(sk_memory_create_physical(mmio, 0x1000, 0x1000, &memory), SK_OK);
    test_status(sk_memory_read(memory, 0, &byte, 1), SK_INVALID_ARGS);
    test_status(sk_memory_write(memory, 0, &byte, 1), SK_INVALID_ARGS);
    test_status(sk_handle_close(memory), SK_OK);
    test_status(sk_handle_close(mmio), SK_OK);
}

static void answer_calls(void *argument)
{
    handle_t endpoint = *(handle_t *)argument;
    static char bytes[128];
    struct sk_in in = sk_in_bytes(bytes, sizeof bytes);
    status_t replied;
    token_t token = SK_TOKEN_NONE;
    do {
        struct sk_out out = sk_out_bytes(bytes, 128);
        status_t status = sk_channel_reply_receive(token, &out, &replied, endpoint, &in,
                                                   SK_DEADLINE_NEVER);
        token = status == SK_OK ? in.token : SK_TOKEN_NONE;
        if (status == SK_PEER_CLOSED) {
            return;
        }
    } while (true);
}

/* The kernel neither reads nor writes registers for a message, whichever way it takes: on the page's other side
 * are the 32 bytes that travel in the processor's registers. */
static void messages_do_not_touch_registers(void)
{
    handle_t mmio = make_resource(SK_RESOURCE_MMIO, 0x10001000, 0x1000), ends[2], registers;
    handle_t memory = make_memory(2);
    uint64_t pages = map_memory(memory, 2, SK_PROT_READ | SK_PROT_WRITE), at;
    uint8_t *edge = (uint8_t *)(pages + SK_PAGE_SIZE - 32);
    static char answer[128];
    struct sk_thread thread;
    must(sk_memory_create_physical(mmio, 0, SK_PAGE_SIZE, &registers));
    must(sk_memory_unmap(sk_self_process, pages + SK_PAGE_SIZE, SK_PAGE_SIZE));
    must(sk_memory_map(sk_self_process, registers, 0, SK_PAGE_SIZE, pages + SK_PAGE_SIZE,
                       SK_PROT_READ | SK_PROT_WRITE | SK_MAP_FIXED | SK_MAP_POPULATE, &at));
    make_channel(ends);
    start_thread(&thread, answer_calls, &ends[1]);
    for (uint32_t length = 64; length <= 128; length += 60) { /* whole words, and others */
        for (uint32_t i = 0; i < 4; i++) {
            struct sk_out good = sk_out_bytes(answer, length), bad = sk_out_bytes(edge, length);
            struct sk_out given = {answer, length, (handle_t *)(edge + 32), 1};
            struct sk_in in = sk_in_bytes(answer, sizeof answer), poor = sk_in_bytes(edge, 128);
            test_status(sk_channel_call(ends[0], &good, &in, test_deadline()), SK_OK);
            test_status(sk_channel_call(ends[0], &bad, &in, test_deadline()), SK_BAD_ADDRESS);
            test_status(sk_channel_call(ends[0], &given, &in, test_deadline()), SK_BAD_ADDRESS);
            test_status(sk_channel_call(ends[0], &good, &poor, test_deadline()), SK_BAD_ADDRESS);
        }
    }
    must(sk_handle_close(ends[0]));
    join_thread(&thread);
    must(sk_memory_unmap(sk_self_process, pages, 2 * SK_PAGE_SIZE));
    close_all((handle_t[]){mmio, registers, memory, ends[1]}, 4);
}

/* DMA frames go back when memory, mappings and grant are all gone, in any order. */
static void dma_memory_is_contiguous_and_pinned(void)
{
    for (int grant_first = 0; grant_first < 2; grant_first++) {
        handle_t dma = make_resource(SK_RESOURCE_DMA, 0, (uint64_t)1 << 32);
        handle_t memory = SK_HANDLE_NONE;
        uint64_t physical = 0, written;
        struct sk_memory_info info;
        test_status(sk_memory_create_dma(dma, sk_self_job, 0, &memory, &physical), SK_INVALID_ARGS);
        test_status(sk_memory_create_dma(dma, sk_self_job, (uint64_t)1 << 29, &memory, &physical),
                    SK_OVER_BUDGET);
        test_status(sk_memory_create_dma(dma, sk_self_job, 64 * 1024, &memory, &physical), SK_OK);
        must(sk_object_info(memory, &info, sizeof info, &written));
        test_equal(info.physical, physical);
        test_equal(info.committed_pages, 16);
        uint64_t address = map_memory(memory, 16, SK_PROT_READ | SK_PROT_WRITE);
        for (uint32_t i = 0; i < 16 * SK_PAGE_SIZE / 8; i++) {
            if (((uint64_t *)address)[i] != 0) {
                test_equal(i, -1);
                break;
            }
        }
        uint64_t used = job_info(sk_self_job).used.pages;
        test_status(sk_handle_close(grant_first ? dma : memory), SK_OK);
        must(sk_memory_unmap(sk_self_process, address, 16 * SK_PAGE_SIZE));
        test_check(job_info(sk_self_job).used.pages + 16 > used); /* pinned so far */
        test_status(sk_handle_close(grant_first ? memory : dma), SK_OK);
    }
}

static void an_interrupt_has_one_owner(void)
{
    handle_t irq = make_resource(SK_RESOURCE_IRQ, FREE_SOURCE, 1);
    handle_t first = SK_HANDLE_NONE, second;
    uint64_t observed;
    test_status(sk_interrupt_create(irq, FREE_SOURCE + 1, sk_self_job, &first), SK_OUT_OF_RANGE);
    test_status(sk_interrupt_create(irq, 0, sk_self_job, &first), SK_OUT_OF_RANGE);
    test_status(sk_interrupt_create(root_resource(), 100000, sk_self_job, &first), SK_OUT_OF_RANGE);
    for (int i = 0; i < 3; i++) {
        test_status(sk_interrupt_create(irq, FREE_SOURCE, sk_self_job, &first), SK_OK);
        test_status(sk_interrupt_create(irq, FREE_SOURCE, sk_self_job, &second), SK_BUSY);
        test_status(sk_interrupt_ack(first), SK_BAD_STATE);
        test_status(sk_object_wait(first, SK_SIGNAL_INTERRUPT, soon(), &observed), SK_TIMED_OUT);
        test_status(sk_handle_close(first), SK_OK);
    }
    test_status(sk_handle_close(irq), SK_OK);
}

static void the_log_is_read_back(void)
{
    static char text[4096];
    handle_t log = make_resource(SK_RESOURCE_LOG, 0, 0);
    uint64_t copied = 1, next = 0, position = 0;
    while (copied != 0) {
        must(sk_log_read(log, position, text, sizeof text, &copied, &next));
        position = next;
    }
    static const char line[] = "# a line for the log\n";
    must(sk_log_write(log, line, sizeof line - 1));
    must(sk_log_read(log, position, text, sizeof text, &copied, &next));
    test_check(copied >= sizeof line - 1 && next == position + copied);
    test_check(memcmp(text, line, sizeof line - 1) == 0);
    test_status(sk_log_read(log, next + 100000, text, sizeof text, &copied, &next), SK_OK);
    test_equal(copied, 0);
    test_status(sk_handle_close(log), SK_OK);
}

/* Waits until a line of ours gets into the log again: what follows must be seen. */
static void wait_for_the_log(handle_t log, uint64_t position)
{
    static char text[4096];
    static const char line[] = "# the log takes lines again\n";
    uint64_t copied, next = position, deadline = test_deadline();
    bool seen = false;
    while (!seen && sk_now() < deadline) {
        sk_sleep(10 * SK_MS);
        must(sk_log_write(log, line, sizeof line - 1));
        must(sk_log_read(log, next, text, sizeof text - 1, &copied, &next));
        text[copied] = 0;
        seen = strstr(text, line) != NULL;
    }
    test_check(seen);
}

/* What it may write is half of the ring at once: what others have written stays. */
static void a_flood_of_the_log_leaves_other_lines(void)
{
    static char text[16384 + 1];
    static const char line[] =
        "# a line of a flood, one of very many, and all of them are the same\n";
    const uint64_t lines = 5000;
    handle_t log = make_resource(SK_RESOURCE_LOG, 0, 0);
    uint64_t copied, next, begin, start = sk_now();
    must(sk_log_read(log, ~(uint64_t)0, text, 1, &copied, &begin));
    for (uint64_t i = 0; i < lines; i++) {
        must(sk_log_write(log, line, sizeof line - 1));
    }
    uint64_t passed = sk_now() - start;
    must(sk_log_read(log, begin, text, sizeof text - 1, &copied, &next));
    text[copied] = 0;
    test_check(next - begin >= sizeof line - 1);
    test_check(next - begin <= 8192 + passed * 4096 / SK_SECOND + 1024);
    test_check(strstr(text, ": too many lines for the log, more are left out\n") != NULL);
    wait_for_the_log(log, next);
    test_status(sk_handle_close(log), SK_OK);
}

/* Whoever has taken the console over gives it back by closing its event. What is written from then on is his, and none of
 * it is lost. */
static void the_console_has_one_taker(void)
{
    static const char line[] = "# seen by nobody else\n";
    handle_t log = make_resource(SK_RESOURCE_LOG, 0, 0);
    uint64_t observed, position = 0, none, copied, next;
    char text[sizeof line - 1];
    for (int i = 0; i < 2; i++) {
        handle_t arrival = make_event(), other = make_event();
        test_status(sk_log_take_console(log, arrival, &position), SK_OK);
        must(sk_log_write(log, line, sizeof line - 1));
        test_status(sk_log_take_console(log, other, &none), SK_BUSY);
        test_status(sk_log_take_console(log, arrival, &none), SK_BUSY);
        must(sk_log_read(log, position, text, sizeof text, &copied, &next));
        test_equal(copied, sizeof text);
        test_equal(memcmp(text, line, sizeof text), 0);
        test_status(sk_object_wait(arrival, SK_SIGNAL_EVENT, test_deadline(), &observed), SK_OK);
        close_all((handle_t[]){arrival, other}, 2);
    }
    test_status(sk_handle_close(log), SK_OK);
}

void test_resources(void)
{
    self_case("resource: what is held is told", what_is_held_is_told);
    self_case("resource: ranges only narrow", ranges_only_narrow);
    self_case("resource: each call wants its kind", each_call_wants_its_kind);
    self_case("resource: device memory is bounded", device_memory_is_bounded);
    self_case("resource: messages do not touch registers", messages_do_not_touch_registers);
    self_case("resource: DMA memory is contiguous and pinned", dma_memory_is_contiguous_and_pinned);
    self_case("resource: an interrupt has one owner", an_interrupt_has_one_owner);
    self_case("resource: the log is read back", the_log_is_read_back);
    self_case("resource: a flood of the log leaves other lines",
              a_flood_of_the_log_leaves_other_lines);
    self_case("resource: the console has one taker", the_console_has_one_taker);
}
