/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A circular doubly linked list with an embedded node. A node that is in no list points to itself,
 * so list_remove is safe to repeat and list_linked tells.
 */
#ifndef KERNEL_LIST_H
#define KERNEL_LIST_H

#include <kernel/types.h>

struct list_node {
    struct list_node *next, *prev;
};

static inline void list_init(struct list_node *node)
{
    node->next = node;
    node->prev = node;
}

static inline bool list_linked(const struct list_node *node)
{
    return node->next != node;
}

static inline bool list_empty(const struct list_node *head)
{
    return head->next == head;
}

static inline void list_insert_before(struct list_node *where, struct list_node *node)
{
    node->next = where;
    node->prev = where->prev;
    where->prev->next = node;
    where->prev = node;
}

static inline void list_append(struct list_node *head, struct list_node *node)
{
    list_insert_before(head, node);
}

static inline void list_prepend(struct list_node *head, struct list_node *node)
{
    list_insert_before(head->next, node);
}

static inline void list_remove(struct list_node *node)
{
    node->next->prev = node->prev;
    node->prev->next = node->next;
    list_init(node);
}

/* Removes and returns the first node, or NULL. */
static inline struct list_node *list_pop(struct list_node *head)
{
    if (list_empty(head)) {
        return NULL;
    }
    struct list_node *node = head->next;
    list_remove(node);
    return node;
}

/* Moves everything in `from` to the end of `to`. */
static inline void list_splice(struct list_node *to, struct list_node *from)
{
    if (list_empty(from)) {
        return;
    }
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define list_for_each(node, head)                                                                  \
    for (struct list_node *node = (head)->next; node != (head); node = node->next)

/* As list_for_each; the current node may be removed. */
#define list_for_each_safe(node, head)                                                             \
    for (struct list_node *node = (head)->next, *next_ = node->next; node != (head);               \
         node = next_, next_ = node->next)

#define list_entry(node, type, member) container_of(node, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)

#endif
