/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to a driver that provides clocks, resets or fields to others (provider.h), over lines: limits that devmgr
 * could not have meant, requests within and beyond them, limits of the client's own, which come too late. Its registers
 * are noise. See messages.h.
 */
#include <string.h>

#include "provider.h"

#define NOISE_BYTES 16u /* at once */

/* A limit is a count and rights: kind, number, and what they are about. Kinds and numbers are small. */
static const char *const shapes[] = {
    [SK_PLATFORM_CLOCK_ENABLE - 1] = "xiw",   [SK_PLATFORM_CLOCK_RATE - 1] = "xiw",
    [SK_PLATFORM_CLOCK_SET_RATE - 1] = "xiw", [SK_PLATFORM_RESET - 1] = "xiw",
    [SK_PLATFORM_FIELD_WRITE - 1] = "xiw",    [SK_PLATFORM_LIMIT - 1] = "iixxxxfff"};

static uint8_t *registers, *before;

static void on_write(uint64_t offset, uint32_t value)
{
    uint32_t old;
    if (offset > provider.register_bytes - sizeof old) {
        double_broke("there is no register %#llx", (unsigned long long)offset);
    }
    memcpy(&old, before + offset, sizeof old);
    memcpy(before + offset, &value, sizeof value);
    if (provider.written != NULL) {
        provider.written(offset, old, value);
    }
}

static void prepare(void)
{
    static uint8_t bytes[0x10000];
    registers = registers_give(provider.register_bytes);
    before = bytes;
    registers_written = on_write;
    if (provider.prepare != NULL) {
        provider.prepare();
    }
}

static void special(void)
{
    size_t at = (size_t)input_byte() * 4 % provider.noise_bytes;
    input_fill(registers + at, NOISE_BYTES);
    memcpy(before + at, registers + at, NOISE_BYTES);
}

static uint32_t made_last; /* the id of the right that was */

static struct sk_platform_right input_right(void)
{
    struct sk_platform_right right = provider.rights[input_byte() % provider.right_count];
    uint8_t how = input_byte();
    if (how % 4 == 1) {
        right.a = input_byte() % 40;
        right.b = input_byte() % 40;
    } else if (how % 4 == 2) {
        right.id = (uint32_t)input_word();
    } else if (how % 4 == 3) {
        right.kind = how / 4 % (SK_PLATFORM_FIXED + 2);
    }
    made_last = right.id;
    return right;
}

/* A whole right for a limit; for the others whom they are about, mostly one of whom a line may have a right. */
static size_t field(uint8_t *bytes, uint64_t operation)
{
    if (operation == SK_PLATFORM_LIMIT) {
        struct sk_platform_right right = input_right();
        memcpy(bytes, &right, sizeof right);
        return sizeof right;
    }
    uint8_t how = input_byte();
    uint32_t id = how < 160   ? provider.rights[how % provider.right_count].id
                  : how < 224 ? made_last
                              : (uint32_t)input_word();
    memcpy(bytes, &id, sizeof id);
    return sizeof id;
}

/* As devmgr does before anybody has the line: what it means, or rights of all kinds, or so many that there is no limit. */
static struct held connect_line(uint8_t how)
{
    struct sk_platform_limit limit = {.operation = SK_PLATFORM_LIMIT,
                                      .count = provider.right_count};
    struct held line = connect_by_control(how);
    memcpy(limit.rights, provider.rights, limit.count * sizeof limit.rights[0]);
    if (how % 4 == 3) {
        limit.count = input_byte() % (SK_PLATFORM_RIGHTS_MAX + 2);
        for (uint32_t i = 0; i < limit.count && i < SK_PLATFORM_RIGHTS_MAX; i++) {
            limit.rights[i] = input_right();
        }
    }
    bool is_valid = limit.count <= SK_PLATFORM_RIGHTS_MAX;
    for (uint32_t i = 0; provider.granted != NULL && is_valid && i < limit.count; i++) {
        provider.granted(&limit.rights[i]);
    }
    outside_send(line.object, &limit, sizeof limit, NULL, 0);
    return line;
}

/* A line of which nothing was said is for nothing. */
static void rest(void)
{
    struct call *calls[SK_PLATFORM_LIMIT];
    struct held line = connect_by_control(0);
    struct sk_platform_request request = {.id = provider.rights[0].id};
    if (provider.closed != NULL) {
        provider.closed();
    }
    for (uint64_t i = 1; i < SK_PLATFORM_LIMIT; i++) {
        request.operation = i;
        calls[i] = outside_call(line.object, &request, sizeof request, NULL, 0);
    }
    double_run();
    for (uint64_t i = 1; i < SK_PLATFORM_LIMIT; i++) {
        if (calls[i]->state != CALL_ANSWERED || calls[i]->status != SK_NOT_ALLOWED) {
            double_broke("a line without a limit allows operation %llu", (unsigned long long)i);
        }
    }
    held_drop(&line);
}

static int run(void)
{
    return driver_run(provider.arguments);
}

const struct target target = {
    .service = "",
    .run = run,
    .operations = SK_PLATFORM_LIMIT,
    .shapes = shapes,
    .field = field,
    .connect = connect_line,
    .prepare = prepare,
    .special = special,
    .rest = rest,
};
