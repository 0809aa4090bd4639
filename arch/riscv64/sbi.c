/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firmware's services. Every extension is probed; where one is missing the legacy call of SBI 0.1
 * takes its place (factory firmware of the VisionFive 2 has no console extension, for one).
 *
 * Owns: what was found, written once at boot. No lock. Any context, panics included.
 */
#include "sbi.h"

#include "kernel_map.h"

#include <string.h>

#include <kernel/hart.h>

#define EXTENSION_BASE 0x10
#define EXTENSION_TIME 0x54494d45
#define EXTENSION_IPI 0x735049
#define EXTENSION_RFENCE 0x52464e43
#define EXTENSION_HSM 0x48534d
#define EXTENSION_RESET 0x53525354
#define EXTENSION_CONSOLE 0x4442434e

#define LEGACY_SET_TIMER 0
#define LEGACY_PUTCHAR 1
#define LEGACY_SEND_IPI 4
#define LEGACY_REMOTE_FENCE_I 5
#define LEGACY_REMOTE_SFENCE 6
#define LEGACY_REMOTE_SFENCE_ASID 7
#define LEGACY_SHUTDOWN 8

#define ERROR_NOT_SUPPORTED (-2)
#define HART_IDS_PER_MASK 64u

static struct {
    bool time, ipi, rfence, hsm, reset, console;
} have;

static const struct {
    const char *name; /* in the command line's sbi-hide= */
    long extension;
    bool *have;
} extensions[] = {
    {"time", EXTENSION_TIME, &have.time},       {"ipi", EXTENSION_IPI, &have.ipi},
    {"rfence", EXTENSION_RFENCE, &have.rfence}, {"hsm", EXTENSION_HSM, &have.hsm},
    {"reset", EXTENSION_RESET, &have.reset},    {"console", EXTENSION_CONSOLE, &have.console},
};
#define EXTENSIONS (sizeof extensions / sizeof extensions[0])

struct sbi_result {
    long error;
    long value;
};

static struct sbi_result call(long extension, long function, uint64_t arg0, uint64_t arg1,
                              uint64_t arg2, uint64_t arg3, uint64_t arg4)
{
    register uint64_t a0 __asm__("a0") = arg0;
    register uint64_t a1 __asm__("a1") = arg1;
    register uint64_t a2 __asm__("a2") = arg2;
    register uint64_t a3 __asm__("a3") = arg3;
    register uint64_t a4 __asm__("a4") = arg4;
    register long a6 __asm__("a6") = function;
    register long a7 __asm__("a7") = extension;
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1)
                     : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7)
                     : "memory");
    return (struct sbi_result){(long)a0, (long)a1};
}

static bool probe(long extension)
{
    struct sbi_result result = call(EXTENSION_BASE, 3, (uint64_t)extension, 0, 0, 0, 0);
    return result.error == 0 && result.value != 0;
}

void sbi_init(void)
{
    for (size_t i = 0; i < EXTENSIONS; i++) {
        *extensions[i].have = probe(extensions[i].extension);
    }
}

void sbi_hide(const char *names)
{
    while (*names != '\0') {
        size_t length = strcspn(names, ",");
        for (size_t i = 0; i < EXTENSIONS; i++) {
            if (strlen(extensions[i].name) == length &&
                memcmp(extensions[i].name, names, length) == 0) {
                *extensions[i].have = false;
            }
        }
        names += length + (names[length] == ',');
    }
}

void sbi_console_write(const char *text, size_t length)
{
    while (have.console && length > 0) {
        size_t chunk = PAGE_SIZE - ((uint64_t)text & PAGE_MASK);
        chunk = chunk < length ? chunk : length;
        struct sbi_result result = call(EXTENSION_CONSOLE, 0, chunk,
                                        kernel_map_lookup((uint64_t)text), 0, 0, 0);
        if (result.error != 0) {
            break;
        }
        text += result.value;
        length -= (size_t)result.value;
    }
    for (size_t i = 0; i < length; i++) {
        call(LEGACY_PUTCHAR, 0, (uint8_t)text[i], 0, 0, 0, 0);
    }
}

void sbi_set_timer(uint64_t ticks)
{
    call(have.time ? EXTENSION_TIME : LEGACY_SET_TIMER, 0, ticks, 0, 0, 0, 0);
}

/* Turns dense numbers into a window of machine ids, which is as many calls as windows are needed. */
static uint64_t take_window(uint64_t *numbers, uint64_t *base)
{
    *base = harts[__builtin_ctzll(*numbers)].id / HART_IDS_PER_MASK * HART_IDS_PER_MASK;
    uint64_t window = 0;
    for (uint64_t rest = *numbers; rest != 0; rest &= rest - 1) {
        uint32_t number = (uint32_t)__builtin_ctzll(rest);
        if (harts[number].id - *base < HART_IDS_PER_MASK) {
            window |= 1ull << (harts[number].id - *base);
            *numbers &= ~(1ull << number);
        }
    }
    return window;
}

void sbi_send_ipi(uint64_t mask)
{
    while (mask != 0) {
        uint64_t base;
        uint64_t window = take_window(&mask, &base);
        if (have.ipi) {
            call(EXTENSION_IPI, 0, window, base, 0, 0, 0);
        } else {
            call(LEGACY_SEND_IPI, 0, (uint64_t)&window, 0, 0, 0, 0);
        }
    }
}

void sbi_remote_fence_code(uint64_t mask)
{
    while (mask != 0) {
        uint64_t base;
        uint64_t window = take_window(&mask, &base);
        if (have.rfence) {
            call(EXTENSION_RFENCE, 0, window, base, 0, 0, 0);
        } else {
            call(LEGACY_REMOTE_FENCE_I, 0, (uint64_t)&window, 0, 0, 0, 0);
        }
    }
}

void sbi_remote_flush(uint64_t mask, uint32_t asid)
{
    while (mask != 0) {
        uint64_t base;
        uint64_t window = take_window(&mask, &base);
        if (have.rfence) {
            call(EXTENSION_RFENCE, 2, window, base, 0, ~0ull, asid);
        } else {
            call(LEGACY_REMOTE_SFENCE_ASID, 0, (uint64_t)&window, 0, ~0ull, asid, 0);
        }
    }
}

status_t sbi_hart_start(uint64_t id, paddr_t entry, uint64_t argument)
{
    if (!have.hsm) {
        return SK_NOT_SUPPORTED;
    }
    struct sbi_result result = call(EXTENSION_HSM, 0, id, entry, argument, 0, 0);
    return result.error == 0 ? SK_OK : SK_IO_ERROR;
}

status_t sbi_power(uint32_t operation, uint32_t reason)
{
    if (have.reset) {
        call(EXTENSION_RESET, 0, operation == SK_POWER_REBOOT ? 1 : 0,
             reason == SK_POWER_SUCCESS ? 0 : 1, 0, 0, 0);
    } else if (operation == SK_POWER_OFF && reason == SK_POWER_SUCCESS) {
        call(LEGACY_SHUTDOWN, 0, 0, 0, 0, 0, 0);
    }
    return SK_NOT_SUPPORTED;
}
