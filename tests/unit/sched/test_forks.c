/* SPDX-License-Identifier: MIT */
/* test_forks.c - fork stacks, with the test as owner and as thief. What the program sees of them is
 * in task/test_fork.c. */
#include "sched/forks.h"

#include "sched/worker.h"
#include "sched_test.h"

enum { SLOTS = 510, SOME = 6 };

static void run_nothing(struct rvi_fork_slot *slot, struct rvi_fork_slot *head)
{
    (void)slot;
    (void)head;
}

static const struct rvi_fork_kind kinds[] = {{run_nothing, {"", "", "nothing", 0}},
                                             {run_nothing, {"", "", "nothing else", 0}}};

/* The stack of the calling task, empty; given back by `put_away`. */
static struct rvi_forks *take(void)
{
    struct rvi_forks *forks = rvi_forks_take(rvi_worker_self(), rvi_task_self());
    RV_CHECK(forks != NULL && rvi_task_self()->forks == forks);
    return forks;
}

static void fill(struct rvi_forks *forks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rvi_store_release(&forks->slots[i].kind, &kinds[i % 2]); /* pairs: test-kind */
}

static void empty(struct rvi_forks *forks, size_t from, size_t to)
{
    for (size_t i = to; i-- > from;) {
        struct rvi_fork_slot *slot = &forks->slots[i];
        bool is_mine = rvi_fork_take_back(slot) || rvi_forks_reclaim(forks, slot);
        if (!is_mine)
            rvi_forks_settle(forks, slot);
    }
}

static void put_away(struct rvi_forks *forks, size_t count)
{
    empty(forks, 0, count);
    rvi_forks_give(rvi_worker_self(), forks);
    RV_CHECK(rvi_task_self()->forks == NULL);
}

static struct rvi_fork_slot *claim(struct rvi_forks *forks, const struct rvi_fork_kind **kind)
{
    rvi_lock_acquire(&forks->lock);
    struct rvi_fork_slot *slot = rvi_forks_claim(forks, kind);
    rvi_lock_release(&forks->lock);
    return slot;
}

/* As inside a forkable function, which has forked without the hint. */
static int find_heads(void *unused)
{
    struct rvi_forks *forks = take();
    (void)unused;
    RV_CHECK(rvi_forks_head(forks) == forks->slots);
    forks->entries = 1;
    for (size_t count = 0; count <= SLOTS; count++) {
        fill(forks, count);
        RV_CHECK(rvi_forks_head(forks) == &forks->slots[count]);
        empty(forks, 0, count);
    }
    forks->entries = 0;
    put_away(forks, 0);
    return 0;
}

static void the_head_is_found_behind_the_last_fork(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, find_heads, NULL), 0);
}

static int take_oldest(void *unused)
{
    struct rvi_forks *forks = take();
    const struct rvi_fork_kind *kind;
    (void)unused;
    RV_CHECK(claim(forks, &kind) == NULL);
    fill(forks, SOME);
    for (size_t i = 0; i < SOME; i++) {
        RV_CHECK(claim(forks, &kind) == &forks->slots[i]);
        RV_CHECK(kind == &kinds[i % 2]);
    }
    RV_CHECK(claim(forks, &kind) == NULL);
    put_away(forks, SOME);
    return 0;
}

static void thieves_take_the_oldest_first(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, take_oldest, NULL), 0);
}

static int take_all_of_a_full_stack(void *unused)
{
    struct rvi_forks *forks = take();
    const struct rvi_fork_kind *kind;
    (void)unused;
    fill(forks, SLOTS);
    RV_CHECK((uintptr_t)rvi_forks_search(forks) & RVI_FORK_STACK_BYTES);
    for (size_t i = 0; i < SLOTS; i++)
        RV_CHECK(claim(forks, &kind) == &forks->slots[i]);
    RV_CHECK(claim(forks, &kind) == NULL && !rvi_forks_tempts(forks));
    put_away(forks, SLOTS);
    return 0;
}

static void a_full_stack_can_be_emptied_by_thieves(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, take_all_of_a_full_stack, NULL), 0);
}

