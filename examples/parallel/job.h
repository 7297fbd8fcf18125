/* SPDX-License-Identifier: MIT */
/* job.h - one line, the command made of it, and what became of that. */
#pragma once

#include <ravel.h>
#include <stddef.h>

struct options;

struct job {
    struct rv_event ended;
    int result; /* 0 the command has run to its end; else why not */
    struct rv_child_status status;
    struct rv_child_io io;
    struct rv_child_failure failure;
    rv_time time_limit;
    const char **argv; /* ended by NULL */
    char *line;
};

/** Make one. NULL: no memory. */
struct job *job_new(const struct options *options, const char *line, size_t bytes);

/** NULL is fine. */
void job_free(struct job *job);

/** Run it; a task. Returns 0 whatever became of it: the others go on. */
int job_run(void *job);

/** Print what it has written, and what went wrong. Returns whether all went well; or -errno. */
int job_print(struct job *job);
