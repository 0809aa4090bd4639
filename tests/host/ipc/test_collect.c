/* SPDX-License-Identifier: BSD-2-Clause */
/* Endpoints that nobody can reach, of one job and of several: found when the last of these jobs ends. */
#include "harness.h"

/* A user's channel; the far end is to go into an inbox. */
struct ring_member {
    struct user *user;
    handle_t near, far;
};

static struct user user_below(struct job *parent)
{
    const uint64_t budget[BUDGET_KINDS] = {100, 100, 200, 100, 8};
    return user_start_budget(parent, 16, budget);
}

static void send_end(struct thread *thread, handle_t to, handle_t end)
{
    static handle_t handles[1];
    vaddr_t page = map_pages(thread, 1, SK_PROT_READ | SK_PROT_WRITE, NULL);
    handles[0] = end;
    assert_true(user_write(thread, page, handles, sizeof handles));
    struct ipc ipc = {.handle = to, .info = SK_INFO(8, 1), .out_handles = page};
    assert_int_equal(ipc_as(thread, SK_SYS_channel_send, &ipc), SK_OK);
}

/* The far end of each goes into the inbox of the far end of the next, and the near ends are closed. `keep`: a handle
 * to the first far end that `keeper` gets before. */
static handle_t ring_make(struct ring_member *members, uint32_t count, struct user *keeper)
{
    handle_t kept = SK_HANDLE_NONE;
    for (uint32_t i = 0; i < count; i++) {
        channel_make(members[i].user->thread, &members[i].near, &members[i].far);
    }
    if (keeper != NULL) {
        kept = share(members[0].user->thread, members[0].far, keeper->thread);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct ring_member *member = &members[i], *next = &members[(i + 1) % count];
        struct thread *sender = next->user->thread;
        handle_t end = member->user == next->user ? member->far
                                                  : give(member->user->thread, member->far, sender);
        send_end(sender, next->near, end);
    }
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(syscall_as(members[i].user->thread, SK_SYS_handle_close, members[i].near),
                         SK_OK);
    }
    return kept;
}

static void test_of_one_job(void **state)
{
    struct user user = user_below(root_job);
    struct ring_member members[3] = {{.user = &user}, {.user = &user}, {.user = &user}};
    ring_make(members, 3, NULL);
    user_stop(&user);
}

static void test_of_two_jobs(void **state)
{
    struct user users[2] = {user_below(root_job), user_below(root_job)};
    struct ring_member members[4] = {
        {.user = &users[0]}, {.user = &users[1]}, {.user = &users[1]}, {.user = &users[0]}};
    ring_make(members, 4, NULL);
    user_stop(&users[0]);
    assert_int_not_equal(message_live, 0);
    user_stop(&users[1]);
    assert_int_equal(message_live, 0);
}

/* The last to end is not the one above, nor has it any part in the ring. */
static void test_of_jobs_at_different_depths(void **state)
{
    struct user above = user_below(root_job), other = user_below(root_job);
    const uint64_t budget[BUDGET_KINDS] = {30, 30, 30, 30, 2};
    struct user below = user_start_budget(above.job, 16, budget);
    struct ring_member members[2] = {{.user = &below}, {.user = &other}};
    ring_make(members, 2, NULL);
    user_stop(&other);
    user_stop(&below);
    user_stop(&above);
}

/* It lives, has no part in it but the charge, and is not disturbed. */
static void test_of_the_job_above(void **state)
{
    struct user above = user_below(root_job);
    const uint64_t budget[BUDGET_KINDS] = {30, 30, 30, 30, 2};
    struct user below = user_start_budget(above.job, 16, budget);
    struct ring_member members[2] = {{.user = &below}, {.user = &above}};
    handle_t near, far;
    channel_make(above.thread, &near, &far);
    send_end(above.thread, near, give(below.thread, below.process_handle, above.thread));
    ring_make(members, 2, NULL);
    assert_int_equal(message_live, 3);
    user_stop(&below);
    assert_int_equal(message_live, 1);
    user_stop(&above);
}

/* Somebody else has a handle to one of them: all stays as it was, and can be used. */
static void test_of_what_is_reached(void **state)
{
    struct user users[2] = {user_below(root_job), user_below(root_job)};
    struct user keeper = user_below(root_job);
    struct ring_member members[4] = {
        {.user = &users[0]}, {.user = &users[1]}, {.user = &users[0]}, {.user = &users[1]}};
    handle_t kept = ring_make(members, 4, &keeper);
    user_stop(&users[0]);
    user_stop(&users[1]);
    vaddr_t page = map_pages(keeper.thread, 1, SK_PROT_READ | SK_PROT_WRITE, NULL);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(message_live, 4 - i);
        struct ipc ipc = {.handle = kept,
                          .deadline = SK_DEADLINE_POLL,
                          .in_room = SK_ROOM(8, 1),
                          .in_handles = page};
        assert_int_equal(ipc_as(keeper.thread, SK_SYS_channel_receive, &ipc), SK_OK);
        assert_int_equal(syscall_as(keeper.thread, SK_SYS_handle_close, kept), SK_OK);
        assert_true(user_read(keeper.thread, page, &kept, sizeof kept));
    }
    assert_int_equal(syscall_as(keeper.thread, SK_SYS_handle_close, kept), SK_OK); /* round again */
    user_stop(&keeper);
}

/* Who could reach it lets go only after the jobs have ended: the next job to end has it found. */
static void test_of_what_is_let_go_later(void **state)
{
    struct user users[2] = {user_below(root_job), user_below(root_job)};
    struct user keeper = user_below(root_job);
    struct ring_member members[2] = {{.user = &users[0]}, {.user = &users[1]}};
    handle_t kept = ring_make(members, 2, &keeper);
    user_stop(&users[0]);
    user_stop(&users[1]);
    assert_int_equal(syscall_as(keeper.thread, SK_SYS_handle_close, kept), SK_OK);
    settle();
    assert_int_equal(message_live, 2);
    user_stop(&keeper);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, census_setup, census_teardown)

int main(void)
{
    kernel_start(2);
    const struct CMUnitTest tests[] = {
        TEST(test_of_one_job),
        TEST(test_of_two_jobs),
        TEST(test_of_jobs_at_different_depths),
        TEST(test_of_the_job_above),
        TEST(test_of_what_is_reached),
        TEST(test_of_what_is_let_go_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
