/* SPDX-License-Identifier: MIT */
/* fork.h - fork/join for computations, at a few nanoseconds a fork.
 *
 *     RV_FORKABLE(long, fib, int, n)
 *     {
 *         if (n < 2)
 *             return n;
 *         RV_FORKED(fib) left;
 *         RV_FORK(left, fib, n - 1);             // another worker may take it from now on
 *         long right = RV_CALL(fib, n - 2);
 *         return RV_JOIN(left, fib) + right;     // nobody has: it is called here
 *     }
 *
 * fib(35) is an ordinary call, from a task or from anywhere. A fork writes its arguments into a
 * slot; the join calls the function unless an idle worker has taken the slot meanwhile. A child
 * that is taken runs in a task of its own, under the innermost scope that was open where it was
 * forked, with the joiner's task-local values; it may block, and is cancelled with that scope. One
 * that is not taken runs in the joining task. So a child must neither rely on running before its
 * join, nor wait for what its parent does until then, nor leave a mark on its task: no scope,
 * shield or fork left open, no value set, no migration.
 *
 * Rules. Forks are joined by the function that made them, the last one first, inside the scopes in
 * which they were made. Joins out of order stop the program; of the macros' joins only where NDEBUG
 * is not defined. A join waits, whatever is cancelled, until its child has ended.
 *
 * Depth. A task has some 500 slots; what is forked beyond runs at once, with the same result. So
 * does what is forked on a plain thread, or without memory. A recursion that is too deep for the
 * task's stack ends as any overflow of it: a line on stderr names the task, the stack's size and
 * the option. rv_fork() sees it coming and returns -EOVERFLOW.
 *
 * Where from: K.-F. Faxen, Wool (2008), whose slots hold the task itself; T. van Dijk and
 * J. C. van de Pol, Lace (2014), which splits them into a private and a public part and hands the
 * next free slot down as an argument. */
#pragma once

#include <ravel/def.h>

#ifndef __cplusplus
#include <stdatomic.h>
#endif

RV_BEGIN_DECLS

/* ---- the function-pointer form ---- */

struct rvi_fork_slot;

/** A child in its parent's hands. The fields are the library's. */
struct rv_fork {
    struct rvi_fork_slot *slot; /* where it waits; NULL: it is joined */
    rv_fn *fn;                  /* what runs */
    void *arg;                  /* is handed to fn */
    const struct rv_site *site; /* of the fork */
    int result;                 /* what fn returned, if it did not run at the join */
};

/** Let fn(arg) run beside the caller until rv_join(); `f` and `arg` may lie in the caller's
 * frame. */
#define rv_fork(f, fn, arg) rv_fork_at((f), (fn), (arg), RV_SITE(#fn))

/** What rv_fork() calls.
 *
 * @param f     holds the child until it is joined
 * @param fn    runs once: on a worker that takes it, at the join, or at once when there is no slot
 *              left, no memory for slots, or the caller is a plain thread
 * @param arg   handed to fn
 * @param site  names the work and the place; static
 * @return 0; join it with rv_join, the last one forked first
 * Errors:  -EOVERFLOW the caller's stack is nearly used up: nothing is forked
 * Blocks:  no, unless fn runs at once and blocks
 * Threads: any task, plain threads
 * Lifetime: f, arg until rv_join has returned; site for ever */
RV_API RV_NODISCARD int rv_fork_at(struct rv_fork *f, rv_fn *fn, void *arg,
                                   const struct rv_site *site);

/** Wait for the child that was forked last and is not joined yet; run it here if nobody has taken
 * it. Joining in another order is a misuse that stops the program.
 *
 * @param f  as forked, by the calling task
 * @return what its function returned
 * Errors:  any -errno of the function
 * Blocks:  the task, while another worker runs the child; cancellation does not cut it short
 * Threads: who forked it
 * Lifetime: f is the caller's again */
RV_API RV_NODISCARD int rv_join(struct rv_fork *f);

/* ---- loops ---- */

/** What a parallel loop calls for one range.
 *
 * @param begin  the range's first index
 * @param end    one past its last, more than begin
 * @param arg    as given to rv_for
 * @return >= 0; or -errno, which ends the loop */
typedef int rv_range_fn(size_t begin, size_t end, void *arg);

