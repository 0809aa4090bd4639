/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a device's interrupt to its driver, and a system with nothing to do. The device is the clock of
 * QEMU's virt machine (Goldfish): an alarm that is past when it is set interrupts at once, so the
 * moment is known to the instruction.
 */
#include <sk/mmio.h>
#include <sk/thread.h>

#include "bench.h"

#define RTC_BASE 0x101000u
#define RTC_SOURCE 11u
#define IDLE_SECONDS 10u

enum {
    REG_ALARM_LOW = 0x08,
    REG_ALARM_HIGH = 0x0c,
    REG_IRQ_ENABLED = 0x10,
    REG_CLEAR_INTERRUPT = 0x1c,
};

static struct {
    uintptr_t registers;
    handle_t interrupt;
    volatile uint64_t began;
    uint64_t least;
} rtc;

static void drive(void *argument)
{
    (void)argument;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t observed;
        must(sk_object_wait(rtc.interrupt, SK_SIGNAL_INTERRUPT, SK_DEADLINE_NEVER, &observed),
             "interrupt");
        uint64_t took = sk_instructions() - rtc.began - counter_cost;
        rtc.least = took < rtc.least ? took : rtc.least;
        sk_mmio_write32(rtc.registers + REG_CLEAR_INTERRUPT, 1);
        must(sk_interrupt_ack(rtc.interrupt), "interrupt");
    }
}

/* Less urgent than the driver, so that it stands still while the driver runs. */
static void ring(void *argument)
{
    (void)argument;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        sk_mmio_write32(rtc.registers + REG_ALARM_HIGH, 0);
        rtc.began = sk_instructions();
        sk_mmio_write32(rtc.registers + REG_ALARM_LOW, 0);
    }
}

static void rtc_open(void)
{
    handle_t resource, memory;
    uint64_t address;
    handle_t root = sk_boot_handle("resource");
    must(sk_resource_create(root, SK_RESOURCE_MMIO, RTC_BASE, SK_PAGE_SIZE, &resource), "clock");
    must(sk_memory_create_physical(resource, 0, SK_PAGE_SIZE, &memory), "clock");
    must(sk_memory_map(sk_self_process, memory, 0, SK_PAGE_SIZE, 0, SK_PROT_READ | SK_PROT_WRITE,
                       &address),
         "clock");
    sk_handle_close(memory);
    sk_handle_close(resource);
    must(sk_resource_create(root, SK_RESOURCE_IRQ, RTC_SOURCE, 1, &resource), "clock");
    must(sk_interrupt_create(resource, RTC_SOURCE, sk_self_job, &rtc.interrupt), "clock");
    sk_handle_close(resource);
    rtc.registers = address;
    rtc.least = ~0ull;
    sk_mmio_write32(rtc.registers + REG_IRQ_ENABLED, 1);
}

void bench_interrupts(void)
{
    struct sk_thread driver, device;
    rtc_open();
    must(sk_thread_start(&driver, drive, NULL, 0, SK_PRIORITY_DEFAULT), "driver");
    must(sk_thread_start(&device, ring, NULL, 0, SK_PRIORITY_DEFAULT - 1), "device");
    must(sk_thread_join(&device, SK_DEADLINE_NEVER), "device");
    must(sk_thread_join(&driver, SK_DEADLINE_NEVER), "driver");
    sk_handle_close(rtc.interrupt);
    figure("irq.to_driver", rtc.least);
}

static uint64_t timer_interrupts(void)
{
    struct sk_hart_info harts[8];
    uint64_t written, sum = 0;
    must(sk_system_info(sk_boot_handle("inspect"), SK_SYSTEM_HARTS, harts, sizeof(harts), &written),
         "statistics");
    for (size_t i = 0; i < written / sizeof(harts[0]); i++) {
        sum += harts[i].timer_interrupts;
    }
    return sum;
}

void bench_idle(void)
{
    uint64_t before = timer_interrupts();
    sk_sleep(IDLE_SECONDS * SK_SECOND);
    /* One of them ended this sleep. */
    printf("bench idle.timer_interrupts %lu in %u s\n",
           (unsigned long)(timer_interrupts() - before - 1), IDLE_SECONDS);
}
