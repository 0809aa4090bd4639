/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A QEMU TCG plugin that counts executed guest instructions, by address range and by class.
 *
 * Owns the counters. One writer per row: inline mode has one row, the other modes one for each vCPU;
 * readers take relaxed loads of a running guest. No QEMU header is needed: the part of plugin interface
 * version 1 (QEMU 7.2) that is used is declared below.
 *
 * Built by Meson. Used by tools/run/bench.py, or by hand:
 *     qemu-system-riscv64 ... -plugin build/tools/insncount/libinsncount.so,sock=x.sock
 *     socat -u UNIX-CONNECT:x.sock -        (one JSON line, then EOF)
 *
 * Arguments, separated by commas as QEMU wants:
 *   sock=PATH   unix stream socket; each connection gets one JSON line.
 *   out=PATH    the same line is appended to PATH when QEMU exits.
 *   mode=inline an inline add for each instruction: exact with one vCPU (its default).
 *   mode=insn   a callback for each instruction: exact with several vCPUs (their default), slow.
 *   mode=tb     a callback for each translated block: fast, counts too much where a block is left early.
 *   range=NAME:LO:HI   hexadecimal, HI included; the first match wins, what matches none is "rest".
 *               Default: firmware, user (lower half), kernel (upper half).
 *   first=NAME  reports the total at the first instruction of that range as "first".
 *   io=on       counts device loads and stores too: a callback for each access, slow.
 *   prof=on     counts for each block: the request "prof" (echo prof | socat - UNIX-CONNECT:x.sock)
 *               also gets lines "pc instructions symbol", hottest first. One vCPU only.
 *   sym=on      with prof: names symbols where QEMU knows them (-kernel ELF).
 *
 * Classes, per range: insn (all), ecall (system calls, or SBI calls of the kernel), xret (returns from
 * traps), wfi, satp (address-space switches), sfence. An instruction that faults is counted again when
 * it is run again.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ---- the part of QEMU 7.2's plugin interface used here (API version 1) ---- */
#define EXPORT __attribute__((visibility("default")))
typedef uint64_t qemu_plugin_id_t;
typedef struct {
    const char *target_name;
    struct {
        int min, cur;
    } version;
    bool system_emulation;
    union {
        struct {
            int smp_vcpus, max_vcpus;
        } system;
    };
} qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
typedef uint32_t qemu_plugin_meminfo_t;
enum { CB_NO_REGS, CB_R_REGS, CB_RW_REGS };
enum { MEM_R = 1, MEM_W, MEM_RW };
enum { INLINE_ADD_U64 };
typedef void (*tb_trans_cb_t)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*vcpu_udata_cb_t)(unsigned int, void *);
typedef void (*udata_cb_t)(qemu_plugin_id_t, void *);
typedef void (*mem_cb_t)(unsigned int, qemu_plugin_meminfo_t, uint64_t, void *);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, tb_trans_cb_t);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, vcpu_udata_cb_t, int, void *);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, vcpu_udata_cb_t, int,
                                            void *);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int, void *, uint64_t);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, mem_cb_t, int, int, void *);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, udata_cb_t, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t, uint64_t);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t);

EXPORT int qemu_plugin_version = 1;

/* ---- counters ---- */
enum { K_INSN, K_ECALL, K_XRET, K_WFI, K_SATP, K_SFENCE, K_IOR, K_IOW, K_N };
static const char *kname[K_N] = {"insn", "ecall",  "xret",    "wfi",
                                 "satp", "sfence", "io_read", "io_write"};
#define MAXR 10
#define MAXV 16
struct range {
    char name[16];
    uint64_t lo, hi;
};
static struct range ranges[MAXR];
static int nranges;
/* [vcpu][range][kind]; inline mode writes only vcpu 0. One writer per row. */
static uint64_t ctr[MAXV][MAXR + 1][K_N] __attribute__((aligned(4096)));

static enum { M_AUTO, M_INLINE, M_INSN, M_TB } mode;
static bool io_on, prof_on, sym_on;
static int nv = 1;
static char sockpath[104], outpath[256];
static char first_name[16]; /* first=NAME; the total when that range was first entered */
static uint64_t first_total;
static struct timespec t0;

