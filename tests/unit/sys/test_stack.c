/* SPDX-License-Identifier: MIT */
/* test_stack.c - pool and caches of fiber stacks. */
#include "sys/stack.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "sys/thread.h"
#include "sys_test.h"

static struct rvi_stack_pool *pool;
static struct rvi_stack_cache cache;

static void open_with(const struct rvi_stack_pool_opts *opts)
{
    assert_int_equal(rvi_stack_pool_open(&pool, opts), 0);
    rvi_stack_cache_init(&cache, pool);
}

static void close_all(void)
{
    rvi_stack_cache_fini(&cache);
    pool = rvi_stack_pool_close(pool);
}

static struct rvi_stack *take(void)
{
    struct rvi_stack *stack = NULL;
    assert_int_equal(rvi_stack_cache_take(&cache, &stack), 0);
    assert_non_null(stack);
    return stack;
}

static struct rvi_stack_stats stats(void)
{
    struct rvi_stack_stats now;
    rvi_stack_pool_stats(pool, &now);
    assert_int_equal(rvi_stack_pool_carved(pool), now.carved);
    return now;
}

/* Without a signal: the kernel itself may not write there. */
static bool is_guard(char *address)
{
    return getrandom(address, 1, GRND_NONBLOCK) < 0 && errno == EFAULT;
}

static size_t resident_pages(char *begin, const char *end)
{
    size_t page = rvi_page_bytes(), pages = 0;
    for (char *at = begin - (uintptr_t)begin % page; at < end; at += page) {
        unsigned char present = 0;
        assert_int_equal(mincore(at, page, &present), 0);
        pages += present & 1;
    }
    return pages;
}