/** Call fn for ranges that together make up [begin, end), on as many workers as are idle.
 *
 * @param begin  the first index
 * @param end    one past the last
 * @param grain  the most indexes of one call; 0: enough calls to keep all workers busy
 * @param fn     is called once for each range, in no order
 * @param arg    handed to fn
 * @return 0 when every call returned >= 0
 * Errors:  the first -errno of fn, after which no further range is begun; -ECANCELED the scope is
 *          cancelled, likewise
 * Blocks:  the task, until every range that was begun has ended
 * Threads: any task; on a plain thread all ranges run there, in order
 * Lifetime: arg until return */
RV_API RV_NODISCARD int rv_for(size_t begin, size_t end, size_t grain, rv_range_fn *fn, void *arg);

/** Fold one range into an accumulator.
 *
 * @param begin        the range's first index
 * @param end          one past its last, more than begin
 * @param accumulator  the identity, or what the ranges left of this one have come to
 * @param arg          as given to rv_reduce
 * @return >= 0; or -errno, which ends the reduction */
typedef int rv_fold_fn(size_t begin, size_t end, void *accumulator, void *arg);

/** Put two neighbours together.
 *
 * @param into  what the ranges on the left have come to; afterwards, both
 * @param from  what the ranges on the right have come to
 * @param arg   as given to rv_reduce */
typedef void rv_combine_fn(void *into, const void *from, void *arg);

/** Fold [begin, end) in parallel: rv_for with a result.
 *
 * Ranges are combined from left to right, so combine needs to be associative only. Which ranges
 * there are and how they are paired follows from begin, end and grain (with grain 0: and from the
 * number of workers), never from the schedule: sums of floating-point numbers do not vary.
 *
 * @param begin    the first index
 * @param end      one past the last
 * @param grain    as for rv_for
 * @param fold     called once for each range, with an accumulator that begins as the identity
 * @param combine  puts two neighbours together
 * @param arg      handed to both
 * @param result   in: the identity; out: the result. On error it is as it was.
 * @param bytes    of one accumulator
 * @return 0
 * Errors:  those of rv_for; -EINVAL bytes is 0; -ENOMEM no memory for accumulators
 * Blocks:  as rv_for
 * Threads: as rv_for
 * Lifetime: arg, result until return */
RV_API RV_NODISCARD int rv_reduce(size_t begin, size_t end, size_t grain, rv_fold_fn *fold,
                                  rv_combine_fn *combine, void *arg, void *result, size_t bytes);

/* ---- the typed form: what the macros are made of. Not for C++. ---- */

#ifndef __cplusplus

/* What is forked: one a function. */
struct rvi_fork_kind {
    void (*run)(struct rvi_fork_slot *slot,
                struct rvi_fork_slot *head); /* arguments in, result out */
    struct rv_site site;
};

#define RVI_FORK_ROOM 48           /* bytes of the arguments, and of the result */
#define RVI_FORK_STACK_BYTES 32768 /* aligned at twice that: an address finds its stack */

/* One forked child. A join leaves NULL in `kind`. */
struct rvi_fork_slot {
    _Atomic(const struct rvi_fork_kind *) kind;
    _Atomic(uintptr_t) taker; /* the library's: how far a thief has come */
    char room[RVI_FORK_ROOM]; /* the arguments, then the result */
} __attribute__((aligned(64)));

/* What the macros read of the stack that a slot belongs to. */
struct rvi_fork_stack {
    _Atomic(uintptr_t) split; /* slots below are public: a join has to ask */
    _Atomic(uint32_t) trap;   /* not 0: somebody wants to hear of the next fork */
};

/* The next free slot where there is none: what is forked runs at once. Never looked into; like
 * the end of every fork stack, it has the bit RVI_FORK_STACK_BYTES. */
#define RVI_FORK_SERIAL ((struct rvi_fork_slot *)(uintptr_t)RVI_FORK_STACK_BYTES)

/** Find the calling task's next free slot, or get it a fork stack.
 *
 * @return the slot; RVI_FORK_SERIAL on a plain thread, or when there is no memory for a stack
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: until rv_fork_leave */
RV_API struct rvi_fork_slot *rv_fork_enter(void);

/** End what rv_fork_enter began. A fork left open inside is a misuse that stops the program.
 *
 * @param head  as it was returned
 * Errors:  none
 * Blocks:  no
 * Threads: the task that entered
 * Lifetime: ends the entry */
RV_API void rv_fork_leave(struct rvi_fork_slot *head);