static int reclaim_what_is_left(void *unused)
{
    struct rvi_forks *forks = take();
    const struct rvi_fork_kind *kind;
    (void)unused;
    fill(forks, SOME);
    RV_CHECK(claim(forks, &kind) == &forks->slots[0]);
    empty(forks, 1, SOME);
    RV_CHECK(!rvi_forks_reclaim(forks, &forks->slots[0]));
    RV_CHECK(claim(forks, &kind) == NULL); /* one that is taken is not taken again */
    rvi_forks_settle(forks, &forks->slots[0]);
    rvi_store_release(&forks->slots[0].kind, NULL); /* pairs: test-kind */
    fill(forks, 1);
    RV_CHECK(claim(forks, &kind) == &forks->slots[0]);
    put_away(forks, 1);
    return 0;
}

static void what_is_left_comes_back_and_slots_are_used_again(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, reclaim_what_is_left, NULL), 0);
}

static int raise_half(void *unused)
{
    struct rvi_forks *forks = take();
    const struct rvi_fork_kind *kind;
    (void)unused;
    if (!rvi_fence_is_asymmetric) {
        RV_CHECK(rvi_load_relaxed(&forks->seen.split) == UINTPTR_MAX);
    } else {
        RV_CHECK(rvi_load_relaxed(&forks->seen.split) == (uintptr_t)forks->slots);
        fill(forks, 8);
        RV_CHECK(claim(forks, &kind) == forks->slots);
        uintptr_t split = rvi_load_relaxed(&forks->seen.split);
        RV_CHECK(split > (uintptr_t)&forks->slots[1] && split < (uintptr_t)&forks->slots[8]);
        empty(forks, 0, 8);
        RV_CHECK(rvi_load_relaxed(&forks->seen.split) == (uintptr_t)forks->slots);
    }
    put_away(forks, 0);
    return 0;
}

static void a_raise_leaves_the_owner_the_newer_half(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, raise_half, NULL), 0);
}

static int pass_lone_forks_by(void *unused)
{
    struct rvi_forks *forks = take();
    int looks = 1;
    (void)unused;
    fill(forks, 1);
    if (rvi_fence_is_asymmetric) {
        while (!rvi_forks_tempts(forks))
            looks++;
        RV_CHECK(looks > 1);
    }
    fill(forks, 2);
    RV_CHECK(rvi_forks_tempts(forks));
    empty(forks, 0, 2);
    RV_CHECK(!rvi_forks_tempts(forks));
    put_away(forks, 0);
    return 0;
}

static void a_lone_fork_tempts_after_some_looks_two_at_once(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, pass_lone_forks_by, NULL), 0);
}

static int spring_the_trap(void *unused)
{
    struct rvi_forks *forks = take();
    (void)unused;
    rvi_forks_arm(rvi_sched_self());
    fill(forks, 1);
    rvi_forks_call(forks);
    RV_CHECK(rvi_load_relaxed(&forks->seen.trap) == 1);
    fill(forks, 2);
    rvi_forks_call(forks);
    RV_CHECK(rvi_load_relaxed(&forks->seen.trap) == !rvi_fence_is_asymmetric);
    RV_CHECK(rvi_forks_have(rvi_sched_self(), 2) && !rvi_forks_have(rvi_sched_self(), 3));
    put_away(forks, 2);
    RV_CHECK(!rvi_forks_have(rvi_sched_self(), 1));
    return 0;
}

static void the_second_fork_springs_the_trap(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, spring_the_trap, NULL), 0);
}

static int take_again(void *unused)
{
    struct rvi_forks *forks = take();
    (void)unused;
    RV_CHECK(rvi_forks_first(rvi_sched_self()) == forks);
    put_away(forks, 0);
    RV_CHECK(take() == forks && forks->next == NULL);
    put_away(forks, 0);
    rvi_alloc_fail_after(1);
    RV_CHECK(take() == forks); /* no memory is needed */
    rvi_alloc_fail_after(-1);
    put_away(forks, 0);
    return 0;
}

static void a_stack_that_was_given_back_is_taken_again(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, take_again, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_is_found_behind_the_last_fork),
        cmocka_unit_test(thieves_take_the_oldest_first),
        cmocka_unit_test(a_full_stack_can_be_emptied_by_thieves),
        cmocka_unit_test(what_is_left_comes_back_and_slots_are_used_again),
        cmocka_unit_test(a_raise_leaves_the_owner_the_newer_half),
        cmocka_unit_test(a_lone_fork_tempts_after_some_looks_two_at_once),
        cmocka_unit_test(the_second_fork_springs_the_trap),
        cmocka_unit_test(a_stack_that_was_given_back_is_taken_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
