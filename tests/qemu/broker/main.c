/* SPDX-License-Identifier: BSD-2-Clause */
/* The broker tests: the bug this project began with, and its neighbours. */
#include "broker_test.h"
#include "guest_test.h"

int main(void)
{
    endpoint_tests();
    transaction_tests();
    server_tests();
    init_tests();
    return test_done();
}
