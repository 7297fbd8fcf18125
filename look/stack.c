/* SPDX-License-Identifier: MIT */
/* stack.c - the calls that a task of another program is in.
 *
 * A task that does not run has its registers on its stack, at `ctx` (sys/ctx.h). The stack is
 * copied twice, each time after a look at the descriptor, and believed if nothing differs: then
 * nobody has run on it in between, or has come back to where it was.
 *
 * Registers of one that runs are known of a core file. Of a live process the kernel tells where the
 * thread is if it sleeps in a system call (/proc/PID/task/TID/syscall), but not what callers have
 * kept in other registers than the stack pointer. If it does not sleep, the kernel samples it
 * (sample.h): that is exact, and is the task's if the descriptor is still its own afterwards, as
 * nobody else gets a stack while its task lives. Nothing is stopped to learn more.
 *
 * Checked by: tests/look/test_bt.py */
#include "look/stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "look/fields.h"
#include "look/sample.h"
#include "sys/ctx.h"

#define SAMPLE_NS (20 * RV_MILLISECOND) /* in each look */

enum { LOOKS = 16, STACK_BYTES_MOST = 4 << 20, RECORD_BYTES_MOST = 4096 };

#if defined(__x86_64__)
enum { SP_REGISTER = 7 };
#elif defined(__aarch64__)
enum { SP_REGISTER = 31 };
#endif

/* What is looked at. */
struct look {
    struct look_target *target;
    const struct rvi_layout *layout;
    const struct look_task *task;
    int thread; /* of its worker */
    struct rvi_regs regs;
    uint64_t high;       /* where its stack begins */
    char *bytes, *again; /* of the stack, from regs.sp on */
    size_t count;
    bool is_running, is_sampled, is_cut;
    int refusal; /* of the kernel, to sample it */
};

static const struct rvi_layout *layout_of(const struct look_target *target,
                                          const struct look_snapshot *snapshot,
                                          const struct look_task *task)
{
    return &target->layouts[snapshot->runtimes[task->runtime].layout];
}

/* --- registers --- */

static void know_place(struct rvi_regs *regs, uint64_t pc, uint64_t sp)
{
    *regs = (struct rvi_regs){.pc = pc, .sp = sp, .known = (uint32_t)1 << SP_REGISTER};
    regs->value[SP_REGISTER] = sp;
}

/* "number arguments sp pc", or a word. */
static int ask_kernel(struct look *look)
{
    char path[64], line[256] = "", *at = line;
    unsigned long long numbers[9];
    int count = 0;

    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", (int)look->target->pid, look->thread);
    FILE *file = fopen(path, "re");
    if (!file)
        return -EBUSY;
    if (!fgets(line, sizeof line, file))
        line[0] = '\0';
    fclose(file);
    for (char *end; count < 9; at = end, count++) {
        numbers[count] = strtoull(at, &end, 0);
        if (end == at)
            break;
    }
    if (count < 3)
        return -EBUSY;
    know_place(&look->regs, numbers[count - 1], numbers[count - 2]);
    return 0;
}

static int registers_of_running(struct look *look)
{
    look->is_running = true;
    if (!look->target->core)
        return ask_kernel(look);
    for (size_t i = 0; i < look->target->thread_count; i++) {
        if (look->target->threads[i].id == look->thread) {
            look->regs = look->target->threads[i].regs;
            return 0;
        }
    }
    return -EBUSY;
}

static int registers_of_parked(struct look *look, const char *record)
{
    struct rvi_ctx ctx;
    int r = look->target->read(look->target, look_number(look->layout, record, RVI_AT_TASK_CTX),
                               &ctx, sizeof ctx);

    if (r == 0)
        rvi_ctx_regs(&ctx, &look->regs);
    return r == -EFAULT ? -EAGAIN : r;
}

/* --- the stack --- */

static int copy_stack(struct look *look, char **ret)
{
    uint64_t sp = look->regs.sp;

    if (sp >= look->high || look->high - sp > STACK_BYTES_MOST)
        return -EAGAIN;
    look->count = (size_t)(look->high - sp);
    char *bytes = rvi_realloc(*ret, look->count);
    if (!bytes)
        return -ENOMEM;
    *ret = bytes;
    int r = look->target->read(look->target, sp, bytes, look->count);
    return r == -EFAULT ? -EAGAIN : r;
}

static int read_record(struct look *look, char *record)
{
    int r = look->target->read(look->target, look->task->address, record,
                               look->layout->records[RVI_RECORD_TASK]);

    if (r == 0 && look_number(look->layout, record, RVI_AT_TASK_ID) != look->task->id)
        return -ENOENT;
    return r;
}

/* Registers and the stack below them. */
static int take(struct look *look, const char *record, char **bytes)
{
    uint64_t stack = look_number(look->layout, record, RVI_AT_TASK_STACK);
    bool is_running = look_number(look->layout, record, RVI_AT_TASK_STATE) == RVI_TASK_RUNNING;

    look->is_running = false;
    if (!stack || !look_number(look->layout, record, RVI_AT_TASK_HOME))
        return -ENODATA;
    int r = look_read_number(look->target, look->layout, stack, RVI_AT_STACK_HIGH, &look->high);
    if (r == 0)
        r = is_running ? registers_of_running(look) : registers_of_parked(look, record);
    return r < 0 ? (r == -EFAULT ? -EAGAIN : r) : copy_stack(look, bytes);
}

