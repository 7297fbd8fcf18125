/* SPDX-License-Identifier: MIT */
/* recording.h - what a program did, as it has noted it itself: every event of every worker of each
 * of its runtimes.
 *
 * A lane is what noted in an order of its own: a worker, or the threads of a process that are none,
 * of which all share one. src/trace/event.h says what its events mean. Their time is of one clock
 * for all lanes. Numbers of tasks are unique within a runtime, those of executors' lanes within a
 * lane of no worker. Texts are found by rvi_trace_shared_find(recording->shared, number).
 *
 * Who recorded a program that ran already knows its tasks' names from a look at it: they are NAME
 * events of a lane of no events else, at the beginning. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "look/target.h"
#include "sys/op.h"
#include "trace/event.h"
#include "trace/shared.h"

enum look_lane_kind {
    LOOK_LANE_WORKER,
    LOOK_LANE_OUTSIDE, /* threads that are no workers: LANE, JOB_BEGIN, JOB_END */
    LOOK_LANE_KNOWN,   /* names of tasks that were there before */
};

/** What a lane has noted, in its order, each with its time_ns: a worker's oldest first. */
struct look_events {
    enum look_lane_kind kind;
    unsigned runtime; /* in the order in which they came, from 0; of a lane of no worker, too */
    unsigned index;   /* of a worker within its runtime */
    pid_t pid;        /* its process, as that knows it */
    uint64_t address; /* inside: of its runtime */
    int place;        /* inside: where it is read from; -1: nowhere any more */
    enum rvi_ticks_clock clock; /* of its ring */
    struct rvi_trace_event *events;
    size_t count, room;
    uint64_t next; /* inside: the number of the event to read next */
    uint64_t lost; /* overwritten before they were read */
    uint64_t task; /* inside: who ran when the last one was read */
};

struct look_recording {
    pid_t pid;  /* of the program that was started, or of the process */
    int status; /* as of waitpid(2), of a program that was started and has ended */
    struct rvi_trace_shared *shared;
    struct rvi_ticks_mark start; /* of its clock */
    struct look_events *workers; /* all lanes: those of a runtime one after the other */
    unsigned worker_count;       /* of them; 0: no runtime has run */
    unsigned runtime_count;
    unsigned unrecorded; /* runtimes that found no room */

    /* inside */
    int fd;
    size_t bytes;
    int runtime_of[RVI_TRACE_PLACES]; /* its number, -1 for places that are not known */
};

/** Run a program to its end and keep what it does.
 *
 * @param argv   found in PATH; ends with NULL
 * @param bytes  of memory for what a runtime noted that was not read yet; a multiple of a megabyte
 * @param ret    look_recording_free() it
 * @return 0: it has ended, ret->status says how
 * Errors:  why it could not be started, -ENOMEM. In words: *trouble */
int look_record(struct look_recording **ret, char **argv, size_t bytes,
                struct look_trouble *trouble) __attribute__((warn_unused_result));

/** Keep what a running process does, which goes on afterwards as before.
 *
 * @param ns  for so long; 0: until SIGINT or SIGTERM comes; in any case until the process ends
 * Errors:  as look_open_process(); -EBUSY somebody else records it; -ETIME in all that time it did
 *          nothing. In words: *trouble */
int look_record_process(struct look_recording **ret, pid_t pid, size_t bytes, int64_t ns,
                        struct look_trouble *trouble) __attribute__((warn_unused_result));

/** NULL does nothing. */
void look_recording_free(struct look_recording *recording);

/* --- for those who make recordings: recording.c, attach.c --- */

/** One of memory that was prepared: it becomes the recording's, and so does the descriptor. Errors:
 * -ENOMEM: they stay the caller's. */
int look_recording_new(struct look_recording **ret, struct rvi_trace_shared *shared, size_t bytes,
                       int fd) __attribute__((warn_unused_result));

/** Read what was noted since. Errors: -ENOMEM. */
int look_recording_read(struct look_recording *recording) __attribute__((warn_unused_result));

/** One more lane, in which nothing is noted. Errors: -ENOMEM. */
int look_recording_add_lane(struct look_recording *recording, const struct look_events *lane)
    __attribute__((warn_unused_result));

/** All is read: make nanoseconds of its times. */
void look_recording_finish(struct look_recording *recording);