/** Called by a fork that has no slot, or finds it filled by an rv_fork() of the same function.
 *
 * @param head  where the fork was to go
 * @return the next slot that is free; RVI_FORK_SERIAL when there is none
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API struct rvi_fork_slot *rv_fork_move(struct rvi_fork_slot *head);

/** Called by a fork that finds the trap set: wakes somebody to take it, if it is worth a wake.
 *
 * @param slot  the fork
 * Errors:  none
 * Blocks:  no
 * Threads: the task that forked
 * Lifetime: nothing is held */
RV_API void rv_fork_trapped(struct rvi_fork_slot *slot);

/** Called by a join that finds its slot public: takes it back, or waits for whoever has it.
 *
 * @param slot  the fork that was made last
 * @return 1 the caller is to run it; 0 it has run: the result is in the slot
 * Errors:  none
 * Blocks:  the task, while another worker runs the child
 * Threads: the task that forked
 * Lifetime: the slot is free afterwards, but keeps its contents until the next fork */
RV_API int rv_fork_reclaim(struct rvi_fork_slot *slot);

/** Called by a join whose fork was not the last one: says so and ends the program.
 *
 * @param kind  the function that was to be joined
 * Errors:  does not return
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API __attribute__((noreturn, cold)) void rv_fork_misused(const struct rvi_fork_kind *kind);

static inline struct rvi_fork_stack *rvi_fork_stack_of(struct rvi_fork_slot *slot)
{
    return (struct rvi_fork_stack *)((uintptr_t)slot & ~(uintptr_t)(2 * RVI_FORK_STACK_BYTES - 1));
}

/* Whether a fork can go here: there is a slot, and nobody else has filled it. Its owner alone
 * writes `kind`, so a plain load will do, which compilers merge with the comparison. */
static inline __attribute__((always_inline)) int rvi_fork_is_free(struct rvi_fork_slot *head)
{
    return __builtin_expect(((uintptr_t)head & RVI_FORK_STACK_BYTES) == 0, 1) &&
           __builtin_expect(*(const struct rvi_fork_kind **)(uintptr_t)&head->kind == NULL, 1);
}

/* The slot's arguments are in place: show it. Thieves pay the fence between the two accesses (the
 * essay of src/sched/forks.c). */
static inline __attribute__((always_inline)) void rvi_fork_publish(struct rvi_fork_slot *slot,
                                                                   const struct rvi_fork_kind *kind)
{
    atomic_store_explicit(&slot->kind, kind, memory_order_release); /* pairs: fork-kind */
    atomic_signal_fence(memory_order_seq_cst);                      /* pairs: fork-look */
    if (__builtin_expect(
            atomic_load_explicit(&rvi_fork_stack_of(slot)->trap, memory_order_relaxed) != 0, 0))
        rv_fork_trapped(slot);
}

/* Whether the slot is the owner's alone again. */
static inline __attribute__((always_inline)) int rvi_fork_take_back(struct rvi_fork_slot *slot)
{
    atomic_store_explicit(&slot->kind, NULL, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst); /* pairs: fork-split */
    uintptr_t split = atomic_load_explicit(&rvi_fork_stack_of(slot)->split, memory_order_relaxed);
    return __builtin_expect((uintptr_t)slot >= split, 1) != 0;
}

/* Whether a join is for the last fork. Without the check, under NDEBUG, one that is not stops no
 * program, but gets another one's result. */
#ifdef NDEBUG
#define RVI_FORK_NOTE(forked, at) ((void)0)
#define RVI_FORK_IS_LAST(forked, at) 1
#else
#define RVI_FORK_NOTE(forked, at) ((void)((forked)->slot = (at)))
#define RVI_FORK_IS_LAST(forked, at) __builtin_expect((forked)->slot == (at), 1)
#endif

/** Define a function that can be forked, of one to four parameters: its result's type, its name,
 * then type and name of each parameter. Its body follows. The name is an ordinary function besides,
 * static, which may be called from anywhere. Arguments and result are copied, and may be structures
 * of at most 48 bytes: the arguments together, and the result. */
#define RV_FORKABLE(R, name, ...)                                                                  \
    RVI_FORKABLE_PICK(__VA_ARGS__, RVI_FORKABLE_4, ~, RVI_FORKABLE_3, ~, RVI_FORKABLE_2, ~,        \
                      RVI_FORKABLE_1, ~, ~)                                                        \
    (R, name, __VA_ARGS__)

