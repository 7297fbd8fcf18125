/* SPDX-License-Identifier: MIT */
/* test_ctx.c - switch, unwinding and stacks, without a test library: prints TAP, so that it runs
 * under an emulator as well as natively. The emulator ignores MADV_GUARD_INSTALL, so this is also
 * where the pool has to notice that and to fall back. */
#include "sys/ctx.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

#include "sys/fault.h"
#include "sys/fiber_hooks.h"
#include "sys/stack.h"

static int tests_run, tests_failed;

static void check(bool good, const char *name)
{
    tests_failed += !good;
    printf("%sok %d - %s\n", good ? "" : "not ", ++tests_run, name);
    fflush(stdout);
}

static _Alignas(16) char fiber_bytes[64 << 10];
static char *const fiber_top = fiber_bytes + sizeof(fiber_bytes);
static void *thread_ctx, *fiber_ctx;

static void *to_fiber(void *pass)
{
    return rvi_ctx_switch(&thread_ctx, fiber_ctx, pass);
}

static void *to_thread(void *pass)
{
    return rvi_ctx_switch(&fiber_ctx, thread_ctx, pass);
}

static void echo_entry(void *pass)
{
    for (;;)
        pass = to_thread((char *)pass + 1);
}

static void test_values(void)
{
    bool good = true;
    fiber_ctx = rvi_ctx_make(fiber_top, echo_entry);
#if defined(__aarch64__)
    const void *first = rvi_ctx_start;
#else
    const void *first = (const void *)(uintptr_t)echo_entry;
#endif
    check(rvi_ctx_saved_pc(fiber_ctx) == first, "a fresh context starts where it should");
    for (int i = 0; i < 100; i++)
        good = good && to_fiber(fiber_bytes + i) == fiber_bytes + i + 1;
    check(good, "values pass both ways");
    uintptr_t distance = (uintptr_t)rvi_ctx_saved_pc(fiber_ctx) - (uintptr_t)rvi_ctx_start;
    check(distance > 64, "a suspended context continues in its own code");
}

static void address_entry(void *pass)
{
    *(void **)pass = __builtin_frame_address(0);
    for (;;)
        to_thread(NULL);
}

static void test_alignment(void)
{
    bool good = true;
    for (int odd = 0; odd < 64; odd++) {
        void *frame = NULL;
        fiber_ctx = rvi_ctx_make(fiber_top - odd, address_entry);
        to_fiber(&frame);
        good = good && frame && (uintptr_t)frame % 16 == 0 && (char *)frame < fiber_top - odd;
    }
    check(good, "entry runs on an aligned stack whatever the top");
}

static volatile long secret_long = 3;
static volatile double secret_double = 0.5;

/* More live values across a switch than there are registers that survive a call. */
__attribute__((noinline)) static bool registers_survive(long salt, void *(*turn)(void *))
{
    long ints[12];
    double reals[10];
    long a = secret_long + salt, b = a * 3, c = b ^ 5, d = c + 7, e = d * 11, f = e - 13,
         g = f * 17;
    long h = g + 19, i = h * 23, j = i ^ 29, k = j + 31, l = k * 37;
    double p = secret_double + (double)salt, q = p * 3, r = q + 5, s = r * 7, t = s - 11,
           u = t * 13;
    double v = u + 17, w = v * 19, x = w - 23, y = x * 29;
    memcpy(ints, (long[]){a, b, c, d, e, f, g, h, i, j, k, l}, sizeof(ints));
    memcpy(reals, (double[]){p, q, r, s, t, u, v, w, x, y}, sizeof(reals));
    turn(NULL);
    return memcmp(ints, (long[]){a, b, c, d, e, f, g, h, i, j, k, l}, sizeof(ints)) == 0 &&
           memcmp(reals, (double[]){p, q, r, s, t, u, v, w, x, y}, sizeof(reals)) == 0;
}

static void registers_entry(void *pass)
{
    (void)pass;
    for (long salt = 1000;; salt++) {
        if (!registers_survive(salt, to_thread))
            to_thread(fiber_bytes);
    }
}

static void test_registers(void)
{
    bool good = true;
    fiber_ctx = rvi_ctx_make(fiber_top, registers_entry);
    for (long salt = 1; salt < 100; salt++)
        good = registers_survive(salt, to_fiber) && !to_fiber(NULL) && good;
    check(good, "registers that a call preserves survive a switch");
}

/* On Linux x18 is a register like any other: what a switch does not say to be lost may stay
 * there. */
static void regress_x18(void)
{
    bool good = true;
    fiber_ctx = rvi_ctx_make(fiber_top, echo_entry);
    for (int i = 0; i < 100; i++) {
#if defined(__aarch64__)
        __asm__ volatile("mov x18, 0" ::: "x18");
#endif
        good = good && to_fiber(fiber_bytes + i) == fiber_bytes + i + 1;
    }
    check(good, "regress: nothing is kept in x18 over a switch");
}

struct trace {
    const char *at[64];
    int depth;
};

static _Unwind_Reason_Code one_frame(struct _Unwind_Context *context, void *arg)
{
    struct trace *trace = arg;
    trace->at[trace->depth++] = (const char *)_Unwind_GetIP(context);
    return trace->depth < 64 ? _URC_NO_REASON : _URC_END_OF_STACK;
}

