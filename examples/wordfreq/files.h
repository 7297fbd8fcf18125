/* SPDX-License-Identifier: MIT */
/* files.h - the text files below a directory, and the chunks that they are cut into. */
#pragma once

#include "chunk.h"

#include <stdio.h>

struct file {
    char *path; /* absolute: a worker elsewhere has another working directory */
    uint64_t bytes;
};

/* All zero is an empty list. */
struct files {
    struct file *list;
    size_t count;
    size_t capacity;
    uint64_t bytes;
    uint64_t chunks;
    size_t unreadable; /* what was left out, and why */
    size_t not_text;
    size_t path_too_long;
};

/* Find the text files below a directory, in the order of their names; read each once, which also
 * fills the page cache. A file that cannot be read is counted and left out. 0 or -errno. */
int files_find(struct files *files, const char *directory);

/* Write a list for another process, and read it there. 0 or -errno. */
int files_save(const struct files *files, FILE *out);
int files_load(struct files *files, FILE *in);

void files_free(struct files *files);

/* A place in the sequence of all chunks of all files; all zero is its beginning. */
struct chunk_at {
    size_t file;
    uint64_t offset;
};

/* The next chunk. False when there are no more. */
bool files_next_chunk(const struct files *files, struct chunk_at *at, struct chunk *ret);
