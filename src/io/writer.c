/* SPDX-License-Identifier: MIT */
/* writer.c - a stream written through a buffer of fixed size.
 *
 *   W1  begin <= end <= size; what is taken and not written lies in data[begin, end)
 *   W2  data == NULL  =>  begin == end
 *   W3  error < 0  =>  nothing is taken or written
 *   W4  total counts each byte when it comes into the buffer, or when the stream takes it directly
 *
 * Errors stay because a call that has failed may stand between others that nobody looks at: were
 * the next one to succeed, the stream would have a hole where the failed one should be.
 *
 * Rejected: filling the buffer to its brim with the first part of what does not fit, as stdio does.
 * It saves a short write now and then, and a call that fails would have been half taken.
 * Checked by: tests/unit/io/test_writer.c */
#include <ravel/stream.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "task/waitlist.h"

struct writer {
    struct rv_stream to;
    char *data;
    size_t size, begin, end;
    uint64_t total;
    int error;
    bool is_owner; /* of the data */
};
RVI_ASSERT_FITS(struct writer, struct rv_writer);

static struct writer *inside(struct rv_writer *w)
{
    return (struct writer *)w->opaque;
}

static const struct writer *look_inside(const struct rv_writer *w)
{
    return (const struct writer *)w->opaque;
}

void rv_writer_init(struct rv_writer *w, struct rv_stream to, void *buf, size_t bytes)
{
    *inside(w) = (struct writer){
        .to = to,
        .data = buf,
        .size = buf || bytes > 0 ? bytes : RV_STREAM_BYTES,
        .is_owner = buf == NULL,
    };
}

void rv_writer_fini(struct rv_writer *w)
{
    if (inside(w)->is_owner)
        rvi_free(inside(w)->data);
}

void rv_writer_rest(struct rv_writer *w)
{
    struct writer *writer = inside(w);

    if (!writer->is_owner || writer->begin < writer->end)
        return;
    rvi_free(writer->data);
    writer->data = NULL;
    writer->begin = writer->end = 0;
}

static size_t buffered(const struct writer *writer)
{
    return writer->end - writer->begin;
}

static int fail(struct writer *writer, int error)
{
    writer->error = error;
    return error;
}

/* One call of the stream, with both places where it can take both. */
static ssize_t call_stream(const struct writer *writer, const struct iovec *iov, int iov_count,
                           rv_time deadline)
{
    const struct rv_stream_ops *ops = writer->to.ops;

    if (iov_count > 1 && ops->writev)
        return ops->writev(writer->to.object, iov, iov_count, deadline);
    if (!ops->write)
        return -EBADF;
    return ops->write(writer->to.object, iov->iov_base, iov->iov_len, deadline);
}

/* Let the stream take some of the buffer and of what follows it. Returns bytes of the latter. */
static ssize_t push(struct writer *writer, const char *data, size_t count, rv_time deadline)
{
    struct iovec iov[2];
    int n = 0;

    if (buffered(writer) > 0)
        iov[n++] = (struct iovec){writer->data + writer->begin, buffered(writer)};
    if (count > 0)
        iov[n++] = (struct iovec){(void *)(uintptr_t)data, count};
    ssize_t written = call_stream(writer, iov, n, deadline);
    if (written <= 0)
        return fail(writer, written < 0 ? (int)written : -EIO);
    size_t old = (size_t)written < buffered(writer) ? (size_t)written : buffered(writer);
    writer->begin += old;
    writer->total += (size_t)written - old;
    return written - (ssize_t)old;
}

static int flush(struct writer *writer, rv_time deadline)
{
    while (buffered(writer) > 0) {
        ssize_t r = push(writer, NULL, 0, deadline);
        if (r < 0)
            return (int)r;
    }
    writer->begin = writer->end = 0;
    return 0;
}