static size_t mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "re");
    assert_non_null(file);
    size_t lines = 0;
    for (int c; (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    return lines;
}

/* ---- one stack ---- */

enum { FEW = 100 };

static void take_few(struct rvi_stack *stacks[FEW])
{
    for (int i = 0; i < FEW; i++)
        stacks[i] = take();
}

static void push_few(struct rvi_stack *stacks[FEW])
{
    for (int i = 0; i < FEW; i++)
        rvi_stack_cache_push(&cache, stacks[i]);
}

static void check_layout(const struct rvi_stack_pool_opts *opts)
{
    struct rvi_stack *stacks[FEW];
    open_with(opts);
    take_few(stacks);
    for (int i = 0; i < FEW; i++) {
        struct rvi_stack *stack = stacks[i];
        assert_int_equal((uintptr_t)stack->low % rvi_page_bytes(), 0);
        assert_int_equal((uintptr_t)stack->high % 64, 0);
        assert_true(stack->high - stack->low > (64 << 10) - 2048 - 128);
        assert_null(stack->user);
        assert_true(is_guard(stack->low - 1));
        assert_true(is_guard(stack->low - (16 << 10)));
        memset(stack->low, i, (size_t)(stack->high - stack->low));
    }
    for (int i = 0; i < FEW; i++) {
        assert_int_equal(stacks[i]->low[0], i);
        assert_int_equal(stacks[i]->high[-1], i);
    }
    push_few(stacks);
    close_all();
}

static void every_stack_is_usable_and_has_a_guard_below(void **state)
{
    (void)state;
    check_layout(NULL);
}

static void every_stack_has_a_guard_on_older_kernels_too(void **state)
{
    (void)state;
    check_layout(&(struct rvi_stack_pool_opts){.force_mprotect = true});
}

static void neighbours_start_in_different_cache_lines(void **state)
{
    (void)state;
    struct rvi_stack *stacks[FEW];
    bool seen[64] = {false};
    open_with(NULL);
    take_few(stacks);
    for (int i = 0; i < 32; i++) {
        size_t line = (uintptr_t)stacks[i]->high % 4096 / 64;
        assert_false(seen[line]);
        seen[line] = true;
    }
    push_few(stacks);
    close_all();
}

static void the_descriptors_page_has_room_for_the_first_frames(void **state)
{
    (void)state;
    struct rvi_stack *stacks[FEW];
    open_with(NULL);
    take_few(stacks);
    for (int i = 0; i < FEW; i++)
        assert_true((uintptr_t)stacks[i]->high % rvi_page_bytes() >= 1536);
    push_few(stacks);
    close_all();
}

static void a_taken_stack_holds_one_page(void **state)
{
    (void)state;
    open_with(NULL);
    struct rvi_stack *stack = take();
    assert_int_equal(resident_pages(stack->low, (char *)(stack + 1)), 1);
    rvi_stack_cache_push(&cache, stack);
    close_all();
}

static void sizes_are_rounded_to_pages(void **state)
{
    (void)state;
    open_with(&(struct rvi_stack_pool_opts){.usable_bytes = 1});
    assert_int_equal(stats().usable_bytes, rvi_page_bytes());
    struct rvi_stack *stack = take();
    memset(stack->low, 1, (size_t)(stack->high - stack->low));
    rvi_stack_cache_push(&cache, stack);
    rvi_stack_cache_trim(&cache, 0);
    close_all();
}

static void adopting_a_thread_gives_its_bounds(void **state)
{
    (void)state;
    char here = 0;
    struct rvi_stack own;
    assert_int_equal(rvi_stack_adopt_thread(&own), 0);
    /* AddressSanitizer may keep locals on a fake stack. */
    char *frame = RVI_ASAN ? __builtin_frame_address(0) : &here;
    assert_true(own.low < frame && frame < own.high);
    assert_int_equal(own.index, UINT32_MAX);
}

/* ---- caches ---- */

static void pop_returns_the_newest(void **state)
{
    (void)state;
    open_with(NULL);
    assert_null(rvi_stack_cache_pop(&cache));
    struct rvi_stack *a = take(), *b = take();
    assert_ptr_not_equal(a, b);
    rvi_stack_cache_push(&cache, a);
    rvi_stack_cache_push(&cache, b);
    assert_ptr_equal(rvi_stack_cache_pop(&cache), b);
    assert_ptr_equal(take(), a);
    assert_null(rvi_stack_cache_pop(&cache));
    rvi_stack_cache_push(&cache, a);
    rvi_stack_cache_push(&cache, b);
    close_all();
}

static void a_full_cache_returns_the_oldest_to_the_pool(void **state)
{
    (void)state;
    open_with(NULL);
    size_t limit = cache.limit, count = 4 * limit;
    struct rvi_stack **stacks = rvi_calloc(count, sizeof(struct rvi_stack *));
    assert_non_null(stacks);
    for (size_t i = 0; i < count; i++)
        stacks[i] = take();
    size_t fresh = cache.fresh_count;
    assert_int_equal(stats().out, count + fresh);
    char *oldest = stacks[0]->low, *oldest_end = (char *)(stacks[0] + 1);
    for (size_t i = 0; i < count; i++)
        rvi_stack_cache_push(&cache, stacks[i]);
    size_t cached = cache.hot_count + cache.cold_count;
    assert_in_range(cached, 1, 2 * limit);
    assert_int_equal(stats().out, cached + fresh);
    assert_int_equal(resident_pages(oldest, oldest_end), 0);
    for (size_t i = 1; i <= cached; i++)
        assert_ptr_equal(take(), stacks[count - i]);
    for (size_t i = 1; i <= cached; i++)
        rvi_stack_cache_push(&cache, stacks[count - i]);
    rvi_free(stacks);
    close_all();
}

static void returned_slots_are_carved_only_once(void **state)
{
    (void)state;
    struct rvi_stack *stacks[FEW];
    open_with(NULL);
    take_few(stacks);
    push_few(stacks);
    size_t carved = stats().carved;
    for (int round = 0; round < 20; round++) {
        rvi_stack_cache_fini(&cache);
        assert_int_equal(stats().out, 0);
        rvi_stack_cache_init(&cache, pool);
        take_few(stacks);
        push_few(stacks);
    }
    assert_int_equal(stats().carved, carved);
    close_all();
}

static void finishing_a_cache_gives_back_every_page(void **state)
{
    (void)state;
    struct rvi_stack *stacks[FEW];
    if (is_under_qemu())
        skip(); /* its mincore() refuses a range with a guard in it */
    open_with(NULL);
    take_few(stacks);
    for (int i = 0; i < FEW; i++)
        memset(stacks[i]->low, 1, 3 * rvi_page_bytes());
    assert_true(stats().resident_bytes >= FEW * 4 * rvi_page_bytes());
    push_few(stacks);
    rvi_stack_cache_fini(&cache);
    assert_int_equal(stats().resident_bytes, 0);
    pool = rvi_stack_pool_close(pool);
}

static size_t pages_of(const struct rvi_stack *stack)
{
    return resident_pages(stack->low, stack->high);
}

static void dirty(struct rvi_stack *stack)
{
    memset(stack->low, 1, 2 * rvi_page_bytes());
}

static void trim_keeps_the_newest_warm_and_one_page_of_the_others(void **state)
{
    (void)state;
    struct rvi_stack *stacks[FEW];
    open_with(NULL);
    take_few(stacks);
    for (int i = 0; i < FEW; i++)
        dirty(stacks[i]);
    push_few(stacks);
    rvi_stack_cache_trim(&cache, 3);
    for (int i = 0; i < FEW; i++)
        assert_int_equal(pages_of(stacks[i]), i < FEW - 3 ? 1 : 3);
    close_all();
}

/* The kept ones are still to be trimmed later, and what lies below them is not touched again. */
static void trim_finds_what_became_dirty_since(void **state)
{
    (void)state;
    struct rvi_stack *stacks[FEW];
    open_with(NULL);
    take_few(stacks);
    for (int i = 0; i < FEW; i++)
        dirty(stacks[i]);
    push_few(stacks);
    rvi_stack_cache_trim(&cache, 3);
    assert_ptr_equal(take(), stacks[FEW - 1]);
    rvi_stack_cache_push(&cache, stacks[FEW - 1]);
    rvi_stack_cache_trim(&cache, 0);
    for (int i = 0; i < FEW; i++)
        assert_int_equal(pages_of(stacks[i]), 1);
    for (int i = 1; i <= 5; i++)
        assert_ptr_equal(take(), stacks[FEW - i]);
    dirty(stacks[FEW - 5]);
    for (int i = 5; i >= 1; i--)
        rvi_stack_cache_push(&cache, stacks[FEW - i]);
    rvi_stack_cache_trim(&cache, 1);
    assert_int_equal(pages_of(stacks[FEW - 5]), 1);
    close_all();
}

static void trim_reaches_the_cold_list(void **state)
{
    (void)state;
    struct rvi_stack *stacks[FEW];
    open_with(&(struct rvi_stack_pool_opts){.max = 64 * FEW});
    take_few(stacks);
    for (int i = 0; i < FEW; i++)
        dirty(stacks[i]);
    push_few(stacks);
    assert_non_null(cache.cold);
    size_t cached = cache.hot_count + cache.cold_count;
    rvi_stack_cache_trim(&cache, cached - 1);
    assert_int_equal(pages_of(stacks[FEW - cached]), 1);
    for (size_t i = 1; i < cached; i++)
        assert_int_equal(pages_of(stacks[FEW - i]), 3);
    rvi_stack_cache_trim(&cache, 0);
    for (size_t i = 1; i <= cached; i++)
        assert_int_equal(pages_of(stacks[FEW - i]), 1);
    close_all();
}

static void *churn(void *arg)
{
    struct rvi_stack_cache own;
    struct rvi_stack *stacks[FEW];
    (void)arg;
    rvi_stack_cache_init(&own, pool);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < FEW; i++) {
            RV_CHECK(rvi_stack_cache_take(&own, &stacks[i]) == 0);
            RV_CHECK(stacks[i]->user == NULL);
            stacks[i]->user = &own;
            *(void **)(void *)(stacks[i]->high - 8) = &own;
        }
        for (int i = 0; i < FEW; i++) {
            RV_CHECK(stacks[i]->user == &own);
            RV_CHECK(*(void **)(void *)(stacks[i]->high - 8) == &own);
            rvi_stack_cache_push(&own, stacks[i]);
        }
        if (round % 8 == 0)
            rvi_stack_cache_trim(&own, 10);
    }
    rvi_stack_cache_fini(&own);
    return NULL;
}