static bool is_the_same(const struct look *look, const char *a, const char *b)
{
    static const enum rvi_layout_field fields[] = {RVI_AT_TASK_STATE, RVI_AT_TASK_CTX,
                                                   RVI_AT_TASK_STACK, RVI_AT_TASK_PARKED_MS};

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (look_number(look->layout, a, fields[i]) != look_number(look->layout, b, fields[i]))
            return false;
    }
    return true;
}

/* 0: it held still meanwhile. -EAGAIN: it did not. */
static int take_twice(struct look *look)
{
    char before[RECORD_BYTES_MOST], after[RECORD_BYTES_MOST];
    int r = read_record(look, before);

    if (r == 0)
        r = take(look, before, &look->bytes);
    if (r < 0)
        return r;
    struct rvi_regs regs = look->regs;
    size_t count = look->count;
    r = read_record(look, after);
    if (r == 0)
        r = take(look, after, &look->again);
    if (r < 0)
        return r;
    return is_the_same(look, before, after) && memcmp(&regs, &look->regs, sizeof regs) == 0 &&
                   count == look->count && memcmp(look->bytes, look->again, count) == 0
               ? 0
               : -EAGAIN;
}

/* It runs, and is in no system call. As take_twice(). */
static int take_sample(struct look *look)
{
    char record[RECORD_BYTES_MOST];
    struct look_sample sample;
    uint64_t stack, low;
    int r = read_record(look, record);

    if (r < 0)
        return r;
    stack = look_number(look->layout, record, RVI_AT_TASK_STACK);
    r = look_read_number(look->target, look->layout, stack, RVI_AT_STACK_LOW, &low);
    if (r == 0)
        r = look_read_number(look->target, look->layout, stack, RVI_AT_STACK_HIGH, &look->high);
    if (r < 0)
        return r == -EFAULT ? -EAGAIN : r;
    r = look_sample(look->thread, low, look->high, SAMPLE_NS, &sample);
    if (r == -ESRCH) /* the thread has: what of the program, the next look tells */
        return -EAGAIN;
    if (r == -EAGAIN || r == -ENOMEM)
        return r;
    if (r < 0) {
        look->refusal = r;
        return -EBUSY;
    }
    rvi_free(look->bytes);
    look->bytes = sample.stack;
    look->count = sample.count;
    look->regs = sample.regs;
    look->is_sampled = true;
    look->is_cut = sample.count < look->high - sample.regs.sp;
    look->high = sample.regs.sp + sample.count;
    return read_record(look, record);
}

/* --- words --- */

static int explain(const struct look *look, int r, struct look_trouble *trouble)
{
    unsigned long long id = look->task->id;

    switch (r) {
    case -ENODATA:
        return look_say(trouble, r, "task %llu has not begun: it has no stack yet", id);
    case -ENOENT:
        return look_say(trouble, r, "task %llu has ended meanwhile", id);
    case -EBUSY:
        return look_say(trouble, r,
                        "task %llu runs just now, on thread %d, and is moving: it is not stopped "
                        "to be looked at (gdb -p %d would), and the kernel does not sample it for "
                        "us: %s (see kernel.perf_event_paranoid, and perf_event_open(2) in a "
                        "container)",
                        id, look->thread, (int)look->target->pid, strerror(-look->refusal));
    case -EAGAIN:
        return look_say(trouble, r, "task %llu moved on again and again while it was looked at",
                        id);
    case -ESRCH:
        return look_say(trouble, r, "%s has ended", look->target->program);
    default:
        return look_say(trouble, r, "task %llu cannot be looked at: %s", id, strerror(-r));
    }
}

int look_stack(struct look_target *target, const struct look_snapshot *snapshot,
               const struct look_task *task, struct rvi_backtracer *backtracer,
               struct look_stack *ret, struct look_trouble *trouble)
{
    struct look look = {
        .target = target, .layout = layout_of(target, snapshot, task), .task = task};
    int r = -EAGAIN;

    if (task->worker != LOOK_NONE)
        look.thread = snapshot->runtimes[task->runtime].workers[task->worker].thread_id;
    for (int i = 0; r == -EAGAIN && i < LOOKS; i++) {
        r = take_twice(&look);
        if (r == -EBUSY && !target->core)
            r = take_sample(&look);
    }
    if (r == 0) {
        const struct rvi_stack_view view = {look.regs, look.regs.sp, look.high, look.bytes};
        *ret = (struct look_stack){
            .is_running = look.is_running, .is_sampled = look.is_sampled, .is_cut = look.is_cut};
        ret->count = rvi_backtrace(backtracer, &view, ret->pcs, LOOK_FRAMES_MOST);
    }
    rvi_free(look.bytes);
    rvi_free(look.again);
    return r < 0 ? explain(&look, r, trouble) : 0;
}

/* --- files --- */

struct rvi_backtracer *look_backtracer(struct look_target *target)
{
    struct rvi_other_program other = {.own_code = target->layouts[0].code};
    struct rvi_other_module *modules = rvi_calloc(target->module_count + 1, sizeof *modules);

    if (!modules)
        return NULL;
    for (size_t i = 0; i < target->module_count; i++) {
        int fd = look_open_module(target, &target->modules[i]);
        if (fd >= 0)
            modules[other.count++] =
                (struct rvi_other_module){target->modules[i].path, fd, target->modules[i].bias};
    }
    other.modules = modules;
    struct rvi_backtracer *backtracer = rvi_backtracer_new_other(&other);
    for (size_t i = 0; i < other.count; i++)
        close(modules[i].fd);
    rvi_free(modules);
    return backtracer;
}
