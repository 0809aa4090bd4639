/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of userland/lib/elf.c: an honest file, and every lie that the loader must see through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>

#include "../../../../userland/lib/elf.h"

#define FILE_SIZE 0x5000u

/* Headers of a file like the linker script makes: rodata, text, data with bss. */
struct file {
    Elf64_Ehdr header;
    Elf64_Phdr programs[12];
};

static void set_load(Elf64_Phdr *program, uint32_t flags, uint64_t offset, uint64_t address,
                     uint64_t file_size, uint64_t memory_size)
{
    *program = (Elf64_Phdr){
        .p_type = PT_LOAD,
        .p_flags = flags,
        .p_offset = offset,
        .p_vaddr = address,
        .p_filesz = file_size,
        .p_memsz = memory_size,
        .p_align = 4096,
    };
}

static struct file honest(void)
{
    struct file file;
    memset(&file, 0, sizeof file);
    memcpy(file.header.e_ident, ELFMAG, SELFMAG);
    file.header.e_ident[EI_CLASS] = ELFCLASS64;
    file.header.e_ident[EI_DATA] = ELFDATA2LSB;
    file.header.e_ident[EI_VERSION] = EV_CURRENT;
    file.header.e_type = ET_DYN;
    file.header.e_machine = EM_RISCV;
    file.header.e_version = EV_CURRENT;
    file.header.e_entry = 0x11010;
    file.header.e_phoff = offsetof(struct file, programs);
    file.header.e_phentsize = sizeof(Elf64_Phdr);
    file.header.e_phnum = 3;
    set_load(&file.programs[0], PF_R, 0, 0x10000, 0x700, 0x700);
    set_load(&file.programs[1], PF_R | PF_X, 0x1000, 0x11000, 0x2ada, 0x2ada);
    set_load(&file.programs[2], PF_R | PF_W, 0x4010, 0x14010, 0x28, 0x1b98);
    return file;
}

static status_t read_file(const struct file *file, struct elf_image *image)
{
    return elf_read(file, sizeof *file, FILE_SIZE, image);
}

static void reads_an_honest_file(void **state)
{
    struct file file = honest();
    struct elf_image image;

    assert_int_equal(read_file(&file, &image), SK_OK);
    assert_int_equal(image.entry, 0x11010);
    assert_int_equal(image.count, 3);
    assert_int_equal(image.segments[0].protection, SK_PROT_READ);
    assert_int_equal(image.segments[1].protection, SK_PROT_READ | SK_PROT_EXECUTE);
    assert_int_equal(image.segments[1].address, 0x11000);
    assert_int_equal(image.segments[1].memory_size, 0x3000);
    assert_int_equal(image.segments[2].protection, SK_PROT_READ | SK_PROT_WRITE);
    assert_int_equal(image.segments[2].address, 0x14000);
    assert_int_equal(image.segments[2].memory_size, 0x2000);
    assert_int_equal(image.segments[2].file_offset, 0x4000);
    assert_int_equal(image.segments[2].file_size, 0x38);
}

static void skips_empty_and_other_segments(void **state)
{
    struct file file = honest();
    struct elf_image image;

    file.header.e_phnum = 5;
    file.programs[3].p_type = PT_TLS;
    set_load(&file.programs[4], PF_R | PF_W | PF_X, 0, 0, 0, 0);
    assert_int_equal(read_file(&file, &image), SK_OK);
    assert_int_equal(image.count, 3);
}

static void assert_refused(const struct file *file)
{
    struct elf_image image;
    assert_int_equal(read_file(file, &image), SK_BAD_FORMAT);
}

static void refuses_another_kind_of_file(void **state)
{
    struct file file = honest();
    file.header.e_ident[0] = '#';
    assert_refused(&file);
    file = honest();
    file.header.e_ident[EI_CLASS] = ELFCLASS32;
    assert_refused(&file);
    file = honest();
    file.header.e_machine = EM_X86_64;
    assert_refused(&file);
    file = honest();
    file.header.e_type = ET_EXEC;
    assert_refused(&file);
    file = honest();
    file.programs[0].p_type = PT_INTERP;
    assert_refused(&file);
    file = honest();
    file.header.e_phentsize = 32;
    assert_refused(&file);
}

