/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long operations on everything else: many members, waiters, messages, processes, jobs, handles.
 */
#include <stdlib.h>

#include "steps.h"

#define MEMBERS 3000u
#define WATCHERS SK_OBSERVERS_MAX
#define THREADS 400u
#define PROCESSES 200u
#define JOBS 500u
#define NESTED 25u /* of the depth that the kernel allows */
#define HANDLES 20000u

static handle_t many[MEMBERS], set, event, ends[2];
static struct sk_thread threads[THREADS];
static struct sk_child child;

/* Wait sets. */

static void create_set(void)
{
    must(sk_waitset_create(sk_self_job, &set));
    for (uint32_t i = 0; i < MEMBERS; i++) {
        many[i] = make_event();
        must(sk_waitset_add(set, many[i], SK_SIGNAL_EVENT, i));
        must(sk_event_signal(many[i]));
    }
}

static void close_set(void)
{
    must(sk_handle_close(set));
}

static void close_many(void)
{
    close_all(many, MEMBERS);
}

static void create_sets(void)
{
    event = make_event();
    for (uint32_t i = 0; i < WATCHERS; i++) {
        must(sk_waitset_create(sk_self_job, &many[i]));
        must(sk_waitset_add(many[i], event, SK_SIGNAL_EVENT, i));
    }
}

static void close_sets(void)
{
    close_all(many, WATCHERS);
}

static void signal_event(void)
{
    must(sk_event_signal(event));
}

static void close_event(void)
{
    must(sk_handle_close(event));
}

static void remove_last(void)
{
    must(sk_waitset_remove(many[WATCHERS - 1], event));
}

static void close_event_and_sets(void)
{
    close_event();
    close_sets();
}

/* Members that were ready and are no more: receiving looks at each. */
static void create_stale_set(void)
{
    create_set();
    for (uint32_t i = 0; i < MEMBERS; i++) {
        uint64_t taken;
        must(sk_object_wait(many[i], SK_SIGNAL_EVENT, SK_DEADLINE_POLL, &taken));
    }
}

static void poll_set(void)
{
    struct sk_in in = {0};
    test_status(sk_channel_receive(set, &in, SK_DEADLINE_POLL), SK_TIMED_OUT);
}

static void close_set_and_many(void)
{
    close_set();
    close_many();
}

/* Threads of this process that wait. */

static uint32_t word;
static uint64_t wake_at;

static void wait_for_event(void *argument)
{
    uint64_t taken;
    sk_object_wait(event, SK_SIGNAL_EVENT, SK_DEADLINE_NEVER, &taken);
}

static void wait_for_word(void *argument)
{
    sk_futex_wait(&word, 0, SK_DEADLINE_NEVER);
}

static void wait_for_message(void *argument)
{
    struct sk_in in = {0};
    sk_channel_receive(ends[0], &in, SK_DEADLINE_NEVER);
}

static void wait_in_set(void *argument)
{
    struct sk_in in = {0};
    sk_channel_receive(set, &in, SK_DEADLINE_NEVER);
}

static void wait_for_time(void *argument)
{
    sk_thread_sleep(wake_at);
}

static uint32_t started;

static void start_some(void (*entry)(void *), uint32_t count)
{
    started = count;
    for (uint32_t i = 0; i < started; i++) {
        must(sk_thread_start(&threads[i], entry, NULL, SK_PAGE_SIZE, SK_PRIORITY_DEFAULT - 4));
    }
    for (uint32_t i = 0; i < started; i++) {
        wait_blocked(threads[i].handle);
    }
}

static void start_threads(void (*entry)(void *))
{
    start_some(entry, THREADS);
}

static void join_threads(void)
{
    for (uint32_t i = 0; i < started; i++) {
        join_thread(&threads[i]);
    }
}

static void watch_event(void)
{
    event = make_event();
    start_some(wait_for_event, WATCHERS);
}

static void wait_many_for_word(void)
{
    start_threads(wait_for_word);
}

static void wake_word(void)
{
    uint64_t woken;
    must(sk_futex_wake(&word, ~0u, &woken));
    test_equal(woken, THREADS);
}

static void wake_and_join(void)
{
    wake_word();
    join_threads();
}

static void wait_many_for_message(void)
{
    make_channel(ends);
    start_threads(wait_for_message);
}

static void wait_many_in_set(void)
{
    make_channel(ends);
    must(sk_waitset_create(sk_self_job, &set));
    must(sk_waitset_add(set, ends[0], SK_SIGNAL_PEER_CLOSED, 0));
    start_threads(wait_in_set);
}

static void close_end0(void)
{
    must(sk_handle_close(ends[0]));
}

