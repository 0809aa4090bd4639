/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the architecture's entry to the first user instruction, as one list of steps.
 *
 * Owns: which harts arrived. Context: the boot hart alone, until boot_start_harts; the other harts
 * then wait in kernel_exit for something to run.
 */
#include <kernel/boot.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libfdt.h>

#include "skerry_version.h"
#include <arch/irq.h>
#include <arch/mmu.h>
#include <kernel/clock.h>
#include <kernel/futex.h>
#include <kernel/job.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/platform.h>
#include <kernel/random.h>
#include <kernel/sched.h>
#include <kernel/trap.h>

/* A hart of a busy emulator may need a while; on hardware it is microseconds. */
#define ARRIVAL_TIMEOUT_NS 5000000000ull
#define MEMORY_MIN_PAGES 2048u /* what init and the services need to serve a page */
#define MIB ((uint64_t)1 << 20)

enum arrival { AWAITED, ARRIVED, GIVEN_UP };
static _Atomic uint32_t arrivals[HARTS_MAX];

_Noreturn void boot_fail(const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    log_printf("Skerry cannot start: %s\n", line);
    panic_end();
}

/* Gives a range to the page allocator, but for the ranges to leave out. */
static void add_free(paddr_t start, paddr_t end, const struct platform_range *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (out[i].start < end && out[i].end > start) {
            if (out[i].start > start) {
                add_free(start, out[i].start, out + i + 1, count - i - 1);
            }
            start = out[i].end;
        }
        if (start >= end) {
            return;
        }
    }
    page_add_range(start, end);
}

/* All RAM but what is reserved, the firmware and the kernel (from the start of their range to the end
 * of the image), the device tree and the boot archive, which is put in order on the way. */
static void boot_memory(const void *tree, paddr_t tree_pa, paddr_t image_start, paddr_t image_end)
{
    static struct platform_range out[PLATFORM_RANGES_MAX + 2];
    memcpy(out, platform.reserved, sizeof platform.reserved);
    uint32_t count = platform.reserved_count;
    struct platform_range image = {image_start, image_end};
    struct platform_range tree_range = {tree_pa, tree_pa + fdt_totalsize(tree)};
    boot_archive_place(&image, &tree_range);
    out[count++] = tree_range;
    out[count++] = platform.initrd;
    for (uint32_t i = 0; i < platform.memory_count; i++) {
        paddr_t start = platform.memory[i].start;
        paddr_t end = platform.memory[i].end;
        bool holds_image = start <= image_start && image_start < end;
        add_free(holds_image ? image_end : start, end, out, count);
    }
    if (page_free_count() < MEMORY_MIN_PAGES) {
        boot_fail("%lu KiB of memory are free, which is too little: give the machine %lu KiB more",
                  (unsigned long)(page_free_count() * (PAGE_SIZE / 1024)),
                  (unsigned long)((MEMORY_MIN_PAGES - page_free_count()) * (PAGE_SIZE / 1024)));
    }
}

/* Numbers the harts: the boot hart is 0. */
static void boot_number_harts(void)
{
    sched_init_hart(&harts[0], 0, harts[0].id);
    hart_count = 1;
    for (uint32_t i = 0; i < platform.hart_count && hart_count < HARTS_MAX; i++) {
        if (platform.harts[i].id != harts[0].id) {
            sched_init_hart(&harts[hart_count], hart_count, platform.harts[i].id);
            hart_count++;
        }
    }
}

static void boot_start_harts(void)
{
    for (uint32_t i = 1; i < hart_count; i++) {
        if (cpu_start_hart(&harts[i]) != SK_OK) {
            atomic_store(&arrivals[i], GIVEN_UP);
            log_printf("hart %lu cannot be started and is left out\n", (unsigned long)harts[i].id);
        }
    }
}

static bool all_arrived(void)
{
    for (uint32_t i = 1; i < hart_count; i++) {
        bool awaited = atomic_load(&arrivals[i]) == AWAITED;
        bool between = atomic_load(&arrivals[i]) == ARRIVED && !atomic_load(&harts[i].online);
        if (awaited || between) {
            return false;
        }
    }
    return true;
}

/* Each arrival interrupts this hart, so that it can sleep in between. */
static void boot_await_harts(void)
{
    uint64_t deadline_ns = clock_now_ns() + ARRIVAL_TIMEOUT_NS;
    while (!all_arrived() && clock_now_ns() < deadline_ns) {
        clock_arm(clock_ns_to_ticks(deadline_ns));
        cpu_idle();
        cpu_poll_interrupts();
    }
    clock_arm(~(uint64_t)0);
    for (uint32_t i = 1; i < hart_count; i++) {
        uint32_t awaited = AWAITED;
        if (atomic_compare_exchange_strong(&arrivals[i], &awaited, GIVEN_UP)) {
            log_printf("hart %lu did not start and is left out\n", (unsigned long)harts[i].id);
        }
    }
}

static uint64_t memory_bytes(void)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < platform.memory_count; i++) {
        bytes += platform.memory[i].end - platform.memory[i].start;
    }
    return bytes;
}

/* The root budget. An eighth of the frames is not promised to anybody as pages: kernel objects are
 * made of it. */
static struct job *boot_root_job(void)
{
    uint64_t frames = page_free_count();
    uint64_t limit[BUDGET_KINDS] = {
        [BUDGET_PAGES] = frames - frames / 8, [BUDGET_OBJECTS] = frames,
        [BUDGET_HANDLES] = frames * 2,        [BUDGET_MESSAGES] = frames / 2,
        [BUDGET_THREADS] = frames / 32,
    };
    return job_init_root(limit);
}

_Noreturn void kernel_main(paddr_t tree_pa, paddr_t image_start, paddr_t image_end)
{
    const void *tree = tree_pa != 0 ? phys_to_virt(tree_pa) : NULL;
    if (!platform_read(&platform, tree)) { /* what machine is this? */
        boot_fail(
            "%s; a1 must point to this machine's device tree (U-Boot: the third argument of booti)",
            platform.problem);
    }
    clock_init(platform.timebase_hz);
    random_init(platform.random_seed, platform.random_seed_length, clock_ticks());
    stack_guard_init();
    boot_number_harts();
    arch_boot_platform();                               /* all RAM mapped, devices found */
    boot_memory(tree, tree_pa, image_start, image_end); /* page allocator */
    arch_boot_hart(); /* traps, interrupts and clock of this hart */
    futex_init();
    atomic_store(&harts[0].online, true);
    log_printf("Skerry %s, %u hart%s, %lu MiB, %s\n", SKERRY_VERSION, hart_count,
               hart_count == 1 ? "" : "s", (unsigned long)(memory_bytes() / MIB), platform.model);
    boot_start_harts(); /* they come up while init is made */
    boot_init_process(boot_root_job(), tree, fdt_totalsize(tree));
    boot_await_harts();
    cpu_enter_user(kernel_exit());
}

_Noreturn void hart_main(struct hart *hart)
{
    uint32_t awaited = AWAITED;
    if (!atomic_compare_exchange_strong(&arrivals[hart->number], &awaited, ARRIVED)) {
        cpu_halt(); /* too late: the system runs without it */
    }
    arch_boot_hart();
    atomic_store(&hart->online, true);
    cpu_interrupt_hart(&harts[0]);
    cpu_enter_user(kernel_exit());
}
