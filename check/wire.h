/* SPDX-License-Identifier: MIT */
/* wire.h - what the driver (`ravel check`) and the runtime inside the checked program share: one
 * mapping a stream, and bytes on a socket.
 *
 * The program under check becomes, before its main(), a server: for each "run" it forks an
 * execution, waits for its end, and answers. Plan and result travel in the mapping, which the
 * execution writes too.
 *
 *   W1  the driver writes plan, switches and locations while no execution runs; then it sends
 *       CK_RUN
 *   W2  the execution alone writes result, trace, events and seen; the server adds the exit status,
 *       and answers CK_DONE. So nothing here is ever written by two at a time, and nothing needs a
 *       lock
 *   W3  addresses in code are (module, offset), so that they mean the same in another process
 *
 * Everything is fixed in size and holds no pointer; counts are judged by the driver before use, as
 * a broken program may write anywhere. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "explore/strategy.h"

/** How the runtime finds its driver: numbers of inherited descriptors, "MAPPING,SOCKET". Not set:
 * the library leaves the program alone. */
#define CK_ENV "RAVEL_CHECK"

enum { CK_PROTOCOL = 1 }; /* first field of the mapping; another one is refused */

/* One byte each on the socket. */
enum ck_order { CK_RUN = 'r', CK_DONE = 'd', CK_READY = 'y' };

enum {
    CK_THREADS_MOST = 2048,
    CK_SWITCHES_MOST = 1 << 20,
    CK_EVENTS_MOST = 1 << 18,
    CK_DECISIONS_MOST = 1 << 16,
    CK_LOCATIONS_MOST = 1 << 14,
    CK_REPORTS_MOST = 64,
    CK_MODULES_MOST = 256,
    CK_TEXT_BYTES = 512,
    CK_FRAMES = 16,
};

/* Which accesses to memory are scheduling points. Synchronisation always is. */
enum ck_granularity {
    CK_SYNC,    /* none */
    CK_LEARNED, /* those at plan locations: they have touched memory that several threads use */
    CK_ALL,     /* all that are not to the own stack */
};

enum ck_mode {
    CK_EXPLORE, /* the strategy decides */
    CK_FOLLOW,  /* run until blocked, but for the plan's switches */
};

enum ck_plan_flags {
    CK_LOG_EVENTS = 1 << 0,    /* write events */
    CK_FIND_RACES = 1 << 1,    /* happens-before, for plain accesses */
    CK_LEARN = 1 << 2,         /* write seen: locations that touched shared memory */
    CK_MUST_FOLLOW = 1 << 3,   /* CK_FOLLOW: a switch that cannot be made is CK_DIVERGED */
    CK_BATON = 1 << 4,         /* a kernel thread each (for a debugger) instead of fibers */
    CK_LOG_DECISIONS = 1 << 5, /* write decisions */
    CK_FORK = 1 << 6,          /* a process an execution, even where rewinding one would do */
};

/* A place in code. Offset 0 of module 0: unknown. */
struct ck_place {
    uint32_t module; /* index into modules */
    uint32_t offset; /* from its load address */
};

/* A decision that is not the default one. At the `nth` decision of `thread` (each point it comes
 * to, each ck_choose), counted from 0.
 * The default for "who": the thread itself if it may go on and does not spin, or else the next one
 * above it, round, of which that is true, or else the one with the earliest time-out, or else who
 * has spun longest. For a choice of values: 0. */
struct ck_switch {
    uint32_t thread;
    uint32_t nth;
    uint32_t value; /* the thread that runs instead, or the value chosen */
};

/* A decision as it was made, and what else it could have been: for bounded search. */
struct ck_decision {
    uint32_t thread, nth;
    uint32_t chosen;
    uint32_t is_preemption; /* the thread could have gone on: another choice takes that from it */
    uint64_t able;          /* by bit: threads, or values, that could be chosen */
};

struct ck_plan {
    struct rvi_strategy_opts strategy; /* CK_EXPLORE; the seed serves CK_FOLLOW too (rand, …) */
    uint32_t mode, granularity, flags;
    uint32_t switch_count;   /* CK_FOLLOW */
    uint32_t location_count; /* CK_LEARNED; sorted */
    uint64_t step_limit;     /* points; beyond it CK_STEPS */
    uint64_t quiet_limit;    /* points without a new value written anywhere: CK_LIVELOCK */
};

