/* SPDX-License-Identifier: BSD-2-Clause */
/* Shares of the processors: what each job gets of the harts, by its share, its priority and what others want. With an
 * argument: of two harts. */
#include "harness.h"

#define US 1000ull
#define STEP_NS (50 * US)

/* A user whose job has a share; 0: it uses the root's. */
static struct user start_share(uint32_t priority, uint64_t share)
{
    static const uint64_t budget[BUDGET_KINDS] = USER_BUDGET;
    struct job *job;
    assert_int_equal(job_create(root_job, budget, share, &job), SK_OK);
    struct user user = user_start_in(job, priority);
    object_put(&job->object);
    return user;
}

/* Lets the machine run for some time; nobody makes a system call. Idle harts look for work. */
static void let_run(uint64_t ns)
{
    for (uint64_t end = clock_now_ns() + ns; clock_now_ns() < end;) {
        for (uint32_t i = 0; i < hart_count; i++) {
            if (harts[i].current == NULL) {
                on_hart(i);
                pass();
            }
        }
        on_hart(0);
        advance_to(clock_now_ns() + STEP_NS);
    }
}

static uint64_t time_of(const struct user *user)
{
    return atomic_load(&user->job->account->time);
}

/* What two users get of a second, in thousandths of a hart. */
static void look(const struct user *a, const struct user *b, uint64_t *as, uint64_t *bs)
{
    settle();
    let_run(50 * 1000 * US);
    uint64_t before_a = time_of(a), before_b = time_of(b);
    let_run(1000 * 1000 * US);
    *as = (time_of(a) - before_a) / 1000000;
    *bs = (time_of(b) - before_b) / 1000000;
}

/* Both have as many threads more, at the same priority. */
static uint32_t more_threads;

static void assert_shares(uint32_t priority_a, uint64_t share_a, uint32_t priority_b,
                          uint64_t share_b, uint64_t least_a, uint64_t least_b)
{
    struct user a = start_share(priority_a, share_a), b = start_share(priority_b, share_b);
    uint64_t as, bs;
    for (uint32_t i = 0; i < more_threads; i++) {
        user_thread(&a, priority_a);
        user_thread(&b, priority_b);
    }
    look(&a, &b, &as, &bs);
    assert_in_range(as, least_a, 1000 * hart_count);
    assert_in_range(bs, least_b, 1000 * hart_count);
    assert_in_range(as + bs, 980 * hart_count, 1000 * hart_count);
    process_end(a.process, SK_EXIT_KILLED, 0);
    process_end(b.process, SK_EXIT_KILLED, 0);
    user_forget(&a);
    user_forget(&b);
}

static void test_share_below_priority(void **state)
{
    assert_shares(8, 40, 12, 100, 38, 930);
    assert_shares(8, 100, 31, 1, 98, 880);
}

static void test_rest_by_priority(void **state)
{
    assert_shares(8, 40, 4, 100, 880, 98);
}

static void test_equals(void **state)
{
    assert_shares(8, 50, 8, 50, 460, 460);
    assert_shares(8, 400, 8, 100, 560, 260);
}

/* More than are looked at in one pass through the kernel. */
static void test_many_threads(void **state)
{
    more_threads = 12;
    test_share_below_priority(state);
    test_rest_by_priority(state);
    test_equals(state);
    more_threads = 0;
}

/* What one has is not had twice, where it runs on two harts at once. */
static void test_two_harts(void **state)
{
    more_threads = 2;
    assert_shares(31, 1000, 8, 900, 1000, 860);
    assert_shares(31, 200, 8, 1600, 196, 1560);
    assert_shares(31, 1000, 8, 10, 1900, 9);
    more_threads = 0;
}

/* A server and its client, each with a share. */
struct pair {
    struct user client, server;
    handle_t client_end, server_end;
};

static struct pair pair_make(void)
{
    struct pair pair = {.client = start_share(8, 100), .server = start_share(8, 100)};
    handle_t end;
    channel_make(pair.client.thread, &pair.client_end, &end);
    pair.server_end = give(pair.client.thread, end, pair.server.thread);
    return pair;
}

static status_t serve(struct pair *pair, token_t token)
{
    return ipc_as(pair->server.thread, SK_SYS_channel_reply_receive,
                  &(struct ipc){.handle = pair->server_end,
                                .info = token != SK_TOKEN_NONE ? 8 : 0,
                                .deadline = SK_DEADLINE_NEVER,
                                .token = token});
}

static status_t call(struct pair *pair)
{
    return ipc_as(
        pair->client.thread, SK_SYS_channel_call,
        &(struct ipc){.handle = pair->client_end, .info = 8, .deadline = SK_DEADLINE_NEVER});
}

static const struct account *account_of(const struct user *user)
{
    return user->job->account;
}

static token_t token_of(const struct pair *pair)
{
    return pair->server.thread->frame.arg[6];
}

