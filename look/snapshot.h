/* SPDX-License-Identifier: MIT */
/* snapshot.h - what all tasks, scopes and workers of a program are doing: numbers and words, copied
 * out of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ravel/time.h>

#include "look/index.h"
#include "look/target.h"
#include "look/things.h"
#include "sched/task.h"
#include "sched/why.h"

enum { LOOK_NAME_BYTES = 64 };

/** Where tasks are started. */
struct look_site {
    char file[192], func[LOOK_NAME_BYTES], name[LOOK_NAME_BYTES];
    unsigned line;
};

struct look_task {
    uint64_t id;
    uint64_t address; /* of its descriptor */
    const char *name; /* its own, or its site's */
    const struct look_site *site;
    uint32_t runtime; /* index */
    int32_t worker;   /* that it lives on; LOOK_NONE before it has begun */
    uint8_t state;    /* enum rvi_task_state; never RVI_TASK_PARKED_SEEN */
    uint8_t why;      /* enum rvi_why, when parked */
    bool is_first;    /* what rv_run() was called with */
    bool is_torn;     /* it changed faster than it could be read: only who it is, is known */
    bool has_account; /* the last eight are known */
    bool has_age;     /* `waiting_ns` is */
    rv_time waiting_ns;
    int64_t scope;  /* that it was started in: index, LOOK_NONE for first tasks, and when torn */
    int64_t scopes; /* the innermost that it has open: index or LOOK_NONE */
    uint64_t ctx, stack;       /* addresses; 0 before it has begun */
    uint64_t group, innermost; /* those that led to `scope` and `scopes` */
    rv_time age_ns;
    uint64_t run_ns, queued_ns;
    uint64_t parks, wakes, yields, migrations;
};

struct look_scope {
    uint64_t address;
    char name[LOOK_NAME_BYTES]; /* "": none */
    uint8_t policy;             /* enum rv_policy */
    bool is_closing;            /* its owner waits for its tasks */
    int reason;                 /* 0; why it is cancelled, negative; 1: by its first success */
    bool has_deadline;
    rv_time left_ns; /* until then; negative when it is over */
    int64_t owner;   /* task: index */
    int64_t outer;   /* the owner's next one out: index or LOOK_NONE */
};

enum look_worker_state { LOOK_ASLEEP, LOOK_BETWEEN_TASKS, LOOK_RUNS };

struct look_worker {
    unsigned index;
    int thread_id;
    enum look_worker_state state;
    int64_t task; /* that it runs: index; LOOK_NONE */
    size_t ready, fresh, timers;
    uint64_t spawned, finished, switches, stolen, sleeps;
    bool has_account;
    uint64_t run_ns;
};

struct look_runtime {
    uint64_t address;
    size_t layout; /* index of the target's layouts */
    struct look_worker *workers;
    unsigned worker_count;
    size_t helper_calls; /* that wait for a helper thread */
    uint64_t stalls;
    bool has_accounts;
};

struct look_snapshot {
    struct look_runtime *runtimes;
    size_t runtime_count;
    struct look_task *tasks; /* as they lie in memory */
    size_t task_count;
    struct look_scope *scopes;
    size_t scope_count;
    struct look_things things;
    rv_time now;   /* by its monotonic clock; 0: unknown */
    size_t torn;   /* of the tasks */
    size_t lost;   /* descriptors in use that never held still long enough */
    bool is_rough; /* ages are to when a worker looked at the clock last */

    /* inside */
    struct look_index task_at, scope_at, site_at;
    struct look_site **sites;
    size_t site_count;
    char **own_names;
    size_t own_name_count;
};

/** Look at everything. A live program goes on meanwhile: each task is as it was at one moment, not
 * all at the same.
 *
 * @param ret  look_snapshot_free() it
 * @return 0
 * Errors:  -ESRCH it has ended; -EAGAIN its runtimes come and go too fast; -ENOMEM. In words:
 *          *trouble */
int look_snapshot(struct look_target *target, struct look_snapshot **ret,
                  struct look_trouble *trouble) __attribute__((warn_unused_result));

/** NULL does nothing. */
void look_snapshot_free(struct look_snapshot *snapshot);

/** "ready", or "waits"; static. */
const char *look_state_word(const struct look_task *task);

/** Tasks by the number or the name that somebody has typed.
 *
 * @param ret  indices
 * @return how many there are; at most `most` of them are in ret */
size_t look_find_tasks(const struct look_snapshot *snapshot, const char *word, size_t *ret,
                       size_t most);
