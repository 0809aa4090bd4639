/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot archive (cpio, newc) where the boot loader put it: in whole pages, whole to its end mark, and
 * the files in it. Nothing in it is believed before its length was checked.
 *
 * Context: the boot hart, once. Tests: tests/qemu/boards/bad_input.py, odd_machines.py.
 */
#include <kernel/boot.h>

#include <string.h>

#include <arch/mmu.h>
#include <kernel/platform.h>

#define CPIO_HEADER 110u
#define CPIO_MAGIC "070701"
#define CPIO_TRAILER "TRAILER!!!"
#define RELOAD "load bootfs.cpio again, all of it"

struct member {
    const char *name; /* `name_length` bytes, not terminated */
    size_t name_length;
    uint64_t data; /* offset in the archive */
    uint64_t size;
};

static bool overlap(struct platform_range a, struct platform_range b)
{
    return a.start < b.end && b.start < a.end;
}

static bool in_memory(struct platform_range range)
{
    for (uint32_t i = 0; i < platform.memory_count; i++) {
        if (platform.memory[i].start <= range.start && range.end <= platform.memory[i].end) {
            return true;
        }
    }
    return false;
}

/* The files are aligned to pages in the archive, so the archive has to be in memory: it moves down by less
 * than a page, if nothing else is there. */
static void align(const struct platform_range *kernel, const struct platform_range *tree)
{
    struct platform_range *archive = &platform.initrd;
    struct platform_range gap = {archive->start & ~PAGE_MASK, archive->start};
    if (gap.start == gap.end) {
        return;
    }
    bool is_free = in_memory(gap) && !overlap(gap, *kernel) && !overlap(gap, *tree);
    for (uint32_t i = 0; i < platform.reserved_count; i++) {
        is_free = is_free && !overlap(gap, platform.reserved[i]);
    }
    if (!is_free) {
        boot_fail(
            "the boot archive (initrd) shares the page of 0x%lx with something else: load it at a "
            "multiple of 0x1000",
            (unsigned long)archive->start);
    }
    uint64_t size = archive->end - archive->start;
    memmove(phys_to_virt(gap.start), phys_to_virt(archive->start), size);
    *archive = (struct platform_range){gap.start, gap.start + size};
}

void boot_archive_place(const struct platform_range *kernel, const struct platform_range *tree)
{
    struct platform_range *archive = &platform.initrd;
    if (archive->start == archive->end) {
        boot_fail(
            "there is no boot archive (initrd): load bootfs.cpio too (QEMU: -initrd bootfs.cpio; "
            "U-Boot: booti KERNEL ARCHIVE:SIZE TREE)");
    }
    if (!in_memory(*archive) || overlap(*archive, *kernel) || overlap(*archive, *tree)) {
        boot_fail(
            "the boot archive (initrd), 0x%lx to 0x%lx, is not in memory or overlaps the kernel "
            "(0x%lx to 0x%lx) or the device tree: load it elsewhere",
            (unsigned long)archive->start, (unsigned long)archive->end,
            (unsigned long)kernel->start, (unsigned long)kernel->end);
    }
    align(kernel, tree);
}

/* Field `index` of a header: eight hexadecimal digits. */
static uint64_t field(const unsigned char *archive, uint64_t at, uint32_t index)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < 8; i++) {
        unsigned char c = archive[at + 6 + 8 * index + i];
        uint32_t digit = c <= '9' ? c - (uint32_t)'0' : (c | 0x20u) - 'a' + 10u;
        if (digit > 15) {
            boot_fail("the boot archive has a malformed header at byte %lu: " RELOAD,
                      (unsigned long)at);
        }
        value = value << 4 | digit;
    }
    return value;
}

static _Noreturn void cut_short(uint64_t size)
{
    boot_fail("the boot archive is cut short, %lu bytes were loaded: " RELOAD, (unsigned long)size);
}

/* The member at `at`; returns where the next one is. */
static uint64_t read_member(const unsigned char *archive, uint64_t size, uint64_t at,
                            struct member *member)
{
    if (size - at < CPIO_HEADER) {
        cut_short(size);
    }
    if (memcmp(archive + at, CPIO_MAGIC, strlen(CPIO_MAGIC)) != 0) {
        boot_fail("the boot archive is no cpio (newc) archive at byte %lu: " RELOAD,
                  (unsigned long)at);
    }
    uint64_t name_size = field(archive, at, 11);
    member->size = field(archive, at, 6);
    member->data = (at + CPIO_HEADER + name_size + 3) & ~3ull;
    if (member->data > size || member->size > size - member->data) {
        cut_short(size);
    }
    member->name = (const char *)archive + at + CPIO_HEADER;
    member->name_length = strnlen(member->name, name_size);
    uint64_t next = (member->data + member->size + 3) & ~3ull;
    return next < size ? next : size;
}

static bool is_named(const struct member *member, const char *name)
{
    return member->name_length == strlen(name) &&
           memcmp(member->name, name, member->name_length) == 0;
}

uint64_t boot_archive_find(const char *name, uint64_t *file_size)
{
    const unsigned char *archive = phys_to_virt(platform.initrd.start);
    uint64_t size = platform.initrd.end - platform.initrd.start;
    struct member member, found = {.name = NULL};
    uint64_t at = 0;
    do { /* to the end mark: a file that is found in half an archive is no success */
        at = read_member(archive, size, at, &member);
        if (found.name == NULL && is_named(&member, name)) {
            found = member;
        }
    } while (!is_named(&member, CPIO_TRAILER));
    if (found.name == NULL) {
        boot_fail(
            "the boot archive has no %s: load the bootfs.cpio that was built with this kernel",
            name);
    }
    if (found.data % PAGE_SIZE != 0) {
        boot_fail(
            "%s in the boot archive is not page-aligned: make archives with tools/mkbootfs.py",
            name);
    }
    *file_size = found.size;
    return found.data;
}