static void close_end1(void)
{
    must(sk_handle_close(ends[1]));
}

static void join_and_close_end1(void)
{
    join_threads();
    close_end1();
}

static void join_and_close_end0(void)
{
    join_threads();
    close_end0();
}

static void join_and_close_set(void)
{
    join_and_close_end0();
    close_set();
}

/* All of them last received from the end, and are busy with something else. */
static void receive_nothing(void *argument)
{
    struct sk_in in = {0};
    sk_channel_receive(ends[0], &in, SK_DEADLINE_POLL);
    wait_for_word(NULL);
}

static void start_servers(void)
{
    make_channel(ends);
    start_threads(receive_nothing);
}

static void call_in_vain(void)
{
    struct sk_out out = {0};
    struct sk_in in = {0};
    test_equal(sk_channel_call(ends[1], &out, &in, sk_now() + 100 * SK_US), SK_TIMED_OUT);
}

static void end_servers(void)
{
    wake_and_join();
    close_end0();
    close_end1();
}

static void wait_many_for_time(void)
{
    wake_at = sk_now() + 400 * SK_MS;
    start_threads(wait_for_time);
}

static void let_time_pass(void)
{
    sk_thread_sleep(wake_at + 100 * SK_US);
}

static void set_timers(void)
{
    wake_at = sk_now() + 100 * SK_MS;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        must(sk_timer_create(sk_self_job, &many[i]));
        must(sk_timer_set(many[i], wake_at));
    }
}

static void inform_about_process(void)
{
    struct sk_process_info info;
    uint64_t written;
    must(sk_object_info(sk_self_process, &info, sizeof info, &written));
}

/* Messages: full inboxes whose messages hold ends of further full channels. */

static void fill_inbox(handle_t end, const handle_t *handles, uint32_t count)
{
    for (uint32_t i = 0; i < SK_INBOX_MESSAGES_MAX; i++) {
        struct sk_out out = {.length = 900};
        static char text[900];
        out = sk_out_bytes(text, sizeof text);
        if (handles != NULL && i < count / 8) {
            out.handles = handles + i * 8;
            out.handle_count = 8;
        }
        must(sk_channel_send(end, &out));
    }
}

/* One channel whose inbox holds 64 ends of others, each of which has a full inbox. */
static void stuff_channel(void)
{
    handle_t inner[2], held[64];
    for (uint32_t i = 0; i < 64; i++) {
        make_channel(inner);
        fill_inbox(inner[0], NULL, 0);
        must(sk_handle_close(inner[0]));
        held[i] = inner[1];
    }
    make_channel(ends);
    fill_inbox(ends[1], held, 64);
    close_end1();
}

/* Each end in a message of the next: closing the last closes all, one after the other. */
static void chain_channels(void)
{
    handle_t inner[2], held = SK_HANDLE_NONE;
    for (uint32_t i = 0; i < 500; i++) {
        make_channel(inner);
        if (held != SK_HANDLE_NONE) {
            struct sk_out out = {.handles = &held, .handle_count = 1};
            must(sk_channel_send(inner[1], &out));
        }
        must(sk_handle_close(inner[1]));
        held = inner[0];
    }
    ends[0] = held;
}

/* Children. */

static void start_child(const char *mode, handle_t given)
{
    handle_t ready[2];
    make_channel(ready);
    struct sk_spawn_handle handles[] = {{"ready", ready[1]}, {"given", given}};
    struct self_start start = {.job = sk_self_job,
                               .mode = mode,
                               .priority = SK_PRIORITY_DEFAULT - 4,
                               .handles = handles,
                               .handle_count = given != SK_HANDLE_NONE ? 2 : 1};
    must(self_start(&start, &child));
    struct sk_in in = {0};
    must(sk_channel_receive(ready[0], &in, sk_deadline_after(30 * SK_SECOND)));
    must(sk_handle_close(ready[0]));
}

static int child_waits(void)
{
    struct sk_out out = {0};
    must(sk_channel_send(sk_boot_handle("ready"), &out));
    sk_thread_sleep(SK_DEADLINE_NEVER);
    return 0;
}

int mode_threads(int argc, char **argv)
{
    wake_at = SK_DEADLINE_NEVER;
    start_threads(wait_for_time);
    return child_waits();
}

int mode_handles(int argc, char **argv)
{
    for (uint32_t i = 0; i < HANDLES; i++) {
        duplicate(sk_self_process, SK_RIGHT_WAIT);
    }
    return child_waits();
}

