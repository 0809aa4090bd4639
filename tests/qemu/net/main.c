/* SPDX-License-Identifier: BSD-2-Clause */
/* test-net: the network as programs see it, over loopback, with or without a device. */
#include "net_test.h"

int main(void)
{
    run_loopback_cases();
    run_many_cases();
    run_hostile_cases();
    return test_done();
}