static void threads_never_share_a_stack(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    open_with(&(struct rvi_stack_pool_opts){.max = 5000}); /* short lists, much traffic */
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(stats().out, 0);
    close_all();
}

/* ---- limits ---- */

static void a_full_pool_says_so_and_recovers(void **state)
{
    (void)state;
    struct rvi_stack *stacks[10], *none = NULL;
    open_with(&(struct rvi_stack_pool_opts){.max = 10});
    assert_int_equal(stats().capacity, 10);
    for (int i = 0; i < 10; i++)
        stacks[i] = take();
    assert_int_equal(rvi_stack_cache_take(&cache, &none), -ENOMEM);
    assert_null(none);
    rvi_stack_cache_push(&cache, stacks[4]);
    assert_ptr_equal(take(), stacks[4]);
    assert_int_equal(rvi_stack_cache_take(&cache, &none), -ENOMEM);
    for (int i = 0; i < 10; i++)
        rvi_stack_cache_push(&cache, stacks[i]);
    close_all();
}

static void absurd_sizes_are_refused(void **state)
{
    (void)state;
    struct rvi_stack_pool *none = NULL;
    struct rvi_stack_pool_opts opts = {.usable_bytes = SIZE_MAX};
    assert_int_equal(rvi_stack_pool_open(&none, &opts), -EINVAL);
    opts.usable_bytes = SIZE_MAX / 8;
    assert_int_equal(rvi_stack_pool_open(&none, &opts), -ENOMEM);
    assert_null(none);
}

