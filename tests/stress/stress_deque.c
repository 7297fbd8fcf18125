/* SPDX-License-Identifier: MIT */
/* stress_deque.c - one owner and two thieves; each item comes out exactly once.
 *
 * Every item is a counter that whoever takes the item raises by one; at the end all must be 1, and
 * what owner and thieves took must add up. The shapes differ in where the owner and the thieves
 * meet: at the last item, at the split, at the growing array. Each runs with the kernel's heavy
 * fence and with real fences on both sides.
 *
 * On a busy machine the owner could be done before a thief has run at all, and the test would pass
 * without a test. So the owner has a core and the thieves have the others, where there are several;
 * every few items the owner leaves some in the deque until it sees that a thief is running at the
 * same time; and it lingers for a random moment between its steps. These waits are bounded, for
 * machines with one core. A run in which nobody stole anything fails.
 *
 * RAVEL_TEST_SCALE (percent, default 100) sets the number of items. */
#include "queue/deque.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "sys/cpu.h"

enum {
    THIEVES = 2,
    MAX_BATCH = 16,
    MEETING_ITEMS = 200, /* pushed between two waits for a thief */
    MAX_LINGER = 8,      /* turns of a spin loop */
    MEETING_SPINS = 1000,
    MEETING_TRIES = 10,
    RUNS_MOST = 50, /* of one shape, until a thief was there */
};

/* Plain bytes on purpose: two takers of one item are a data race that ThreadSanitizer reports. */
struct item {
    unsigned char pushed;
    unsigned char taken;
};

struct arena {
    struct rvi_deque deque;
    struct item *items;
    size_t count;
    size_t next; /* the owner's: the next item to push */
    struct rvi_rng rng;
    size_t owner_took;
    size_t max_batch;
    size_t next_meeting;
    _Alignas(RVI_CACHE_LINE) _Atomic(size_t) attempts; /* of all thieves */
    _Atomic(bool) done;
};

struct thief {
    struct arena *arena;
    uint64_t seed;
    size_t took;
    pthread_t thread;
};

/* One step of the owner; returns when it has pushed or popped what its shape wants. */
typedef void shape_fn(struct arena *arena);

/* Set once, before any thread. With one usable core all share it. */
static cpu_set_t thieves_cores;

/* Takes the first usable core for the calling thread, the owner, and leaves thieves the others. */
static void part_cores(void)
{
    cpu_set_t owners_core;
    int first = 0;
    RV_CHECK(sched_getaffinity(0, sizeof(thieves_cores), &thieves_cores) == 0);
    if (CPU_COUNT(&thieves_cores) < 2)
        return;
    while (!CPU_ISSET(first, &thieves_cores))
        first++;
    CPU_CLR(first, &thieves_cores);
    CPU_ZERO(&owners_core);
    CPU_SET(first, &owners_core);
    RV_CHECK(sched_setaffinity(0, sizeof(owners_core), &owners_core) == 0);
}

static size_t scaled(size_t count)
{
    const char *text = getenv("RAVEL_TEST_SCALE");
    size_t percent = text == NULL ? 100 : strtoul(text, NULL, 10);
    size_t result = count * percent / 100;
    return result < 1000 ? 1000 : result;
}

static void take(struct item *item)
{
    RV_CHECK(item->pushed == 1);
    item->taken++;
}

static void *run_thief(void *argument)
{
    RV_CHECK(sched_setaffinity(0, sizeof(thieves_cores), &thieves_cores) == 0);
    struct thief *thief = argument;
    struct arena *arena = thief->arena;
    struct rvi_rng rng;
    rvi_rng_seed(&rng, thief->seed);
    while (!rvi_load_relaxed(&arena->done)) {
        void *items[MAX_BATCH];
        size_t max = 1 + rvi_rng_below(&rng, arena->max_batch);
        size_t count = rvi_deque_steal(&arena->deque, items, max);
        RV_CHECK(count <= max);
        for (size_t i = 0; i < count; i++)
            take(items[i]);
        thief->took += count;
        rvi_fetch_add_relaxed(&arena->attempts, 1);
        if (count == 0 && rvi_rng_below(&rng, 64) == 0)
            sched_yield();
        else if (count == 0)
            rvi_cpu_relax();
    }
    return NULL;
}

