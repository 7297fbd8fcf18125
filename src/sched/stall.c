/* SPDX-License-Identifier: MIT */
/* stall.c - one report at a time, and one a second at most.
 *
 *     monitor                              the thread that tells
 *     look at the worker's stack           started: is_telling
 *     start the thread                     find names and lines, write
 *     ... next time, if not is_telling:    is_telling = false
 *     join it
 *
 * The look is a signal to the worker's thread, some microseconds; names and lines are read from
 * files, which takes a tenth of a second and more the first time, and the monitor has others to
 * look after meanwhile. The signal (sys/capture.h) interrupts what a thread is blocked in: most
 * calls go on by themselves, but a sleep, a poll or the like ends early with EINTR, as by a
 * debugger or a profiler.
 *
 * What to call instead: of the frames on top of the stack that belong to shared libraries, the
 * outermost of the C library that instead.c knows, or rather whom the program's call instruction
 * below them calls, as some functions leave no frame; so it is getaddrinfo, not the poll inside. A
 * task that is in its own code computes.
 *
 * Checked by: tests/unit/sched/test_monitor.c, tests/unit/sched/test_instead.c */
#include "sched/stall.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "sched/culprit.h"
#include "sched/instead.h"
#include "sched/worker.h"
#include "sys/clock.h"
#include "sys/thread.h"
#include "sys/write.h"

enum { FRAMES_MOST = 32, INDENT = 4 };

#define EVERY_NS RV_SECOND
#define LOOK_NS (50 * RV_MILLISECOND)

struct rvi_stall {
    struct rvi_culprit culprit;
    struct rvi_capture capture;
    const struct rv_site *site; /* what the worker itself has said */
    int looked;                 /* 0, or why there was no look */
    rv_time held;
    unsigned untold; /* since the last that was told */
};

/* --- what to call instead --- */

static bool is_of_libc(const char *module)
{
    const char *slash = strrchr(module, '/');
    const char *name = slash ? slash + 1 : module;

    return strncmp(name, "libc.", 5) == 0 || strncmp(name, "libc-", 5) == 0 ||
           strncmp(name, "libpthread", 10) == 0 || strncmp(name, "libresolv", 9) == 0;
}

/* A sanitizer's own version, which lies in the program or in the sanitizer's library. */
static bool is_intercepted(const char *function)
{
    return function && strstr(function, "interceptor_");
}

static bool is_of_library(const struct rvi_frame *frame)
{
    return !frame->is_ours && frame->module && strstr(frame->module, ".so");
}

/* Where it is, as far as its frames have names. */
struct place {
    bool is_in_library;
    const char *call;    /* of the C library; NULL: none that is known */
    const char *instead; /* of that */
};

/* The outermost that is known. */
static void take(struct place *place, const char *call)
{
    const char *instead = call ? rvi_instead_of(call) : NULL;

    if (!instead)
        return;
    place->call = call;
    place->instead = instead;
}

static struct place find_place(struct rvi_backtracer *backtracer, const void *const *pcs,
                               size_t count)
{
    struct place place = {false, NULL, NULL};
    struct rvi_frame frame;

    for (size_t i = 0; i < count; i++) {
        rvi_backtrace_frame(backtracer, pcs[i], &frame);
        if (!is_of_library(&frame) && !is_intercepted(frame.function)) {
            take(&place, place.is_in_library ? rvi_backtrace_callee(pcs[i]) : NULL);
            break;
        }
        place.is_in_library = true;
        if (is_of_libc(frame.module) || is_intercepted(frame.function))
            take(&place, frame.function);
    }
    return place;
}

/* --- in words --- */

static void add_advice(struct rvi_text *text, struct rvi_backtracer *backtracer,
                       const void *const *pcs, size_t count)
{
    struct place place = {false, NULL, NULL};

    if (rvi_backtracer_is_exact(backtracer))
        place = find_place(backtracer, pcs, count);
    if (place.call)
        rvi_text_add(text, ": it waits in %s(): call %s instead\n",
                     place.call + strspn(place.call, "_"), place.instead);
    else if (place.is_in_library)
        rvi_text_add(text,
                     ": it is in a library's call: hand that to rv_blocking(), or if it waits "
                     "there use a call that blocks the task only\n");
    else
        rvi_text_add(text, ": let it call rv_yield() now and then, or hand the work to "
                           "rv_blocking() or an executor of threads\n");
}

