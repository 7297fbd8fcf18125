/* SPDX-License-Identifier: MIT */
/* object.c - the pieces of shared memory that this process has made, by name.
 *
 * Freed memory is taken from under workers that still have it mapped: they keep it for jobs to come
 * (loan.c), and cannot know that none will. An object that was never lent just goes.
 *
 * Rejected: keeping freed memory for the next alloc. A worker that has had it could read and write
 * what is put there next, which was never shown to it.
 *
 * Checked by: tests/unit/shm/test_object.c */
#include "shm/object.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>

#include "base/alloc.h"
#include "base/check.h"
#include "shm/segment.h"
#include "sys/fd.h"
#include "sys/lock.h"
#include "sys/memfd.h"
#include "sys/nonce.h"

enum { BUCKETS = 256 };

struct object {
    struct object *next; /* of its bucket */
    struct rv_shm name;
    struct rvi_segment segment;
    bool is_lent;
};

static struct rvi_lock table_lock = RVI_LOCK_INIT; /* a leaf; guards the table and what is in it */
static struct object *table[BUCKETS];

/* Where the object of that id is, or would be. */
static struct object **find(uint64_t id)
{
    struct object **at = &table[id % BUCKETS];

    while (*at && (*at)->name.id != id)
        at = &(*at)->next;
    return at;
}

/* False: there is one of that id, by a chance of one in 2^64 for each. */
static bool try_insert(struct object *object)
{
    rvi_lock_acquire(&table_lock);
    struct object **at = find(object->name.id);
    bool is_new = *at == NULL;
    if (is_new)
        *at = object;
    rvi_lock_release(&table_lock);
    return is_new;
}

static int insert(struct object *object)
{
    int r;

    do
        r = rvi_nonce(&object->name.id);
    while (r == 0 && !try_insert(object));
    return r;
}

int rv_shm_alloc(struct rv_shm *ret, size_t bytes)
{
    int r;

    if (bytes == 0)
        return -EINVAL;
    if (rvi_loans_are_used())
        return -EOPNOTSUPP;
    struct object *object = rvi_calloc(1, sizeof(*object));
    if (!object)
        return -ENOMEM;
    object->name.bytes = bytes;
    r = rvi_segment_make(&object->segment, "ravel-shm", bytes, 0);
    if (r < 0)
        goto free_object;
    r = insert(object);
    if (r < 0)
        goto drop_segment;
    *ret = object->name;
    return 0;

drop_segment:
    rvi_segment_fini(&object->segment);
free_object:
    rvi_free(object);
    return r;
}

int rv_shm_map(struct rv_shm shm, void **ret)
{
    int r = -ENOENT;

    if (rvi_loans_are_used())
        return rvi_loans_map(shm, ret);
    rvi_lock_acquire(&table_lock);
    struct object *object = *find(shm.id);
    if (object) {
        r = shm.bytes <= object->name.bytes ? 0 : -EINVAL;
        if (r == 0)
            *ret = object->segment.base;
    }
    rvi_lock_release(&table_lock);
    return r;
}

static struct object *take_out(uint64_t id)
{
    rvi_lock_acquire(&table_lock);
    struct object **at = find(id), *object = *at;
    if (object)
        *at = object->next;
    rvi_lock_release(&table_lock);
    return object;
}

static void let_go(struct rv_shm shm, bool drops)
{
    if (shm.id == 0)
        return;
    struct object *object = take_out(shm.id);
    if (!object)
        rvi_panic("rv_shm_free: no shared memory of this process has the name %016" PRIx64, shm.id);
    if (drops && object->is_lent)
        rvi_memfd_drop(object->segment.fd, object->segment.bytes);
    rvi_segment_fini(&object->segment);
    rvi_free(object);
}

void rv_shm_free(struct rv_shm shm)
{
    let_go(shm, true);
}

void rvi_shm_leave(struct rv_shm shm)
{
    let_go(shm, false);
}

struct rvi_shm_answer rvi_shm_lend(struct rvi_shm_ask ask, int *ret_fd)
{
    struct rvi_shm_answer answer = {.shm.id = ask.id, .error = -ENOENT};
    int fd = -1;

    rvi_lock_acquire(&table_lock);
    struct object *object = *find(ask.id);
    if (object) {
        fd = rvi_fd_copy(object->segment.fd);
        object->is_lent |= fd >= 0;
        answer.shm = object->name;
        answer.error = fd < 0 ? fd : 0;
    }
    rvi_lock_release(&table_lock);
    *ret_fd = fd < 0 ? -1 : fd;
    return answer;
}
