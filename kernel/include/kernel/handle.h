/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process's handle table.
 *
 * A handle is an index in bits 0..15 and a generation, never 0, in bits 16..30. An entry is FREE, USED or
 * RESERVED (named in a message that is being sent, or in a call that waits: neither usable nor
 * closable until the send is decided). Free entries are reused in the order they were freed, so a
 * stale handle meets another object only after 32,768 lives of its slot.
 *
 * Lock: handle_table.lock (LOCK_HANDLES). Nothing is freed under it. Tests: tests/host/kernel/.
 */
#ifndef KERNEL_HANDLE_H
#define KERNEL_HANDLE_H

#include <kernel/object.h>

#define HANDLE_INDEX_BITS 16u
#define HANDLES_PER_PAGE 256u
#define HANDLE_PAGES_MAX 256u

struct process;

_Static_assert(HANDLE_PAGES_MAX *HANDLES_PER_PAGE <= 1u << HANDLE_INDEX_BITS, "indices fit");

/* Marks beside the rights of an entry, so that one comparison finds out that it may be used. */
#define ENTRY_FREE (1u << 10)
#define ENTRY_RESERVED (1u << 9)
#define ENTRY_MARKS (ENTRY_FREE | ENTRY_RESERVED)
#define ENTRY_NEXT_SHIFT 11u /* of a free entry: the next one */
#define INDEX_NONE 0x1ffffu

struct handle_entry {
    struct object *object; /* with a reference and a handle count; NULL if FREE */
    uint32_t rights;       /* SK_RIGHT_* | ENTRY_*; FREE: and the next free index, or INDEX_NONE */
    handle_t name;         /* the handle that names this life of the entry, or the next one */
};

_Static_assert((SK_RIGHTS_ALL & ENTRY_MARKS) == 0, "marks are beside the rights");
_Static_assert(sizeof(struct handle_entry) == 16, "256 entries to a page");

struct handle_table {
    struct spinlock lock;
    uint32_t page_count;                          /* [lock] */
    uint32_t free_first, free_last;               /* [lock] indices, ~0 for none */
    uint32_t used;                                /* [lock] entries not FREE */
    uint32_t clear_next;                          /* handle_table_clear_step: where to go on */
    struct job *job;                              /* [I] pays; borrowed from the process */
    struct handle_entry *pages[HANDLE_PAGES_MAX]; /* [lock] NULL from page_count on; only grow */
};

/* Where the page of a handle's entry is named. The offset in bytes is cut out of the index at once. */
static inline struct handle_entry **handle_page(struct handle_table *table, uint64_t handle)
{
    _Static_assert(HANDLES_PER_PAGE == 1u << 8 && sizeof(void *) == 1u << 3, "shift by 8 - 3");
    uint64_t offset = handle >> 5 & (HANDLE_PAGES_MAX - 1) * sizeof(void *);
    return (struct handle_entry **)((char *)table->pages + offset);
}

void handle_table_init(struct handle_table *table, struct job *job);
/* Closes entries; false: there are more, in the next step. Threads of the process are gone. */
bool handle_table_clear_step(struct handle_table *table);
/* Frees the table's pages after the last step. */
void handle_table_fini(struct handle_table *table);

/* Looks up a handle. `type` SK_TYPE_NONE accepts any. On SK_OK the caller owns one reference to
 * capability->object. BAD_HANDLE, WRONG_TYPE, ACCESS_DENIED. */
status_t handle_get(struct process *process, handle_t handle, enum sk_type type, uint32_t rights,
                    struct capability *capability);

/* Enters a capability, which moves in on success. NO_HANDLES (table full), OVER_BUDGET, NO_MEMORY. */
status_t handle_add(struct process *process, struct capability capability, handle_t *handle);
/* Enters a new object with all rights of its type, and takes over the caller's reference to it, also
 * on error. */
status_t handle_add_new(struct process *process, struct object *object, handle_t *handle);
status_t handle_close(struct process *process, handle_t handle);

/* Up to `most` of the process's capabilities from index *next on, borrowed, for as long as `look`
 * runs, under the table's lock. *next is where to go on, 0 at the end. */
void handle_look(struct process *process, uint64_t *next, uint32_t most,
                 void (*look)(struct object *object, uint32_t rights, void *context),
                 void *context);

/*
 * Moving several handles, in two phases. handle_reserve checks all of them (BAD_HANDLE,
 * ACCESS_DENIED without TRANSFER, INVALID_ARGS for a handle named twice) and marks them RESERVED, or
 * changes nothing. Then either handle_unreserve puts all back as they were, or handle_take removes
 * them from the table and gives their capabilities. The last two never fail.
 */
status_t handle_reserve(struct process *process, const handle_t *handles, uint32_t count);
void handle_unreserve(struct process *process, const handle_t *handles, uint32_t count);
void handle_take(struct process *process, const handle_t *handles, uint32_t count,
                 struct capability *capabilities);
/* The object of a reserved handle; borrowed. */
struct object *handle_peek_reserved(struct process *process, handle_t handle);

/*
 * Room for `count` new handles, in two phases: handle_room makes free entries and charges the
 * budget, so that handle_fill cannot fail; handle_room_cancel gives the room back.
 * NO_HANDLES, OVER_BUDGET, NO_MEMORY.
 */
status_t handle_room(struct process *process, handle_t *handles, uint32_t count);
void handle_fill(struct process *process, const handle_t *handles, uint32_t count,
                 const struct capability *capabilities);
void handle_room_cancel(struct process *process, const handle_t *handles, uint32_t count);

/*
 * Moves handles from one table to another at once, for two processes of which one hands a message to the
 * other: the checks of handle_reserve and handle_room, then handle_take and handle_fill. False: not at
 * once, or not at all, and nothing has changed. Names are read from `given` and written to `taken`, which
 * may be user memory, each once. An object with the lock `but_not` is not moved (NULL: any is). Both
 * tables, which may be the same, are locked.
 */
bool handle_pass(struct handle_table *from, struct handle_table *to, uint32_t count,
                 const handle_t *given, handle_t *taken, const struct spinlock *but_not);

#endif
