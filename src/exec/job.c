/* SPDX-License-Identifier: MIT */
/* job.c - the registry: which jobs this executable can run, by name.
 *
 * Jobs register from constructors, before main and in any order between the files, so the registry
 * needs no set-up of its own: an empty list and a free lock are zeroes. It allocates nothing,
 * because a job brings its link with it. Jobs of libraries that are loaded later register while
 * others look up.
 *
 *   J1  the list only grows, at its head; a job's fields and link are final once it is on it
 *   J2  no two jobs on it have one name, nor one key
 *
 * Hence finding takes no lock: whoever sees a head sees everything behind it. The lock makes the
 * search for a namesake and the insertion one step.
 *
 * A key stands for a name where a name is too long, in another process of the same program: 64 bits
 * of FNV-1a (Fowler, Noll, Vo 1991). Two names with one key are as likely as a broken memory cell;
 * the second is refused as a namesake is.
 *
 * Rejected: a linker section instead of constructors. Shared libraries would have one each, and
 * nobody would notice two jobs of one name. */
#include <ravel/job.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "exec/jobs_wire.h"
#include "proc/before_main.h"
#include "sys/lock.h"

/* Who has jobs can be a worker, and an agent: of a static library the way there has to be named. */
__attribute__((used)) static const char *(*const way)(void) = rvi_before_main_lacks;

static _Atomic(struct rv_job *) newest;
static struct rvi_lock registering = RVI_LOCK_INIT;

static uint64_t key_of(const char *name)
{
    uint64_t key = 0xcbf29ce484222325;

    for (; *name; name++)
        key = (key ^ (unsigned char)*name) * 0x100000001b3;
    return key;
}

static const struct rv_job *find(const struct rv_job *from, uint64_t key)
{
    while (from && from->key != key)
        from = from->next;
    return from;
}

/* One line in one write: constructors run before anybody could have set up stdio, or look at a
 * log. */
static void report_namesake(const struct rv_job *job, const struct rv_job *first)
{
    char line[512];
    int wanted = snprintf(line, sizeof(line),
                          "ravel: job %s of %s:%u is not registered: %s:%u has one of that name\n",
                          job->name, job->file, job->line, first->file, first->line);
    size_t length = wanted < (int)sizeof(line) ? (size_t)wanted : sizeof(line) - 1;

    line[length - 1] = '\n';
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written; /* nothing is left to do about a failed report */
}

const struct rv_job *rv_job_find(const char *name)
{
    const struct rv_job *job = rvi_job_find_key(key_of(name));

    return job && strcmp(job->name, name) == 0 ? job : NULL;
}

const struct rv_job *rvi_job_newest(void)
{
    return rvi_load_acquire(&newest); /* pairs: job-registered */
}

const struct rv_job *rvi_job_find_key(uint64_t key)
{
    return find(rvi_load_acquire(&newest), key); /* pairs: job-registered */
}

int rv_job_register(struct rv_job *job)
{
    const struct rv_job *first;
    uint64_t key = key_of(job->name);

    rvi_lock_acquire(&registering);
    first = find(rvi_load_relaxed(&newest), key);
    if (!first) {
        job->key = key;
        job->next = rvi_load_relaxed(&newest);
        rvi_store_release(&newest, job); /* pairs: job-registered */
    }
    rvi_lock_release(&registering);
    if (!first)
        return 0;
    report_namesake(job, first);
    return -EEXIST;
}
