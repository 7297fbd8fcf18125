/* SPDX-License-Identifier: MIT */
/* test_workqueue_steps.c - a process is killed between any two instructions of each call on a
 * shared work queue, and nothing is lost, doubled or left behind.
 *
 * A child makes the call one instruction at a time, under ptrace(2). What a kill would leave after
 * each is what the memory is then, so it is copied, and the survivors do on the copy what they
 * would do. Some of those kills are then made in earnest, and the death is found as any would be.
 *
 * The items are 0, 1, 2 ... in the order of their puts: the first are the child's, who has got them
 * before; then those of a third member; then those in line. So whatever the death gives back, what
 * comes out has to ascend. */
#include "shm/workqueue.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/under_tool.h"
#include "base/check.h"
#include "shm/segment.h"
#include "shm/workqueue_inside.h"

enum {
    CAPACITY = 7,
    NEW_ITEM = 500,
    KEPT_ITEM = 1000, /* in the survivor's hands all the time */
    KILLS = 5,        /* in earnest, of each scene */
};

enum what { PUT, GET, DONE, CLOSE, FORGET, ENTER, LEAVE };

struct scene {
    enum what what;
    int laps;                    /* items that have come and gone before */
    int held, of_third, in_line; /* items, at the beginning */
    bool third_has_left;
    bool closed;
    int result; /* of the call */
};

/* What the child says, and what is said to it. */
struct talk {
    volatile int begun, over, result;
    volatile uint32_t third;
};

static struct {
    struct rvi_segment memory;
    unsigned char *image; /* what a kill would leave */
    struct rvi_workqueue other, third;
    struct rvi_taken kept;
    uint32_t bell;
    struct talk *talk;
    pid_t child;
    bool seen; /* the call's effect, at an earlier instruction */
} on;

/* --- the child --- */

static int act(const struct scene *scene, struct rvi_workqueue *q, struct rvi_taken first)
{
    struct rvi_workqueue again;
    struct rvi_taken taken;
    int item = NEW_ITEM;

    switch (scene->what) {
    case PUT:
        return rvi_workqueue_put(q, &item);
    case GET:
        return rvi_workqueue_get(q, &item, &taken);
    case DONE:
        return rvi_workqueue_done(q, first);
    case CLOSE:
        return rvi_workqueue_close(q);
    case FORGET:
        rvi_workqueue_forget_member(q, on.talk->third);
        return 0;
    case ENTER:
        return rvi_workqueue_enter(&again, on.memory.base, on.memory.bytes);
    case LEAVE:
        rvi_workqueue_leave(q);
        return 0;
    }
    return -EINVAL;
}

static void be_the_child(const struct scene *scene)
{
    struct rvi_workqueue q;
    struct rvi_taken first = {0}, taken;
    int item;

    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(2);
    if (rvi_workqueue_enter(&q, on.memory.base, on.memory.bytes) < 0)
        _exit(3);
    for (int i = 0; i < scene->held; i++) {
        if (rvi_workqueue_get(&q, &item, &taken) < 0 || item != i)
            _exit(4);
        if (i == 0)
            first = taken;
    }
    raise(SIGSTOP);
    on.talk->begun = 1;
    on.talk->result = act(scene, &q, first);
    on.talk->over = 1;
    _exit(0);
}

/* --- the survivors --- */

static void put(struct rvi_workqueue *q, int item)
{
    assert_int_equal(rvi_workqueue_put(q, &item), 0);
}

static struct rvi_taken get(struct rvi_workqueue *q, int expected)
{
    struct rvi_taken taken;
    int item = -1;
    assert_int_equal(rvi_workqueue_get(q, &item, &taken), 0);
    assert_int_equal(item, expected);
    return taken;
}

static void make(const struct scene *scene)
{
    size_t bytes = rvi_workqueue_bytes(sizeof(int), CAPACITY);
    assert_int_equal(rvi_segment_make(&on.memory, "test", bytes, bytes), 0);
    rvi_workqueue_format(on.memory.base, sizeof(int), CAPACITY);
    assert_int_equal(rvi_workqueue_enter(&on.other, on.memory.base, on.memory.bytes), 0);
    assert_int_equal(rvi_workqueue_enter(&on.third, on.memory.base, on.memory.bytes), 0);
    memset(on.talk, 0, sizeof *on.talk);
    on.talk->third = on.third.me;
    for (int i = 0; i < scene->laps; i++) {
        put(&on.other, i);
        assert_int_equal(rvi_workqueue_done(&on.third, get(&on.third, i)), 0);
    }
    put(&on.other, KEPT_ITEM);
    on.kept = get(&on.other, KEPT_ITEM);
    for (int i = 0; i < scene->held + scene->of_third + scene->in_line; i++)
        put(&on.other, i);
}