int mode_regions(int argc, char **argv)
{
    handle_t memory = make_memory(1);
    for (uint64_t i = 0; i < 1500; i++) {
        uint64_t at;
        must(sk_memory_map(sk_self_process, memory, 0, SK_PAGE_SIZE,
                           ((uint64_t)1 << 37) + (i << 21),
                           SK_PROT_READ | SK_MAP_FIXED | SK_MAP_POPULATE, &at));
    }
    return child_waits();
}

static void call_given(void *argument)
{
    struct sk_out out = {0};
    struct sk_in in = {0};
    sk_channel_call(sk_boot_handle("given"), &out, &in, SK_DEADLINE_NEVER);
}

int mode_callers(int argc, char **argv)
{
    start_threads(call_given);
    return child_waits();
}

int mode_inboxes(int argc, char **argv)
{
    for (uint32_t i = 0; i < 50; i++) {
        handle_t pair[2];
        make_channel(pair);
        fill_inbox(pair[0], NULL, 0);
        fill_inbox(pair[1], NULL, 0);
    }
    return child_waits();
}

static void start_with_threads(void)
{
    start_child("threads", SK_HANDLE_NONE);
}
static void start_with_handles(void)
{
    start_child("handles", SK_HANDLE_NONE);
}
static void start_with_regions(void)
{
    start_child("regions", SK_HANDLE_NONE);
}
static void start_with_inboxes(void)
{
    start_child("inboxes", SK_HANDLE_NONE);
}

static void start_callers(void)
{
    make_channel(ends);
    start_child("callers", ends[1]);
}

static void kill_child(void)
{
    uint64_t observed;
    must(sk_process_kill(child.process, 0));
    must(sk_object_wait(child.process, SK_SIGNAL_TERMINATED, SK_DEADLINE_NEVER, &observed));
}

static void end_child(void)
{
    test_child_end(&child);
}

static void end_child_and_close(void)
{
    end_child();
    must(sk_handle_close(ends[0]));
}

static void receive_calls(void)
{
    for (uint32_t i = 0; i < THREADS; i++) {
        struct sk_in in = {0};
        must(sk_channel_receive(ends[0], &in, SK_DEADLINE_POLL));
    }
}

static void start_served_callers(void)
{
    start_callers();
    receive_calls();
}

static void kill_and_end_child(void)
{
    kill_child();
    end_child();
}

static void kill_and_end_callers(void)
{
    kill_child();
    end_child_and_close();
}

/* Processes and jobs. */

static handle_t top;

static void create_processes(void)
{
    top = test_job();
    for (uint32_t i = 0; i < PROCESSES; i++) {
        must(sk_process_create(top, "many", 4, &many[i]));
    }
}

static void close_processes(void)
{
    test_job_end(top);
    close_all(many, PROCESSES);
}

static void list_processes(void)
{
    static struct sk_process_info infos[PROCESSES + 20];
    handle_t inspect = sk_boot_handle("inspect");
    uint64_t written;
    must(sk_system_info(inspect, SK_SYSTEM_PROCESSES, infos, sizeof infos, &written));
    test_check(written > PROCESSES * sizeof infos[0]);
}

static void list_handles(void)
{
    struct sk_handle_entry entries[64];
    uint64_t written, next = 0;
    do {
        must(sk_handle_list(sk_boot_handle("inspect"), id_of(many[PROCESSES - 1]), next, entries,
                            sizeof entries, &written, &next));
    } while (next != 0);
}

static void kill_top(void)
{
    uint64_t observed;
    must(sk_job_kill(top));
    must(sk_object_wait(top, SK_SIGNAL_TERMINATED, SK_DEADLINE_NEVER, &observed));
}

static void close_top_and_processes(void)
{
    must(sk_handle_close(top));
    close_all(many, PROCESSES);
}

static const struct sk_budget no_budget = {.objects = 0};

static void create_jobs(bool nested)
{
    top = test_job_with((struct sk_budget){.objects = 2 * JOBS});
    for (uint32_t i = 0; i < JOBS; i++) {
        uint64_t above = nested ? i % NESTED : 0;
        struct sk_budget budget = nested ? (struct sk_budget){.objects = NESTED - above}
                                         : no_budget;
        must(sk_job_create(above > 0 ? many[i - 1] : top, &budget, &many[i]));
    }
}

static void create_wide(void)
{
    create_jobs(false);
}
static void create_deep(void)
{
    create_jobs(true);
}

static void inform_about_job(void)
{
    job_info(top);
}

static void inform_about_system(void)
{
    struct sk_system_info info;
    uint64_t written;
    must(
        sk_system_info(sk_boot_handle("inspect"), SK_SYSTEM_GENERAL, &info, sizeof info, &written));
}

static void close_jobs(void)
{
    close_all(many, JOBS);
}

