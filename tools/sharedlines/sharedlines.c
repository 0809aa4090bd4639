/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A QEMU TCG plugin that counts how often the kernel's cache lines move between harts.
 *
 * For each line of 64 bytes in the upper half of the address space it keeps which harts have it. A read
 * by a hart that has it not, and a write to a line that another hart has too, move the line: what caches
 * would have to do if they were large enough. Lines that are only read move once to each hart.
 *
 * Argument: out=PATH; one line is written there when QEMU exits: {"moves":N,"top":[["ADDRESS",N],...]}.
 * No lock: entries are claimed and changed by compare-and-swap. No QEMU header is needed: the part of
 * plugin interface version 1 (QEMU 7.2) that is used is declared below. Used by tools/run/ipc_figures.py.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint32_t qemu_plugin_meminfo_t;
enum { CB_NO_REGS };
enum { MEM_RW = 3 };
typedef void (*tb_trans_cb_t)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*udata_cb_t)(qemu_plugin_id_t, void *);
typedef void (*mem_cb_t)(unsigned int, qemu_plugin_meminfo_t, uint64_t, void *);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, tb_trans_cb_t);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, mem_cb_t, int, int, void *);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, udata_cb_t, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t);

EXPORT int qemu_plugin_version = 1;

#define LINE_BITS 6
#define TABLE_BITS 20
#define TABLE_SIZE (1u << TABLE_BITS)
#define TOP 12

struct line {
    uint64_t number;  /* address >> LINE_BITS; 0: free. Set once. */
    uint64_t holders; /* a bit for each hart */
    uint64_t moves;
};
static struct line *lines;
static uint64_t lost; /* accesses that found the table full */
static char out_path[256];

static struct line *find_line(uint64_t number)
{
    uint64_t at = (number * 0x9E3779B97F4A7C15ull) >> (64 - TABLE_BITS);
    for (uint32_t tries = 0; tries < TABLE_SIZE; tries++, at = (at + 1) % TABLE_SIZE) {
        uint64_t seen = __atomic_load_n(&lines[at].number, __ATOMIC_RELAXED);
        if (seen == 0 && __atomic_compare_exchange_n(&lines[at].number, &seen, number, false,
                                                     __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            return &lines[at];
        }
        if (seen == number) {
            return &lines[at];
        }
    }
    return NULL;
}

static void access_cb(unsigned int hart, qemu_plugin_meminfo_t info, uint64_t address, void *unused)
{
    (void)unused;
    if (address >> 63 == 0) {
        return;
    }
    struct line *line = find_line(address >> LINE_BITS);
    if (line == NULL) {
        __atomic_fetch_add(&lost, 1, __ATOMIC_RELAXED);
        return;
    }
    bool writes = qemu_plugin_mem_is_store(info);
    uint64_t self = (uint64_t)1 << hart % 64;
    uint64_t before = __atomic_load_n(&line->holders, __ATOMIC_RELAXED), after;
    do {
        after = writes ? self : before | self;
        if (after == before) {
            return;
        }
    } while (!__atomic_compare_exchange_n(&line->holders, &before, after, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    __atomic_fetch_add(&line->moves, 1, __ATOMIC_RELAXED);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i), access_cb, CB_NO_REGS,
                                         MEM_RW, NULL);
    }
}

static int by_moves(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return (x->moves < y->moves) - (x->moves > y->moves);
}

static void at_exit(qemu_plugin_id_t id, void *unused)
{
    (void)id, (void)unused;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < TABLE_SIZE; i++) {
        sum += lines[i].moves;
    }
    qsort(lines, TABLE_SIZE, sizeof(lines[0]), by_moves);
    FILE *file = fopen(out_path, "w");
    if (file == NULL) {
        perror("sharedlines: out");
        return;
    }
    fprintf(file, "{\"moves\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"top\":[", sum, lost);
    for (uint32_t i = 0; i < TOP; i++) {
        fprintf(file, "%s[\"%" PRIx64 "\",%" PRIu64 "]", i == 0 ? "" : ",",
                lines[i].number << LINE_BITS, lines[i].moves);
    }
    fprintf(file, "]}\n");
    fclose(file);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) != 0) {
            fprintf(stderr, "sharedlines: bad argument '%s'\n", argv[i]);
            return -1;
        }
        snprintf(out_path, sizeof(out_path), "%s", argv[i] + 4);
    }
    lines = calloc(TABLE_SIZE, sizeof(lines[0]));
    if (lines == NULL) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
