/* SPDX-License-Identifier: MIT */
/* test_backtrace.c - the frames of a parked stack, with libdw and without, of a copy, and of a
 * stack that ends too early. */
#include "sys/backtrace.h"

#include <ucontext.h>

#include "base/alloc.h"
#include "sys/fiber_hooks.h"
#include "sys_test.h"

/* Keeps a call from being inlined or turned into a jump: its frame must exist. */
#define FRAME __attribute__((noinline))
#define FRAME_ENDS __asm__ volatile("" ::: "memory")

enum { MOST = 64 };

/* A fiber that parks three calls deep. */
static struct rvi_stack_pool *pool;
static struct rvi_stack_cache cache;
static struct rvi_stack thread, *fiber;
static int park_line;

/* The switch is inlined, and yet the lines are this function's. */
static FRAME void park_here(void)
{
    park_line = __LINE__ + 1;
    rvi_stack_switch(fiber, &thread, NULL);
    FRAME_ENDS;
}

static FRAME void in_the_middle(void)
{
    park_here();
    FRAME_ENDS;
}

static FRAME void entry(void *pass)
{
    (void)pass;
    rvi_stack_entered(fiber);
    in_the_middle();
    rvi_stack_switch_final(&thread, NULL);
}

static int open_fiber(void **state)
{
    (void)state;
    struct rvi_stack_pool_opts opts = {.max = 10};
    int r = rvi_stack_pool_open(&pool, &opts);
    if (r == 0)
        r = rvi_stack_adopt_thread(&thread);
    rvi_stack_cache_init(&cache, pool);
    return r < 0 ? r : rvi_stack_cache_take(&cache, &fiber);
}

static int close_fiber(void **state)
{
    (void)state;
    rvi_stack_cache_push(&cache, fiber);
    rvi_stack_cache_fini(&cache);
    pool = rvi_stack_pool_close(pool);
    return 0;
}

static void let_it_park(void)
{
    rvi_stack_prepare(fiber, entry);
    rvi_stack_switch(&thread, fiber, NULL);
}

static void let_it_end(void)
{
    rvi_stack_switch(&thread, fiber, NULL);
}

/* The index of a function among the frames; `count` when it is not there. */
static size_t find(struct rvi_backtracer *b, const void *const *pcs, size_t count, const char *name,
                   struct rvi_frame *ret)
{
    size_t i;
    for (i = 0; i < count; i++) {
        rvi_backtrace_frame(b, pcs[i], ret);
        if (ret->function && strcmp(ret->function, name) == 0)
            break;
    }
    return i;
}

static void check_frames(struct rvi_backtracer *b, const struct rvi_stack_view *view)
{
    const void *pcs[MOST];
    struct rvi_frame frame;
    size_t count = rvi_backtrace(b, view, pcs, MOST);
    size_t inner = find(b, pcs, count, "park_here", &frame);
    assert_in_range(inner, 0, 2);
    assert_string_equal(frame.file, "sys/test_backtrace.c");
    assert_in_range(frame.line, park_line - 1, park_line + 1);
    assert_false(frame.is_ours);
    assert_int_equal(find(b, pcs, count, "in_the_middle", &frame), inner + 1);
    assert_int_equal(find(b, pcs, count, "entry", &frame), inner + 2);
    assert_int_equal(find(b, pcs, count, "rvi_ctx_first_frame", &frame), inner + 3);
    assert_int_equal(count, inner + 4);
}

static struct rvi_backtracer *exact_or_skip(void)
{
    struct rvi_backtracer *b = rvi_backtracer_new(true);
    assert_non_null(b);
    if (!rvi_backtracer_is_exact(b)) {
        rvi_backtracer_free(b);
        skip();
    }
    return b;
}

static void a_parked_stack_shows_its_calls_and_ends_at_the_first_frame(void **state)
{
    (void)state;
    struct rvi_backtracer *b = exact_or_skip();
    struct rvi_stack_view view;
    let_it_park();
    rvi_stack_view_parked(fiber, fiber->ctx, &view);
    check_frames(b, &view);
    rvi_backtracer_free(b);
    let_it_end();
}

static void a_copy_shows_the_same(void **state)
{
    (void)state;
    struct rvi_backtracer *b = exact_or_skip();
    struct rvi_stack_view view;
    let_it_park();
    rvi_stack_view_parked(fiber, fiber->ctx, &view);
    char *copy = malloc(view.high - view.low);
    rvi_stack_copy(copy, view.bytes, view.high - view.low);
    view.bytes = copy;
    let_it_end();
    check_frames(b, &view);
    free(copy);
    rvi_backtracer_free(b);
}

static void a_stack_that_ends_too_early_ends_the_backtrace(void **state)
{
    (void)state;
    const void *pcs[MOST];
    struct rvi_stack_view view;
    let_it_park();
    rvi_stack_view_parked(fiber, fiber->ctx, &view);
    for (int exact = 0; exact < 2; exact++) {
        struct rvi_backtracer *b = rvi_backtracer_new(exact);
        uintptr_t high = view.high;
        for (view.high = view.low; view.high < high; view.high += sizeof(void *))
            assert_in_range(rvi_backtrace(b, &view, pcs, MOST), 1, MOST);
        view.high = high;
        rvi_backtracer_free(b);
    }
    let_it_end();
}