static void linger(struct arena *arena)
{
    for (uint64_t turns = rvi_rng_below(&arena->rng, MAX_LINGER); turns > 0; turns--)
        rvi_cpu_relax();
}

static void push_one(struct arena *arena)
{
    linger(arena);
    if (arena->next == arena->count)
        return;
    struct item *item = &arena->items[arena->next++];
    item->pushed = 1;
    RV_CHECK(rvi_deque_push(&arena->deque, item) == 0);
}

/* Two attempts seen without yielding in between: the later one began meanwhile, on another core. */
static bool sees_a_thief(struct arena *arena)
{
    size_t before = rvi_load_relaxed(&arena->attempts);
    for (int i = 0; i < MEETING_SPINS; i++) {
        if (rvi_load_relaxed(&arena->attempts) - before >= 2)
            return true;
        rvi_cpu_relax();
    }
    return false;
}

static void meet_a_thief(struct arena *arena)
{
    for (int i = 0; i < MAX_BATCH; i++)
        push_one(arena);
    for (int i = 0; i < MEETING_TRIES && !sees_a_thief(arena); i++)
        sched_yield();
    arena->next_meeting = arena->next + MEETING_ITEMS;
}

static bool owner_took(struct arena *arena, struct item *item)
{
    if (item == NULL)
        return false;
    take(item);
    arena->owner_took++;
    return true;
}

static bool pop_one(struct arena *arena)
{
    linger(arena);
    return owner_took(arena, rvi_deque_pop(&arena->deque));
}

static bool pop_oldest_one(struct arena *arena)
{
    return owner_took(arena, rvi_deque_pop_oldest(&arena->deque));
}

/* One or two items, then pops until there is none: all meet at the last item. */
static void mostly_empty(struct arena *arena)
{
    push_one(arena);
    if (rvi_rng_below(&arena->rng, 2) == 0)
        push_one(arena);
    while (pop_one(arena))
        continue;
}

/* Pushes and pops in equal numbers: a random walk along the split. */
static void balanced(struct arena *arena)
{
    if (rvi_rng_below(&arena->rng, 2) == 0)
        push_one(arena);
    else
        pop_one(arena);
}

/* Up to 300 pushes, which makes the array grow, then as many pops. */
static void bursts(struct arena *arena)
{
    size_t length = 1 + rvi_rng_below(&arena->rng, 300);
    for (size_t i = 0; i < length; i++)
        push_one(arena);
    for (size_t i = 0; i < length; i++)
        pop_one(arena);
}

/* As a scheduler: mostly the newest, sometimes the oldest. */
static void oldest_mixed(struct arena *arena)
{
    size_t length = 1 + rvi_rng_below(&arena->rng, 12);
    for (size_t i = 0; i < length; i++)
        push_one(arena);
    while (rvi_rng_below(&arena->rng, 8) != 0) {
        if (rvi_rng_below(&arena->rng, 4) == 0)
            pop_oldest_one(arena);
        else
            pop_one(arena);
    }
}

/* Fork and join: the owner wants back what it pushed last, again and again. */
static void fork_join(struct arena *arena)
{
    size_t depth = 1 + rvi_rng_below(&arena->rng, 10);
    for (size_t i = 0; i < depth; i++) {
        push_one(arena);
        push_one(arena);
        pop_one(arena);
    }
    for (size_t i = 0; i < depth; i++)
        pop_one(arena);
}

static void open_arena(struct arena *arena, size_t count, size_t max_batch)
{
    *arena = (struct arena){.count = count, .max_batch = max_batch};
    assert_int_equal(rvi_deque_init(&arena->deque), 0);
    arena->items = calloc(count, sizeof(*arena->items));
    assert_non_null(arena->items);
    rvi_rng_seed(&arena->rng, count);
}

