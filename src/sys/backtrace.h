/* SPDX-License-Identifier: MIT */
/* backtrace.h - who called whom on a stack that does not run, and where in the source that is.
 *
 * A view says where the stack's bytes lie and what its registers hold. The bytes may be the stack
 * itself (a parked task) or a copy (a thread that a signal has stopped for a moment). Nothing
 * outside the view's bounds is ever read, so that a damaged stack gives a short backtrace, not a
 * crash.
 *
 * With elfutils' libdw (meson option `backtraces`, and libdw.so.1 present at run time) frames are
 * unwound by the call frame information and have file and line. Without it every word of the
 * stack that looks like a return address is listed, stale ones too, with what dladdr() knows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "sys/ctx.h"
#include "sys/stack.h"

struct rvi_stack_view {
    struct rvi_regs regs;
    uintptr_t low, high; /* the addresses that the bytes belong to */
    const char *bytes;   /* where they are */
};

struct rvi_frame {
    const void *pc;       /* inside the call, not after it */
    const char *function; /* NULL: unknown */
    const char *file;     /* NULL: unknown; the last two parts of its path at most */
    int line;             /* 0: unknown */
    const char *module;   /* the program's or library's file, NULL: none */
    uintptr_t offset;     /* in the module, for addr2line */
    bool is_ours;         /* this library's own code */
};

struct rvi_backtracer;

/** What knows the program's modules and their debug information; used by one thread at a time. It
 * sees what is loaded now, not what is later. Blocks: reads files. It wants more stack than a task
 * has.
 *
 * @param exact  with libdw, if it can be had
 * @return NULL: no memory */
struct rvi_backtracer *rvi_backtracer_new(bool exact);

/* A file that another program has loaded. */
struct rvi_other_module {
    const char *path;
    int fd;         /* of that file */
    uintptr_t bias; /* what is added to the file's addresses */
};

struct rvi_other_program {
    const struct rvi_other_module *modules;
    size_t count;
    const void *own_code; /* the address there of its rvi_backtracer_new() */
};

/** The same of another program: what is told of its views and addresses is right if the modules
 * are. Without libdw there are no guesses: it is not exact, and knows nothing.
 *
 * @param other  until return; its strings until rvi_backtracer_free() */
struct rvi_backtracer *rvi_backtracer_new_other(const struct rvi_other_program *other);

/** NULL is fine. The strings of all its frames die with it. */
void *rvi_backtracer_free(struct rvi_backtracer *backtracer);

/** Whether frames are exact and have lines, or are guesses from the stack's words. */
bool rvi_backtracer_is_exact(const struct rvi_backtracer *backtracer);

/** The view of a stack that is not running; it must stay so. */
void rvi_stack_view_parked(const struct rvi_stack *stack, const void *ctx,
                           struct rvi_stack_view *ret);

/** Copy a stack's bytes, whose parts are words of ended frames; async-signal-safe. */
void rvi_stack_copy(char *to, const char *from, size_t bytes);

/** The addresses of the frames, innermost first, at most `most`. Returns how many. */
size_t rvi_backtrace(struct rvi_backtracer *backtracer, const struct rvi_stack_view *view,
                     const void **ret_pcs, size_t most);

/** A number that two stacks share only if they give the same backtrace, as far as 64 bits can tell;
 * of a million tasks waiting alike few need unwinding. */
uint64_t rvi_stack_view_key(struct rvi_backtracer *backtracer, const struct rvi_stack_view *view);

/** What is known of an address that rvi_backtrace() has returned. */
void rvi_backtrace_frame(struct rvi_backtracer *backtracer, const void *pc, struct rvi_frame *ret);

/** The name of the function that the call instruction at an address of rvi_backtrace()'s was made
 * to, in another module: also where that function has left by a tail call, and so has no frame.
 * NULL: it cannot be told, as on all CPUs but x86-64. */
const char *rvi_backtrace_callee(const void *pc);

/** The first frame that is not this library's: where in the program's code that is. False: there is
 * none. */
bool rvi_backtrace_site(struct rvi_backtracer *backtracer, const void *const *pcs, size_t count,
                        struct rvi_frame *ret);

/** Add "function at file:line", or as much of it as is known. */
void rvi_frame_add(struct rvi_text *text, const struct rvi_frame *frame);

/** Add a line for each frame, `indent` spaces before it: from the library's function that the
 * program has called, out to the last frame of the program. None, if that has left its last frame
 * by a tail call. */
void rvi_backtrace_add(struct rvi_text *text, struct rvi_backtracer *backtracer,
                       const void *const *pcs, size_t count, int indent);
