/* SPDX-License-Identifier: MIT */
/* test_ctx.c - the stack switch: values, registers, alignment, and what unwinders and gdb see.
 *
 * Started with an argument this program is what the gdb tests debug (see debuggee()). The
 * sanitizers are not told of the switches here, so nothing on these stacks may rely on them. */
#include "sys/ctx.h"

#include <execinfo.h>
#include <stdio.h>
#include <unwind.h>

#include "sys/fiber_hooks.h"
#include "sys_test.h"

/* Keeps a call from being inlined or turned into a jump: its frame must exist. */
#define FRAME __attribute__((noinline))
#define FRAME_ENDS __asm__ volatile("" ::: "memory")

enum { STACK_BYTES = 256 << 10 };

static _Alignas(4096) char fiber_stack[STACK_BYTES];
static char *const fiber_top = fiber_stack + STACK_BYTES;
static void *thread_ctx, *fiber_ctx;

/* The fiber before was left without unwinding: its frames' red zones are still poisoned. */
static void *make(void *stack_top, void (*entry)(void *pass))
{
#if RVI_ASAN
    __asan_unpoison_memory_region(fiber_stack, sizeof fiber_stack);
#endif
    return rvi_ctx_make(stack_top, entry);
}

FRAME static void *to_fiber(void *pass)
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

static void values_pass_both_ways(void **state)
{
    (void)state;
    char text[16];
    fiber_ctx = make(fiber_top, echo_entry);
    for (int i = 0; i < 8; i++)
        assert_ptr_equal(to_fiber(text + i), text + i + 1);
}

static void address_entry(void *pass)
{
    *(void **)pass = __builtin_frame_address(0);
    for (;;)
        to_thread(NULL);
}

/* The frame pointer is 16 below the aligned stack pointer of the call, on both CPUs. */
static void entry_runs_on_an_aligned_stack_whatever_the_top(void **state)
{
    (void)state;
    for (int odd = 0; odd < 64; odd++) {
        void *frame = NULL;
        fiber_ctx = make(fiber_top - odd, address_entry);
        to_fiber(&frame);
        assert_int_equal((uintptr_t)frame % 16, 0);
        assert_true((char *)frame > fiber_stack && (char *)frame < fiber_top - odd);
    }
}

static volatile long secret_long = 3;
static volatile double secret_double = 0.5;

/* More live values across a switch than there are registers that survive a call. */
FRAME static int registers_survive(long salt, void *(*turn)(void *))
{
    long a = secret_long + salt, b = a * 3, c = b ^ 5, d = c + 7, e = d * 11, f = e - 13,
         g = f * 17;
    long h = g + 19, i = h * 23, j = i ^ 29, k = j + 31;
    double p = secret_double + (double)salt, q = p * 3, r = q + 5, s = r * 7, t = s - 11,
           u = t * 13;
    double v = u + 17, w = v * 19;
    turn(NULL);
    int good = a == secret_long + salt && b == a * 3 && c == (b ^ 5) && d == c + 7 && e == d * 11;
    good = good && f == e - 13 && g == f * 17 && h == g + 19 && i == h * 23 && j == (i ^ 29);
    good = good && k == j + 31 && p == secret_double + (double)salt && q == p * 3 && r == q + 5;
    return good && s == r * 7 && t == s - 11 && u == t * 13 && v == u + 17 && w == v * 19;
}

static void registers_entry(void *pass)
{
    (void)pass;
    for (long salt = 1000;; salt++) {
        if (!registers_survive(salt, to_thread))
            to_thread(fiber_stack);
    }
}

static void callee_saved_registers_survive(void **state)
{
    (void)state;
    fiber_ctx = make(fiber_top, registers_entry);
    for (long salt = 1; salt < 100; salt++) {
        assert_true(registers_survive(salt, to_fiber));
        assert_null(to_fiber(NULL));
    }
}

