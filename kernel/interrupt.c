/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt objects.
 *
 * The kernel claims an interrupt, marks its object pending and does not complete it; the driver's
 * acknowledgement completes it on the hart that claimed, with the source still enabled, because a
 * PLIC ignores the completion of a source that is not. Giving up the object completes, then disables,
 * so that the next owner starts clean.
 *
 * Owns: the table of objects by source. Locks: interrupt_table_lock for the table, the object's lock
 * for its state. Tests: tests/host/kernel/test_interrupt.c,
 * test_failures.c, tests/qemu/kernel/.
 */
#include <arch/irq.h>
#include <kernel/hart.h>
#include <kernel/interrupt.h>
#include <kernel/page.h>
#include <kernel/process.h>
#include <kernel/resource.h>
#include <kernel/syscalls.h>
#include <kernel/trap.h>
#include <kernel/wait.h>

#define SOURCES_MAX 1024u /* PLIC specification 1.0, section 3: at most 1,023 sources */

struct interrupt {
    struct object object;
    uint32_t source;      /* [I] */
    struct hart *target;  /* [I] where the source is enabled */
    struct hart *claimed; /* [lock] claimed there and not completed; NULL: armed */
    bool pending;         /* [lock] fired and not yet delivered */
};

static struct cache interrupt_cache = CACHE_INIT("interrupt", struct interrupt);

/* Level: taken with nothing or with LOCK_PROCESS held, before the object's own lock. */
static struct spinlock interrupt_table_lock = SPINLOCK_INIT(LOCK_PROCESS);
static struct interrupt *interrupt_table[SOURCES_MAX]; /* [interrupt_table_lock] borrowed */

static struct interrupt *interrupt_from_object(struct object *object)
{
    return container_of(object, struct interrupt, object);
}

static void interrupt_orphan(struct object *object)
{
    struct interrupt *interrupt = interrupt_from_object(object);
    object_orphan_observers(object);
    lock_acquire(&interrupt_table_lock);
    lock_acquire(object->lock);
    if (interrupt->claimed != NULL) {
        irq_complete(interrupt->source, interrupt->claimed);
        interrupt->claimed = NULL;
    }
    interrupt->pending = false;
    irq_disable(interrupt->source, interrupt->target);
    if (interrupt_table[interrupt->source] == interrupt) {
        interrupt_table[interrupt->source] = NULL;
    }
    lock_release(object->lock);
    lock_release(&interrupt_table_lock);
}

static void interrupt_destroy(struct object *object)
{
    object_fini(object);
    cache_free(&interrupt_cache, interrupt_from_object(object));
}

static uint32_t interrupt_observe(struct object *object)
{
    return interrupt_from_object(object)->pending ? SK_SIGNAL_INTERRUPT : 0;
}

static void interrupt_take(struct object *object, uint32_t signals)
{
    if (signals & SK_SIGNAL_INTERRUPT) {
        interrupt_from_object(object)->pending = false;
    }
}

const struct object_type interrupt_type = {
    .name = "interrupt",
    .signals = SK_SIGNAL_INTERRUPT,
    .rights = SK_RIGHT_DUPLICATE | SK_RIGHT_TRANSFER | SK_RIGHT_WRITE | SK_RIGHT_WAIT,
    .orphan = interrupt_orphan,
    .destroy = interrupt_destroy,
    .observe = interrupt_observe,
    .take = interrupt_take,
};

void trap_device(uint32_t source)
{
    lock_acquire(&interrupt_table_lock);
    struct interrupt *interrupt = source < SOURCES_MAX ? interrupt_table[source] : NULL;
    if (interrupt == NULL) {
        /* Its owner may have given it up, and disabled it, between this hart's claim and now. */
        irq_enable(source, cpu_hart());
        irq_complete(source, cpu_hart());
        irq_disable(source, cpu_hart());
        lock_release(&interrupt_table_lock);
        return;
    }
    struct object *object = &interrupt->object;
    lock_acquire(object->lock);
    interrupt->claimed = cpu_hart();
    interrupt->pending = true;
    object_notify(object, SK_SIGNAL_INTERRUPT);
    lock_release(object->lock);
    lock_release(&interrupt_table_lock);
}

static status_t interrupt_create(struct job *job, uint32_t source, struct interrupt **result)
{
    status_t status = job_charge(job, BUDGET_OBJECTS, 1);
    if (status != SK_OK) {
        return status;
    }
    struct interrupt *interrupt = cache_alloc(&interrupt_cache);
    if (interrupt == NULL) {
        job_uncharge(job, BUDGET_OBJECTS, 1);
        return SK_NO_MEMORY;
    }
    object_init(&interrupt->object, SK_TYPE_INTERRUPT, job);
    interrupt->source = source;
    interrupt->target = &harts[0];
    interrupt->claimed = NULL;
    interrupt->pending = false;
    *result = interrupt;
    return SK_OK;
}

status_t sys_interrupt_create(struct thread *self, struct capability irq, uint32_t number,
                              struct capability job, handle_t *handle)
{
    struct resource *resource = resource_from_object(irq.object);
    if (!resource_is(irq.object, SK_RESOURCE_IRQ)) {
        return SK_WRONG_TYPE;
    }
    bool outside = resource->kind == SK_RESOURCE_IRQ &&
                   (number < resource->base || number - resource->base >= resource->size);
    if (outside || number == 0 || number > irq_highest() || number >= SOURCES_MAX) {
        return SK_OUT_OF_RANGE;
    }
    struct interrupt *interrupt;
    struct job *payer = container_of(job.object, struct job, object);
    status_t status = interrupt_create(payer, number, &interrupt);
    if (status != SK_OK) {
        return status;
    }
    status = handle_room(self->process, handle, 1);
    if (status != SK_OK) {
        goto out;
    }
    lock_acquire(&interrupt_table_lock);
    bool taken = interrupt_table[number] != NULL;
    if (!taken) {
        interrupt_table[number] = interrupt;
        irq_enable(number, interrupt->target);
    }
    lock_release(&interrupt_table_lock);
    if (taken) {
        handle_room_cancel(self->process, handle, 1);
        status = SK_BUSY;
        goto out;
    }
    struct capability capability = capability_make(&interrupt->object, interrupt_type.rights);
    handle_fill(self->process, handle, 1, &capability);
out:
    object_put(&interrupt->object);
    return status;
}

status_t sys_interrupt_ack(struct thread *self, struct capability capability)
{
    struct interrupt *interrupt = interrupt_from_object(capability.object);
    status_t status = SK_BAD_STATE;
    lock_acquire(interrupt->object.lock);
    if (interrupt->claimed != NULL) {
        irq_complete(interrupt->source, interrupt->claimed);
        interrupt->claimed = NULL;
        status = SK_OK;
    }
    lock_release(interrupt->object.lock);
    return status;
}
