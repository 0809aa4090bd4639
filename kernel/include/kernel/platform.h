/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the device tree says about the machine, in the kernel's terms. Pure: reads the tree only
 * (libfdt), so that host tests run it over the trees of real boards.
 */
#ifndef KERNEL_PLATFORM_H
#define KERNEL_PLATFORM_H

#include <kernel/types.h>

#define PLATFORM_RANGES_MAX 32u
#define PLATFORM_HARTS_MAX 16u
#define PLATFORM_TREE_BYTES_MAX (4u << 20)

struct platform_range {
    paddr_t start, end;
};

struct platform_hart {
    uint64_t id;
    uint32_t irq_context; /* of its supervisor mode at the interrupt controller; ~0: none */
    uint32_t isa;         /* PLATFORM_ISA_* */
};

#define PLATFORM_ISA_SSTC (1u << 0)
#define PLATFORM_ISA_F (1u << 1)
#define PLATFORM_ISA_D (1u << 2)
#define PLATFORM_ISA_SVINVAL (1u << 3)
#define PLATFORM_ISA_ZICBOM (1u << 4)

struct platform {
    char model[64];
    char problem[160]; /* why the tree was refused: node and property */
    uint32_t memory_count;
    struct platform_range memory[PLATFORM_RANGES_MAX];
    uint32_t reserved_count; /* /reserved-memory and the memreserve block */
    struct platform_range reserved[PLATFORM_RANGES_MAX];
    uint32_t hart_count; /* usable: status okay and an MMU */
    struct platform_hart harts[PLATFORM_HARTS_MAX];
    uint32_t harts_skipped;
    uint64_t timebase_hz;
    struct platform_range irq_registers; /* empty: no interrupt controller that is driven here */
    uint32_t irq_sources;
    bool irq_is_aplic;            /* an APLIC that delivers to harts directly; else a PLIC */
    bool has_imsics;              /* devices interrupt by messages, which nothing here drives */
    struct platform_range initrd; /* empty: none */
    char command_line[1024];
    uint8_t random_seed[64]; /* /chosen/rng-seed, kaslr-seed; zero where absent */
    uint32_t random_seed_length;
};

/* False with `problem` set when the machine cannot be used as described. */
bool platform_read(struct platform *platform, const void *tree);

extern struct platform platform; /* [I] after boot */

/* Value of `name=value` in the command line (copied), or false. */
bool platform_option(const char *name, char *value, size_t size);

#endif