/** The type that stands for a forked call of `name`, between its fork and its join. */
#define RV_FORKED(name) struct name##_rv_forked

/** Fork name(...) into `forked`, inside a forkable function. */
#define RV_FORK(forked, name, ...)                                                                 \
    ((void)(rv_head = name##_rv_fork(&(forked), rv_head, __VA_ARGS__)))

/** The result of the call that was forked last. */
#define RV_JOIN(forked, name) (name##_rv_join(&(forked), &rv_head))

/** Call name(...) inside a forkable function: faster than by its plain name, which works too. */
#define RV_CALL(name, ...) (name##_rv_body(rv_head, __VA_ARGS__))

#define RVI_FORKABLE_PICK(a, b, c, d, e, f, g, h, which, ...) which
#define RVI_FORKABLE_LIST(...) __VA_ARGS__
#define RVI_FORKABLE_1(R, name, A, a) RVI_FORKABLE_DEFINE(R, name, (A a), A a;, (a), (rv_a.a))
#define RVI_FORKABLE_2(R, name, A, a, B, b)                                                        \
    RVI_FORKABLE_DEFINE(R, name, (A a, B b), A a; B b;, (a, b), (rv_a.a, rv_a.b))
#define RVI_FORKABLE_3(R, name, A, a, B, b, C, c)                                                  \
    RVI_FORKABLE_DEFINE(R, name, (A a, B b, C c), A a; B b; C c;                                   \
                        , (a, b, c), (rv_a.a, rv_a.b, rv_a.c))
#define RVI_FORKABLE_4(R, name, A, a, B, b, C, c, D, d)                                            \
    RVI_FORKABLE_DEFINE(R, name, (A a, B b, C c, D d), A a; B b; C c; D d;                         \
                        , (a, b, c, d), (rv_a.a, rv_a.b, rv_a.c, rv_a.d))

/* parameters, fields and arguments: `(A a, B b)`, `A a; B b;`, `(a, b)`; unpacked: the arguments as
 * they are found in rv_a. What is rare is apart and never inlined, so that it costs the rest no
 * registers. */
#define RVI_FORKABLE_DEFINE(R, name, parameters, fields, arguments, unpacked)                      \
    struct name##_rv_args {                                                                        \
        fields                                                                                     \
    };                                                                                             \
    struct name##_rv_forked {                                                                      \
        struct rvi_fork_slot *slot;   /* RVI_FORK_SERIAL: it ran at once */                        \
        struct rvi_fork_slot *before; /* the next free slot then, before the fork */               \
        R result;                                                                                  \
    };                                                                                             \
    _Static_assert(sizeof(struct name##_rv_args) <= RVI_FORK_ROOM && sizeof(R) <= RVI_FORK_ROOM,   \
                   "what " #name " takes, or what it returns, is larger than the 48 bytes "        \
                   "of a slot: pass a pointer");                                                   \
    _Static_assert(_Alignof(struct name##_rv_args) <= 16 && _Alignof(R) <= 16,                     \
                   "what " #name " takes or returns has to be aligned to more than the 16 bytes "  \
                   "of a slot: pass a pointer");                                                   \
    static R name##_rv_body(struct rvi_fork_slot *rv_head, RVI_FORKABLE_LIST parameters);          \
    __attribute__((always_inline)) static inline R name##_rv_call(struct rvi_fork_slot *rv_slot,   \
                                                                  struct rvi_fork_slot *rv_head)   \
    {                                                                                              \
        struct name##_rv_args rv_a = *(struct name##_rv_args *)(void *)rv_slot->room;              \
        return name##_rv_body(rv_head, RVI_FORKABLE_LIST unpacked);                                \
    }                                                                                              \
    static void name##_rv_run(struct rvi_fork_slot *rv_slot, struct rvi_fork_slot *rv_head)        \
    {                                                                                              \
        *(R *)(void *)rv_slot->room = name##_rv_call(rv_slot, rv_head);                            \
    }                                                                                              \
    static const struct rvi_fork_kind name##_rv_kind = {name##_rv_run,                             \
                                                        {__FILE__, "", #name, __LINE__}};          \
    __attribute__((always_inline)) static inline struct rvi_fork_slot *name##_rv_fill(             \
        struct name##_rv_forked *rv_forked, struct rvi_fork_slot *rv_head,                         \
        RVI_FORKABLE_LIST parameters)                                                              \
    {                                                                                              \
        (void)rv_forked;                                                                           \
        RVI_FORK_NOTE(rv_forked, rv_head);                                                         \
        *(struct name##_rv_args *)(void *)rv_head->room =                                          \
            (struct name##_rv_args){RVI_FORKABLE_LIST arguments};                                  \
        rvi_fork_publish(rv_head, &name##_rv_kind);                                                \
        return rv_head + 1;                                                                        \
    }                                                                                              \
    __attribute__((unused, noinline, cold)) static struct rvi_fork_slot *name##_rv_fork_slow(      \
        struct name##_rv_forked *rv_forked, struct rvi_fork_slot *rv_head,                         \
        RVI_FORKABLE_LIST parameters)                                                              \
    {                                                                                              \
        struct rvi_fork_slot *rv_free = rv_fork_move(rv_head);                                     \
        if (rv_free != RVI_FORK_SERIAL)                                                            \
            return name##_rv_fill(rv_forked, rv_free, RVI_FORKABLE_LIST arguments);                \
        rv_forked->slot = rv_free;                                                                 \
        rv_forked->before = rv_head;                                                               \
        rv_forked->result = name##_rv_body(rv_free, RVI_FORKABLE_LIST arguments);                  \
        return rv_free;                                                                            \
    }                                                                                              \
    __attribute__((unused, always_inline)) static inline struct rvi_fork_slot *name##_rv_fork(     \
        struct name##_rv_forked *rv_forked, struct rvi_fork_slot *rv_head,                         \
        RVI_FORKABLE_LIST parameters)                                                              \
    {                                                                                              \
        return rvi_fork_is_free(rv_head)                                                           \
                   ? name##_rv_fill(rv_forked, rv_head, RVI_FORKABLE_LIST arguments)               \
                   : name##_rv_fork_slow(rv_forked, rv_head, RVI_FORKABLE_LIST arguments);         \
    }                                                                                              \
    __attribute__((unused, noinline, cold)) static R name##_rv_join_slow(                          \
        struct name##_rv_forked *rv_forked, struct rvi_fork_slot *rv_head)                         \
    {                                                                                              \
        struct rvi_fork_slot *rv_slot = rv_head - 1;                                               \
        if (rv_head == RVI_FORK_SERIAL && RVI_FORK_IS_LAST(rv_forked, rv_head))                    \
            return rv_forked->result;                                                              \
        if (!RVI_FORK_IS_LAST(rv_forked, rv_slot))                                                 \
            rv_fork_misused(&name##_rv_kind);                                                      \
        return rv_fork_reclaim(rv_slot) ? name##_rv_call(rv_slot, rv_slot)                         \
                                        : *(R *)(void *)rv_slot->room;                             \
    }                                                                                              \
    __attribute__((unused, always_inline)) static inline R name##_rv_join(                         \
        struct name##_rv_forked *rv_forked, struct rvi_fork_slot **rv_headp)                       \
    {                                                                                              \
        struct rvi_fork_slot *rv_head = *rv_headp, *rv_slot = rv_head - 1;                         \
        if (__builtin_expect(rv_head == RVI_FORK_SERIAL, 0)) {                                     \
            R rv_result = name##_rv_join_slow(rv_forked, rv_head);                                 \
            *rv_headp = rv_forked->before;                                                         \
            return rv_result;                                                                      \
        }                                                                                          \
        *rv_headp = rv_slot;                                                                       \
        if (!RVI_FORK_IS_LAST(rv_forked, rv_slot) || !rvi_fork_take_back(rv_slot))                 \
            return name##_rv_join_slow(rv_forked, rv_head);                                        \
        return name##_rv_call(rv_slot, rv_slot);                                                   \
    }                                                                                              \
    __attribute__((unused)) static R name parameters                                               \
    {                                                                                              \
        struct rvi_fork_slot *rv_head = rv_fork_enter();                                           \
        R rv_result = name##_rv_body(rv_head, RVI_FORKABLE_LIST arguments);                        \
        rv_fork_leave(rv_head);                                                                    \
        return rv_result;                                                                          \
    }                                                                                              \
    static R name##_rv_body(__attribute__((unused)) struct rvi_fork_slot *rv_head,                 \
                            RVI_FORKABLE_LIST parameters)

#endif

RV_END_DECLS
