/* SPDX-License-Identifier: MIT */
/* table.c - all words with their counts, and the answer that is read from them.
 *
 * Open addressing over slots of eight bytes; the words lie beside their counts in a growing block,
 * so that a look-up touches two cache lines. Rejected: an allocation for each word (twice the
 * memory, half as much time again). One task owns the table and merges every result, so there is no
 * lock. */
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    uint32_t hash;
    uint32_t entry; /* 1 + its place in the block, in units of ENTRY_ALIGN; 0: an empty slot */
};

struct entry {
    uint64_t count;
    uint32_t bytes;
    char word[]; /* with a NUL behind */
};

enum { FIRST_SLOTS = 4096, FIRST_ENTRIES_BYTES = 65536, ENTRY_ALIGN = 8 };

#define FNV_BASIS UINT64_C(14695981039346656037)

/* FNV-1a (Fowler, Noll, Vo): continue a hash over some bytes. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n)
{
    for (const unsigned char *p = bytes, *end = p + n; p < end; p++)
        hash = (hash ^ *p) * UINT64_C(1099511628211);
    return hash;
}

static struct entry *entry_at(const struct table *t, size_t offset)
{
    return (struct entry *)(void *)(t->entries + offset);
}

static size_t entry_bytes(size_t word_bytes)
{
    size_t bytes = offsetof(struct entry, word) + word_bytes + 1;
    return (bytes + ENTRY_ALIGN - 1) / ENTRY_ALIGN * ENTRY_ALIGN;
}

static struct entry *entry_of(const struct table *t, const struct slot *slot)
{
    return entry_at(t, (slot->entry - 1) * (size_t)ENTRY_ALIGN);
}

/* The slot of a word, or the empty one where it belongs. */
static struct slot *find(const struct table *t, const struct word *word, uint32_t hash)
{
    for (size_t i = hash;; i++) {
        struct slot *slot = &t->slots[i % t->slot_count];
        if (slot->entry == 0)
            return slot;
        if (slot->hash != hash)
            continue;
        const struct entry *e = entry_of(t, slot);
        if (e->bytes == word->bytes && memcmp(e->word, word->text, word->bytes) == 0)
            return slot;
    }
}

/* Keep a quarter of the slots empty. */
static int make_slots(struct table *t)
{
    if (4 * t->count < 3 * t->slot_count)
        return 0;
    size_t n = t->slot_count ? 2 * t->slot_count : FIRST_SLOTS;
    struct slot *slots = calloc(n, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    for (const struct slot *old = t->slots; old < t->slots + t->slot_count; old++) {
        size_t i = old->hash % n;
        while (old->entry && slots[i].entry)
            i = (i + 1) % n;
        if (old->entry)
            slots[i] = *old;
    }
    free(t->slots);
    t->slots = slots;
    t->slot_count = n;
    return 0;
}

static int append(struct table *t, struct slot *slot, const struct word *word, uint32_t hash)
{
    size_t bytes = entry_bytes(word->bytes);
    if (t->entries_bytes + bytes > t->entries_capacity) {
        size_t capacity = t->entries_capacity ? 2 * t->entries_capacity : FIRST_ENTRIES_BYTES;
        char *entries = realloc(t->entries, capacity);
        if (!entries)
            return -ENOMEM;
        t->entries = entries;
        t->entries_capacity = capacity;
    }
    struct entry *e = entry_at(t, t->entries_bytes);
    e->count = word->count;
    e->bytes = (uint32_t)word->bytes;
    memcpy(e->word, word->text, word->bytes);
    e->word[word->bytes] = '\0';
    *slot = (struct slot){hash, (uint32_t)(t->entries_bytes / ENTRY_ALIGN + 1)};
    t->entries_bytes += bytes;
    t->count++;
    return 0;
}

int table_add(struct table *t, const struct word *word)
{
    if (make_slots(t) < 0)
        return -ENOMEM;
    uint64_t wide = hash_bytes(FNV_BASIS, word->text, word->bytes);
    uint32_t hash = (uint32_t)(wide ^ wide >> 32);
    struct slot *slot = find(t, word, hash);
    if (slot->entry == 0)
        return append(t, slot, word, hash);
    entry_of(t, slot)->count += word->count;
    return 0;
}

static int by_word(const void *a, const void *b)
{
    const struct entry *const *x = a, *const *y = b;
    return strcmp((*x)->word, (*y)->word);
}

/* Words come in their order, so that of equally frequent ones the first stays ahead. */
static void rank(struct answer *a, const struct entry *e)
{
    size_t i = TOP_WORDS;
    while (i > 0 && a->top[i - 1].count < e->count)
        i--;
    if (i == TOP_WORDS)
        return;
    memmove(&a->top[i + 1], &a->top[i], (TOP_WORDS - 1 - i) * sizeof a->top[0]);
    memcpy(a->top[i].word, e->word, e->bytes + 1);
    a->top[i].count = e->count;
}

int table_answer(const struct table *t, struct answer *ret)
{
    const struct entry **sorted = malloc((t->count + 1) * sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    size_t n = 0;
    for (size_t at = 0; at < t->entries_bytes; at += entry_bytes(sorted[n++]->bytes))
        sorted[n] = entry_at(t, at);
    qsort(sorted, n, sizeof *sorted, by_word);

    *ret = (struct answer){.distinct = n, .checksum = FNV_BASIS};
    for (size_t i = 0; i < n; i++) {
        const struct entry *e = sorted[i];
        ret->words += e->count;
        ret->checksum = hash_bytes(ret->checksum, e->word, e->bytes + 1);
        ret->checksum = hash_bytes(ret->checksum, &e->count, sizeof e->count);
        rank(ret, e);
    }
    free(sorted);
    return 0;
}

void table_free(struct table *t)
{
    free(t->slots);
    free(t->entries);
    *t = (struct table){0};
}
