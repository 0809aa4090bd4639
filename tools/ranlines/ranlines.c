/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A QEMU TCG plugin that notes which of the kernel's instructions were run: a bit for each two bytes from `base` on.
 *
 * An instruction counts from when QEMU translates its block, which it does to run it: so this costs nothing while the
 * guest runs, and what is behind an instruction that faults in the middle of a block is counted, too. The bits are a
 * mapped file, so that they are there however QEMU ends. No lock: bits are only ever set.
 *
 * Arguments: out=PATH, base=HEX, size=HEX. No QEMU header is needed: the part of plugin interface version 1
 * (QEMU 7.2) that is used is declared below. Used by tools/run/coverage.py.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*tb_trans_cb_t)(qemu_plugin_id_t, struct qemu_plugin_tb *);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, tb_trans_cb_t);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);

EXPORT int qemu_plugin_version = 1;

static uint64_t base, size;
static uint8_t *bits;

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        uint64_t at = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, i)) - base;
        if (at < size) {
            __atomic_fetch_or(&bits[at / 16], (uint8_t)(1u << at / 2 % 8), __ATOMIC_RELAXED);
        }
    }
}

static int map_bits(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
    if (file < 0 || size == 0 || ftruncate(file, (off_t)(size / 16)) != 0) {
        perror(path);
        return -1;
    }
    bits = mmap(NULL, size / 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return bits != MAP_FAILED ? 0 : -1;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    const char *path = "";
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0) {
            path = argv[i] + 4;
        } else if (strncmp(argv[i], "base=", 5) == 0) {
            base = strtoull(argv[i] + 5, NULL, 16);
        } else if (strncmp(argv[i], "size=", 5) == 0) {
            size = strtoull(argv[i] + 5, NULL, 16) & ~UINT64_C(15);
        } else {
            fprintf(stderr, "ranlines: bad argument '%s'\n", argv[i]);
            return -1;
        }
    }
    if (map_bits(path) != 0) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