static void add_stack(struct rvi_text *text, const struct rvi_capture *capture)
{
    const void *pcs[FRAMES_MOST];
    struct rvi_backtracer *backtracer = rvi_backtracer_new(true);

    if (!backtracer) {
        rvi_text_add(text, "\n");
        return;
    }
    size_t count = rvi_backtrace(backtracer, &capture->view, pcs, FRAMES_MOST);
    add_advice(text, backtracer, pcs, count);
    rvi_backtrace_add(text, backtracer, pcs, count, INDENT);
    rvi_backtracer_free(backtracer);
}

/* A task that has let go since it was noticed is named as the worker has named it then. */
static void describe(struct rvi_text *text, const struct rvi_stall *stall)
{
    const struct rvi_culprit *culprit = &stall->culprit;
    bool is_there = stall->looked == 0 && culprit->id && culprit->site == stall->site;

    if (stall->untold)
        rvi_text_add(text, "ravel: workers were held %u more times, of which nothing was told\n",
                     stall->untold);
    rvi_text_add(text, "ravel: worker %u has been held for %lld ms by task '%s' (%s:%u)",
                 culprit->worker->index, (long long)(stall->held / RV_MILLISECOND),
                 is_there ? culprit->name : stall->site->name, stall->site->file,
                 stall->site->line);
    if (is_there && culprit->scope[0])
        rvi_text_add(text, " in scope '%s'", culprit->scope);
    if (is_there)
        add_stack(text, &stall->capture);
    else if (stall->looked < 0)
        rvi_text_add(text, ": where it is cannot be seen (%s)\n", strerrorname_np(-stall->looked));
    else
        rvi_text_add(text, ": it has just let go\n");
}

static void *tell(void *arg)
{
    struct rvi_staller *staller = arg;
    struct rvi_text text = {0};

    describe(&text, staller->stall);
    if (text.bytes)
        (void)!rvi_write_all(STDERR_FILENO, text.bytes, text.count); /* nobody is left to tell */
    rvi_text_fini(&text);
    rvi_store_release(&staller->is_telling, false); /* pairs: stall-telling */
    return NULL;
}

/* --- the monitor's --- */

static void join(struct rvi_staller *staller)
{
    if (staller->is_started)
        rvi_thread_join(staller->thread);
    staller->is_started = false;
}

/* ThreadSanitizer calls handlers later, when the registers that it hands over mean nothing. */
static int find(const struct rvi_worker *w, struct rvi_stall *stall)
{
    stall->culprit = (struct rvi_culprit){.worker = w};
    return RVI_TSAN
               ? -ENOTSUP
               : rvi_culprit_find(w, rvi_clock_now() + LOOK_NS, &stall->culprit, &stall->capture);
}

static int look(struct rvi_staller *staller, const struct rvi_worker *w, rv_time held)
{
    const struct rv_site *site = rvi_load_relaxed(&w->watched);
    struct rvi_stall *stall = staller->stall;

    if (!site)
        return -ESRCH;
    if (!stall && !(stall = staller->stall = rvi_alloc(sizeof *stall)))
        return -ENOMEM;
    stall->site = site;
    stall->held = held;
    stall->untold = staller->untold;
    stall->looked = find(w, stall);
    return 0;
}

static int start(struct rvi_staller *staller, const struct rvi_worker *w, rv_time held)
{
    join(staller);
    int r = look(staller, w, held);
    if (r < 0)
        return r;
    rvi_store_relaxed(&staller->is_telling, true);
    return rvi_thread_start(&staller->thread, "ravel-stall", tell, staller);
}

void rvi_stall_tell(struct rvi_staller *staller, const struct rvi_worker *w, rv_time held)
{
    rv_time now = rvi_clock_now();
    bool is_busy = rvi_load_acquire(&staller->is_telling); /* pairs: stall-telling */

    if (is_busy || (staller->told && now - staller->told < EVERY_NS) ||
        start(staller, w, held) < 0) {
        if (!is_busy)
            rvi_store_relaxed(&staller->is_telling, false);
        staller->untold++;
        return;
    }
    staller->is_started = true;
    staller->told = now;
    staller->untold = 0;
}

void rvi_stall_fini(struct rvi_staller *staller)
{
    join(staller);
    rvi_free(staller->stall);
    staller->stall = NULL;
}
