/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the headers of a program file and decides what is to be mapped where. The file may lie: all
 * is checked here, before anything is created. Pure. Tests: tests/host/userland/lib/test_elf.c,
 * tests/fuzz/fuzz_elf.c.
 */
#ifndef LIB_ELF_H
#define LIB_ELF_H

#include <skerry/status.h>
#include <skerry/types.h>

#define ELF_SEGMENTS_MAX 8u
#define ELF_HEADER_BYTES 1024u /* program headers must lie in the first bytes of the file */

/* One loadable segment. address, memory_size and file_offset are multiples of the page size. */
struct elf_segment {
    uint64_t address;
    uint64_t memory_size;
    uint64_t file_offset;
    uint64_t file_size;  /* bytes of data from file_offset on; the rest is zeroes */
    uint32_t protection; /* SK_PROT_*; with WRITE the segment needs memory of its own */
};

/* It may lie anywhere, as long as all addresses are moved alike. */
struct elf_image {
    uint64_t entry;
    uint32_t count;
    struct elf_segment segments[ELF_SEGMENTS_MAX]; /* in ascending order of address */
};

/*
 * `header` holds the first `header_size` bytes (at most ELF_HEADER_BYTES are looked at) of a file of
 * `file_size` bytes. BAD_FORMAT: not a position-independent ELF of this machine, or a lie: truncated,
 * overlapping, larger than the limit, misaligned, writable and executable, entry not in an
 * executable segment.
 */
status_t elf_read(const void *header, uint64_t header_size, uint64_t file_size,
                  struct elf_image *image);

#endif