static void refuses_headers_outside(void **state)
{
    struct file file = honest();
    struct elf_image image;

    file.header.e_phoff = UINT64_MAX - 8;
    assert_refused(&file);
    file = honest();
    file.header.e_phoff = sizeof file - 8;
    assert_refused(&file);
    file = honest();
    file.header.e_phnum = UINT16_MAX;
    assert_refused(&file);
    file = honest();
    for (size_t size = 0; size < sizeof file.header; size++) {
        assert_int_equal(elf_read(&file, size, size, &image), SK_BAD_FORMAT);
    }
    assert_int_equal(elf_read(&file, sizeof file, sizeof file - 1, &image), SK_BAD_FORMAT);
}

static void refuses_truncated_segments(void **state)
{
    struct file file = honest();
    file.programs[1].p_offset = 0x4000;
    assert_refused(&file);
    file = honest();
    file.programs[1].p_offset = UINT64_MAX - 0xfff;
    assert_refused(&file);
    file = honest();
    file.programs[2].p_filesz = UINT64_MAX;
    file.programs[2].p_memsz = UINT64_MAX;
    assert_refused(&file);
    file = honest();
    file.programs[2].p_filesz = file.programs[2].p_memsz + 1;
    assert_refused(&file);
}

static void refuses_overlap_and_disorder(void **state)
{
    struct file file = honest();
    file.programs[1].p_vaddr = 0x10000;
    file.header.e_entry = 0x10010;
    assert_refused(&file);
    file = honest();
    file.programs[2].p_vaddr = 0x13010;
    assert_refused(&file);
    file = honest();
    Elf64_Phdr first = file.programs[0];
    file.programs[0] = file.programs[1];
    file.programs[1] = first;
    assert_refused(&file);
}

static void refuses_addresses_that_are_not_ours(void **state)
{
    static const uint64_t bad[] = {0, SK_USER_LIMIT, 0xffffffc000001000, UINT64_MAX - 0xfff};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct file file = honest();
        file.programs[1].p_vaddr = bad[i] & ~(uint64_t)0xfff;
        file.header.e_entry = file.programs[1].p_vaddr + 0x10;
        file.header.e_phnum = 2;
        assert_refused(&file);
    }
    struct file file = honest();
    file.programs[2].p_vaddr = SK_USER_LIMIT - 0x1000 + 0x10;
    assert_refused(&file);
    file = honest();
    file.programs[2].p_memsz = (uint64_t)1 << 40;
    assert_refused(&file);
    file = honest();
    file.programs[2].p_vaddr += 1;
    assert_refused(&file);
}

static void refuses_write_with_execute(void **state)
{
    struct file file = honest();
    file.programs[2].p_flags |= PF_X;
    assert_refused(&file);
}

static void refuses_zeroes_in_a_segment_mapped_from_the_file(void **state)
{
    struct file file = honest();
    file.programs[1].p_memsz += 1;
    assert_refused(&file);
}

static void refuses_an_entry_outside_of_text(void **state)
{
    static const uint64_t bad[] = {0, 0x10000, 0x14010, 0x13ada, UINT64_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct file file = honest();
        file.header.e_entry = bad[i];
        assert_refused(&file);
    }
}

static void refuses_too_many_segments(void **state)
{
    struct file file = honest();
    file.header.e_phnum = 12;
    for (uint64_t i = 3; i < 12; i++) {
        set_load(&file.programs[i], PF_R, 0, 0x20000 + i * 0x1000, 0x10, 0x10);
    }
    assert_refused(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_an_honest_file),
        cmocka_unit_test(skips_empty_and_other_segments),
        cmocka_unit_test(refuses_another_kind_of_file),
        cmocka_unit_test(refuses_headers_outside),
        cmocka_unit_test(refuses_truncated_segments),
        cmocka_unit_test(refuses_overlap_and_disorder),
        cmocka_unit_test(refuses_addresses_that_are_not_ours),
        cmocka_unit_test(refuses_write_with_execute),
        cmocka_unit_test(refuses_zeroes_in_a_segment_mapped_from_the_file),
        cmocka_unit_test(refuses_an_entry_outside_of_text),
        cmocka_unit_test(refuses_too_many_segments),
    };
    return cmocka_run_group_tests_name("elf", tests, NULL, NULL);
}
