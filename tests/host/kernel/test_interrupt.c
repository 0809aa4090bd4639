/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt and resource objects: who may have which source, what a claim is worth until it is completed,
 * what closing leaves to the next owner, and how rights to the machine get narrower.
 */
#include "harness.h"

#include <kernel/handle.h>
#include <kernel/platform.h>
#include <kernel/resource.h>

#define SOURCE 5u

static struct user user;
static handle_t root;

static int setup(void **state)
{
    struct resource *resource;
    if (census_setup(state) != 0) {
        return 1;
    }
    user = user_start(16);
    assert_int_equal(resource_create(user.job, SK_RESOURCE_ROOT, 0, 0, &resource), SK_OK);
    assert_int_equal(handle_add_new(user.process, &resource->object, &root), SK_OK);
    return 0;
}

static int teardown(void **state)
{
    user_stop(&user);
    return census_teardown(state);
}

static handle_t result(void)
{
    return (handle_t)value_of(user.thread, 0);
}

static status_t narrow(handle_t from, uint32_t kind, uint64_t base, uint64_t size)
{
    return syscall_as(user.thread, SK_SYS_resource_create, from, kind, base, size);
}

static handle_t sources(uint64_t base, uint64_t size)
{
    assert_int_equal(narrow(root, SK_RESOURCE_IRQ, base, size), SK_OK);
    return result();
}

static status_t create(handle_t resource, uint32_t number)
{
    return syscall_as(user.thread, SK_SYS_interrupt_create, resource, number, user.job_handle);
}

static status_t acknowledge(handle_t interrupt)
{
    return syscall_as(user.thread, SK_SYS_interrupt_ack, interrupt);
}

static status_t poll(handle_t interrupt)
{
    return syscall_as(user.thread, SK_SYS_object_wait, interrupt, SK_SIGNAL_INTERRUPT,
                      SK_DEADLINE_POLL);
}

static void drop(handle_t handle)
{
    assert_int_equal(syscall_as(user.thread, SK_SYS_handle_close, handle), SK_OK);
    settle();
}

/* The device pulls its line, and the hart takes it. */
static void fire(void)
{
    host_irq_raise(SOURCE);
    settle();
}

/* --- Interrupts --- */

static void a_source_has_one_owner(void **state)
{
    handle_t irqs = sources(1, 16);
    assert_false(host_irq_is_enabled(SOURCE));
    assert_int_equal(create(irqs, SOURCE), SK_OK);
    handle_t first = result();
    assert_true(host_irq_is_enabled(SOURCE));
    struct census before = census_take(&user);
    assert_int_equal(create(irqs, SOURCE), SK_BUSY);
    struct census after = census_take(&user);
    census_assert_equal(&before, &after, "busy");
    assert_true(host_irq_is_enabled(SOURCE)); /* the one that failed has not switched it off */
    drop(first);
    assert_false(host_irq_is_enabled(SOURCE));
    assert_int_equal(create(irqs, SOURCE), SK_OK);
}

static void a_claim_is_completed_once_by_the_acknowledgement(void **state)
{
    assert_int_equal(create(root, SOURCE), SK_OK);
    handle_t interrupt = result();
    uint32_t before = host_irq_completions(SOURCE);
    assert_int_equal(poll(interrupt), SK_TIMED_OUT);
    assert_int_equal(acknowledge(interrupt), SK_BAD_STATE); /* nothing is claimed */
    fire();
    assert_int_equal(host_irq_completions(SOURCE), before); /* that is the driver's to do */
    assert_int_equal(poll(interrupt), SK_OK);
    assert_int_equal(poll(interrupt), SK_TIMED_OUT); /* taken by the delivery */
    assert_int_equal(acknowledge(interrupt), SK_OK);
    assert_int_equal(host_irq_completions(SOURCE), before + 1);
    assert_int_equal(acknowledge(interrupt), SK_BAD_STATE);
    assert_int_equal(host_irq_completions(SOURCE), before + 1);
}

static void a_waiter_wakes(void **state)
{
    struct thread *waiter = user_thread(&user, 16);
    assert_int_equal(create(root, SOURCE), SK_OK);
    handle_t interrupt = result();
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(syscall_as(waiter, SK_SYS_object_wait, interrupt, SK_SIGNAL_INTERRUPT,
                                    SK_DEADLINE_NEVER),
                         BLOCKED);
        fire();
        assert_false(is_blocked(waiter));
        assert_int_equal(status_of(waiter), SK_OK);
        assert_int_equal(value_of(waiter, 0), SK_SIGNAL_INTERRUPT);
        assert_int_equal(syscall_as(waiter, SK_SYS_interrupt_ack, interrupt), SK_OK);
    }
}

