/* SPDX-License-Identifier: MIT */
/* processes_opts.c - options of worker processes, copied with all that they point to, as processes
 * are started long after the executor was opened.
 *
 * The copy is one piece of memory, measured and then filled by the same walk over the fields, so
 * that the two cannot disagree. */
#include "exec/processes_opts.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/opts.h"

enum { USUAL_ARENA = 64 << 20 }; /* of which pages are there only once they are used */

#define USUAL_GRACE RV_SECOND

/* A piece of memory that is filled from its start; without memory, measured. */
struct copy {
    unsigned char *memory;
    size_t bytes;
};

static void *put(struct copy *copy, const void *from, size_t bytes)
{
    size_t at = (copy->bytes + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);

    copy->bytes = at + bytes;
    if (!copy->memory)
        return NULL;
    if (bytes > 0)
        memcpy(copy->memory + at, from, bytes);
    return copy->memory + at;
}

static const char *const *put_strings(struct copy *copy, const char *const *from)
{
    size_t count = 0;

    if (!from)
        return NULL;
    while (from[count])
        count++;
    const char **to = put(copy, from, (count + 1) * sizeof(*from));
    for (size_t i = 0; i < count; i++) {
        char *text = put(copy, from[i], strlen(from[i]) + 1);
        if (to)
            to[i] = text;
    }
    return to;
}

static void put_all(struct copy *copy, struct rv_process_opts *to,
                    const struct rv_process_opts *from)
{
    if (from->cpus)
        to->cpus = put(copy, from->cpus, from->cpu_count * sizeof(*from->cpus));
    if (from->limits)
        to->limits = put(copy, from->limits, from->limit_count * sizeof(*from->limits));
    if (from->fds)
        to->fds = put(copy, from->fds, from->fd_count * sizeof(*from->fds));
    if (from->folder)
        to->folder = put(copy, from->folder, strlen(from->folder) + 1);
    to->env = put_strings(copy, from->env);
    to->env_changes = put_strings(copy, from->env_changes);
}

static void fill_in(struct rv_process_opts *opts)
{
    if (opts->cancel_grace == 0)
        opts->cancel_grace = USUAL_GRACE;
    if (opts->term_grace == 0)
        opts->term_grace = USUAL_GRACE;
    if (opts->arena_bytes == 0)
        opts->arena_bytes = USUAL_ARENA;
}

int rvi_process_opts_take(struct rv_process_opts *ret, void **ret_memory,
                          const struct rv_process_opts *from)
{
    struct rv_process_opts opts;
    struct copy copy = {0};
    int r = rvi_opts_copy(&opts, sizeof(opts), from, from ? from->size : 0);

    if (r == 0 && (opts.cancel_grace < 0 || opts.term_grace < 0))
        r = -EINVAL;
    if (r < 0)
        return r;
    opts.size = sizeof(opts);
    *ret = opts;
    put_all(&copy, ret, &opts);
    copy = (struct copy){.memory = rvi_alloc(copy.bytes + 1)};
    if (!copy.memory)
        return -ENOMEM;
    put_all(&copy, ret, &opts);
    fill_in(ret);
    *ret_memory = copy.memory;
    return 0;
}

void rvi_process_opts_drop(void *memory)
{
    rvi_free(memory);
}
