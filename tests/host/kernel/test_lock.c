/* SPDX-License-Identifier: BSD-2-Clause */
/* The check of lock order, and that it is the kernel's own assertion which speaks. */
#include "harness.h"

#include <kernel/lock.h>
#include <kernel/trap.h>

static struct spinlock object = SPINLOCK_INIT(LOCK_OBJECT), object2 = SPINLOCK_INIT(LOCK_OBJECT);
static struct spinlock handles = SPINLOCK_INIT(LOCK_HANDLES), pages = SPINLOCK_INIT(LOCK_PAGES);

static void wrong_order(void)
{
    lock_acquire(&handles);
    lock_acquire(&object);
}

static void same_level(void)
{
    lock_acquire(&object);
    lock_acquire(&object2);
}

static void twice(void)
{
    lock_acquire(&object);
    lock_acquire(&object);
}

static void not_held(void)
{
    lock_release(&object);
}

static void into_user_mode(void)
{
    lock_acquire(&object);
    kernel_exit();
}

static void test_wrong_uses_panic(void **state)
{
    assert_panics(wrong_order, "PANIC: lock order: level 4 taken while level 7 is held");
    assert_panics(same_level, "PANIC: lock order: level 4 taken while level 4 is held");
    assert_panics(twice, "PANIC: lock order");
    assert_panics(not_held, "PANIC: ");
    assert_panics(into_user_mode, "held_count == 0");
}

static void test_right_uses(void **state)
{
    lock_acquire(&object);
    lock_acquire(&handles);
    lock_acquire(&pages);
    lock_release(&handles); /* in any order */
    lock_release(&object);
    lock_release(&pages);
    lock_pair_acquire(&object, &object2);
    lock_pair_release(&object, &object2);
    lock_pair_acquire(&object2, &object);
    lock_pair_release(&object2, &object);
    lock_pair_acquire(&object, &object);
    lock_pair_release(&object, &object);
    lock_check_none_held();
    assert_int_equal(object.word, 0);
    assert_int_equal(object2.word, 0);
}

int main(void)
{
    kernel_start(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_uses_panic),
        cmocka_unit_test(test_right_uses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
