/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The advanced platform-level interrupt controller, delivering to harts directly (RISC-V AIA
 * specification 1.0, chapter 4): the domain of supervisor mode, to which the firmware has delegated
 * the sources.
 *
 * A claim does not hold a source back, as a PLIC's does: while the device's line is up it is
 * pending again at once (4.7). So a claim disables it, and the completion enables it. Every source is taken
 * for one whose line is up while it wants something, as all of QEMU's are. No lock: each register
 * that is written belongs to one source or one context, or takes a source's number.
 *
 * Its test: tests/qemu/boards/odd_machines.py.
 */
#include "internal.h"

#define DOMAINCFG 0x0000ul /* 4.5.1 */
#define DOMAINCFG_IE (1u << 8)
#define SOURCECFG(source) (0x0000ul + 4ul * (source)) /* 4.5.2 */
#define SOURCECFG_LEVEL_HIGH 6u
#define SETIENUM 0x1edcul                          /* 4.5.10 */
#define CLRIENUM 0x1fdcul                          /* 4.5.12 */
#define TARGET(source) (0x3000ul + 4ul * (source)) /* 4.5.16: the context, and a priority */
#define TARGET_OF(context) ((context) << 18 | 1u)
#define IDC(context) (0x4000ul + 32ul * (context)) /* 4.8.1 */
#define IDELIVERY(context) (IDC(context) + 0x00)
#define ITHRESHOLD(context) (IDC(context) + 0x08)
#define CLAIMI(context) (IDC(context) + 0x1c)
#define CLAIMI_SOURCE 16u /* and above */

static volatile unsigned char *registers; /* [I] */

static volatile uint32_t *at(uint64_t offset)
{
    return (volatile uint32_t *)(registers + offset);
}

static void write(uint64_t offset, uint32_t value)
{
    *at(offset) = value;
}

static void boot(volatile unsigned char *mapped, uint32_t sources)
{
    registers = mapped;
    write(DOMAINCFG, 0);
    for (uint32_t source = 1; source <= sources; source++) {
        write(CLRIENUM, source);
    }
    write(DOMAINCFG, DOMAINCFG_IE); /* little-endian, direct delivery */
}

static void boot_context(uint32_t context, uint32_t sources)
{
    write(ITHRESHOLD(context), 0); /* every priority */
    write(IDELIVERY(context), 1);
}

static void enable(uint32_t source, uint32_t context)
{
    write(SOURCECFG(source), SOURCECFG_LEVEL_HIGH);
    write(TARGET(source), TARGET_OF(context));
    write(SETIENUM, source);
}

static void disable(uint32_t source, uint32_t context)
{
    write(CLRIENUM, source);
}

static struct irq_port port(uint32_t context)
{
    return (struct irq_port){
        .claim = at(CLAIMI(context)),
        .complete = at(SETIENUM),
        .hold = at(CLRIENUM),
        .shift = CLAIMI_SOURCE,
    };
}

const struct irq_controller aplic = {boot, boot_context, port, enable, disable};
