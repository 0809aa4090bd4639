/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls of user code in host tests: the test defines sk_syscall6. See host_syscall_args. */
#ifndef SK_ARCH_SYSCALL_H
#define SK_ARCH_SYSCALL_H

#include <skerry/types.h>

struct sk_result {
    status_t status;
    uint64_t value[2];
};

struct sk_result sk_syscall6(uint64_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2,
                             uint64_t arg3, uint64_t arg4, uint64_t arg5);

#define sk_syscall0(n) sk_syscall6(n, 0, 0, 0, 0, 0, 0)
#define sk_syscall1(n, a) sk_syscall6(n, a, 0, 0, 0, 0, 0)
#define sk_syscall2(n, a, b) sk_syscall6(n, a, b, 0, 0, 0, 0)
#define sk_syscall3(n, a, b, c) sk_syscall6(n, a, b, c, 0, 0, 0)
#define sk_syscall4(n, a, b, c, d) sk_syscall6(n, a, b, c, d, 0, 0)
#define sk_syscall5(n, a, b, c, d, e) sk_syscall6(n, a, b, c, d, e, 0)

#endif