/* It fired before anybody waited, and before it was acknowledged: both are kept. */
static void nothing_is_lost_before_the_wait(void **state)
{
    assert_int_equal(create(root, SOURCE), SK_OK);
    handle_t interrupt = result();
    fire();
    assert_int_equal(acknowledge(interrupt), SK_OK);
    assert_int_equal(poll(interrupt), SK_OK);
    fire();
    assert_int_equal(poll(interrupt), SK_OK);
    assert_int_equal(acknowledge(interrupt), SK_OK);
}

/* The next owner finds the source completed, enabled and silent. */
static void closing_completes_then_disables(void **state)
{
    assert_int_equal(create(root, SOURCE), SK_OK);
    handle_t interrupt = result();
    uint32_t before = host_irq_completions(SOURCE);
    fire();
    drop(interrupt);
    assert_int_equal(host_irq_completions(SOURCE), before + 1); /* while it was still enabled */
    assert_false(host_irq_is_enabled(SOURCE));
    assert_int_equal(create(root, SOURCE), SK_OK);
    interrupt = result();
    assert_int_equal(poll(interrupt), SK_TIMED_OUT);
    assert_int_equal(acknowledge(interrupt), SK_BAD_STATE);
    fire();
    assert_int_equal(poll(interrupt), SK_OK);
}

/* Claimed by a hart when its owner gives it up: the kernel completes it, though it is disabled by now. */
static void an_interrupt_without_an_owner_is_completed(void **state)
{
    assert_int_equal(create(root, SOURCE), SK_OK);
    handle_t interrupt = result();
    uint32_t before = host_irq_completions(SOURCE);
    host_irq_raise(SOURCE);
    assert_int_equal(syscall_as(user.thread, SK_SYS_handle_close, interrupt), SK_OK);
    settle();
    assert_int_equal(host_irq_completions(SOURCE), before + 1);
    assert_false(host_irq_is_enabled(SOURCE));
    assert_int_equal(create(root, SOURCE), SK_OK);
    interrupt = result();
    fire();
    assert_int_equal(poll(interrupt), SK_OK);
    assert_int_equal(acknowledge(interrupt), SK_OK);
}

static void the_end_of_a_process_gives_its_sources_back(void **state)
{
    struct user other = user_start(16);
    assert_int_equal(create(root, SOURCE), SK_OK);
    give(user.thread, result(), other.thread);
    fire();
    user_stop(&other);
    assert_false(host_irq_is_enabled(SOURCE));
    assert_int_equal(create(root, SOURCE), SK_OK);
}

static void only_sources_of_the_resource_and_the_machine(void **state)
{
    handle_t irqs = sources(SOURCE, 2);
    assert_int_equal(create(irqs, SOURCE - 1), SK_OUT_OF_RANGE);
    assert_int_equal(create(irqs, SOURCE + 2), SK_OUT_OF_RANGE);
    assert_int_equal(create(irqs, SOURCE + 1), SK_OK);
    assert_int_equal(create(root, 0), SK_OUT_OF_RANGE); /* no source: the PLIC counts from 1 */
    assert_int_equal(create(root, irq_highest()), SK_OK);
    assert_int_equal(create(root, irq_highest() + 1), SK_OUT_OF_RANGE);
    assert_int_equal(create(root, UINT32_MAX), SK_OUT_OF_RANGE);
    irqs = sources(0, UINT64_MAX);
    assert_int_equal(create(irqs, UINT32_MAX), SK_OUT_OF_RANGE);
    assert_int_equal(narrow(root, SK_RESOURCE_MMIO, 0x10000000, 4096), SK_OK);
    assert_int_equal(create(result(), SOURCE), SK_WRONG_TYPE);
}

/* --- Resources --- */

