/* SPDX-License-Identifier: MIT */
/* files.h - the files that are served: what lies below one folder. */
#pragma once

#include "reply.h"

enum { FILES_INDEX_BYTES = sizeof "index.html" };

/* A file that is open, and what is known of it. */
struct file {
    int fd; /* -1: none */
    struct thing thing;
};

/* Open the folder; a descriptor, or -errno. */
int files_open_root(const char *path);

/* Open what a path names (target.h), which never lies outside of the root: a folder stands for its
 * index.html, whose name is added to the path, which has room for FILES_INDEX_BYTES more. 200 with
 * the file, 301 when the path lacks a slash at its end, or another status. */
int files_open(struct file *ret, int root, char *path);

/* Read a part of a file, all of it. 0 or -errno; -EIO when it has become shorter. */
int files_read(int fd, char *buf, size_t len, uint64_t at);

void files_close(struct file *f);