/* The child holds what it is to hold, and stands still. */
static void set_the_rest(const struct scene *scene)
{
    for (int i = 0; i < scene->of_third; i++)
        get(&on.third, scene->held + i);
    if (scene->third_has_left)
        rvi_workqueue_leave(&on.third);
    if (scene->closed)
        assert_int_equal(rvi_workqueue_close(&on.other), 0);
    for (int what = 0; what < RVI_WANT_KINDS; what++)
        rvi_workqueue_want(&on.other, what);
    on.bell = rvi_workqueue_bell(&on.other);
}

/* False: it may not be traced here. */
static bool start_child(const struct scene *scene)
{
    int status;

    make(scene);
    on.child = fork();
    if (on.child == 0)
        be_the_child(scene);
    assert_int_equal(waitpid(on.child, &status, 0), on.child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        return false;
    assert_true(WIFSTOPPED(status));
    set_the_rest(scene);
    return true;
}

/* False: it has ended. */
static bool step(void)
{
    int status;

    assert_int_equal(ptrace(PTRACE_SINGLESTEP, on.child, NULL, NULL), 0);
    assert_int_equal(waitpid(on.child, &status, 0), on.child);
    return WIFSTOPPED(status);
}

static void end_child(const struct scene *scene)
{
    assert_int_equal(on.talk->over, 1);
    assert_int_equal(on.talk->result, scene->result);
    assert_true(on.seen);
}

/* --- what is left --- */

/* The same members, wherever the memory is. */
static struct rvi_workqueue view_as(const struct rvi_workqueue *member, unsigned char *memory)
{
    struct rvi_workqueue q;

    assert_int_equal(rvi_workqueue_view(&q, memory, on.memory.bytes), 0);
    q.me = member->me;
    return q;
}

/* The effect of the call cannot come and go: what has been seen once stays. */
static void effect_is(bool there)
{
    assert_false(on.seen && !there);
    on.seen = there;
}

static int take_all(struct rvi_workqueue *q, int items[CAPACITY], struct rvi_taken taken[CAPACITY])
{
    int count = 0;

    while (count < CAPACITY && rvi_workqueue_get(q, &items[count], &taken[count]) == 0)
        count++;
    return count;
}

static void check_items(const struct scene *scene, const int *items, int count)
{
    int all = scene->held + scene->of_third + scene->in_line;
    bool without_first = count > 0 && items[0] == 1 && scene->what == DONE;

    if (scene->what == DONE)
        effect_is(without_first || count == 0);
    if (scene->what == PUT && scene->result == 0) {
        effect_is(count == all + 1);
        if (on.seen)
            assert_int_equal(items[--count], NEW_ITEM);
    }
    int first = scene->what == DONE && on.seen;
    assert_int_equal(count, all - first);
    for (int i = 0; i < count; i++)
        assert_int_equal(items[i], first + i);
}

/* All rest, nothing is unfinished, and all the room is there again. */
static void check_rest(const struct scene *scene, struct rvi_workqueue *q)
{
    size_t waiting, unfinished;
    int item = 1, r, count = 0;

    rvi_workqueue_count(q, &waiting, &unfinished);
    assert_int_equal(unfinished, 0);
    assert_true(rvi_workqueue_is_finished(q));
    while ((r = rvi_workqueue_put(q, &item)) == 0)
        count++;
    if (scene->what == CLOSE)
        effect_is(r == -EPIPE);
    assert_int_equal(count, r == -EPIPE ? 0 : CAPACITY);
    assert_true(r == -EAGAIN || scene->closed || (scene->what == CLOSE && on.seen));
}

/* The dead have been forgotten by `q`. */
static void check_what_is_left(const struct scene *scene, struct rvi_workqueue *q)
{
    struct rvi_taken taken[CAPACITY];
    int items[CAPACITY];

    assert_true(rvi_workqueue_bell(q) > on.bell);
    int count = take_all(q, items, taken);
    check_items(scene, items, count);
    for (int i = 0; i < count; i++)
        assert_int_equal(rvi_workqueue_done(q, taken[i]), 0);
    assert_int_equal(rvi_workqueue_done(q, on.kept), 0);
    check_rest(scene, q);
}

/* As if the child had been killed now. The third is dead as well, in scenes in which it is. */
static void kill_in_thought(const struct scene *scene)
{
    memcpy(on.image, on.memory.base, on.memory.bytes);
    struct rvi_workqueue q = view_as(&on.other, on.image);
    rvi_workqueue_forget(&q, (uint32_t)on.child);
    if (!scene->third_has_left)
        rvi_workqueue_forget_member(&q, on.third.me);
    check_what_is_left(scene, &q);
}

static void drop(void)
{
    rvi_segment_fini(&on.memory);
}

/* --- scenes --- */

/* Returns how many instructions the call has; 0: it may not be traced here. */
static long step_through(const struct scene *scene)
{
    long steps = 0;

    on.seen = scene->what != PUT && scene->what != DONE && scene->what != CLOSE;
    on.seen |= scene->result < 0;
    if (!start_child(scene))
        return 0;
    while (step()) {
        if (!on.talk->begun || on.talk->over)
            continue;
        kill_in_thought(scene);
        steps++;
    }
    end_child(scene);
    drop();
    return steps;
}

/* Kill it after so many of them. */
static void kill_at(const struct scene *scene, long at)
{
    on.seen = scene->what != PUT && scene->what != DONE && scene->what != CLOSE;
    on.seen |= scene->result < 0;
    assert_true(start_child(scene));
    while (!on.talk->begun)
        assert_true(step());
    for (long i = 0; i < at; i++)
        assert_true(step());
    kill(on.child, SIGKILL);
    assert_int_equal(waitpid(on.child, NULL, 0), on.child);
    unsigned members = rvi_workqueue_look_around(&on.other);
    assert_true(members == 1 || (scene->what == ENTER && members == 2) ||
                (scene->what == LEAVE && members == 0));
    if (!scene->third_has_left)
        rvi_workqueue_forget_member(&on.other, on.third.me);
    check_what_is_left(scene, &on.other);
    drop();
}

static void play(const struct scene *scene)
{
    if (is_under_a_tool())
        skip();
    on.talk =
        mmap(NULL, sizeof *on.talk, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    size_t bytes = rvi_workqueue_bytes(sizeof(int), CAPACITY);
    on.image = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    long steps = step_through(scene);
    if (steps > 0) {
        assert_true(steps > 20);
        for (int i = 0; i < KILLS; i++)
            kill_at(scene, steps * i / KILLS);
    }
    free(on.image);
    munmap(on.talk, sizeof *on.talk);
    if (steps == 0)
        skip(); /* ptrace is refused */
}

/* clang-format off */
#define SCENES(X)                                                                                  \
    X(put_into_an_empty_queue, .what = PUT)                                                        \
    X(put_behind_others, .what = PUT, .laps = 5, .held = 1, .of_third = 1, .in_line = 3,           \
      .third_has_left = true)                                                                      \
    X(put_the_last_that_fits, .what = PUT, .laps = 7, .in_line = 5)                                \
    X(put_into_a_full_queue, .what = PUT, .held = 3, .in_line = 3, .result = -EAGAIN)              \
    X(put_into_a_closed_queue, .what = PUT, .in_line = 3, .closed = true, .result = -EPIPE)        \
    X(get_the_only_item, .what = GET, .in_line = 1)                                                \
    X(get_the_first_of_many, .what = GET, .laps = 7, .held = 2, .of_third = 1, .in_line = 3)       \
    X(get_what_went_back, .what = GET, .held = 1, .of_third = 2, .in_line = 2,                     \
      .third_has_left = true)                                                                      \
    X(get_from_an_empty_queue, .what = GET, .held = 1, .result = -EAGAIN)                          \
    X(get_from_a_closed_queue, .what = GET, .held = 1, .closed = true, .result = -EPIPE)           \
    X(done_of_the_only_item, .what = DONE, .held = 1)                                              \
    X(done_of_one_of_many, .what = DONE, .laps = 4, .held = 2, .of_third = 1, .in_line = 2)        \
    X(close_an_empty_queue, .what = CLOSE)                                                         \
    X(close_a_full_queue, .what = CLOSE, .laps = 3, .held = 2, .in_line = 4)                       \
    X(forget_another, .what = FORGET, .held = 1, .of_third = 3, .in_line = 2)                      \
    X(enter, .what = ENTER, .held = 1, .in_line = 2)                                               \
    X(leave, .what = LEAVE, .held = 2, .in_line = 2)
/* clang-format on */

#define SCENE(name, ...)                                                                           \
    static void a_death_in_##name##_loses_nothing(void **state)                                    \
    {                                                                                              \
        static const struct scene scene = {__VA_ARGS__};                                           \
        (void)state;                                                                               \
        play(&scene);                                                                              \
    }
SCENES(SCENE)

int main(void)
{
#define TEST(name, ...) cmocka_unit_test(a_death_in_##name##_loses_nothing),
    const struct CMUnitTest tests[] = {SCENES(TEST)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
