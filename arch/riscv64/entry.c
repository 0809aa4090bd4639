/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From start.S to the portable kernel, and the architecture's steps in kernel_main's list.
 */
#include <kernel/boot.h>

#include "csr.h"
#include "internal.h"
#include "kernel_map.h"
#include "mmu_internal.h"
#include "sbi.h"

#include <string.h>

#include <arch/mmu.h>
#include <arch_impl/offsets.h>
#include <kernel/hart.h>
#include <kernel/log.h>
#include <kernel/platform.h>

#define TIME_AND_COUNTERS 7u /* cycle, time, instret: for user programs to read */

_Noreturn void boot_hart_entry(uint64_t hart_id, paddr_t tree_pa, paddr_t load_pa)
{
    struct hart *hart = cpu_hart();
    hart->id = hart_id;
    hart->stack_top = STACKS_BASE + STACK_SLOT_BYTES;
    kernel_map_moved(load_pa);
    sbi_init();
    bool mapped = kernel_map_lookup(DIRECT_BASE + tree_pa) != 0;
    kernel_main(mapped ? tree_pa : 0, load_pa, load_pa + (paddr_t)(image_end - image_start));
}

_Noreturn void secondary_hart_entry(struct hart *hart)
{
    hart_main(hart);
}

/* Maps a range of RAM without the firmware, which lies below the kernel, and the kernel itself. */
static void map_range(struct platform_range *range, paddr_t image, paddr_t image_end_pa)
{
    paddr_t start = range->start;
    if (image >= range->start && image < range->end) {
        start = (image_end_pa + PAGE_MASK) & ~PAGE_MASK;
    }
    paddr_t reached = kernel_map_ram(start, range->end);
    if (reached < range->end) {
        log_printf("memory from %lx to %lx cannot be mapped and is left out\n", reached,
                   range->end);
        range->end = reached > range->start ? reached : range->start;
    }
}

void arch_boot_platform(void)
{
    paddr_t image = kernel_map_lookup((uint64_t)image_start);
    for (uint32_t i = 0; i < platform.memory_count; i++) {
        map_range(&platform.memory[i], image, image + (paddr_t)(image_end - image_start));
    }
    kernel_map_ram(platform.initrd.start, platform.initrd.end); /* may lie below the kernel */
    char hidden[64];
    if (platform_option("sbi-hide", hidden, sizeof hidden)) {
        sbi_hide(hidden);
    }
    char asid[4];
    bool without = platform_option("asid", asid, sizeof asid) && strcmp(asid, "0") == 0;
    mmu_boot_asids(!without);
    irq_boot();
}

void arch_boot_hart(void)
{
    struct hart *hart = cpu_hart();
    hart->arch.bit = 1ull << hart->number;
    csr_write(scounteren, TIME_AND_COUNTERS);
    csr_write(sie, INTERRUPT_SOFTWARE);
    clock_boot_hart(hart);
    irq_boot_hart(hart);
    /* Last: looking for stimecmp may trap, which sets SPP, and the first sret wants it clear. */
    csr_clear(sstatus, SSTATUS_SPP | SSTATUS_SUM | SSTATUS_MXR | SSTATUS_FS);
}