static void open_fails_cleanly_without_memory(void **state)
{
    (void)state;
    struct rvi_stack_pool *none = NULL;
    long live = rvi_alloc_live();
    rvi_alloc_fail_after(1);
    assert_int_equal(rvi_stack_pool_open(&none, NULL), -ENOMEM);
    rvi_alloc_fail_after(-1);
    assert_null(none);
    assert_int_equal(rvi_alloc_live(), live);
}

static void limit_address_space(size_t bytes)
{
    struct rlimit limit = {bytes, bytes};
    RV_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

static void open_in_no_space(void *arg)
{
    struct rvi_stack_pool *none = NULL;
    (void)arg;
    limit_address_space((size_t)1 << 20);
    RV_CHECK(rvi_stack_pool_open(&none, NULL) == -ENOMEM);
    RV_CHECK(!none);
}

static void open_in_little_space(void *arg)
{
    struct rvi_stack_stats now;
    (void)arg;
    limit_address_space((size_t)200 << 20);
    RV_CHECK(rvi_stack_pool_open(&pool, NULL) == 0);
    rvi_stack_pool_stats(pool, &now);
    RV_CHECK(now.capacity >= 512 && now.capacity <= 2560);
    rvi_stack_cache_init(&cache, pool);
    struct rvi_stack *list = NULL, *stack;
    size_t taken = 0;
    while (rvi_stack_cache_take(&cache, &stack) == 0) {
        stack->next = list;
        list = stack;
        taken++;
    }
    RV_CHECK(taken == now.capacity);
}

static void a_small_address_space_holds_fewer_stacks(void **state)
{
    (void)state;
    if (is_under_a_tool())
        skip(); /* they need terabytes of address space */
    struct ending ending = run_child(open_in_no_space, NULL);
    assert_string_equal(ending.text, "");
    assert_int_equal(ending.status, 0);
    ending = run_child(open_in_little_space, NULL);
    assert_string_equal(ending.text, "");
    assert_int_equal(ending.status, 0);
}

static void guards_by_mprotect_leave_mappings_to_the_program(void **state)
{
    (void)state;
    if (is_under_a_tool())
        skip();
    open_with(&(struct rvi_stack_pool_opts){.force_mprotect = true});
    assert_false(stats().has_light_guards);
    struct rvi_stack *list = NULL, *stack;
    size_t taken = 0;
    int rc;
    while ((rc = rvi_stack_cache_take(&cache, &stack)) == 0) {
        stack->next = list;
        list = stack;
        taken++;
    }
    assert_int_equal(rc, -ENOMEM);
    assert_int_equal(taken, stats().capacity);
    /* Alternating protections: each page a mapping. */
    char *other = mmap(NULL, 2000 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(other, MAP_FAILED);
    for (int i = 0; i < 2000; i += 2)
        assert_int_equal(mprotect(other + i * 4096, 4096, PROT_NONE), 0);
    munmap(other, 2000 * 4096);
    while ((stack = list)) {
        list = stack->next;
        rvi_stack_cache_push(&cache, stack);
    }
    close_all();
}

static size_t available_bytes(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    char line[256];
    size_t kib = 0;
    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "MemAvailable: %zu", &kib) == 1)
            break;
    }
    if (file)
        fclose(file);
    return kib << 10;
}

