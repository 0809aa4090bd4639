/* SPDX-License-Identifier: BSD-2-Clause */
/* See archive.h. */
#include "archive.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#define HEADER 110u
#define ARCHIVE_MAX (16u * SK_PAGE_SIZE)

static uint8_t archive[ARCHIVE_MAX];

static size_t append(size_t at, const struct archive_file *file, unsigned number)
{
    size_t name = strlen(file->name) + 1;
    size_t align = file->size != 0 ? SK_PAGE_SIZE : 4;
    size_t data = (at + HEADER + name + align - 1) / align * align;
    size_t padded = file->size != 0 ? data - at - HEADER : name;
    if (data + file->size + HEADER > ARCHIVE_MAX) {
        double_broke("the archive has no room for %s", file->name);
    }
    const unsigned fields[] = {number, file->mode,       0, 0, 1, 0, file->size, 0, 0, 0,
                               0,      (unsigned)padded, 0};
    char *text = (char *)archive + at;
    text += sprintf(text, "070701");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        text += sprintf(text, "%08X", fields[i]);
    }
    memcpy(archive + at + HEADER, file->name, name);
    if (file->size != 0) {
        memcpy(archive + data, file->bytes, file->size);
    }
    return (data + file->size + 3) / 4 * 4;
}

struct held archive_make(const struct archive_file *files, size_t count)
{
    static const struct archive_file trailer = {"TRAILER!!!", 0, NULL, 0};
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        at = append(at, &files[i], (unsigned)i + 1);
    }
    at = append(at, &trailer, 0);
    return memory_make(archive, at);
}

const void *archive_program(uint32_t *size)
{
    static struct {
        Elf64_Ehdr header;
        Elf64_Phdr text;
    } program;
    program.header = (Elf64_Ehdr){
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_DYN,
        .e_machine = EM_RISCV,
        .e_version = EV_CURRENT,
        .e_entry = 0x400000,
        .e_phoff = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 1};
    program.text = (Elf64_Phdr){.p_type = PT_LOAD,
                                .p_flags = PF_R | PF_X,
                                .p_vaddr = 0x400000,
                                .p_filesz = sizeof program,
                                .p_memsz = sizeof program};
    *size = sizeof program;
    return &program;
}