static void no_more_frames_than_there_is_room_for(void **state)
{
    (void)state;
    struct rvi_stack_view view;
    let_it_park();
    rvi_stack_view_parked(fiber, fiber->ctx, &view);
    for (int exact = 0; exact < 2; exact++) {
        struct rvi_backtracer *b = rvi_backtracer_new(exact);
        for (size_t most = 1; most < 3; most++) {
            const void *pcs[3] = {NULL};
            assert_int_equal(rvi_backtrace(b, &view, pcs, most), most);
            assert_null(pcs[most]);
        }
        rvi_backtracer_free(b);
    }
    let_it_end();
}

/* It cannot name static functions, but their addresses are there. */
static void the_guess_has_the_calls_among_its_frames(void **state)
{
    (void)state;
    struct rvi_backtracer *exact = exact_or_skip(), *b = rvi_backtracer_new(false);
    const void *pcs[MOST];
    struct rvi_stack_view view;
    struct rvi_frame frame;
    let_it_park();
    rvi_stack_view_parked(fiber, fiber->ctx, &view);
    size_t count = rvi_backtrace(b, &view, pcs, MOST);
    size_t middle = find(exact, pcs, count, "in_the_middle", &frame);
    assert_in_range(middle, 1, count - 1);
    assert_in_range(find(exact, pcs, count, "entry", &frame), middle + 1, count - 1);
    rvi_backtrace_frame(b, pcs[middle], &frame);
    assert_non_null(frame.module);
    assert_int_not_equal(frame.offset, 0);
    let_it_end();
    rvi_backtracer_free(b);
    rvi_backtracer_free(exact);
}

static void the_registers_of_a_running_thread_lead_to_its_caller(void **state)
{
    (void)state;
    struct rvi_backtracer *b = exact_or_skip();
    const void *pcs[MOST];
    struct rvi_frame frame;
    ucontext_t here;
    assert_int_equal(getcontext(&here), 0);
    struct rvi_stack_view view = {.high = (uintptr_t)thread.high};
    rvi_ctx_regs_of_ucontext(&here, &view.regs);
    view.low = view.regs.sp;
    view.bytes = (const char *)view.low; /* NOLINT: an address */
    size_t count = rvi_backtrace(b, &view, pcs, MOST);
    assert_in_range(count, 2, MOST);
    assert_int_equal(find(b, pcs, count, __func__, &frame), 0);
    assert_true(find(b, pcs, count, "main", &frame) < count);
    rvi_backtracer_free(b);
}

static void the_words_leave_out_the_library_on_both_sides(void **state)
{
    (void)state;
    struct rvi_backtracer *b = exact_or_skip();
    const void *pcs[MOST];
    struct rvi_stack_view view;
    struct rvi_frame frame;
    struct rvi_text text = {0};
    let_it_park();
    rvi_stack_view_parked(fiber, fiber->ctx, &view);
    size_t count = rvi_backtrace(b, &view, pcs, MOST);
    assert_true(rvi_backtrace_site(b, pcs, count, &frame));
    rvi_frame_add(&text, &frame);
    assert_ptr_equal(strstr(text.bytes, "park_here at sys/test_backtrace.c:"), text.bytes);
    rvi_text_fini(&text);
    rvi_backtrace_add(&text, b, pcs, count, 3);
    assert_non_null(strstr(text.bytes, "   park_here at "));
    assert_non_null(strstr(text.bytes, "   entry at "));
    assert_null(strstr(text.bytes, "rvi_ctx_first_frame"));
    rvi_text_fini(&text);
    assert_false(rvi_backtrace_site(b, pcs + count - 1, 1, &frame));
    rvi_backtracer_free(b);
    let_it_end();
}

static void an_address_of_nobody_is_printed_as_it_is(void **state)
{
    (void)state;
    struct rvi_backtracer *b = rvi_backtracer_new(true);
    struct rvi_frame frame;
    struct rvi_text text = {0};
    rvi_backtrace_frame(b, (const void *)0x10, &frame);
    assert_false(frame.is_ours);
    rvi_frame_add(&text, &frame);
    assert_string_equal(text.bytes, "0x10");
    rvi_text_fini(&text);
    rvi_backtracer_free(b);
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    long live = rvi_alloc_live();
    rvi_alloc_fail_after(1);
    assert_null(rvi_backtracer_new(true));
    assert_null(rvi_backtracer_free(NULL));
    assert_int_equal(rvi_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parked_stack_shows_its_calls_and_ends_at_the_first_frame),
        cmocka_unit_test(a_copy_shows_the_same),
        cmocka_unit_test(a_stack_that_ends_too_early_ends_the_backtrace),
        cmocka_unit_test(no_more_frames_than_there_is_room_for),
        cmocka_unit_test(the_guess_has_the_calls_among_its_frames),
        cmocka_unit_test(the_registers_of_a_running_thread_lead_to_its_caller),
        cmocka_unit_test(the_words_leave_out_the_library_on_both_sides),
        cmocka_unit_test(an_address_of_nobody_is_printed_as_it_is),
        cmocka_unit_test(without_memory_there_is_none),
    };
    return cmocka_run_group_tests(tests, open_fiber, close_fiber);
}
