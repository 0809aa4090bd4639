/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of services/init/supervise.c: what follows an end, by policy and history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../../services/init/supervise.h"

#define MS ((uint64_t)1000000)

static struct supervision history;
static uint64_t pause_ns;

static enum supervise_step ended(enum manifest_restart policy, enum sk_init_cause cause,
                                 int32_t code, uint64_t now)
{
    pause_ns = UINT64_MAX;
    return supervise_ended(&history, policy, cause, code, now, &pause_ns);
}

static int begin(void **state)
{
    memset(&history, 0, sizeof history);
    supervise_started(&history, 1000);
    return 0;
}

static void the_policy_decides(void **state)
{
    static const struct {
        enum manifest_restart policy;
        enum sk_init_cause cause;
        int32_t code;
        enum supervise_step step;
    } cases[] = {
        {MANIFEST_RESTART_NEVER, SK_CAUSE_FAULT, 0, SUPERVISE_REST},
        {MANIFEST_RESTART_NEVER, SK_CAUSE_EXITED, 0, SUPERVISE_REST},
        {MANIFEST_RESTART_NEVER, SK_CAUSE_TORN_DOWN, 0, SUPERVISE_RESTART},
        {MANIFEST_RESTART_ON_FAILURE, SK_CAUSE_EXITED, 0, SUPERVISE_REST},
        {MANIFEST_RESTART_ON_FAILURE, SK_CAUSE_EXITED, 3, SUPERVISE_RESTART},
        {MANIFEST_RESTART_ON_FAILURE, SK_CAUSE_KILLED, 0, SUPERVISE_RESTART},
        {MANIFEST_RESTART_ON_FAILURE, SK_CAUSE_FAULT, 0, SUPERVISE_RESTART},
        {MANIFEST_RESTART_ON_FAILURE, SK_CAUSE_OVER_BUDGET, 0, SUPERVISE_RESTART},
        {MANIFEST_RESTART_ON_FAILURE, SK_CAUSE_HUNG, 0, SUPERVISE_RESTART},
        {MANIFEST_RESTART_ON_FAILURE, SK_CAUSE_NOT_STARTED, -8, SUPERVISE_RESTART},
        {MANIFEST_RESTART_ALWAYS, SK_CAUSE_EXITED, 0, SUPERVISE_RESTART},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(NULL);
        assert_int_equal(ended(cases[i].policy, cases[i].cause, cases[i].code, 2000),
                         cases[i].step);
        assert_int_equal(history.cause, cases[i].cause);
        assert_int_equal(history.code, cases[i].code);
    }
}

static void pauses_double_and_end(void **state)
{
    uint64_t expected = SUPERVISE_PAUSE_NS;
    for (unsigned i = 1; i < SUPERVISE_EARLY_MAX; i++) {
        assert_int_equal(ended(MANIFEST_RESTART_ALWAYS, SK_CAUSE_FAULT, 0, 2000),
                         SUPERVISE_RESTART);
        assert_int_equal(pause_ns, expected);
        expected *= 2;
        supervise_started(&history, 2000);
    }
    assert_int_equal(ended(MANIFEST_RESTART_ALWAYS, SK_CAUSE_FAULT, 0, 2000), SUPERVISE_GIVE_UP);
    assert_int_equal(pause_ns, UINT64_MAX);
}

static void a_good_response_makes_up_for_all(void **state)
{
    for (unsigned i = 0; i < 10 * SUPERVISE_EARLY_MAX; i++) {
        enum supervise_step step = ended(MANIFEST_RESTART_ALWAYS, SK_CAUSE_FAULT, 0, 2000);
        assert_int_equal(step, SUPERVISE_RESTART);
        supervise_started(&history, 2000);
        supervise_good(&history);
        assert_int_equal(ended(MANIFEST_RESTART_ALWAYS, SK_CAUSE_FAULT, 0, 2000),
                         SUPERVISE_RESTART);
        assert_int_equal(pause_ns, 0);
        supervise_started(&history, 2000); /* and its next life has to show itself anew */
    }
}

static void the_response_counts_for_one_life(void **state)
{
    supervise_good(&history);
    ended(MANIFEST_RESTART_ALWAYS, SK_CAUSE_FAULT, 0, 2000);
    assert_int_equal(pause_ns, 0);
    supervise_started(&history, 3000);
    ended(MANIFEST_RESTART_ALWAYS, SK_CAUSE_FAULT, 0, 4000);
    assert_int_equal(pause_ns, SUPERVISE_PAUSE_NS);
}

static void a_long_run_is_no_failed_start(void **state)
{
    ended(MANIFEST_RESTART_ALWAYS, SK_CAUSE_FAULT, 0, 1000 + SUPERVISE_RAN_NS - 1);
    assert_int_equal(pause_ns, SUPERVISE_PAUSE_NS);
    ended(MANIFEST_RESTART_ALWAYS, SK_CAUSE_FAULT, 0, 1000 + SUPERVISE_RAN_NS);
    assert_int_equal(pause_ns, 0);
    /* One that could not be started did not run, whatever the clock says. */
    ended(MANIFEST_RESTART_ALWAYS, SK_CAUSE_NOT_STARTED, -6, 1000 + SUPERVISE_RAN_NS);
    assert_int_equal(pause_ns, SUPERVISE_PAUSE_NS);
}

static void being_torn_down_is_no_fault(void **state)
{
    for (unsigned i = 0; i < 2 * SUPERVISE_EARLY_MAX; i++) {
        assert_int_equal(ended(MANIFEST_RESTART_ALWAYS, SK_CAUSE_TORN_DOWN, 0, 2000),
                         SUPERVISE_RESTART);
        assert_int_equal(pause_ns, 0);
    }
}

static void every_cause_has_words(void **state)
{
    char words[80];
    for (uint32_t cause = SK_CAUSE_NONE; cause <= SK_CAUSE_NOT_STARTED; cause++) {
        words[0] = 0;
        history.cause = cause;
        history.code = -8;
        supervise_words(&history, words, sizeof words);
        assert_true(strlen(words) > 5);
    }
    assert_string_equal(words, "cannot be started: over the job's budget");
    supervise_words(&history, words, 8); /* cut, not overrun */
    assert_string_equal(words, "cannot ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_policy_decides, begin),
        cmocka_unit_test_setup(pauses_double_and_end, begin),
        cmocka_unit_test_setup(a_good_response_makes_up_for_all, begin),
        cmocka_unit_test_setup(the_response_counts_for_one_life, begin),
        cmocka_unit_test_setup(a_long_run_is_no_failed_start, begin),
        cmocka_unit_test_setup(being_torn_down_is_no_fault, begin),
        cmocka_unit_test_setup(every_cause_has_words, begin),
    };
    return cmocka_run_group_tests_name("supervise", tests, NULL, NULL);
}
