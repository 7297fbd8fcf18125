/* SPDX-License-Identifier: MIT */
/* switch.c - the bare switch between fibers below the scheduler, and a stack from the worker's
 * cache and back into it: the floors of every other figure.
 *
 * `fibers` counts the measuring context; it switches to each of the others in turn, and each
 * switches straight back. Their stacks come from the pool as tasks' do, so with a thousand of them
 * the figure tells whether their hot lines compete for the same sets of the cache.
 *
 * Neither thing is public, so this file alone in bench/ includes from src/sys and is linked with
 * the static library. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#include "sys/ctx.h"
#include "sys/stack.h"

static void *main_ctx;
static struct rvi_stack **others;
static long count;

static void switch_back(void *pass)
{
    struct rvi_stack *me = pass;
    for (;;)
        (void)rvi_ctx_switch(&me->ctx, main_ctx, NULL);
}

static void run_switch(void *arg, long ops)
{
    (void)arg;
    long at = 0;
    for (; ops > 1; ops -= 2) {
        (void)rvi_ctx_switch(&main_ctx, others[at]->ctx, others[at]);
        at = at + 1 == count ? 0 : at + 1;
    }
}

static void bench_switch(struct rvi_stack_cache *cache)
{
    count = bench_param("fibers", 2) - 1;
    others = calloc((size_t)count + 1, sizeof(struct rvi_stack *));
    bench_require(others && count > 0, "fibers: fewer than 2, or too many");
    for (long i = 0; i < count; i++) {
        bench_must(rvi_stack_cache_take(cache, &others[i]), "rvi_stack_cache_take");
        others[i]->ctx = rvi_ctx_make(others[i]->high, switch_back);
    }
    bench_batches(run_switch, NULL, 10000000);
    for (long i = 0; i < count; i++)
        rvi_stack_cache_push(cache, others[i]);
    free(others);
}

static void run_cached(void *arg, long ops)
{
    struct rvi_stack *stack;
    while (ops-- > 0) {
        bench_must(rvi_stack_cache_take(arg, &stack), "rvi_stack_cache_take");
        stack->ctx = rvi_ctx_make(stack->high, switch_back);
        rvi_stack_cache_push(arg, stack);
    }
}

int main(int argc, char **argv)
{
    struct rvi_stack_pool *pool;
    struct rvi_stack_cache cache;
    bench_begin("switch", "ravel", argc, argv);
    bench_must(rvi_stack_pool_open(&pool, NULL), "rvi_stack_pool_open");
    rvi_stack_cache_init(&cache, pool);
    const char *what = bench_param_text("what", "switch");
    if (strcmp(what, "stack") == 0)
        bench_batches(run_cached, &cache, 10000000);
    else if (strcmp(what, "switch") == 0)
        bench_switch(&cache);
    else
        bench_not_here();
    rvi_stack_cache_fini(&cache);
    rvi_stack_pool_close(pool);
}