static void test_a_call_lends_the_turn(void **state)
{
    struct pair pair = pair_make();
    assert_int_equal(serve(&pair, SK_TOKEN_NONE), BLOCKED);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(call(&pair), BLOCKED);
        assert_ptr_equal(harts[0].current, pair.server.thread);
        assert_ptr_equal(harts[0].payer, account_of(&pair.client));
        assert_int_equal(serve(&pair, token_of(&pair)), BLOCKED);
        assert_ptr_equal(harts[0].current, pair.client.thread);
        assert_ptr_equal(harts[0].payer, account_of(&pair.client));
    }
    user_stop(&pair.client);
    user_stop(&pair.server);
}

/* What the caller's turn does not pay for, the server's own does; and that it does not give away. */
static void test_the_server_goes_on_at_its_own_cost(void **state)
{
    struct pair pair = pair_make();
    struct user other = start_share(4, 100); /* else nobody would end the turn */
    assert_int_equal(serve(&pair, SK_TOKEN_NONE), BLOCKED);
    assert_int_equal(call(&pair), BLOCKED);
    for (uint64_t i = 0; i < 950 * US / STEP_NS; i++) {
        assert_ptr_equal(harts[0].current, pair.server.thread);
        assert_ptr_equal(harts[0].payer, account_of(&pair.client));
        advance_to(clock_now_ns() + STEP_NS);
    }
    let_run(100 * US);
    assert_ptr_equal(harts[0].current, pair.server.thread);
    assert_ptr_equal(harts[0].payer, account_of(&pair.server));
    user_stop(&pair.client);
    user_stop(&pair.server);
    user_stop(&other);
}

/* Who works on what was sent pays for that itself. */
static void test_a_turn_of_ones_own_is_not_given_away(void **state)
{
    struct pair pair = pair_make();
    assert_int_equal(call(&pair), BLOCKED); /* queued */
    assert_int_equal(serve(&pair, SK_TOKEN_NONE), SK_OK);
    assert_ptr_equal(harts[0].turn_account, account_of(&pair.server));
    assert_int_equal(serve(&pair, token_of(&pair)), BLOCKED);
    assert_ptr_equal(harts[0].current, pair.client.thread);
    assert_ptr_equal(harts[0].turn_account, account_of(&pair.client));
    user_stop(&pair.client);
    user_stop(&pair.server);
}

static void test_what_was_not_used_comes_back(void **state)
{
    struct user user = start_share(8, 100), other = start_share(8, 100);
    for (uint32_t i = 0; i < 150; i++) {
        run(user.thread);
        assert_ptr_equal(harts[0].payer, account_of(&user));
        advance_to(clock_now_ns() + 5 * US);
        run(other.thread);
        assert_ptr_equal(harts[0].payer, account_of(&other));
        advance_to(clock_now_ns() + 5 * US);
    }
    user_stop(&user);
    user_stop(&other);
}

/* A share is carved out of the parent's and comes back; whose job has none uses the parent's. */
static void test_shares_are_carved_and_come_back(void **state)
{
    const uint64_t budget[BUDGET_KINDS] = {50, 50, 50, 50, 5};
    uint64_t before = atomic_load(&root_job->own_account.share);
    struct user top = start_share(8, 300);
    assert_int_equal(atomic_load(&root_job->own_account.share), before - 300);
    struct job *below, *sharing;
    assert_int_equal(job_create(top.job, budget, 301, &below), SK_OVER_BUDGET);
    assert_int_equal(job_create(top.job, budget, 200, &below), SK_OK);
    assert_int_equal(job_create(below, budget, 0, &sharing), SK_OVER_BUDGET); /* of objects */
    assert_int_equal(job_create(top.job, budget, 0, &sharing), SK_OK);
    assert_ptr_equal(sharing->account, account_of(&top));
    assert_int_equal(atomic_load(&top.job->own_account.share), 100);
    struct user user = user_start_in(below, 8), guest = user_start_in(sharing, 8);
    assert_ptr_equal(guest.thread->account, account_of(&top));
    object_put(&below->object);
    object_put(&sharing->object);
    user_stop(&user);
    assert_int_equal(atomic_load(&top.job->own_account.share), 300);
    user_stop(&guest);
    user_stop(&top);
    assert_int_equal(atomic_load(&root_job->own_account.share), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, census_setup, census_teardown)

int main(int argc, char **argv)
{
    if (argc > 1) {
        kernel_start(2);
        const struct CMUnitTest two[] = {TEST(test_two_harts)};
        return cmocka_run_group_tests(two, NULL, NULL);
    }
    kernel_start(1);
    const struct CMUnitTest tests[] = {
        TEST(test_share_below_priority),
        TEST(test_rest_by_priority),
        TEST(test_equals),
        TEST(test_many_threads),
        TEST(test_a_call_lends_the_turn),
        TEST(test_the_server_goes_on_at_its_own_cost),
        TEST(test_a_turn_of_ones_own_is_not_given_away),
        TEST(test_what_was_not_used_comes_back),
        TEST(test_shares_are_carved_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
