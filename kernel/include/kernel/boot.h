/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting the system: boot.c lists every step in order.
 */
#ifndef KERNEL_BOOT_H
#define KERNEL_BOOT_H

#include <kernel/types.h>

struct hart;
struct job;
struct platform_range;

/* The boot hart's life, from the architecture's entry on: kernel page tables are on, bss is zero,
 * cpu_hart() is harts[0], whose `id` is set. Never returns. */
_Noreturn void kernel_main(paddr_t tree_pa, paddr_t image_start, paddr_t image_end);
/* Every other hart's. */
_Noreturn void hart_main(struct hart *hart);

/* Leaves boot for the first time: runs kernel_exit's thread. Supplied by the architecture. */
struct thread;
_Noreturn void cpu_enter_user(struct thread *thread);

/* Checks where the boot loader put the archive (platform.initrd), and moves it to whole pages. Does not
 * return, after one line, when it cannot be used there. All RAM is mapped. */
void boot_archive_place(const struct platform_range *kernel, const struct platform_range *tree);
/* Offset and size in the archive of a file, page-aligned. Does not return, after one line, if the archive
 * is not whole or has no such file. */
uint64_t boot_archive_find(const char *name, uint64_t *file_size);

/* Makes init from the file bin/init of the boot archive, and its boot message. Does not return, after
 * one line that names what is wrong, when it cannot. */
void boot_init_process(struct job *root, const void *tree, uint64_t tree_size);

/* Sets the kernel's stack canary (stack_guard.c): no function that returns may run around it. */
void stack_guard_init(void);

/* Says in one line why the system cannot start, and ends as a panic does. */
_Noreturn void boot_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Architecture's steps, called by kernel_main once the platform is known. */
void arch_boot_platform(void); /* maps all RAM (and trims platform.memory to that), finds devices */
void arch_boot_hart(void);     /* this hart's part: traps, interrupts, FPU, clock */

#endif
