/* SPDX-License-Identifier: MIT */
/* table.h - all words with their counts, and the answer that is read from them. */
#pragma once

#include "chunk.h"

enum { TOP_WORDS = 10 };

/* A hash table; all zero is an empty one. */
struct table {
    struct slot *slots;
    size_t slot_count; /* a power of two, or 0 */
    char *entries;     /* struct entry, one behind the other, as they came */
    size_t entries_bytes;
    size_t entries_capacity;
    size_t count;
};

/* What the whole job is for. Equal answers have equal checksums, in whatever order words came. */
struct answer {
    uint64_t words;
    uint64_t distinct;
    uint64_t checksum; /* over the sorted words and their counts */
    struct {
        char word[WORD_BYTES + 1];
        uint64_t count;
    } top[TOP_WORDS]; /* the most frequent first; count 0: there are no more */
};

/* Add a word's count. 0 or -ENOMEM. */
int table_add(struct table *table, const struct word *word);

/* Read the answer. 0 or -ENOMEM. */
int table_answer(const struct table *table, struct answer *ret);

void table_free(struct table *table);
