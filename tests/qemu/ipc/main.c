/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conformance of channels, calls and wait sets as programs meet them (docs/ipc.md).
 */
#include "ipc_test.h"

static const struct self_mode modes[] = {
    {"receiver", mode_receiver}, {"small-table", mode_small_table}, {"server", mode_server},
    {"caller", mode_caller},     {"poor-sender", mode_poor_sender}, {"hammer", mode_hammer},
    {"answer", mode_answer},
};

int main(int argc, char **argv)
{
    int code = self_run_mode(modes, COUNT(modes), argc, argv);
    if (code >= 0) {
        return code;
    }
    self_begin();
    test_channels();
    test_transfers();
    test_calls();
    test_call_priority();
    test_call_ends();
    test_waitsets();
    test_races();
    test_model();
    return test_done();
}
