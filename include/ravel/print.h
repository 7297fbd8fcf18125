/* SPDX-License-Identifier: MIT */
/* print.h - lines for people, to standard output and standard error, from any number of tasks.
 *
 * What one call prints comes out in one piece: no other call's text lies inside it, and the calls
 * of one task come out in their order. It goes into a queue, which a thread of its own writes, so
 * that a terminal that is stopped or a pipe that is full holds up nobody, until the queue of that
 * stream is as long as its bound (64 KiB, see struct rv_print_opts). From then on whoever prints
 * more waits: a task, not its worker.
 *
 * All is written before rv_run() returns and before exit() ends the process; after a panic, an
 * abort() or a crash as much as can be in a second. _exit() and signals that the program does not
 * handle lose what is in the queue at that moment. Descriptors 1 and 2 are used as they are when a
 * text is written; their flags are never touched.
 *
 * There is no order between the two streams, nor between these calls and printf() or write(2):
 * call rv_print_flush() before those, and fflush() before these. Under rv_sim_run() a text is
 * written before the call returns, in the order of the simulation. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** Which stream. */
enum rv_print_stream {
    RV_OUT = 1, /* standard output */
    RV_ERR = 2, /* standard error */
};

/** Print to standard output, formatted as by printf().
 *
 * @param format  and what it speaks of; ends with a newline where a line is to end
 * @return 0; the text is in the queue
 * Errors:  -EPIPE nobody reads it any more, -ENOSPC, -EBADF and others of write(2): an earlier text
 *          of this stream was lost by that, and this one is not printed; each loss is told once.
 *          -ECANCELED scope cancelled while the queue was full; -ENOMEM; -EAGAIN no thread for the
 *          queue; -EILSEQ, -EOVERFLOW of vsnprintf(3)
 * Blocks:  no, unless the queue is full: then the task, never its thread
 * Threads: any task of any worker, plain threads, before and after rv_run(); not signal handlers
 * Lifetime: nothing is held */
RV_API int rv_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Print to standard error, formatted as by printf().
 *
 * @param format  and what it speaks of; ends with a newline where a line is to end
 * @return 0; the text is in the queue
 * Errors:  as rv_print
 * Blocks:  no, unless the queue is full: then the task, never its thread
 * Threads: any task of any worker, plain threads, before and after rv_run(); not signal handlers
 * Lifetime: nothing is held */
RV_API int rv_print_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Print bytes as they are, with a deadline.
 *
 * A text longer than the queue's bound goes into it bit by bit, nobody else's in between. When such
 * a call is given up half way, what was in the queue is printed.
 *
 * @param stream    RV_OUT or RV_ERR
 * @param text      any bytes
 * @param bytes     how many
 * @param deadline  absolute nanoseconds, or RV_NEVER: of waiting while the queue is full
 * @return 0; the text is in the queue
 * Errors:  as rv_print; -ETIME deadline
 * Blocks:  no, unless the queue is full: then the task, never its thread
 * Threads: any task of any worker, plain threads, before and after rv_run(); not signal handlers
 * Lifetime: text until return */
RV_API RV_NODISCARD int rv_print_text(enum rv_print_stream stream, const char *text, size_t bytes,
                                      rv_time deadline);

/** Print, formatted as by vprintf(), with a deadline.
 *
 * @param stream    RV_OUT or RV_ERR
 * @param format    as of vprintf()
 * @param args      what the format speaks of; used up
 * @param deadline  absolute nanoseconds, or RV_NEVER: of waiting while the queue is full
 * @return 0; the text is in the queue
 * Errors:  as rv_print; -ETIME deadline
 * Blocks:  no, unless the queue is full: then the task, never its thread
 * Threads: any task of any worker, plain threads, before and after rv_run(); not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_print_v(enum rv_print_stream stream, const char *format, va_list args,
                                   rv_time deadline) __attribute__((format(printf, 2, 0)));

/** Wait until all that has been printed so far, on both streams, is written.
 *
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0; all of it has been handed to the kernel
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled, if it had to wait; -ENOMEM no room for the
 *          timer; those of write(2) if a text was lost and nobody has been told yet
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_print_flush(rv_time deadline);

/** How printing is set up. Zeroed fields mean the default; the environment variable named beside a
 * field sets the default of programs that leave it zero. */
struct rv_print_opts {
    size_t size;        /* sizeof(struct rv_print_opts); 0: the first release's fields */
    size_t bound_bytes; /* that may wait in each stream's queue; 0: 64 KiB
                           (RAVEL_PRINT_BYTES: 4096 to 2^30) */
};

/** Set printing up, for the whole process.
 *
 * @param opts  NULL for the defaults
 * @return 0
 * Errors:  -EBUSY something has been printed already; -EINVAL a field or RAVEL_PRINT_BYTES is out
 *          of range; -E2BIG opts has fields this library does not know
 * Blocks:  no
 * Threads: any, before anybody prints
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_print_setup(const struct rv_print_opts *opts);

/** What has become of a stream's text, in this process. */
struct rv_print_stats {
    size_t size;      /* sizeof(struct rv_print_stats); in: what the caller knows */
    uint64_t queued;  /* bytes that went into the queue */
    uint64_t written; /* of those, bytes that were written */
    uint64_t lost;    /* of those, bytes that could not be */
    uint64_t waits;   /* calls that found the queue full */
};

/** Count a stream's bytes.
 *
 * @param stream  RV_OUT or RV_ERR
 * @param stats   size set by the caller; the rest is filled in
 * @return 0
 * Errors:  -EINVAL no such stream, or stats->size is too small
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_print_stats_read(enum rv_print_stream stream,
                                            struct rv_print_stats *stats);

/* --- the log --- */

/** How much a line of the log matters. RAVEL_LOG sets the last one that is printed, `info` where
 * it is not set; `off` prints none. With ",json" behind it each line is an object of JSON. */
enum rv_log_level {
    RV_LOG_OFF,   /* of no line; to print none */
    RV_LOG_ERROR, /* something failed */
    RV_LOG_WARN,  /* something is odd */
    RV_LOG_INFO,  /* something happened */
    RV_LOG_DEBUG, /* for who looks for a mistake */
};

/** Write a line to the log, which is standard error: time, level, the task's name (of a plain
 * thread: the thread's) and the text.
 *
 * So a line begins with "2026-01-31T12:00:00.123456Z warn  fetch: ", and the objects of JSON have
 * the members time, level, task, id and text.
 *
 * Time is universal time. Where a byte of the text is no UTF-8, JSON has U+FFFD for it; a plain
 * thread has no `id`.
 *
 * @param level   a line that matters less than the log is set to costs a comparison
 * @param format  as of printf(), and what it speaks of, without a newline at its end
 * @return 0; the line is in the queue, or was not wanted
 * Errors:  as rv_print
 * Blocks:  no, unless the queue is full: then the task, never its thread
 * Threads: any task of any worker, plain threads, before and after rv_run(); not signal handlers
 * Lifetime: nothing is held */
RV_API int rv_log(enum rv_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Whether a line of that level would be printed: for what is expensive to tell.
 *
 * @param level  of the line
 * @return 1 or 0
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API int rv_log_wants(enum rv_log_level level);

/** Set the log up, for the whole process, in place of RAVEL_LOG.
 *
 * @param last  the last level that is printed
 * @param json  not 0: each line is an object of JSON
 * Errors:  none
 * Blocks:  no
 * Threads: any, at any time
 * Lifetime: nothing is held */
RV_API void rv_log_setup(enum rv_log_level last, int json);

RV_END_DECLS
