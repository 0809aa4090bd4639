/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Program headers of a position-independent 64-bit RISC-V ELF file that needs no linker. Owns nothing. Segments are widened to whole
 * pages: the bytes before the segment in its first page come from the file as well, which the
 * congruence of address and offset allows.
 */
#include "elf.h"

#include <stdbool.h>
#include <string.h>

#include <elf.h>

#define IMAGE_BYTES_MAX ((uint64_t)64 << 20) /* in memory */
#define PAGE_MASK ((uint64_t)SK_PAGE_SIZE - 1)

static bool header_is_ours(const Elf64_Ehdr *header)
{
    static const unsigned char magic[] = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT};
    return memcmp(header->e_ident, magic, sizeof magic) == 0 && header->e_type == ET_DYN &&
           header->e_machine == EM_RISCV && header->e_version == EV_CURRENT &&
           header->e_phentsize == sizeof(Elf64_Phdr);
}

/* One PT_LOAD header as a segment of whole pages. */
static status_t read_segment(const Elf64_Phdr *program, uint64_t file_size,
                             struct elf_segment *segment)
{
    if (program->p_filesz > program->p_memsz || program->p_offset > file_size ||
        program->p_filesz > file_size - program->p_offset) {
        return SK_BAD_FORMAT;
    }
    if (program->p_vaddr >= IMAGE_BYTES_MAX ||
        program->p_memsz > IMAGE_BYTES_MAX - program->p_vaddr ||
        ((program->p_vaddr ^ program->p_offset) & PAGE_MASK) != 0) {
        return SK_BAD_FORMAT;
    }
    if ((program->p_flags & PF_W) != 0 && (program->p_flags & PF_X) != 0) {
        return SK_BAD_FORMAT;
    }
    uint64_t before = program->p_vaddr & PAGE_MASK;
    segment->address = program->p_vaddr - before;
    segment->memory_size = (program->p_memsz + before + PAGE_MASK) & ~PAGE_MASK;
    segment->file_offset = program->p_offset - before;
    segment->file_size = program->p_filesz + before;
    segment->protection = SK_PROT_READ | ((program->p_flags & PF_W) != 0 ? SK_PROT_WRITE : 0) |
                          ((program->p_flags & PF_X) != 0 ? SK_PROT_EXECUTE : 0);
    /* Zeroes behind the data of a segment that is mapped straight from the file would be the file's
     * next bytes. */
    bool zeroes = program->p_memsz > program->p_filesz;
    return zeroes && (program->p_flags & PF_W) == 0 ? SK_BAD_FORMAT : SK_OK;
}

static bool contains_entry(const struct elf_segment *segment, uint64_t entry)
{
    return (segment->protection & SK_PROT_EXECUTE) != 0 && entry >= segment->address &&
           entry - segment->address < segment->file_size;
}

static status_t read_segments(const uint8_t *table, uint32_t count, uint64_t file_size,
                              struct elf_image *image)
{
    bool entry_found = false;
    image->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        Elf64_Phdr program;
        memcpy(&program, table + i * sizeof program, sizeof program);
        if (program.p_type == PT_INTERP || program.p_type == PT_DYNAMIC) {
            return SK_BAD_FORMAT;
        }
        if (program.p_type != PT_LOAD || program.p_memsz == 0) {
            continue;
        }
        if (image->count == ELF_SEGMENTS_MAX) {
            return SK_BAD_FORMAT;
        }
        struct elf_segment *segment = &image->segments[image->count];
        status_t status = read_segment(&program, file_size, segment);
        if (status != SK_OK) {
            return status;
        }
        if (image->count > 0 && segment->address < segment[-1].address + segment[-1].memory_size) {
            return SK_BAD_FORMAT; /* the standard wants ascending order; so no overlap either */
        }
        entry_found |= contains_entry(segment, image->entry);
        image->count++;
    }
    return entry_found ? SK_OK : SK_BAD_FORMAT;
}

status_t elf_read(const void *header, uint64_t header_size, uint64_t file_size,
                  struct elf_image *image)
{
    Elf64_Ehdr elf;
    if (header_size > ELF_HEADER_BYTES) {
        header_size = ELF_HEADER_BYTES;
    }
    if (header_size < sizeof elf || file_size < header_size) {
        return SK_BAD_FORMAT;
    }
    memcpy(&elf, header, sizeof elf);
    uint64_t table_bytes = (uint64_t)elf.e_phnum * sizeof(Elf64_Phdr);
    if (!header_is_ours(&elf) || elf.e_phoff > header_size ||
        table_bytes > header_size - elf.e_phoff) {
        return SK_BAD_FORMAT;
    }
    image->entry = elf.e_entry;
    return read_segments((const uint8_t *)header + elf.e_phoff, elf.e_phnum, file_size, image);
}