static void saved_pc_of_a_fresh_context_leads_to_its_entry(void **state)
{
    (void)state;
    fiber_ctx = make(fiber_top, echo_entry);
#if defined(__x86_64__)
    assert_ptr_equal(rvi_ctx_saved_pc(fiber_ctx), (const void *)(uintptr_t)echo_entry);
#else
    assert_ptr_equal(rvi_ctx_saved_pc(fiber_ctx), rvi_ctx_start);
#endif
}

/* Nothing that ran on the stack has written over it. */
static void a_fresh_context_can_be_used_again(void **state)
{
    (void)state;
    char text[4];
    void *fresh = make(fiber_top, echo_entry);
    for (int i = 0; i < 3; i++) {
        fiber_ctx = fresh;
        assert_ptr_equal(to_fiber(text), text + 1);
        assert_ptr_equal(to_fiber(text + 2), text + 3);
    }
}

static void saved_pc_is_where_the_switch_returns(void **state)
{
    (void)state;
    fiber_ctx = make(fiber_top, echo_entry);
    to_fiber(NULL);
    const char *here = rvi_ctx_saved_pc(fiber_ctx);
    const char *function = (const char *)(uintptr_t)to_thread;
    const char *inlined_into = (const char *)(uintptr_t)echo_entry;
    assert_true((here > function && here < function + 256) ||
                (here > inlined_into && here < inlined_into + 256));
}

/* ---- unwinding ---- */

struct trace {
    void *at[64];
    int depth;
};

static bool is_first_frame(const void *pc)
{
    return (const char *)pc >= rvi_ctx_first_frame && (const char *)pc < rvi_ctx_first_frame + 16;
}

FRAME static void trace_at_depth(struct trace *trace, int depth, void (*record)(struct trace *))
{
    if (depth > 0)
        trace_at_depth(trace, depth - 1, record);
    else
        record(trace);
    FRAME_ENDS;
}

static void by_backtrace(struct trace *trace)
{
    trace->depth = backtrace(trace->at, 64);
}

static _Unwind_Reason_Code one_frame(struct _Unwind_Context *context, void *arg)
{
    struct trace *trace = arg;
    trace->at[trace->depth++] = (void *)_Unwind_GetIP(context);
    return trace->depth < 64 ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static void by_unwind(struct trace *trace)
{
    assert_int_equal(_Unwind_Backtrace(one_frame, trace), _URC_END_OF_STACK);
}

static void backtrace_entry(void *pass)
{
    trace_at_depth(pass, 5, by_backtrace);
    to_thread(NULL);
}

static void unwind_entry(void *pass)
{
    trace_at_depth(pass, 5, by_unwind);
    to_thread(NULL);
}

/* record, 6 nested frames, entry, first frame; the walkers may count themselves. */
static void check_trace(void (*entry)(void *))
{
    struct trace trace = {0};
    fiber_ctx = make(fiber_top, entry);
    to_fiber(&trace);
    assert_in_range(trace.depth, 8, 12);
    /* _Unwind_Backtrace may tell the end as a last frame at address 0. */
    if (!trace.at[trace.depth - 1])
        trace.depth--;
    assert_true(is_first_frame(trace.at[trace.depth - 1]));
    for (int i = 0; i < trace.depth - 1; i++)
        assert_false(is_first_frame(trace.at[i]));
}

static void backtrace_ends_at_the_first_frame(void **state)
{
    (void)state;
    check_trace(backtrace_entry);
}

static void the_unwinder_ends_at_the_first_frame(void **state)
{
    (void)state;
    check_trace(unwind_entry);
}

/* ---- gdb ---- */

static const char *self_path;

FRAME static void stop_for_gdb(void)
{
    raise(SIGTRAP);
    FRAME_ENDS;
}

static void debuggee_entry(void *pass)
{
    for (;;) {
        if (pass)
            stop_for_gdb();
        pass = to_thread(NULL);
        FRAME_ENDS;
    }
}

static int debuggee(bool stop_inside)
{
    fiber_ctx = make(fiber_top, debuggee_entry);
    to_fiber(stop_inside ? fiber_stack : NULL);
    to_fiber(NULL);
    FRAME_ENDS;
    return 0;
}

/* What gdb prints for a script and an argument to this program; false when gdb cannot be used. */
static bool gdb_says(const char *script, const char *argument, char *text, size_t n)
{
    char path[] = "/tmp/ravel-gdb-XXXXXX", command[1024];
    if (is_under_a_tool() || system("gdb --version > /dev/null 2>&1") != 0) {
        print_message("skipped: gdb is missing, or a tool is already watching\n");
        return false;
    }
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, script, strlen(script)), (ssize_t)strlen(script));
    close(fd);
    snprintf(command, sizeof(command), "gdb -nx -batch -x %s --args %s %s 2>&1", path, self_path,
             argument);
    FILE *out = popen(command, "re");
    assert_non_null(out);
    size_t used = fread(text, 1, n - 1, out);
    text[used] = '\0';
    pclose(out);
    unlink(path);
    if (strstr(text, "ptrace: Operation not permitted") || strstr(text, "Cannot create process")) {
        print_message("skipped: gdb may not trace here\n");
        return false;
    }
    return true;
}