static void close_arena(struct arena *arena, size_t stolen)
{
    assert_true(rvi_deque_is_valid(&arena->deque));
    assert_int_equal(rvi_deque_count(&arena->deque), 0);
    assert_int_equal(arena->owner_took + stolen, arena->count);
    for (size_t i = 0; i < arena->count; i++) {
        if (arena->items[i].taken != 1)
            fail_msg("item %zu was taken %d times", i, arena->items[i].taken);
    }
    free(arena->items);
    rvi_deque_fini(&arena->deque);
    rvi_free(arena);
}

/* Returns how many items the thieves got. */
static size_t run_shape_once(shape_fn *shape, size_t count, size_t max_batch)
{
    struct arena *arena = rvi_alloc_aligned(RVI_CACHE_LINE, sizeof(*arena));
    struct thief thieves[THIEVES];
    assert_non_null(arena);
    open_arena(arena, count, max_batch);
    for (int i = 0; i < THIEVES; i++) {
        thieves[i] = (struct thief){.arena = arena, .seed = (uint64_t)i + 1};
        assert_int_equal(pthread_create(&thieves[i].thread, NULL, run_thief, &thieves[i]), 0);
    }
    while (arena->next < arena->count) {
        if (arena->next >= arena->next_meeting)
            meet_a_thief(arena);
        shape(arena);
    }
    while (pop_one(arena))
        continue;
    rvi_store_relaxed(&arena->done, true);
    size_t stolen = 0;
    for (int i = 0; i < THIEVES; i++) {
        assert_int_equal(pthread_join(thieves[i].thread, NULL), 0);
        stolen += thieves[i].took;
    }
    print_message("# %zu items, %zu stolen\n", count, stolen);
    close_arena(arena, stolen);
    return stolen;
}

/* Without a thief it says nothing; a busy machine may keep the thieves waiting for a whole run. */
static void run_shape(shape_fn *shape, size_t count, size_t max_batch)
{
    size_t stolen = 0;
    for (int i = 0; stolen == 0 && i < RUNS_MOST; i++)
        stolen = run_shape_once(shape, count, max_batch);
    assert_true(stolen > 0);
}

static void run_both_fences(shape_fn *shape, size_t count, size_t max_batch)
{
    rvi_fence_asym_force_symmetric(false);
    run_shape(shape, scaled(count), max_batch);
    rvi_fence_asym_force_symmetric(true);
    run_shape(shape, scaled(count), max_batch);
    rvi_fence_asym_force_symmetric(false);
}

static void items_come_out_once_when_mostly_empty(void **state)
{
    (void)state;
    run_both_fences(mostly_empty, 30000, MAX_BATCH);
}

static void items_come_out_once_on_a_random_walk(void **state)
{
    (void)state;
    run_both_fences(balanced, 30000, MAX_BATCH);
}

static void items_come_out_once_in_bursts(void **state)
{
    (void)state;
    run_both_fences(bursts, 60000, MAX_BATCH);
}

static void items_come_out_once_when_stolen_singly(void **state)
{
    (void)state;
    run_both_fences(bursts, 30000, 1);
}

static void items_come_out_once_with_the_oldest_popped(void **state)
{
    (void)state;
    run_both_fences(oldest_mixed, 30000, MAX_BATCH);
}

static void items_come_out_once_in_fork_and_join(void **state)
{
    (void)state;
    run_both_fences(fork_join, 30000, MAX_BATCH);
}

int main(void)
{
    rvi_fence_asym_init();
    part_cores();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_once_when_mostly_empty),
        cmocka_unit_test(items_come_out_once_on_a_random_walk),
        cmocka_unit_test(items_come_out_once_in_bursts),
        cmocka_unit_test(items_come_out_once_when_stolen_singly),
        cmocka_unit_test(items_come_out_once_with_the_oldest_popped),
        cmocka_unit_test(items_come_out_once_in_fork_and_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