/* A quarter of a million: touching a page takes longer than all else here. RAVEL_TEST_SCALE=400
 * makes it a whole one. */
static int many_stacks(void)
{
    const char *scale = getenv("RAVEL_TEST_SCALE");
    int percent = scale ? atoi(scale) : 100;
    return 2500 * (percent > 0 ? percent : 100);
}

static void a_million_stacks_take_a_page_and_no_mapping_each(void **state)
{
    (void)state;
    int many = many_stacks();
    open_with(NULL);
    if (is_under_a_tool() || available_bytes() < (size_t)6 << 30 || !stats().has_light_guards ||
        stats().capacity < (size_t)many) {
        close_all();
        skip();
    }
    size_t mappings_before = mappings();
    struct rvi_stack *list = NULL;
    for (int i = 0; i < many; i++) {
        struct rvi_stack *stack = take();
        stack->next = list;
        list = stack;
    }
    assert_true(mappings() <= mappings_before + 50);
    assert_int_equal(stats().resident_bytes, (size_t)many * rvi_page_bytes());
    assert_true(is_guard(list->low - 1));
    for (struct rvi_stack *stack; (stack = list);) {
        list = stack->next;
        rvi_stack_cache_push(&cache, stack);
    }
    close_all();
    assert_true(mappings() <= mappings_before);
}

static size_t open_files(void)
{
    size_t open = 0;
    for (int fd = 0; fd < 256; fd++)
        open += lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF;
    return open;
}

static void closing_leaves_no_mapping_and_no_descriptor(void **state)
{
    (void)state;
    assert_null(rvi_stack_pool_close(NULL));
    open_with(NULL);
    close_all();
    size_t files = open_files(), maps = mappings();
    for (int i = 0; i < 20; i++) {
        open_with(&(struct rvi_stack_pool_opts){.force_mprotect = i & 1});
        rvi_stack_cache_push(&cache, take());
        close_all();
    }
    assert_int_equal(open_files(), files);
    if (!is_under_a_tool()) /* their own allocators map as they like */
        assert_int_equal(mappings(), maps);
}

/* ---- high water ---- */

static void high_water_is_unknown_unless_asked_for(void **state)
{
    (void)state;
    open_with(NULL);
    struct rvi_stack *stack = take();
    assert_int_equal(rvi_stack_high_water(stack), -ENOTSUP);
    rvi_stack_cache_push(&cache, stack);
    close_all();
}

static void high_water_starts_afresh_with_each_taking(void **state)
{
    (void)state;
    open_with(&(struct rvi_stack_pool_opts){.measure = true});
    struct rvi_stack *stack = take();
    assert_int_equal(rvi_stack_high_water(stack), 0);
    memset(stack->high - 10000, 0, 10000 - 64);
    assert_int_equal(rvi_stack_high_water(stack), 10000);
    rvi_stack_cache_push(&cache, stack);
    assert_ptr_equal(take(), stack);
    assert_int_equal(rvi_stack_high_water(stack), 0);
    memset(stack->high - 64, 0, 64);
    assert_int_equal(rvi_stack_high_water(stack), 64);
    rvi_stack_cache_push(&cache, stack);
    rvi_stack_cache_trim(&cache, 0);
    assert_ptr_equal(take(), stack);
    assert_int_equal(rvi_stack_high_water(stack), 0);
    memset(stack->low, 0, 8);
    assert_int_equal(rvi_stack_high_water(stack), stack->high - stack->low);
    rvi_stack_cache_push(&cache, stack);
    close_all();
}