/* ---- profile table: block start -> executed instructions ---- */
struct pent {
    uint64_t pc, n;
    const char *sym;
};
#define PROF_CAP (1u << 20)
static struct pent *prof; /* open addressing, never moves */
static size_t prof_used;
static pthread_mutex_t prof_lock = PTHREAD_MUTEX_INITIALIZER;

static struct pent *prof_get(uint64_t pc, const char *sym)
{
    struct pent *e = NULL;
    pthread_mutex_lock(&prof_lock);
    for (size_t i = (pc * 0x9E3779B97F4A7C15ull) >> 44;; i = (i + 1) & (PROF_CAP - 1)) {
        if (prof[i].pc == pc && (prof[i].n || prof[i].sym || pc)) {
            e = &prof[i];
            break;
        }
        if (!prof[i].pc) {
            if (prof_used > PROF_CAP * 3 / 4) {
                break;
            }
            prof_used++;
            prof[i].pc = pc;
            prof[i].sym = sym;
            e = &prof[i];
            break;
        }
    }
    pthread_mutex_unlock(&prof_lock);
    return e;
}

static int classify(uint64_t va)
{
    for (int i = 0; i < nranges; i++) {
        if (va >= ranges[i].lo && va <= ranges[i].hi) {
            return i;
        }
    }
    return nranges;
}

static int kind_of(uint32_t w)
{
    if (w == 0x00000073) {
        return K_ECALL;
    }
    if (w == 0x10200073 || w == 0x30200073) {
        return K_XRET;
    }
    if (w == 0x10500073) {
        return K_WFI;
    }
    if ((w & 0xfe007fff) == 0x12000073) {
        return K_SFENCE;
    }
    if ((w & 0x7f) == 0x73 && (w >> 20) == 0x180) {
        uint32_t f3 = (w >> 12) & 7, rs1 = (w >> 15) & 31;
        if (f3 == 1 || f3 == 5 || ((f3 & 3) && rs1)) {
            return K_SATP;
        }
    }
    return K_INSN;
}

static uint64_t rd(int v, int r, int k)
{
    return __atomic_load_n(&ctr[v][r][k], __ATOMIC_RELAXED);
}

static uint64_t total_insns(void)
{
    uint64_t sum = 0;
    for (int v = 0; v < MAXV; v++) {
        for (int r = 0; r <= nranges; r++) {
            sum += rd(v, r, K_INSN);
        }
    }
    return sum;
}

/* callback modes: userdata packs range<<32 | kind<<28 | count */
#define PACK(r, k, n) ((void *)(uintptr_t)(((uint64_t)(r) << 32) | ((uint64_t)(k) << 28) | (n)))
static void count_cb(unsigned int v, void *u)
{
    uint64_t p = (uintptr_t)u;
    ctr[v % MAXV][p >> 32][(p >> 28) & 15] += p & 0xfffffff;
}

static void mem_cb(unsigned int v, qemu_plugin_meminfo_t info, uint64_t va, void *u)
{
    struct qemu_plugin_hwaddr *h = qemu_plugin_get_hwaddr(info, va);
    if (h && qemu_plugin_hwaddr_is_io(h)) {
        ctr[v % MAXV][(uintptr_t)u][qemu_plugin_mem_is_store(info) ? K_IOW : K_IOR]++;
    }
}