static int count(const char *text, const char *word)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        n++;
    return n;
}

static void gdb_sees_a_fiber_from_top_to_first_frame(void **state)
{
    (void)state;
    static char text[1 << 16];
    if (!gdb_says("run\nbt\n", "stop", text, sizeof(text)))
        skip();
    assert_int_equal(count(text, "in stop_for_gdb"), 1);
    assert_int_equal(count(text, "in debuggee_entry"), 1);
    assert_int_equal(count(text, "in rvi_ctx_first_frame"), 1);
    assert_int_equal(count(text, "Backtrace stopped"), 0);
    assert_int_equal(count(text, "in main"), 0);
}

/* The last line that starts with '#', gdb's mark of a frame. */
static bool ends_at_main_or_first_frame(const char *text)
{
    const char *last = NULL;
    for (const char *at = text; (at = strstr(at, "\n#")); at++)
        last = at + 1;
    if (!last)
        return false;
    char line[512];
    size_t n = strcspn(last, "\n");
    snprintf(line, sizeof(line), "%.*s", (int)n, last);
    return strstr(line, " main (") || strstr(line, "rvi_ctx_first_frame (");
}

/* Step through three switches instruction by instruction: at each the stack unwinds either to main
 * or to the fiber's first frame. */
static void gdb_unwinds_at_every_instruction_of_the_switch(void **state)
{
    (void)state;
    static char text[1 << 18];
    const char *script = "set width 0\n"
                         "break to_fiber\n"
                         "run\n"
                         "set $step = 0\n"
                         "while $step < 90\n"
                         "  echo STEP\\n\n"
                         "  bt\n"
                         "  stepi\n"
                         "  set $step = $step + 1\n"
                         "end\n"
                         "kill\n";
    if (!gdb_says(script, "go", text, sizeof(text)))
        skip();
    int steps = 0;
    char *rest = strstr(text, "STEP\n");
    for (char *chunk; (chunk = rest); steps++) {
        rest = strstr(chunk + 1, "STEP\n");
        if (rest)
            rest[-1] = '\0';
        assert_int_equal(count(chunk, "Backtrace stopped"), 0);
        assert_true(ends_at_main_or_first_frame(chunk));
    }
    assert_int_equal(steps, 90);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_pass_both_ways),
        cmocka_unit_test(entry_runs_on_an_aligned_stack_whatever_the_top),
        cmocka_unit_test(callee_saved_registers_survive),
        cmocka_unit_test(saved_pc_of_a_fresh_context_leads_to_its_entry),
        cmocka_unit_test(a_fresh_context_can_be_used_again),
        cmocka_unit_test(saved_pc_is_where_the_switch_returns),
        cmocka_unit_test(backtrace_ends_at_the_first_frame),
        cmocka_unit_test(the_unwinder_ends_at_the_first_frame),
        cmocka_unit_test(gdb_sees_a_fiber_from_top_to_first_frame),
        cmocka_unit_test(gdb_unwinds_at_every_instruction_of_the_switch),
    };
    if (argc > 1)
        return debuggee(strcmp(argv[1], "stop") == 0);
    self_path = argv[0];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
