/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages to the service "sysinfo", and what init, devmgr and the kernel may tell it. See messages.h. */
#include <stdlib.h>

#include <sk/protocol/sysinfo.h>

#include "messages.h"

int service_main(void);

static const char *const shapes[] = {"w", "w", "w", "w", "w"};

static void prepare(void)
{
    double_boot_handle("inspect", object_make(SK_TYPE_RESOURCE));
}

/* It keeps its connection to devmgr. */
static void settle(void)
{
    struct sk_sysinfo_request request = {SK_SYSINFO_STATUS, 0};
    if (!ask(&request, sizeof request)) {
        double_broke("there is no status text");
    }
}

const struct target target = {
    .service = "sysinfo",
    .run = service_main,
    .shapes = shapes,
    .operations = SK_SYSINFO_SERVICES,
    .prepare = prepare,
    .settle = settle,
};