static void tb_trans(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);
    int r = classify(qemu_plugin_tb_vaddr(tb));
    struct pent *pe = NULL;

    if (!first_total && r < nranges && !strcmp(ranges[r].name, first_name)) {
        /* A block is translated right before it first runs. */
        first_total = total_insns();
    }
    if (prof_on) {
        const char *s = sym_on ? qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(tb, 0)) : NULL;
        pe = prof_get(qemu_plugin_tb_vaddr(tb), s && *s ? strdup(s) : NULL);
    }
    if (mode == M_TB) {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, count_cb, CB_NO_REGS, PACK(r, K_INSN, n));
    }
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *in = qemu_plugin_tb_get_insn(tb, i);
        int k = K_INSN;
        if (qemu_plugin_insn_size(in) == 4) {
            uint32_t w;
            memcpy(&w, qemu_plugin_insn_data(in), 4);
            k = kind_of(w);
        }
        if (mode == M_INLINE) {
            qemu_plugin_register_vcpu_insn_exec_inline(in, INLINE_ADD_U64, &ctr[0][r][K_INSN], 1);
            if (k != K_INSN) {
                qemu_plugin_register_vcpu_insn_exec_inline(in, INLINE_ADD_U64, &ctr[0][r][k], 1);
            }
        } else {
            if (mode == M_INSN) {
                qemu_plugin_register_vcpu_insn_exec_cb(in, count_cb, CB_NO_REGS,
                                                       PACK(r, K_INSN, 1));
            }
            if (k != K_INSN) {
                qemu_plugin_register_vcpu_insn_exec_cb(in, count_cb, CB_NO_REGS, PACK(r, k, 1));
            }
        }
        if (pe) {
            qemu_plugin_register_vcpu_insn_exec_inline(in, INLINE_ADD_U64, &pe->n, 1);
        }
        if (io_on) {
            qemu_plugin_register_vcpu_mem_cb(in, mem_cb, CB_NO_REGS, MEM_RW, (void *)(uintptr_t)r);
        }
    }
}

/* ---- report ---- */
static int render(char *b, size_t cap)
{
    struct timespec t;
    uint64_t s[MAXR + 1][K_N] = {0}, pv[MAXV] = {0}, tot[K_N] = {0};
    int o = 0;
    clock_gettime(CLOCK_MONOTONIC, &t);
    for (int v = 0; v < MAXV; v++) {
        for (int r = 0; r <= nranges; r++) {
            for (int k = 0; k < K_N; k++) {
                uint64_t x = rd(v, r, k);
                s[r][k] += x;
                tot[k] += x;
                if (k == K_INSN) {
                    pv[v] += x;
                }
            }
        }
    }
    o += snprintf(b + o, cap - o, "{\"total\":%" PRIu64 ",\"wall_ns\":%lld", tot[K_INSN],
                  (long long)(t.tv_sec - t0.tv_sec) * 1000000000ll + (t.tv_nsec - t0.tv_nsec));
    o += snprintf(b + o, cap - o, ",\"mode\":\"%s\"",
                  mode == M_INLINE ? "inline"
                  : mode == M_INSN ? "insn"
                                   : "tb");
    if (*first_name) {
        o += snprintf(b + o, cap - o, ",\"first\":%" PRIu64, first_total);
    }
    for (int k = 0; k < K_N; k++) {
        if (k >= K_IOR && !io_on) {
            continue;
        }
        o += snprintf(b + o, cap - o, ",\"%s\":{", kname[k]);
        for (int r = 0; r <= nranges; r++) {
            o += snprintf(b + o, cap - o, "%s\"%s\":%" PRIu64, r ? "," : "",
                          r < nranges ? ranges[r].name : "rest", s[r][k]);
        }
        o += snprintf(b + o, cap - o, "}");
    }
    if (mode != M_INLINE) {
        o += snprintf(b + o, cap - o, ",\"vcpu\":[");
        for (int v = 0; v < nv && v < MAXV; v++) {
            o += snprintf(b + o, cap - o, "%s%" PRIu64, v ? "," : "", pv[v]);
        }
        o += snprintf(b + o, cap - o, "]");
    }
    o += snprintf(b + o, cap - o, "}\n");
    return o;
}

static int pcmp(const void *a, const void *b)
{
    const struct pent *x = a, *y = b;
    return x->n < y->n ? 1 : x->n > y->n ? -1 : 0;
}

static void dump_prof(int fd)
{
    struct pent *c = malloc(prof_used * sizeof *c + 1);
    size_t m = 0;
    FILE *f = fdopen(dup(fd), "w");
    if (!c || !f) {
        return;
    }
    pthread_mutex_lock(&prof_lock);
    for (size_t i = 0; i < PROF_CAP && m < prof_used; i++) {
        if (prof[i].pc && prof[i].n) {
            c[m++] = prof[i];
        }
    }
    pthread_mutex_unlock(&prof_lock);
    qsort(c, m, sizeof *c, pcmp);
    for (size_t i = 0; i < m; i++) {
        fprintf(f, "0x%" PRIx64 " %" PRIu64 " %s\n", c[i].pc, c[i].n, c[i].sym ? c[i].sym : "");
    }
    fclose(f);
    free(c);
}

