/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a program enters the kernel on 64-bit RISC-V: number in a7, arguments in a0..a5, status in a0,
 * results in a1, a2. Arguments and temporaries are dead afterwards, the callee-saved registers kept.
 * The calls on channels have the wider layout of <skerry/ipc.h>.
 */
#ifndef SK_ARCH_SYSCALL_H
#define SK_ARCH_SYSCALL_H

#include <skerry/types.h>

struct sk_result {
    status_t status;
    uint64_t value[2];
};

static inline struct sk_result sk_syscall6(uint64_t number, uint64_t arg0, uint64_t arg1,
                                           uint64_t arg2, uint64_t arg3, uint64_t arg4,
                                           uint64_t arg5)
{
    register uint64_t a0 __asm__("a0") = arg0;
    register uint64_t a1 __asm__("a1") = arg1;
    register uint64_t a2 __asm__("a2") = arg2;
    register uint64_t a3 __asm__("a3") = arg3;
    register uint64_t a4 __asm__("a4") = arg4;
    register uint64_t a5 __asm__("a5") = arg5;
    register uint64_t a7 __asm__("a7") = number;
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a7)
                     :
                     : "a6", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "memory");
    return (struct sk_result){(status_t)a0, {a1, a2}};
}

#define sk_syscall0(n) sk_syscall6(n, 0, 0, 0, 0, 0, 0)
#define sk_syscall1(n, a) sk_syscall6(n, a, 0, 0, 0, 0, 0)
#define sk_syscall2(n, a, b) sk_syscall6(n, a, b, 0, 0, 0, 0)
#define sk_syscall3(n, a, b, c) sk_syscall6(n, a, b, c, 0, 0, 0)
#define sk_syscall4(n, a, b, c, d) sk_syscall6(n, a, b, c, d, 0, 0)
#define sk_syscall5(n, a, b, c, d, e) sk_syscall6(n, a, b, c, d, e, 0)

/* The registers of a channel call, in and out; field names are those of <skerry/ipc.h>. */
struct sk_ipc_registers {
    uint64_t a0, info, words[4], deadline; /* out: status, info, words, token in `deadline` */
    uint64_t out_bytes, out_handles, in_bytes, in_room, in_handles, token; /* out: key, status */
};

static inline void sk_syscall_ipc(uint64_t number, struct sk_ipc_registers *r)
{
    register uint64_t a0 __asm__("a0") = r->a0;
    register uint64_t a1 __asm__("a1") = r->info;
    register uint64_t a2 __asm__("a2") = r->words[0];
    register uint64_t a3 __asm__("a3") = r->words[1];
    register uint64_t a4 __asm__("a4") = r->words[2];
    register uint64_t a5 __asm__("a5") = r->words[3];
    register uint64_t a6 __asm__("a6") = r->deadline;
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t t0 __asm__("t0") = r->out_bytes;
    register uint64_t t1 __asm__("t1") = r->out_handles;
    register uint64_t t2 __asm__("t2") = r->in_bytes;
    register uint64_t t3 __asm__("t3") = r->in_room;
    register uint64_t t4 __asm__("t4") = r->in_handles;
    register uint64_t t5 __asm__("t5") = r->token;
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6),
                       "+r"(a7), "+r"(t0), "+r"(t1), "+r"(t2), "+r"(t3), "+r"(t4), "+r"(t5)
                     :
                     : "t6", "memory");
    *r = (struct sk_ipc_registers){a0, a1, {a2, a3, a4, a5}, a6, t0, t1, t2, t3, t4, t5};
}

#endif
