/* SPDX-License-Identifier: BSD-2-Clause */
/* System registers of the JH7110 as a provider; the context of its functions is a struct syscon. */
#ifndef SYSCON_H
#define SYSCON_H

#include <sk/provider.h>

struct syscon {
    uintptr_t base;
    uint64_t size;
    bool has_plls; /* the system's one, not the always-on domain's */
};

extern const struct sk_provider_ops syscon_provider;

#endif