/* Until the buffer has room for `count` bytes, no more than its size. */
static int make_room(struct writer *writer, size_t count, rv_time deadline)
{
    if (!writer->data && !(writer->data = rvi_alloc(writer->size)))
        return fail(writer, -ENOMEM);
    return count > writer->size - writer->end ? flush(writer, deadline) : 0;
}

static int write_small(struct writer *writer, const char *data, size_t count, rv_time deadline)
{
    int r = make_room(writer, count, deadline);

    if (r < 0)
        return r;
    memcpy(writer->data + writer->end, data, count);
    writer->end += count;
    writer->total += count;
    return 0;
}

static int write_large(struct writer *writer, const char *data, size_t count, rv_time deadline)
{
    while (count > 0) {
        ssize_t n = push(writer, data, count, deadline);
        if (n < 0)
            return (int)n;
        data += n;
        count -= (size_t)n;
    }
    writer->begin = writer->end = 0;
    return 0;
}

int rv_writer_write(struct rv_writer *w, const void *data, size_t count, rv_time deadline)
{
    struct writer *writer = inside(w);

    if (writer->error < 0 || count == 0)
        return writer->error;
    if (count <= writer->size)
        return write_small(writer, data, count, deadline);
    return write_large(writer, data, count, deadline);
}

/* A text that the buffer does not hold. */
__attribute__((format(printf, 4, 0))) static int print_large(struct writer *writer,
                                                             rv_time deadline, size_t count,
                                                             const char *format, va_list values)
{
    char *text = rvi_alloc(count + 1);
    if (!text)
        return fail(writer, -ENOMEM);
    vsnprintf(text, count + 1, format, values);
    int r = write_large(writer, text, count, deadline);
    rvi_free(text);
    return r;
}

/* Format behind what is buffered. Returns the text's bytes, taken only if they are less than the
 * room, which the NUL behind them needs too. */
__attribute__((format(printf, 2, 0))) static int print_here(struct writer *writer,
                                                            const char *format, va_list values)
{
    size_t room = writer->size - writer->end;
    va_list copy;

    va_copy(copy, values);
    int n = vsnprintf(writer->data + writer->end, room, format, copy);
    va_end(copy);
    if (n >= 0 && (size_t)n < room) {
        writer->end += (size_t)n;
        writer->total += (size_t)n;
    }
    return n < 0 ? fail(writer, -errno) : n;
}

__attribute__((format(printf, 3, 0))) static int print(struct writer *writer, rv_time deadline,
                                                       const char *format, va_list values)
{
    int r = make_room(writer, 0, deadline);
    if (r < 0)
        return r;
    size_t room = writer->size - writer->end;
    r = print_here(writer, format, values);
    if (r < 0 || (size_t)r < room)
        return r;
    if ((size_t)r >= writer->size)
        return print_large(writer, deadline, (size_t)r, format, values);
    r = flush(writer, deadline);
    return r < 0 ? r : print_here(writer, format, values);
}

int rv_writer_vprintf(struct rv_writer *w, rv_time deadline, const char *format, va_list values)
{
    struct writer *writer = inside(w);
    int r = writer->error < 0 ? writer->error : print(writer, deadline, format, values);

    return r < 0 ? r : 0;
}

int rv_writer_printf(struct rv_writer *w, rv_time deadline, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    int r = rv_writer_vprintf(w, deadline, format, values);
    va_end(values);
    return r;
}

int rv_writer_flush(struct rv_writer *w, rv_time deadline)
{
    struct writer *writer = inside(w);

    return writer->error < 0 ? writer->error : flush(writer, deadline);
}

int rv_writer_clear(struct rv_writer *w)
{
    int error = inside(w)->error;

    inside(w)->error = 0;
    return error;
}

size_t rv_writer_buffered(const struct rv_writer *w)
{
    return buffered(look_inside(w));
}

uint64_t rv_writer_total(const struct rv_writer *w)
{
    return look_inside(w)->total;
}