static void *server(void *arg)
{
    int ls = (int)(intptr_t)arg;
    sigset_t all;
    char b[8192];
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (;;) {
        int c = accept4(ls, NULL, NULL, SOCK_CLOEXEC);
        if (c < 0) {
            continue;
        }
        int n = render(b, sizeof b);
        if (send(c, b, n, MSG_NOSIGNAL) == n && prof_on) {
            struct pollfd p = {c, POLLIN, 0};
            char q[64];
            if (poll(&p, 1, 50) > 0) {
                ssize_t k = recv(c, q, sizeof q - 1, 0);
                if (k > 0 && !strncmp(q, "prof", 4)) {
                    dump_prof(c);
                }
            }
        }
        close(c);
    }
    return NULL;
}

static void at_exit(qemu_plugin_id_t id, void *u)
{
    char b[8192];
    int n = render(b, sizeof b);
    if (*outpath) {
        int f = open(outpath, O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (f >= 0) {
            if (write(f, b, n) < 0) {
            }
            close(f);
        }
    }
    if (*sockpath) {
        unlink(sockpath);
    }
}

static void add_range(const char *n, uint64_t lo, uint64_t hi)
{
    if (nranges >= MAXR) {
        return;
    }
    snprintf(ranges[nranges].name, sizeof ranges[0].name, "%s", n);
    ranges[nranges].lo = lo;
    ranges[nranges++].hi = hi;
}

static bool parse_argument(const char *a)
{
    char nm[16];
    uint64_t lo, hi;

    if (!strncmp(a, "sock=", 5)) {
        snprintf(sockpath, sizeof sockpath, "%s", a + 5);
    } else if (!strncmp(a, "out=", 4)) {
        snprintf(outpath, sizeof outpath, "%s", a + 4);
    } else if (!strncmp(a, "first=", 6)) {
        snprintf(first_name, sizeof first_name, "%s", a + 6);
    } else if (!strcmp(a, "mode=inline")) {
        mode = M_INLINE;
    } else if (!strcmp(a, "mode=insn")) {
        mode = M_INSN;
    } else if (!strcmp(a, "mode=tb")) {
        mode = M_TB;
    } else if (!strcmp(a, "io=on")) {
        io_on = true;
    } else if (!strcmp(a, "prof=on")) {
        prof_on = true;
    } else if (!strcmp(a, "sym=on")) {
        sym_on = true;
    } else if (sscanf(a, "range=%15[^:]:%" SCNx64 ":%" SCNx64, nm, &lo, &hi) == 3) {
        add_range(nm, lo, hi);
    } else {
        return false;
    }
    return true;
}

/* Listens on sockpath; a thread of its own answers. */
static bool serve_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", sockpath);
    unlink(sockpath);
    if (s < 0 || bind(s, (void *)&address, sizeof address) || listen(s, 16)) {
        return false;
    }
    if (pthread_create(&thread, NULL, server, (void *)(intptr_t)s)) {
        return false;
    }
    pthread_detach(thread);
    return true;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    if (info->version.min > 1 || info->version.cur < 1) {
        fprintf(stderr, "insncount: wants plugin API 1, QEMU offers %d..%d\n", info->version.min,
                info->version.cur);
        return -1;
    }
    clock_gettime(CLOCK_MONOTONIC, &t0);
    if (info->system_emulation) {
        nv = info->system.max_vcpus;
    }
    for (int i = 0; i < argc; i++) {
        if (!parse_argument(argv[i])) {
            fprintf(stderr, "insncount: bad argument '%s'\n", argv[i]);
            return -1;
        }
    }
    if (mode == M_AUTO) {
        mode = nv > 1 ? M_INSN : M_INLINE;
    }
    if (nv > MAXV) {
        fprintf(stderr, "insncount: at most %d vCPUs\n", MAXV);
        return -1;
    }
    if (!nranges) {
        add_range("fw", 0x80000000, 0x801fffff);
        add_range("user", 0, 0x00ffffffffffffffull);
        add_range("kernel", 0x0100000000000000ull, ~0ull);
    }
    if (prof_on && !(prof = calloc(PROF_CAP, sizeof *prof))) {
        return -1;
    }
    if (*sockpath && !serve_socket()) {
        perror("insncount: sock");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, tb_trans);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