static void a_range_gets_narrower_only(void **state)
{
    assert_int_equal(narrow(root, SK_RESOURCE_MMIO, 0x10000000, 0x4000), SK_OK);
    handle_t wide = result();
    static const struct {
        uint64_t base, size;
        status_t status;
    } cases[] = {
        {0x10000000, 0x4000, SK_OK},
        {0x10001000, 0x1000, SK_OK},
        {0x10003000, 0x1000, SK_OK},
        {0x10003000, 0x1001, SK_OUT_OF_RANGE},
        {0x0ffff000, 0x2000, SK_OUT_OF_RANGE},
        {0x10004000, 0x1000, SK_OUT_OF_RANGE},
        {0x10000000, 0, SK_OUT_OF_RANGE},
        {0x10001000, UINT64_MAX, SK_OUT_OF_RANGE}, /* wraps */
        {0x10001000, UINT64_MAX - 0x10001000 + 1, SK_OUT_OF_RANGE},
        {UINT64_MAX, 1, SK_OUT_OF_RANGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(narrow(wide, SK_RESOURCE_MMIO, cases[i].base, cases[i].size),
                         cases[i].status);
    }
    assert_int_equal(narrow(wide, SK_RESOURCE_IRQ, 0x10000000, 1), SK_INVALID_ARGS);
    assert_int_equal(narrow(wide, SK_RESOURCE_ROOT, 0, 0), SK_INVALID_ARGS);
}

static void kinds_that_are_no_range_have_none(void **state)
{
    assert_int_equal(narrow(root, SK_RESOURCE_POWER, 0, 0), SK_OK);
    handle_t power = result();
    assert_int_equal(narrow(root, SK_RESOURCE_POWER, 0, 1), SK_INVALID_ARGS);
    assert_int_equal(narrow(root, SK_RESOURCE_POWER, 1, 0), SK_INVALID_ARGS);
    assert_int_equal(narrow(root, SK_RESOURCE_ROOT, 0, 0), SK_INVALID_ARGS);
    assert_int_equal(narrow(root, SK_RESOURCE_KIND_COUNT, 0, 0), SK_INVALID_ARGS);
    assert_int_equal(narrow(root, UINT32_MAX, 0, 0), SK_INVALID_ARGS);
    assert_int_equal(narrow(power, SK_RESOURCE_MMIO, 0x10000000, 4096), SK_INVALID_ARGS);
    assert_int_equal(narrow(power, SK_RESOURCE_POWER, 0, 0), SK_OK);
}

/* Whoever has registers has no memory of others, not even from the root. */
static void ram_is_no_register(void **state)
{
    struct platform_range *ram = &platform.memory[0];
    assert_int_equal(platform.memory_count, 0); /* the harness has no tree */
    *ram = (struct platform_range){.start = 0x80000000, .end = 0x90000000};
    platform.memory_count = 1;
    assert_int_equal(narrow(root, SK_RESOURCE_MMIO, ram->start, 4096), SK_OUT_OF_RANGE);
    assert_int_equal(narrow(root, SK_RESOURCE_MMIO, ram->end - 4096, 4096), SK_OUT_OF_RANGE);
    assert_int_equal(narrow(root, SK_RESOURCE_MMIO, ram->start - 4096, 4097), SK_OUT_OF_RANGE);
    assert_int_equal(narrow(root, SK_RESOURCE_MMIO, ram->start - 4096, 4096), SK_OK);
    assert_int_equal(narrow(root, SK_RESOURCE_MMIO, 4096, ram->end), SK_OUT_OF_RANGE);
    assert_int_equal(narrow(root, SK_RESOURCE_MMIO, ram->end, 4096), SK_OK);
    platform.memory_count = 0;
}

/* The frames of DMA memory wait until the grant is given up, whoever closes what first. */
static void dma_memory_waits_for_its_grant(void **state)
{
    struct census before = census_take(&user);
    assert_int_equal(narrow(root, SK_RESOURCE_DMA, 0, 1ull << 40), SK_OK);
    handle_t grant = result();
    assert_int_equal(
        syscall_as(user.thread, SK_SYS_memory_create_dma, grant, user.job_handle, 3 * PAGE_SIZE),
        SK_OK);
    handle_t memory = result();
    struct census with = census_take(&user);
    drop(memory);
    struct census held = census_take(&user);
    assert_int_equal(held.frames, with.frames); /* a device may still write there */
    drop(grant);
    struct census after = census_take(&user);
    assert_int_equal(after.frames, before.frames);
    assert_int_equal(after.used[BUDGET_PAGES], before.used[BUDGET_PAGES]);

    assert_int_equal(narrow(root, SK_RESOURCE_DMA, 0, 1ull << 40), SK_OK);
    grant = result();
    assert_int_equal(
        syscall_as(user.thread, SK_SYS_memory_create_dma, grant, user.job_handle, 3 * PAGE_SIZE),
        SK_OK);
    memory = result();
    drop(grant);
    drop(memory); /* the grant has ended: nothing to wait for */
    after = census_take(&user);
    assert_int_equal(after.frames, before.frames);
}

int main(void)
{
    kernel_start(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_source_has_one_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(a_claim_is_completed_once_by_the_acknowledgement, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_waiter_wakes, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_lost_before_the_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_completes_then_disables, setup, teardown),
        cmocka_unit_test_setup_teardown(an_interrupt_without_an_owner_is_completed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_end_of_a_process_gives_its_sources_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(only_sources_of_the_resource_and_the_machine, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_range_gets_narrower_only, setup, teardown),
        cmocka_unit_test_setup_teardown(kinds_that_are_no_range_have_none, setup, teardown),
        cmocka_unit_test_setup_teardown(ram_is_no_register, setup, teardown),
        cmocka_unit_test_setup_teardown(dma_memory_waits_for_its_grant, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
