/* SPDX-License-Identifier: BSD-2-Clause */
/* A provider (<sk/provider.h>) for provider.c; each of those that are linked with it is one. */
#ifndef PROVIDER_H
#define PROVIDER_H

#include <sk/protocol/platform.h>

#include "double/registers.h"
#include "messages.h"

struct provider {
    const char *const *arguments; /* of the driver, beside its name; ends with NULL */
    uint64_t register_bytes;
    uint32_t noise_bytes;  /* of registers, from the first on, which the input changes */
    void (*prepare)(void); /* more boot handles. May be NULL */
    /* What devmgr gives most of the lines, at most SK_PLATFORM_RIGHTS_MAX. */
    const struct sk_platform_right *rights;
    uint32_t right_count;
    /* A line has got this right; all lines are closed; a register was written that held `old`. May be NULL. */
    void (*granted)(const struct sk_platform_right *right);
    void (*closed)(void);
    void (*written)(uint64_t offset, uint32_t old, uint32_t value);
};

extern const struct provider provider;

#endif
