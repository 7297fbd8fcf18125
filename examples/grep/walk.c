/* SPDX-License-Identifier: MIT */
#include "walk.h"

#include <errno.h>
#include <ravel.h>
#include <stdlib.h>
#include <string.h>

struct names {
    char **all; /* the type's first letter, and the name behind it */
    size_t count, room;
};

static void names_free(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->all[i]);
    free(n->all);
}

static int names_add(struct names *n, const struct rv_dir_entry *entry)
{
    size_t bytes = strlen(entry->name) + 1;
    char *name = malloc(bytes + 1);

    if (name && n->count == n->room) {
        size_t room = n->room ? 2 * n->room : 64;
        char **all = reallocarray(n->all, room, sizeof *all);
        if (all) {
            n->all = all;
            n->room = room;
        }
    }
    if (!name || n->count == n->room) {
        free(name);
        return -ENOMEM;
    }
    name[0] = S_ISDIR(entry->type) ? 'd' : 'f';
    memcpy(name + 1, entry->name, bytes);
    n->all[n->count++] = name;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a + 1, *(char *const *)b + 1);
}

static int names_read(struct names *n, const char *path)
{
    struct rv_dir_entry entry;
    rv_dir *list;
    int r = rv_dir_open(&list, AT_FDCWD, path, 0, RV_NEVER);

    if (r < 0)
        return r;
    while ((r = rv_dir_next(list, &entry, RV_NEVER)) > 0) {
        if (S_ISDIR(entry.type) || S_ISREG(entry.type))
            r = names_add(n, &entry);
        if (r < 0)
            break;
    }
    rv_dir_close(list);
    if (n->count)
        qsort(n->all, n->count, sizeof n->all[0], by_name);
    return r;
}

static char *join(const char *folder, const char *name)
{
    size_t bytes = strlen(folder);
    const char *slash = bytes && folder[bytes - 1] != '/' ? "/" : "";
    char *path = malloc(bytes + strlen(name) + 2);

    if (path)
        stpcpy(stpcpy(stpcpy(path, folder), slash), name);
    return path;
}

static int walk_names(const struct walk *w, const char *folder, const struct names *n)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < n->count; i++) {
        char *path = join(folder, n->all[i] + 1);
        if (!path)
            return -ENOMEM;
        r = n->all[i][0] == 'd' ? walk_tree(w, path) : w->found(w->arg, path);
        free(path);
    }
    return r;
}

int walk_tree(const struct walk *w, const char *path)
{
    struct names n = {0};
    int r = names_read(&n, *path ? path : ".");

    if (r < 0 && r != -ECANCELED) {
        w->failed(w->arg, *path ? path : ".", r);
        r = 0;
    }
    if (r == 0)
        r = walk_names(w, path, &n);
    names_free(&n);
    return r;
}