static void close_jobs_backwards(void)
{
    for (uint32_t i = JOBS; i-- > 0;) {
        must(sk_handle_close(many[i]));
    }
}

static void close_jobs_and_top(void)
{
    close_jobs();
    must(sk_handle_close(top));
}

static void close_top(void)
{
    must(sk_handle_close(top));
}

static handle_t kernel_log;

static void log_text(void)
{
    static char text[1024];
    memset(text, 'x', sizeof text);
    text[0] = '#';
    text[sizeof text - 1] = '\n';
    must(sk_log_write(kernel_log, text, sizeof text));
}

/* Without a console service it is the firmware that takes its time. */
static void take_console(void)
{
    must(sk_resource_create(sk_boot_handle("resource"), SK_RESOURCE_LOG, 0, 0, &kernel_log));
    event = make_event();
    uint64_t position;
    must(sk_log_take_console(kernel_log, event, &position));
}

static void give_console_back(void)
{
    must(sk_handle_close(kernel_log));
    close_event();
}

static void read_log(void)
{
    static char text[20000];
    uint64_t copied, next;
    must(sk_log_read(kernel_log, 0, text, sizeof text, &copied, &next));
}

const struct operation object_operations[] = {
    {"handle_close of a wait set of 3,000 members", create_set, close_set, close_many},
    {"channel_receive of a wait set of 3,000 stale members", create_stale_set, poll_set,
     close_set_and_many},
    {"event_signal of a member of 64 wait sets", create_sets, signal_event, close_event_and_sets},
    {"waitset_remove of a member of 64 wait sets", create_sets, remove_last, close_event_and_sets},
    {"handle_close of a member of 64 wait sets", create_sets, close_event, close_sets},
    {"handle_close of an event with 64 waiters", watch_event, close_event, join_threads},
    {"futex_wake of 400 waiters", wait_many_for_word, wake_word, join_threads},
    {"handle_close of an endpoint with 400 receivers", wait_many_for_message, close_end0,
     join_and_close_end1},
    {"handle_close of the peer of 400 receivers", wait_many_for_message, close_end1,
     join_and_close_end0},
    {"handle_close of the peer of a member of a wait set with 400 receivers", wait_many_in_set,
     close_end1, join_and_close_set},
    {"channel_call to an endpoint with 400 servers", start_servers, call_in_vain, end_servers},
    {"400 sleepers with one deadline", wait_many_for_time, let_time_pass, join_threads, true},
    {"3,000 timers with one deadline", set_timers, let_time_pass, close_many, true},
    {"object_info of a process of 400 threads", wait_many_for_word, inform_about_process,
     wake_and_join},
    {"handle_close of an endpoint with 64 full ones inside", stuff_channel, close_end0, NULL},
    {"handle_close of a chain of 500 channels", chain_channels, close_end0, NULL},
    {"handle_close of an endpoint with 400 calls", start_callers, close_end0, kill_and_end_child},
    {"channel_receive of 400 calls", start_callers, receive_calls, kill_and_end_callers},
    {"process_kill with 400 calls, queued", start_callers, kill_child, end_child_and_close},
    {"process_kill with 400 calls, received", start_served_callers, kill_child,
     end_child_and_close},
    {"process_kill with 400 threads", start_with_threads, kill_child, end_child},
    {"process_kill with 20,000 handles", start_with_handles, kill_child, end_child},
    {"process_kill with 1,500 page tables", start_with_regions, kill_child, end_child},
    {"process_kill with 100 full inboxes", start_with_inboxes, kill_child, end_child},
    {"system_info of 200 processes", create_processes, list_processes, close_processes},
    {"handle_list of the last of 200 processes", create_processes, list_handles, close_processes},
    {"job_kill of 200 processes", create_processes, kill_top, close_top_and_processes},
    {"object_info of a job of 500 jobs", create_wide, inform_about_job, close_jobs_and_top},
    {"system_info of 500 jobs", create_deep, inform_about_system, close_jobs_and_top},
    {"job_kill of 500 jobs, side by side", create_wide, kill_top, close_jobs_and_top},
    {"job_kill of 500 jobs, 25 deep", create_deep, kill_top, close_jobs_and_top},
    {"handle_close of 500 jobs, side by side", create_wide, close_jobs, close_top},
    {"handle_close of 500 jobs, 25 deep", create_deep, close_jobs, close_top},
    {"handle_close of 500 jobs, the innermost first", create_deep, close_jobs_backwards, close_top},
    {"log_write of 1,024 bytes", take_console, log_text, give_console_back},
    {"log_read of the whole log", take_console, read_log, give_console_back},
};
const size_t object_operation_count = COUNT(object_operations);
