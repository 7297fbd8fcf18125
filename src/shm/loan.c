/* SPDX-License-Identifier: MIT */
/* loan.c - a worker process's side of shared memory: what it has been lent, and asking for more.
 *
 * One question is under way at a time, under `asking`, which is held while its answer is awaited
 * and so is no rvi_lock; it is the thread that waits there, no task is switched away from. The
 * thread that listens to the parent never takes it. The answer is handed over in `answer`: WAITING
 * until rvi_loans_told() has written it, or rvi_loans_lost() that there will be none
 * ("loan-answer").
 *
 * What has been mapped stays so from job to job, as the next one may well name it too; between jobs
 * no more than KEPT are, the last used ones. Mapped memory that the parent has freed holds no pages
 * (object.c), only addresses.
 *
 * Checked by: tests/unit/shm/test_object.c */
#include "shm/object.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/check.h"
#include "base/list.h"
#include "shm/segment.h"
#include "sys/fd.h"
#include "sys/futex.h"

enum { KEPT = 64 };

enum { ANSWERED, WAITING };

struct loan {
    struct rvi_link link; /* in `loans` */
    struct rv_shm name;
    struct rvi_segment segment; /* its descriptor is closed */
};

static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER;
static int (*ask)(void *arg, struct rvi_shm_ask ask); /* NULL: this is no worker */
static void *ask_arg;
static struct rvi_list loans; /* the last used first */
static unsigned loan_count;

static struct {
    _Atomic(uint32_t) state;
    _Atomic(uint64_t) id; /* that is asked for */
    struct rvi_shm_answer told;
    int fd;
} answer;

void rvi_loans_begin(int (*how)(void *arg, struct rvi_shm_ask ask), void *arg)
{
    rvi_list_init(&loans);
    ask = how;
    ask_arg = arg;
}

bool rvi_loans_are_used(void)
{
    return ask != NULL;
}

static void end_waiting(struct rvi_shm_answer told, int fd)
{
    answer.told = told;
    answer.fd = fd;
    rvi_store_release(&answer.state, ANSWERED); /* pairs: loan-answer */
    rvi_futex_wake(&answer.state, 1);
}

void rvi_loans_told(struct rvi_shm_answer told, int fd)
{
    /* pairs: loan-answer */
    if (rvi_load_acquire(&answer.state) != WAITING || rvi_load_relaxed(&answer.id) != told.shm.id) {
        if (fd >= 0)
            rvi_fd_close(fd);
        return;
    }
    end_waiting(told, fd);
}

void rvi_loans_lost(int error)
{
    if (rvi_load_acquire(&answer.state) == WAITING) /* pairs: loan-answer */
        end_waiting((struct rvi_shm_answer){.error = error}, -1);
}

/* Returns a descriptor, or -errno. */
static int ask_for(uint64_t id)
{
    rvi_store_relaxed(&answer.id, id);
    rvi_store_release(&answer.state, WAITING); /* pairs: loan-answer */
    int r = ask(ask_arg, (struct rvi_shm_ask){id});
    if (r < 0) {
        rvi_store_relaxed(&answer.state, ANSWERED);
        return r;
    }
    while (rvi_load_acquire(&answer.state) == WAITING) /* pairs: loan-answer */
        (void)!rvi_futex_wait(&answer.state, WAITING, INT64_MAX);
    return answer.told.error < 0 ? answer.told.error : answer.fd;
}

static int borrow(uint64_t id, struct loan **ret)
{
    struct loan *loan = rvi_calloc(1, sizeof(*loan));

    if (!loan)
        return -ENOMEM;
    int fd = ask_for(id);
    int r = fd < 0 ? fd : rvi_segment_map(&loan->segment, fd);
    if (r < 0) {
        if (fd >= 0)
            rvi_fd_close(fd);
        rvi_free(loan);
        return r;
    }
    rvi_segment_close(&loan->segment);
    loan->name = answer.told.shm;
    rvi_list_push_front(&loans, &loan->link);
    loan_count++;
    *ret = loan;
    return 0;
}

static struct loan *find(uint64_t id)
{
    RVI_LIST_FOREACH(it, &loans) {
        struct loan *loan = rvi_container_of(it, struct loan, link);
        if (loan->name.id == id)
            return loan;
    }
    return NULL;
}

int rvi_loans_map(struct rv_shm shm, void **ret)
{
    int r = 0;

    pthread_mutex_lock(&asking);
    struct loan *loan = find(shm.id);
    if (!loan)
        r = borrow(shm.id, &loan);
    if (r == 0 && shm.bytes > loan->name.bytes)
        r = -EINVAL;
    if (r == 0) {
        rvi_link_remove(&loan->link);
        rvi_list_push_front(&loans, &loan->link);
        *ret = loan->segment.base;
    }
    pthread_mutex_unlock(&asking);
    return r;
}

static void keep(unsigned most)
{
    while (loan_count > most) {
        struct loan *loan = rvi_container_of(loans.head.prev, struct loan, link);
        rvi_link_remove(&loan->link);
        rvi_segment_fini(&loan->segment);
        rvi_free(loan);
        loan_count--;
    }
}

void rvi_loans_trim(void)
{
    pthread_mutex_lock(&asking);
    keep(KEPT);
    pthread_mutex_unlock(&asking);
}

void rvi_loans_end(void)
{
    keep(0);
    ask = NULL;
}
