/* SPDX-License-Identifier: MIT */
/* list.h - intrusive lists: the link lives in the object, so that linking cannot fail.
 *
 * struct rvi_list: doubly linked, a ring through its head. Removes from the middle in O(1).
 *   L1  a link is on a list exactly when its `next` is not NULL; zeroed memory is an unlinked link
 *   L2  for each link x of a ring, x->next->prev == x and x->prev->next == x
 * struct rvi_fifo: singly linked, half the size of a link, for queues that only pop their front.
 *   F1  first == NULL  <=>  last == NULL
 *   F2  last->next == NULL; a link that is off the queue may hold anything
 *
 * Neither has a lock: whoever owns the list says who may touch it. A list head must not move in
 * memory while it is in use (the ring points to it); a fifo may be copied.
 *
 * Rejected: a self-pointing unlinked link, as in Linux, because objects here start from calloc. */
#pragma once

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>

struct rvi_link {
    struct rvi_link *prev;
    struct rvi_link *next;
};

struct rvi_list {
    struct rvi_link head;
};

static inline void rvi_list_init(struct rvi_list *list)
{
    list->head.prev = &list->head;
    list->head.next = &list->head;
}

static inline void rvi_link_init(struct rvi_link *link)
{
    link->prev = NULL;
    link->next = NULL;
}

static inline bool rvi_link_is_linked(const struct rvi_link *link)
{
    return link->next != NULL;
}

static inline bool rvi_list_is_empty(const struct rvi_list *list)
{
    return list->head.next == &list->head;
}

/* `link` goes right after `place`, which may be the head of a list. */
static inline void rvi_link_insert_after(struct rvi_link *place, struct rvi_link *link)
{
    RV_DCHECK(!rvi_link_is_linked(link));
    link->prev = place;
    link->next = place->next;
    place->next->prev = link;
    place->next = link;
}

static inline void rvi_list_push_front(struct rvi_list *list, struct rvi_link *link)
{
    rvi_link_insert_after(&list->head, link);
}

static inline void rvi_list_push_back(struct rvi_list *list, struct rvi_link *link)
{
    rvi_link_insert_after(list->head.prev, link);
}

static inline void rvi_link_remove(struct rvi_link *link)
{
    RV_DCHECK(rvi_link_is_linked(link));
    RV_DCHECK(link->prev->next == link && link->next->prev == link);
    link->prev->next = link->next;
    link->next->prev = link->prev;
    rvi_link_init(link);
}

/* NULL when the list is empty. */
static inline struct rvi_link *rvi_list_first(const struct rvi_list *list)
{
    return rvi_list_is_empty(list) ? NULL : list->head.next;
}

/* NULL when the list is empty. */
static inline struct rvi_link *rvi_list_pop_front(struct rvi_list *list)
{
    struct rvi_link *link = rvi_list_first(list);
    if (link != NULL)
        rvi_link_remove(link);
    return link;
}

/* All of `from`, in order, goes behind what `to` holds; `from` is empty afterwards. */
static inline void rvi_list_concat(struct rvi_list *to, struct rvi_list *from)
{
    if (rvi_list_is_empty(from))
        return;
    struct rvi_link *first = from->head.next;
    struct rvi_link *last = from->head.prev;
    first->prev = to->head.prev;
    to->head.prev->next = first;
    last->next = &to->head;
    to->head.prev = last;
    rvi_list_init(from);
}

/* Whether L2 holds all around the ring. */
static inline bool rvi_list_is_valid(const struct rvi_list *list)
{
    const struct rvi_link *link = &list->head;
    do {
        if (link->next == NULL || link->next->prev != link)
            return false;
        link = link->next;
    } while (link != &list->head);
    return true;
}

/* Declares `it`, a struct rvi_link *, for the body; the body must not remove it. */
#define RVI_LIST_FOREACH(it, list)                                                                 \
    for (struct rvi_link *it = (list)->head.next; it != &(list)->head; it = it->next)

/* The same, and the body may remove `it`, but no other link. */
#define RVI_LIST_FOREACH_SAFE(it, list)                                                            \
    for (struct rvi_link *it = (list)->head.next, *it##_next = it->next; it != &(list)->head;      \
         it = it##_next, it##_next = it->next)

struct rvi_qlink {
    struct rvi_qlink *next;
};

struct rvi_fifo {
    struct rvi_qlink *first;
    struct rvi_qlink *last;
};

static inline void rvi_fifo_init(struct rvi_fifo *fifo)
{
    *fifo = (struct rvi_fifo){NULL, NULL};
}

static inline bool rvi_fifo_is_empty(const struct rvi_fifo *fifo)
{
    return fifo->first == NULL;
}

static inline void rvi_fifo_push(struct rvi_fifo *fifo, struct rvi_qlink *link)
{
    link->next = NULL;
    if (fifo->first == NULL)
        fifo->first = link;
    else
        fifo->last->next = link;
    fifo->last = link;
}

/* NULL when the queue is empty. */
static inline struct rvi_qlink *rvi_fifo_pop(struct rvi_fifo *fifo)
{
    struct rvi_qlink *link = fifo->first;
    if (link == NULL)
        return NULL;
    fifo->first = link->next;
    if (fifo->first == NULL)
        fifo->last = NULL;
    return link;
}

/* Whether F1 and F2 hold. */
static inline bool rvi_fifo_is_valid(const struct rvi_fifo *fifo)
{
    const struct rvi_qlink *last = NULL;
    for (const struct rvi_qlink *link = fifo->first; link != NULL; link = link->next)
        last = link;
    return last == fifo->last;
}