__attribute__((noinline)) static void trace_at_depth(struct trace *trace, int depth)
{
    if (depth > 0)
        trace_at_depth(trace, depth - 1);
    else
        _Unwind_Backtrace(one_frame, trace);
    __asm__ volatile("" ::: "memory");
}

static void trace_entry(void *pass)
{
    trace_at_depth(pass, 5);
    to_thread(NULL);
}

static void test_unwinding(void)
{
    struct trace trace = {.depth = 0};
    fiber_ctx = rvi_ctx_make(fiber_top, trace_entry);
    to_fiber(&trace);
    if (trace.depth > 0 && !trace.at[trace.depth - 1])
        trace.depth--;
    const char *last = trace.depth > 0 ? trace.at[trace.depth - 1] : NULL;
    check(trace.depth >= 7 && trace.depth <= 12, "the unwinder sees every frame and no garbage");
    check(last >= rvi_ctx_first_frame && last < rvi_ctx_first_frame + 16,
          "the unwinder ends at the first frame");
}

/* ---- fibers on pooled stacks ---- */

enum { FIBERS = 200, ROUNDS = 10 };

static struct rvi_stack home;

static void counting_entry(void *pass)
{
    struct rvi_stack *self = pass;
    rvi_stack_entered(self);
    for (int i = 0; i < ROUNDS; i++) {
        ++*(int *)self->user;
        rvi_stack_switch(self, &home, NULL);
    }
    rvi_stack_switch_final(&home, NULL);
}

static void test_pool(bool force_mprotect, const char *name)
{
    static int counts[FIBERS];
    static struct rvi_stack *stacks[FIBERS];
    struct rvi_stack_pool *pool;
    struct rvi_stack_cache cache;
    struct rvi_stack_pool_opts opts = {.max = 4096, .force_mprotect = force_mprotect};
    memset(counts, 0, sizeof(counts));
    bool good = rvi_stack_pool_open(&pool, &opts) == 0 && rvi_stack_adopt_thread(&home) == 0;
    if (!good) {
        check(false, name);
        return;
    }
    rvi_stack_cache_init(&cache, pool);
    for (int i = 0; i < FIBERS; i++) {
        good = rvi_stack_cache_take(&cache, &stacks[i]) == 0 && good;
        stacks[i]->user = &counts[i];
        rvi_stack_prepare(stacks[i], counting_entry);
    }
    for (int round = 0; round <= ROUNDS; round++) {
        for (int i = 0; i < FIBERS; i++)
            rvi_stack_switch(&home, stacks[i], stacks[i]);
    }
    for (int i = 0; i < FIBERS; i++) {
        good = good && counts[i] == ROUNDS;
        rvi_stack_cache_push(&cache, stacks[i]);
    }
    rvi_stack_cache_trim(&cache, 10);
    rvi_stack_cache_fini(&cache);
    rvi_stack_pool_close(pool);
    check(good, name);
}

static int describe(const struct rvi_stack *stack, char *buf, size_t n)
{
    (void)stack;
    return snprintf(buf, n, "task 'deep'");
}

__attribute__((noinline)) static int recurse(volatile char *above, int depth)
{
    volatile char bytes[256];
    bytes[0] = (char)(above[0] + 1);
    return depth == 0 ? bytes[0] : recurse(bytes, depth - 1) + bytes[0];
}

static void overflow_entry(void *pass)
{
    volatile char first = 0;
    rvi_stack_entered(pass);
    (void)recurse(&first, 1000000);
    rvi_stack_switch_final(&home, NULL);
}

static int overflow(int error_fd)
{
    struct rvi_stack_pool *pool;
    struct rvi_stack_cache cache;
    struct rvi_stack *stack;
    struct rvi_fault_thread alternate;
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(error_fd, STDERR_FILENO);
    if (rvi_stack_pool_open(&pool, NULL) != 0 || rvi_stack_adopt_thread(&home) != 0 ||
        rvi_fault_thread_enter(&alternate) != 0 || rvi_fault_install(pool, describe) != 0)
        return 3;
    rvi_stack_cache_init(&cache, pool);
    if (rvi_stack_cache_take(&cache, &stack) != 0)
        return 4;
    rvi_stack_prepare(stack, overflow_entry);
    rvi_stack_switch(&home, stack, stack);
    return 0;
}

static void test_overflow(void)
{
    char text[1024] = "";
    int fds[2], status = 0;
    if (pipe(fds) != 0)
        return;
    pid_t child = fork();
    if (child == 0)
        _exit(overflow(fds[1]));
    close(fds[1]);
    size_t used = 0;
    ssize_t n;
    while ((n = read(fds[0], text + used, sizeof(text) - 1 - used)) > 0)
        used += (size_t)n;
    waitpid(child, &status, 0);
    check(strstr(text, "ravel: stack overflow in task 'deep': its stack of 64 KiB") != NULL,
          "an overflow names the task");
    /* By a signal, unless a sanitizer's own handler comes in between. */
    check(status != 0, "an overflow kills");
}

int main(void)
{
    test_values();
    test_alignment();
    test_registers();
    regress_x18();
    test_unwinding();
    test_pool(false, "fibers run on pooled stacks");
    test_pool(true, "fibers run on stacks guarded by mprotect");
    test_overflow();
    printf("1..%d\n", tests_run);
    return tests_failed != 0;
}
