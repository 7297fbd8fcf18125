/* SPDX-License-Identifier: MIT */
/* stream.h - a program under check that has been loaded once, and runs as often as it is asked to:
 * the driver's end of wire.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/text.h"
#include "check/wire.h"

enum { CK_STREAMS_MOST = 256 };

/* What CK_ENV says in the program: above what it would be given itself, and the same each time. */
#define CK_STREAM_NUMBERS "200,201"

struct ck_stream;

struct ck_stream_opts {
    const char *program;         /* its file, with a slash in its name */
    const char *const *argv;     /* ended by NULL */
    const char *runtime;         /* libravel_check.so, an absolute path */
    const char *const *debugger; /* a command that is put before it, ended by NULL; or NULL */
    bool is_randomised;          /* addresses are left as random as the system has them */
};

/** Start the program; it stops before its main().
 *
 * @param ret_why  on failure, a sentence for the user
 * Errors:  -ENOEXEC it ends or is no program that can be checked; any of fork, execve and memfd
 * Blocks:  until its constructors have run */
int ck_stream_open(const struct ck_stream_opts *opts, struct ck_stream **ret,
                   struct rvi_text *ret_why) __attribute__((warn_unused_result));

/** The mapping. Between ck_stream_start() and ck_stream_finish() it is the program's. */
struct ck_shared *ck_stream_shared(struct ck_stream *stream);

/** Begin an execution of the plan that is in the mapping.
 * Errors: -EPIPE the server is gone. */
int ck_stream_start(struct ck_stream *stream) __attribute__((warn_unused_result));

/** Wait for one of these, each started, to end its execution.
 *
 * @param count      1 to CK_STREAMS_MOST
 * @param ret_which  its index; its result has been made safe to read: no count beyond its array,
 *                   no text without an end
 * Errors:  -EPIPE its server is gone; -ETIME it makes no step for longer than the server's own
 *          watch takes (both: its *ret_which is good for ck_stream_close() only); -EINTR a signal
 *          came
 * Blocks:  until then */
int ck_stream_finish(struct ck_stream *const *streams, size_t count, size_t *ret_which)
    __attribute__((warn_unused_result));

/** Both of one. */
int ck_stream_run(struct ck_stream *stream) __attribute__((warn_unused_result));

/** The last bytes that the execution has written to its standard output (1) or error (2).
 *
 * @return how many; never more than `room` */
size_t ck_stream_output(struct ck_stream *stream, int fd, char *to, size_t room);

/** How many bytes it has written in all. */
size_t ck_stream_output_bytes(struct ck_stream *stream, int fd);

/** Wait until its process, or its debugger's, ends by itself. */
void ck_stream_wait(struct ck_stream *stream);

/** End it and all that it started in its process group. NULL does nothing. */
void ck_stream_close(struct ck_stream *stream);
