/* SPDX-License-Identifier: MIT */
/* bench.h - what a probe is, and what it measures with. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lab_bench;

struct lab_probe {
    const char *name;   /* for --only */
    const char *title;  /* what is asked */
    const char *method; /* how it is answered, in a sentence */
    const char *axis;   /* what its figures are drawn over; NULL: each stands for itself */
    int (*run)(struct lab_bench *bench); /* in a process of its own; 0 or -errno */
    unsigned seconds;                    /* that it takes at length, for the progress bar */
};

/* All probes, in the order of the report; the last has no name. */
extern const struct lab_probe lab_probes[];

/* What each file here has. */
int lab_create(struct lab_bench *b), lab_memory(struct lab_bench *b), lab_fit(struct lab_bench *b);
int lab_switch(struct lab_bench *b);
int lab_lock(struct lab_bench *b), lab_atomics(struct lab_bench *b);
int lab_pass(struct lab_bench *b);
int lab_serialise(struct lab_bench *b);
int lab_waiting(struct lab_bench *b), lab_computing(struct lab_bench *b);
int lab_one_lock(struct lab_bench *b);
int lab_nice(struct lab_bench *b), lab_smt(struct lab_bench *b);
int lab_python_computing(struct lab_bench *b), lab_python_waiting(struct lab_bench *b);
int lab_serve(struct lab_bench *b);
int lab_print(struct lab_bench *b);

/** @return whether little time is to be spent */
bool lab_is_quick(const struct lab_bench *b);

/** @return quick where little time is to be spent, else whole */
long lab_pick(const struct lab_bench *b, long quick, long whole);

/* --- reporting: each returns 0, or -errno when nobody listens any more --- */

#define LAB_NOWHERE __builtin_nan("") /* a figure's place where its probe has no axis */

/** Report a figure. @param samples  sorted by the call */
int lab_tell(struct lab_bench *b, const char *name, double at, const char *unit, double *samples,
             size_t count);

/** Say something of the next figure, at its name. */
void lab_note(struct lab_bench *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Say why there is nothing to report, or not all. @return 0 */
int lab_missing(struct lab_bench *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- measuring --- */

/** Do the thing so many times. @return 0 or -errno */
typedef int lab_fn(void *arg, long ops);

/** Report nanoseconds for one of `fn`: it is called until one call takes long enough to be timed,
 * and then several times.
 *
 * @param divide  operations in one op of fn; at least 1
 * @return 0, or what fn returned */
int lab_time(struct lab_bench *b, const char *name, double at, lab_fn *fn, void *arg, long divide);

/** The same where one call is long by itself: so many samples of one op each. */
int lab_time_once(struct lab_bench *b, const char *name, double at, lab_fn *fn, void *arg,
                  long samples);

/* --- helpers --- */

/** Monotonic nanoseconds. */
int64_t lab_now(void);

/** The n-th processor that this process might use when it began, from 0; -1: there are fewer. */
int lab_processor(unsigned nth);
unsigned lab_processors(void);

/** Keep the calling thread, and what it starts from now on, to one. @return 0 or -errno */
int lab_stay_on(unsigned nth);

/** Take that back for the calling thread. @return 0 or -errno */
int lab_stay_anywhere(void);

/** The sum of all lines "Key:  12 kB" of a file of /proc, in bytes; -1: it cannot be read. */
double lab_proc_bytes(const char *path, const char *key);

/** What a process has for itself, in bytes: memory that nobody shares, and page tables; -1: /proc
 * does not say. */
double lab_memory_of(int pid);

/** Fork a child that ends with 0 if fn returns 0. @return its pid, or -errno */
int lab_fork(int (*fn)(void *arg), void *arg);

/** Wait for it. @return 0; -ECHILD it failed */
int lab_reap(int pid);

/** Compute for a while: so many steps of arithmetic in which each needs the last. */
uint64_t lab_spin(long steps);

/** The same with enough arithmetic side by side to keep a whole core busy: a step of it is one of
 * four at a time. */
uint64_t lab_spin_wide(long steps);

/** @return how many steps of lab_spin() take so long here, by itself */
long lab_steps_for(int64_t ns);
