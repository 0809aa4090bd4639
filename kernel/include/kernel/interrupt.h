/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt objects; the system calls are their interface. */
#ifndef KERNEL_INTERRUPT_H
#define KERNEL_INTERRUPT_H

#include <kernel/object.h>

extern const struct object_type interrupt_type;

#endif
