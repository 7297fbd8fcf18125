/* SPDX-License-Identifier: MIT */
/* nats_table.c - things by their identity. Identities are random, so their digits are a hash; the
 * table doubles when it is full, or stays as it is without memory for more. */
#include <string.h>

#include "base/alloc.h"
#include "engine/by_nats.h"

enum { FIRST_BUCKETS = 64 };

static struct rvi_nats_entry **bucket_of(const struct rvi_nats_table *table, const char *id)
{
    uint64_t hash = rvi_wire_hash(0, id, RVI_ENGINE_ID_BYTES - 1);

    return &table->buckets[hash & (table->bucket_count - 1)];
}

static void grow(struct rvi_nats_table *table)
{
    struct rvi_nats_table old = *table;
    size_t count = old.bucket_count ? old.bucket_count * 2 : FIRST_BUCKETS;
    struct rvi_nats_entry **buckets = rvi_calloc(count, sizeof(*buckets));

    if (!buckets)
        return;
    table->buckets = buckets;
    table->bucket_count = count;
    for (size_t i = 0; i < old.bucket_count; i++) {
        for (struct rvi_nats_entry *entry = old.buckets[i], *next; entry; entry = next) {
            struct rvi_nats_entry **bucket = bucket_of(table, entry->id);
            next = entry->next;
            entry->next = *bucket;
            *bucket = entry;
        }
    }
    rvi_free(old.buckets);
}

bool rvi_nats_table_add(struct rvi_nats_table *table, struct rvi_nats_entry *entry)
{
    if (table->count >= table->bucket_count)
        grow(table);
    if (table->bucket_count == 0)
        return false;
    struct rvi_nats_entry **bucket = bucket_of(table, entry->id);
    entry->next = *bucket;
    *bucket = entry;
    table->count++;
    return true;
}

struct rvi_nats_entry *rvi_nats_table_find(const struct rvi_nats_table *table, const char *id)
{
    struct rvi_nats_entry *entry = table->count > 0 ? *bucket_of(table, id) : NULL;

    while (entry && memcmp(entry->id, id, RVI_ENGINE_ID_BYTES) != 0)
        entry = entry->next;
    return entry;
}

void rvi_nats_table_remove(struct rvi_nats_table *table, struct rvi_nats_entry *entry)
{
    struct rvi_nats_entry **at = bucket_of(table, entry->id);

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    table->count--;
}

struct rvi_nats_entry *rvi_nats_table_any(const struct rvi_nats_table *table)
{
    for (size_t i = 0; i < table->bucket_count; i++) {
        if (table->buckets[i])
            return table->buckets[i];
    }
    return NULL;
}

void rvi_nats_table_fini(struct rvi_nats_table *table)
{
    rvi_free(table->buckets);
    *table = (struct rvi_nats_table){0};
}