/* What an execution came to. Ordered by nothing; CK_FINE is 0. */
enum ck_kind {
    CK_FINE,
    CK_RACE,        /* report */
    CK_DEADLOCK,    /* failure: a cycle of waits, or nobody can run */
    CK_LOST_WAKEUP, /* failure: as above, and a signal came before its waiter */
    CK_ASSERT,      /* failure: assertion, abort() */
    CK_CRASH,       /* failure: signal */
    CK_HEAP,        /* failure: use after free, double free, overflow found at free */
    CK_MISUSE,      /* failure: lock taken twice, unlock by another, destroyed while in use */
    CK_LOCK_ORDER,  /* report */
    CK_LIVELOCK,    /* failure */
    CK_THREAD_LEAK, /* report */
    CK_EXIT,        /* failure: exit status other than 0 */
    CK_OUTPUT,      /* failure: not the output that was expected (found by the driver) */
    CK_STEPS,       /* neither: the step limit */
    CK_STUCK,       /* neither: no scheduling point for seconds */
    CK_DIVERGED,    /* neither: a replay that does not fit */
    CK_UNABLE,      /* neither: the runtime cannot go on; text says why */
    CK_KINDS,
};

/* One who takes part in a report or failure. */
struct ck_party {
    uint32_t thread;
    uint32_t is_write;
    uint64_t address;          /* of the object or byte */
    uint64_t event;            /* its step, for the columns; 0: none */
    uint32_t waits_for_thread; /* deadlock: who holds it; UINT32_MAX: nobody known */
    uint32_t frame_count;
    struct ck_place frames[CK_FRAMES]; /* innermost first */
    uint32_t is_access;                /* CK_HEAP: it used the block; otherwise what it did to it */
};

enum { CK_PARTIES_MOST = 24 };

struct ck_report {
    uint32_t kind; /* enum ck_kind */
    uint32_t party_count;
    uint32_t signal_or_status;
    uint32_t bytes;           /* of a block or an access */
    char text[CK_TEXT_BYTES]; /* in plain words, without places; may be empty */
    struct ck_party parties[CK_PARTIES_MOST];
};

/* What a thread did at a step: for the columns. */
struct ck_event {
    uint64_t step;
    uint64_t object; /* address; 0: none */
    uint64_t value;  /* read or written, or an op's result */
    uint32_t thread;
    uint16_t op;    /* enum ck_op_kind, runtime/op.h */
    uint16_t flags; /* CK_EVENT_* */
    struct ck_place place;
};

enum { CK_EVENT_BLOCKED = 1, CK_EVENT_TIMED_OUT = 2, CK_EVENT_SWITCHED = 4 };

struct ck_result {
    struct ck_report failure; /* kind CK_FINE: none */
    uint32_t report_count;
    uint32_t exit_status; /* as from waitpid(); by the server */
    uint64_t steps;       /* scheduling points */
    uint64_t progress;    /* rises at each point: the watchdog's */
    uint64_t hash;     /* of the order of conflicting operations: equal schedules, equal hashes */
    uint64_t accesses; /* instrumented ones */
    uint32_t thread_count;
    uint32_t most_alive;
    uint32_t switch_count; /* decisions other than the default, in trace */
    uint32_t event_count;
    uint32_t seen_count;
    uint32_t decision_count;
    uint32_t
        is_partial; /* decisions could have been others than they tell: time-outs, over 64 threads,
                       no room */
    uint32_t counts[CK_THREADS_MOST]; /* points each thread came to: SURW */
    struct ck_report reports[CK_REPORTS_MOST];
};

struct ck_module {
    uint64_t base;
    char path[256]; /* "" for the vdso */
    uint8_t build_id[20];
    uint32_t build_id_bytes;
};

struct ck_shared {
    uint32_t protocol;
    uint32_t module_count; /* by the server before its CK_READY; and by executions that load more */
    struct ck_module modules[CK_MODULES_MOST];
    struct ck_plan plan;
    struct ck_result result;
    uint32_t counts[CK_THREADS_MOST]; /* plan: how many points each thread will come to, about */
    struct ck_place locations[CK_LOCATIONS_MOST];    /* plan */
    struct ck_place seen[CK_LOCATIONS_MOST];         /* result */
    struct ck_switch switches[CK_SWITCHES_MOST];     /* plan */
    struct ck_switch trace[CK_SWITCHES_MOST];        /* result */
    struct ck_event events[CK_EVENTS_MOST];          /* result */
    struct ck_decision decisions[CK_DECISIONS_MOST]; /* result */
};
