/* SPDX-License-Identifier: MIT */
/* walk.h - the files of a tree in one order. */
#pragma once

/* A file that was found. An error ends the walk. */
typedef int walk_fn(void *arg, const char *path);

/* What cannot be listed, or read at all. */
typedef void walk_error_fn(void *arg, const char *path, int error);

struct walk {
    walk_fn *found;
    walk_error_fn *failed;
    void *arg;
};

/* All regular files below a folder, names of each folder in the order of their bytes; links are not
 * followed. `path` "" is the working directory, whose files are named without it. The memory is
 * that of the names in the folders on the way. */
int walk_tree(const struct walk *w, const char *path);
