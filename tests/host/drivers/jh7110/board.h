/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VisionFive 2 for host tests: the real device tree, the drivers' real manifests, the real drivers of
 * clocks, resets and system registers over a model of their registers, and lines between them as
 * devmgr makes them. Register addresses are the physical ones. The Ethernet controllers' registers are
 * another model's.
 */
#ifndef BOARD_H
#define BOARD_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include <sk/driver.h>

#define V12A "jh7110-starfive-visionfive-2-v1.2a.linux-6.12"
#define V13B "jh7110-starfive-visionfive-2-v1.3b.linux-6.12"

#define SYSCRG 0x13020000u
#define SYS_SYSCON 0x13030000u
#define AONCRG 0x17000000u
#define AON_SYSCON 0x17010000u

/* Where main's arguments say that trees and sources are. */
void board_folders(const char *trees, const char *sources);

/* A board as the firmware leaves it, with PLL0 at 1 GHz, clocks off, everything in reset. */
void board_power_on(const char *tree);

/* A driver with what devmgr would give it for the n-th device of its manifest. */
struct sk_driver *board_driver(const char *manifest, uint32_t n);
/* Adds or replaces an argument of a driver: what firmware or another board would have in the tree. */
void board_argument(struct sk_driver *driver, const char *name, const char *value);

/* A register, without side effects. */
uint32_t board_read(uint32_t address);
void board_poke(uint32_t address, uint32_t value);
bool board_clock_runs(uint32_t generator, uint32_t id);
bool board_is_released(uint32_t generator, uint32_t id);
/* Resets below a clock generator do not end while set. */
void board_stick_resets(bool stuck);
/* Lines break, as when a provider has died. */
void board_cut_lines(bool cut);

/* Where a driver goes that ends itself, to be started anew by devmgr. */
extern jmp_buf board_died;

/* Every register write since the last call, "address=value\n", of all models. */
const char *board_writes(void);
void board_log(uint32_t address, uint32_t value);

/* The time, which sleeping moves on. */
extern uint64_t board_now;
extern uint64_t board_slept;

/* The Ethernet model, if a test has one: accesses to 0x16030000..0x1604ffff. */
uint32_t gmac_read(uint32_t address) __attribute__((weak));
void gmac_write(uint32_t address, uint32_t value) __attribute__((weak));
/* A register of the chip was written: perhaps the controller is held now. */
void gmac_reset_changed(void) __attribute__((weak));

#endif
