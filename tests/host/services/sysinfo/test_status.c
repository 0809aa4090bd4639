/* SPDX-License-Identifier: BSD-2-Clause */
/* The text of /status.json, byte for byte, and at every size of the buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "status.h"

static const struct sk_system_info system_info = {
    .uptime_ns = 12345678901,
    .timebase_hz = 10000000,
    .memory_total_pages = 32768,
    .memory_free_pages = 30000,
    .objects = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
    .messages = 1,
    .handles = 99,
    .kernel_pages = 100,
    .harts = 1,
    .runnable = 3,
};

static const struct sk_hart_info harts[] = {
    {.hart_id = 3, .timer_interrupts = 4, .switches = 5, .system_calls = 6, .idle_ns = 7999999},
};

static const struct sk_process_info processes[] = {
    {.id = 10,
     .job_id = 8,
     .state = SK_PROCESS_RUNNING,
     .threads = 1,
     .handles = 12,
     .mapped_pages = 3,
     .run_time_ns = 1999,
     .name = "init"},
    {.id = 12, .state = 77, .name = "a\"b\\c\x01"},
};

static const struct sk_job_info jobs[] = {
    {.id = 8,
     .limit = {.pages = 10, .objects = 20, .handles = 30, .messages = 40, .threads = 5, .cpu = 600},
     .used = {.pages = 1, .objects = 2, .handles = 3, .messages = 4, .threads = 1},
     .cpu_time_ns = 1999,
     .cpu_ran_out = 7,
     .processes = 1},
    {.id = 9, .parent_id = 8},
};

static const struct sk_init_service services[] = {
    {.service = "net", .program = "net", .process_id = 10, .state = SK_INIT_UP},
    {.service = "",
     .program = "http-server",
     .state = SK_INIT_FAILED,
     .restarts = 2,
     .cause = SK_CAUSE_FAULT},
};

static const struct status_input input = {
    .version = "v1",
    .system = &system_info,
    .harts = harts,
    .hart_count = 1,
    .processes = processes,
    .process_count = 2,
    .jobs = jobs,
    .job_count = 2,
    .services = services,
    .service_count = 2,
};

static const char wanted[] =
    "{\"schema\":1,\"version\":\"v1\",\"uptime_ms\":12345,\"timebase_hz\":10000000,"
    "\"memory\":{\"total\":134217728,\"free\":122880000,\"kernel\":409600},"
    "\"objects\":{\"jobs\":1,\"processes\":2,\"threads\":3,\"endpoints\":4,\"memories\":5,"
    "\"waitsets\":6,\"events\":7,\"timers\":8,\"interrupts\":9,\"resources\":10,\"handles\":99,"
    "\"messages\":1},\"runnable\":3,"
    "\"harts\":[{\"id\":3,\"idle_ms\":7,\"switches\":5,\"system_calls\":6,\"timer_interrupts\":4,"
    "\"ipi_received\":0}],"
    "\"processes\":[{\"id\":10,\"name\":\"init\",\"state\":\"running\",\"threads\":1,\"handles\":"
    "12,"
    "\"memory\":12288,\"cpu_us\":1},"
    "{\"id\":12,\"name\":\"a\\\"b\\\\c\\u0001\",\"state\":\"unknown\",\"threads\":0,\"handles\":0,"
    "\"memory\":0,\"cpu_us\":0}],"
    "\"jobs\":[{\"id\":8,\"parent\":0,\"name\":\"init\",\"processes\":1,\"cpu_us\":1,\"cpu_share\":"
    "600,"
    "\"cpu_ran_out\":7,"
    "\"memory\":{\"used\":4096,\"limit\":40960},"
    "\"objects\":{\"used\":2,\"limit\":20},\"handles\":{\"used\":3,\"limit\":30},"
    "\"messages\":{\"used\":4,\"limit\":40},\"threads\":{\"used\":1,\"limit\":5}},"
    "{\"id\":9,\"parent\":8,\"name\":\"\",\"processes\":0,\"cpu_us\":0,\"cpu_share\":0,"
    "\"cpu_ran_out\":0,"
    "\"memory\":{\"used\":0,\"limit\":0},"
    "\"objects\":{\"used\":0,\"limit\":0},\"handles\":{\"used\":0,\"limit\":0},"
    "\"messages\":{\"used\":0,\"limit\":0},\"threads\":{\"used\":0,\"limit\":0}}],"
    "\"services\":[{\"service\":\"net\",\"program\":\"net\",\"state\":\"up\",\"process\":10,"
    "\"restarts\":0,\"last_cause\":\"\"},"
    "{\"service\":\"\",\"program\":\"http-server\",\"state\":\"failed\",\"process\":0,"
    "\"restarts\":2,\"last_cause\":\"fault\"}]}\n";

static void test_text(void **state)
{
    char out[4096];
    size_t length = status_write(&input, out, sizeof(out));
    assert_int_equal(length, sizeof(wanted) - 1);
    assert_memory_equal(out, wanted, length);
}

static void test_nothing_to_tell(void **state)
{
    char out[1024];
    struct status_input empty = {.version = "", .system = &system_info};
    size_t length = status_write(&empty, out, sizeof(out));
    static const char end[] = "\"harts\":[],\"processes\":[],\"jobs\":[],\"services\":[]}\n";
    assert_true(length > sizeof(end));
    assert_memory_equal(out + length - (sizeof(end) - 1), end, sizeof(end) - 1);
}

static void test_every_size(void **state)
{
    for (size_t size = 0; size < sizeof(wanted) - 1; size++) {
        char *out = malloc(size);
        assert_int_equal(status_write(&input, out, size), 0);
        free(out);
    }
    char *out = malloc(sizeof(wanted) - 1);
    assert_int_equal(status_write(&input, out, sizeof(wanted) - 1), sizeof(wanted) - 1);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_nothing_to_tell),
        cmocka_unit_test(test_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
