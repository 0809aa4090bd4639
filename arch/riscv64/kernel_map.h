/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's half of every address space. Made at boot, by the boot hart; read-only afterwards. */
#ifndef ARCH_RISCV64_KERNEL_MAP_H
#define ARCH_RISCV64_KERNEL_MAP_H

#include <arch_impl/pte.h>

/* Called by start.S with translation off. Maps the image, the boot stack, and the device tree at
 * `tree_pa` in the direct map; returns satp. */
uint64_t early_map(paddr_t tree_pa);
extern uint64_t early_satp;

/* Translation has been turned on; the image was loaded at `load_pa`. */
void kernel_map_moved(paddr_t load_pa);
/* Maps RAM in the direct map. Returns the end of what could be mapped, `end` if all was. */
paddr_t kernel_map_ram(paddr_t start, paddr_t end);
/* Maps the stack of a hart from frames of its own. NO_MEMORY. */
status_t kernel_map_stack(uint32_t number);
/* The physical address of anything the kernel can read; 0 if it is not mapped. */
paddr_t kernel_map_lookup(uint64_t va);
/* The root table: user spaces copy its upper half. */
const pte_t *kernel_map_root(void);

extern char image_start[], image_text_end[], image_constants[], image_data[], image_end[];

#endif
