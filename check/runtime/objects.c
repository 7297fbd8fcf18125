/* SPDX-License-Identifier: MIT */
/* objects.c - models by address: open addressing with linear probing, and a list a kind.
 *
 *   O1  the table is at most half full, gone entries included; it doubles otherwise
 *   O2  each entry that is not gone is on its kind's list, in the order of their first use: what
 *       reports walk must not depend on addresses
 *
 * Checked by: tests/unit/check/test_objects.c */
#include "check/runtime/objects.h"

#include "base/check.h"
#include "check/runtime/arena.h"

enum { FIRST_SLOTS = 256 };

struct object {
    struct object *prev, *next; /* of its kind */
    const void *address;
    size_t bytes;
    enum ck_object_kind kind;
    _Alignas(16) char model[];
};

/* A slot that held one which is gone: probing goes on behind it. */
static struct object gone;

static struct {
    struct object **slots;
    size_t slot_count; /* a power of two */
    size_t used;       /* or gone */
    struct object *first[CK_OBJECT_KINDS], *last[CK_OBJECT_KINDS];
} all;

static size_t slot_of(enum ck_object_kind kind, const void *address)
{
    uint64_t key = ((uint64_t)(uintptr_t)address ^ (uint64_t)kind << 56) * 0x9e3779b97f4a7c15;

    return (size_t)(key >> 32) & (all.slot_count - 1);
}

static bool is_it(const struct object *object, enum ck_object_kind kind, const void *address)
{
    return object != &gone && object->kind == kind && object->address == address;
}

/* Where it is, or NULL. */
static struct object **find(enum ck_object_kind kind, const void *address)
{
    if (all.slot_count == 0)
        return NULL;
    for (size_t i = slot_of(kind, address); all.slots[i]; i = (i + 1) & (all.slot_count - 1)) {
        if (is_it(all.slots[i], kind, address))
            return &all.slots[i];
    }
    return NULL;
}

static void put(struct object *object)
{
    size_t i = slot_of(object->kind, object->address);

    while (all.slots[i])
        i = (i + 1) & (all.slot_count - 1);
    all.slots[i] = object;
    all.used++;
}

static void grow(void)
{
    struct object **old = all.slots;
    size_t old_count = all.slot_count;

    all.slot_count = old_count ? old_count * 2 : FIRST_SLOTS;
    all.slots = ck_alloc(all.slot_count * sizeof *all.slots);
    all.used = 0;
    for (size_t i = 0; i < old_count; i++) {
        if (old[i] && old[i] != &gone)
            put(old[i]);
    }
    ck_free(old, old_count * sizeof *old);
}

static void append(struct object *object)
{
    struct object *last = all.last[object->kind];

    object->prev = last;
    *(last ? &last->next : &all.first[object->kind]) = object;
    all.last[object->kind] = object;
}

static void take_out(struct object *object)
{
    *(object->prev ? &object->prev->next : &all.first[object->kind]) = object->next;
    *(object->next ? &object->next->prev : &all.last[object->kind]) = object->prev;
}

void *ck_object(enum ck_object_kind kind, const void *address, size_t bytes, bool *is_new)
{
    struct object **slot = find(kind, address);

    *is_new = !slot;
    if (slot)
        return (*slot)->model;
    if (2 * (all.used + 1) > all.slot_count)
        grow();
    struct object *object = ck_alloc(sizeof *object + bytes);
    object->address = address;
    object->bytes = bytes;
    object->kind = kind;
    put(object);
    append(object);
    return object->model;
}

void *ck_object_find(enum ck_object_kind kind, const void *address)
{
    struct object **slot = find(kind, address);

    return slot ? (*slot)->model : NULL;
}

void ck_object_forget(enum ck_object_kind kind, const void *address)
{
    struct object **slot = find(kind, address);

    if (!slot)
        return;
    struct object *object = *slot;
    *slot = &gone;
    take_out(object);
    ck_free(object, sizeof *object + object->bytes);
}

void ck_object_each(enum ck_object_kind kind,
                    void (*call)(const void *address, void *model, void *arg), void *arg)
{
    for (struct object *object = all.first[kind], *next; object; object = next) {
        next = object->next;
        call(object->address, object->model, arg);
    }
}
