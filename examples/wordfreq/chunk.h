/* SPDX-License-Identifier: MIT */
/* chunk.h - the job: count the words of one piece of one file.
 *
 * A word is a run of ASCII letters, digits and underscores, in lower case; only its first
 * WORD_BYTES bytes count. It belongs to the chunk that it starts in, so every word is counted once,
 * wherever the file is cut. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PATH_BYTES = 496,
    CHUNK_BYTES = 32000,
    WORD_BYTES = 63,
    RECORD_HEAD = 3, /* of a record: one byte of length, two of count; the word follows */

    /* Room for the words of any chunk. A word of n bytes takes n + RECORD_HEAD bytes as a record
     * and at least n + 1 in the file: itself and what separates it from the next. Since n + 3 is at
     * most 2(n + 1), all words but the last take no more than twice the chunk. The last may end
     * beyond the chunk; there is room for the longest. Words that are repeated or cut only take
     * less. */
    RECORDS_BYTES = 2 * CHUNK_BYTES + RECORD_HEAD + WORD_BYTES,
};

/* What goes to a job: plain bytes, so that it can travel anywhere. */
struct chunk {
    char path[PATH_BYTES];
    uint64_t offset;
    uint64_t length; /* 1 to CHUNK_BYTES */
};

/* What comes back. */
struct count {
    uint64_t words;
    uint64_t records_bytes; /* of records[], one behind the other, each word once */
    unsigned char records[RECORDS_BYTES];
};

struct word {
    const char *text; /* `bytes` of them, no NUL behind */
    size_t bytes;
    uint64_t count;
};

/* Count the words that start in a chunk. 0, or -errno when the file cannot be read. */
int count_words(const struct chunk *in, struct count *out);

/* Step through the words of a count; *at begins with 0. False when there are no more. */
bool count_next(const struct count *count, size_t *at, struct word *ret);
