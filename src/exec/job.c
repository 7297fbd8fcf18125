/* SPDX-License-Identifier: MIT */
/* job.c - the registry: which jobs this executable can run, by name.
 *
 * Jobs register from constructors, before main and in any order between the files, so the registry
 * needs no set-up of its own: an empty list and a free lock are zeroes. It allocates nothing,
 * because a job brings its link with it. Jobs of libraries that are loaded later register while
 * others look up.
 *
 *   J1  the list only grows, at its head; a job's fields and link are final once it is on it
 *   J2  no two jobs on it have one name
 *
 * Hence finding takes no lock: whoever sees a head sees everything behind it. The lock makes the
 * search for a namesake and the insertion one step.
 *
 * Rejected: a linker section instead of constructors. Shared libraries would have one each, and
 * nobody would notice two jobs of one name. */
#include <ravel/job.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "sys/lock.h"

static _Atomic(struct rv_job *) newest;
static struct rvi_lock registering = RVI_LOCK_INIT;

static const struct rv_job *find(const struct rv_job *from, const char *name)
{
    while (from && strcmp(from->name, name) != 0)
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
    return find(rvi_load_acquire(&newest), name); /* pairs: job-registered */
}

int rv_job_register(struct rv_job *job)
{
    const struct rv_job *first;

    rvi_lock_acquire(&registering);
    first = find(rvi_load_relaxed(&newest), job->name);
    if (!first) {
        job->next = rvi_load_relaxed(&newest);
        rvi_store_release(&newest, job); /* pairs: job-registered */
    }
    rvi_lock_release(&registering);
    if (!first)
        return 0;
    report_namesake(job, first);
    return -EEXIST;
}