/* ---- find ---- */

static void find_tells_guard_from_body(void **state)
{
    (void)state;
    struct rvi_stack *stacks[FEW], *found;
    open_with(NULL);
    take_few(stacks);
    for (int i = 0; i < FEW; i++) {
        found = NULL;
        assert_int_equal(rvi_stack_pool_find(pool, stacks[i]->low - 1, &found), RVI_STACK_GUARD);
        assert_ptr_equal(found, stacks[i]);
        assert_int_equal(rvi_stack_pool_find(pool, stacks[i]->low - (16 << 10), &found),
                         RVI_STACK_GUARD);
        assert_ptr_equal(found, stacks[i]);
        found = NULL;
        assert_int_equal(rvi_stack_pool_find(pool, stacks[i]->low, &found), RVI_STACK_BODY);
        assert_int_equal(rvi_stack_pool_find(pool, stacks[i]->high, &found), RVI_STACK_BODY);
        assert_ptr_equal(found, stacks[i]);
    }
    push_few(stacks);
    close_all();
}

static void find_knows_nothing_outside_of_carved_slots(void **state)
{
    (void)state;
    struct rvi_stack *found = NULL;
    char here;
    open_with(NULL);
    struct rvi_stack *stack = take();
    char *low = stack->low;
    size_t slot = stats().usable_bytes + (16 << 10);
    assert_int_equal(rvi_stack_pool_find(pool, &here, &found), RVI_STACK_NONE);
    assert_int_equal(rvi_stack_pool_find(pool, NULL, &found), RVI_STACK_NONE);
    assert_int_equal(rvi_stack_pool_find(pool, (void *)UINTPTR_MAX, &found), RVI_STACK_NONE);
    char *first_slot = low - (16 << 10) - stack->index * slot;
    assert_int_equal(rvi_stack_pool_find(pool, first_slot - 1, &found), RVI_STACK_NONE);
    char *end = first_slot + stats().carved * slot;
    assert_int_equal(rvi_stack_pool_find(pool, end, &found), RVI_STACK_NONE);
    assert_int_equal(rvi_stack_pool_find(pool, end - 1, &found), RVI_STACK_BODY);
    rvi_stack_cache_push(&cache, stack);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stack_is_usable_and_has_a_guard_below),
        cmocka_unit_test(every_stack_has_a_guard_on_older_kernels_too),
        cmocka_unit_test(neighbours_start_in_different_cache_lines),
        cmocka_unit_test(the_descriptors_page_has_room_for_the_first_frames),
        cmocka_unit_test(a_taken_stack_holds_one_page),
        cmocka_unit_test(sizes_are_rounded_to_pages),
        cmocka_unit_test(adopting_a_thread_gives_its_bounds),
        cmocka_unit_test(pop_returns_the_newest),
        cmocka_unit_test(a_full_cache_returns_the_oldest_to_the_pool),
        cmocka_unit_test(returned_slots_are_carved_only_once),
        cmocka_unit_test(finishing_a_cache_gives_back_every_page),
        cmocka_unit_test(trim_keeps_the_newest_warm_and_one_page_of_the_others),
        cmocka_unit_test(trim_finds_what_became_dirty_since),
        cmocka_unit_test(trim_reaches_the_cold_list),
        cmocka_unit_test(threads_never_share_a_stack),
        cmocka_unit_test(a_full_pool_says_so_and_recovers),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(open_fails_cleanly_without_memory),
        cmocka_unit_test(a_small_address_space_holds_fewer_stacks),
        cmocka_unit_test(guards_by_mprotect_leave_mappings_to_the_program),
        cmocka_unit_test(a_million_stacks_take_a_page_and_no_mapping_each),
        cmocka_unit_test(closing_leaves_no_mapping_and_no_descriptor),
        cmocka_unit_test(high_water_is_unknown_unless_asked_for),
        cmocka_unit_test(high_water_starts_afresh_with_each_taking),
        cmocka_unit_test(find_tells_guard_from_body),
        cmocka_unit_test(find_knows_nothing_outside_of_carved_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
