/* SPDX-License-Identifier: MIT */
/* stdio.c - stdio's reads from pipes, sockets and terminals; and devices of random bytes by name.
 *
 * libc's own read(2) inside of a stream is not ours. So a call that finds the buffer empty first
 * waits, in the scheduler, until the descriptor has something. If that is less than it asks for it
 * blocks the process with it, and the watchdog says so.
 *
 * Checked by: tests/check */
#undef _FILE_OFFSET_BITS /* both names of a function are meant here */
#ifndef __NO_INLINE__
#define __NO_INLINE__ 1 /* and the functions themselves */
#endif

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/stat.h>

#include "check/runtime/io.h"
#include "check/runtime/locks.h"
#include "check/runtime/next.h"
#include "check/runtime/objects.h"
#include "check/runtime/random.h"

static bool is_shared(int fd)
{
    struct stat about;

    return fd >= 0 && fstat(fd, &about) == 0 &&
           (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode));
}

static bool is_ready(void *arg)
{
    return CK_NEXT(poll)(arg, 1, 0) != 0;
}

static void wait_for_input(FILE *stream, uintptr_t pc)
{
    struct pollfd one = {.fd = fileno(stream), .events = POLLIN};
    const struct ck_op op = {CK_OP_IO, true, 0, (uintptr_t)one.fd + 1, pc};

    if (stream->_IO_read_ptr < stream->_IO_read_end || !is_shared(one.fd) || !ck_enter())
        return;
    ck_point(&op);
    int r = ck_io_wait_restarting(&op, one.fd, POLLIN, ck_io_is_ours(one.fd), is_ready, &one);
    if (r == -ECANCELED)
        ck_cancel_now();
    ck_leave();
}

CK_EXPORT char *fgets(char *restrict to, int bytes, FILE *restrict stream)
{
    wait_for_input(stream, CK_CALLER);
    return CK_NEXT(fgets)(to, bytes, stream);
}

CK_EXPORT size_t fread(void *restrict to, size_t bytes, size_t count, FILE *restrict stream)
{
    wait_for_input(stream, CK_CALLER);
    return CK_NEXT(fread)(to, bytes, count, stream);
}

CK_EXPORT int fgetc(FILE *stream)
{
    wait_for_input(stream, CK_CALLER);
    return CK_NEXT(fgetc)(stream);
}

#undef getc
CK_EXPORT int getc(FILE *stream)
{
    wait_for_input(stream, CK_CALLER);
    return CK_NEXT(fgetc)(stream);
}

CK_EXPORT ssize_t getdelim(char **restrict line, size_t *restrict bytes, int end,
                           FILE *restrict stream)
{
    wait_for_input(stream, CK_CALLER);
    return CK_NEXT(getdelim)(line, bytes, end, stream);
}

CK_EXPORT ssize_t getline(char **restrict line, size_t *restrict bytes, FILE *restrict stream)
{
    wait_for_input(stream, CK_CALLER);
    return CK_NEXT(getline)(line, bytes, stream);
}

/* ---- random bytes by name -------------------------------------------------------------------- */

static bool is_random_device(const char *path)
{
    return strcmp(path, "/dev/urandom") == 0 || strcmp(path, "/dev/random") == 0;
}

static int open_random(void)
{
    int fd = -1;

    if (ck_enter()) {
        fd = ck_random_device();
        ck_leave();
    }
    return fd;
}

#undef open
#undef open64
CK_EXPORT int open(const char *path, int flags, ...)
{
    va_list list;

    if (ck_self && !ck_self->inside && is_random_device(path))
        return open_random();
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
    va_end(list);
    return CK_NEXT(open)(path, flags, mode);
}

CK_EXPORT int open64(const char *path, int flags, ...)
{
    va_list list;

    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
    va_end(list);
    return open(path, flags | O_LARGEFILE, mode);
}

CK_EXPORT FILE *fopen(const char *restrict path, const char *restrict mode)
{
    if (ck_self && !ck_self->inside && is_random_device(path))
        return fdopen(open_random(), mode);
    return CK_NEXT(fopen)(path, mode);
}

CK_EXPORT FILE *fopen64(const char *restrict path, const char *restrict mode)
{
    return fopen(path, mode);
}

/* ---- streams that the program locks itself
 * ---------------------------------------------------- */

/* A model beside the stream: libc's own lock, held across points, would block the process. Who
 * prints without asking for the lock is let through meanwhile. */
static pthread_mutex_t *lock_of(FILE *stream)
{
    bool is_new;
    pthread_mutex_t *lock = ck_object(CK_STREAM, stream, sizeof *lock, &is_new);

    if (is_new)
        *lock = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    return lock;
}

CK_EXPORT void flockfile(FILE *stream)
{
    if (!ck_enter()) {
        CK_NEXT(flockfile)(stream);
        return;
    }
    const struct ck_op *op = CK_DO(CK_OP_LOCK, true, stream);
    ck_point(op);
    ck_mutex_lock(lock_of(stream), CK_NEVER, op);
    ck_leave();
}

CK_EXPORT int ftrylockfile(FILE *stream)
{
    if (!ck_enter())
        return CK_NEXT(ftrylockfile)(stream);
    const struct ck_op *op = CK_DO(CK_OP_TRYLOCK, true, stream);
    ck_point(op);
    int r = ck_mutex_trylock(lock_of(stream), op);
    ck_leave();
    return r;
}

CK_EXPORT void funlockfile(FILE *stream)
{
    if (!ck_enter()) {
        CK_NEXT(funlockfile)(stream);
        return;
    }
    const struct ck_op *op = CK_DO(CK_OP_UNLOCK, true, stream);
    ck_point(op);
    ck_mutex_unlock(lock_of(stream), op);
    ck_leave();
}
