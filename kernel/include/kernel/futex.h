/* SPDX-License-Identifier: BSD-2-Clause */
/* Futexes; the system calls are their interface. */
#ifndef KERNEL_FUTEX_H
#define KERNEL_FUTEX_H

/* Once, at boot. */
void futex_init(void);

#endif
