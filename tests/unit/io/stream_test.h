/* SPDX-License-Identifier: MIT */
/* stream_test.h - a stream that dribbles: it gives or takes so many bytes a call, and fails where
 * it is told to. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <ravel.h>

struct dribble {
    const char *text;  /* to be read */
    size_t bytes, at;  /* of it; how much is gone */
    char taken[8192];  /* what was written */
    size_t count;      /* of that */
    size_t piece;      /* at most so many bytes a call */
    long calls;        /* so far */
    long fail_at;      /* that call fails; 0: none */
    int error;         /* with this */
    long writev_calls; /* those of the vectored kind */
};

static inline int dribble_fails(struct dribble *d)
{
    return ++d->calls == d->fail_at ? d->error : 0;
}

static inline size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline ssize_t dribble_read(void *object, void *buf, size_t count, rv_time deadline)
{
    struct dribble *d = object;
    int r = dribble_fails(d);
    size_t n = least_of(least_of(count, d->piece), d->bytes - d->at);
    (void)deadline;
    assert_true(count > 0);
    if (r < 0)
        return r;
    memcpy(buf, d->text + d->at, n);
    d->at += n;
    return (ssize_t)n;
}

static inline size_t dribble_take(struct dribble *d, const void *buf, size_t count)
{
    assert_true(d->count + count <= sizeof(d->taken));
    memcpy(d->taken + d->count, buf, count);
    d->count += count;
    return count;
}

static inline ssize_t dribble_write(void *object, const void *buf, size_t count, rv_time deadline)
{
    struct dribble *d = object;
    int r = dribble_fails(d);
    (void)deadline;
    assert_true(count > 0);
    return r < 0 ? r : (ssize_t)dribble_take(d, buf, least_of(count, d->piece));
}

static inline ssize_t dribble_writev(void *object, const struct iovec *iov, int iov_count,
                                     rv_time deadline)
{
    struct dribble *d = object;
    size_t sum = 0;
    int r = dribble_fails(d);
    (void)deadline;
    d->writev_calls++;
    for (int i = 0; r == 0 && i < iov_count; i++)
        sum += dribble_take(d, iov[i].iov_base, least_of(iov[i].iov_len, d->piece - sum));
    return r < 0 ? r : (ssize_t)sum;
}

static inline struct rv_stream dribble_stream(struct dribble *d)
{
    static const struct rv_stream_ops ops = {
        .size = sizeof(ops),
        .read = dribble_read,
        .write = dribble_write,
        .writev = dribble_writev,
    };
    return (struct rv_stream){&ops, d};
}

static inline struct dribble dribble_of(const char *text, size_t bytes, size_t piece)
{
    return (struct dribble){.text = text, .bytes = bytes, .piece = piece};
}
