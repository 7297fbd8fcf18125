/* SPDX-License-Identifier: MIT */
/* reader.c - a stream read through a buffer of fixed size.
 *
 *   R1  begin <= end <= size; what is read and not taken lies in data[begin, end)
 *   R2  data == NULL  =>  begin == end
 *   R3  has_ended: the stream has said so, and no caller has been told yet
 *
 * R3 is why an end is neither lost nor told twice: the call that reads it may still have a last
 * line to give, and the call after that must not wait for the stream again (on a terminal, that
 * would be for another ctrl-D).
 *
 * What is left moves to the buffer's front before each read of the stream that finds it elsewhere.
 * A piece that arrives byte by byte so moves once, and a buffer of lines moves a part of a line.
 *
 * Rejected: a ring, mapped twice so that every view is in one piece: whole pages, two mappings and
 * three system calls a reader, to save moving what is on the average half a line.
 * Checked by: tests/unit/io/test_reader.c, tests/fuzz/fuzz_reader.c */
#include <ravel/stream.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "task/waitlist.h"

struct reader {
    struct rv_stream from;
    char *data;
    size_t size, begin, end;
    bool is_owner; /* of the data */
    bool has_ended;
};
RVI_ASSERT_FITS(struct reader, struct rv_reader);

static struct reader *inside(struct rv_reader *r)
{
    return (struct reader *)r->opaque;
}

void rv_reader_init(struct rv_reader *r, struct rv_stream from, void *buf, size_t bytes)
{
    *inside(r) = (struct reader){
        .from = from,
        .data = buf,
        .size = buf || bytes > 0 ? bytes : RV_STREAM_BYTES,
        .is_owner = buf == NULL,
    };
}

void rv_reader_fini(struct rv_reader *r)
{
    if (inside(r)->is_owner)
        rvi_free(inside(r)->data);
}

void rv_reader_rest(struct rv_reader *r)
{
    struct reader *reader = inside(r);

    if (!reader->is_owner || reader->begin < reader->end)
        return;
    rvi_free(reader->data);
    reader->data = NULL;
    reader->begin = reader->end = 0;
}

static size_t buffered(const struct reader *reader)
{
    return reader->end - reader->begin;
}

/* Look whether bytes come, or the end. */
static ssize_t read_stream(struct reader *reader, void *buf, size_t count, rv_time deadline)
{
    if (reader->has_ended)
        return 0;
    if (!reader->from.ops->read)
        return -EBADF;
    ssize_t n = reader->from.ops->read(reader->from.object, buf, count, deadline);
    reader->has_ended = n == 0;
    return n;
}

/* What the caller has come to: the end, of which he is told hereby. */
static int tell_end(struct reader *reader)
{
    reader->has_ended = false;
    return 0;
}

static int make_room(struct reader *reader)
{
    if (!reader->data && !(reader->data = rvi_alloc(reader->size)))
        return -ENOMEM;
    if (reader->begin > 0) {
        memmove(reader->data, reader->data + reader->begin, buffered(reader));
        reader->end -= reader->begin;
        reader->begin = 0;
    }
    return reader->end < reader->size ? 0 : -EMSGSIZE;
}

/* Read more into the buffer. Returns bytes; 0: the stream has ended; -EMSGSIZE: it is full. */
static ssize_t fill(struct reader *reader, rv_time deadline)
{
    int r = make_room(reader);
    if (r < 0)
        return r;
    ssize_t n =
        read_stream(reader, reader->data + reader->end, reader->size - reader->end, deadline);
    if (n > 0)
        reader->end += (size_t)n;
    return n;
}

static size_t take(struct reader *reader, void *buf, size_t count)
{
    size_t n = count < buffered(reader) ? count : buffered(reader);

    if (n > 0)
        memcpy(buf, reader->data + reader->begin, n);
    reader->begin += n;
    return n;
}

/* At least one byte, unless it has ended; the caller is not told yet. */
static ssize_t read_some(struct reader *reader, void *buf, size_t count, rv_time deadline)
{
    if (buffered(reader) == 0 && count >= reader->size)
        return read_stream(reader, buf, count, deadline);
    ssize_t n = buffered(reader) > 0 ? 1 : fill(reader, deadline);
    return n > 0 ? (ssize_t)take(reader, buf, count) : n;
}

ssize_t rv_reader_read(struct rv_reader *r, void *buf, size_t count, rv_time deadline)
{
    struct reader *reader = inside(r);
    ssize_t n = count > 0 ? read_some(reader, buf, count, deadline) : 0;

    return n == 0 && count > 0 ? tell_end(reader) : n;
}

int rv_reader_read_all(struct rv_reader *r, void *buf, size_t count, size_t *ret_done,
                       rv_time deadline)
{
    struct reader *reader = inside(r);
    size_t done = 0;
    ssize_t n = 1;

    while (done < count && (n = read_some(reader, (char *)buf + done, count - done, deadline)) > 0)
        done += (size_t)n;
    if (ret_done)
        *ret_done = done;
    if (n == 0)
        tell_end(reader);
    return n > 0 ? 0 : n == 0 ? -ENODATA : (int)n;
}

ssize_t rv_reader_peek(struct rv_reader *r, size_t at_least, const char **ret, rv_time deadline)
{
    struct reader *reader = inside(r);
    ssize_t n = 1;

    if (at_least > reader->size)
        return -EMSGSIZE;
    while (buffered(reader) < at_least && (n = fill(reader, deadline)) > 0)
        continue;
    if (n < 0)
        return n;
    if (buffered(reader) == 0 && at_least > 0)
        return tell_end(reader);
    *ret = reader->data ? reader->data + reader->begin : "";
    return (ssize_t)buffered(reader);
}

void rv_reader_consume(struct rv_reader *r, size_t bytes)
{
    struct reader *reader = inside(r);

    if (bytes > buffered(reader))
        rvi_panic("rv_reader_consume(): %zu bytes of %zu", bytes, buffered(reader));
    reader->begin += bytes;
}

size_t rv_reader_buffered(const struct rv_reader *r)
{
    return buffered((const struct reader *)r->opaque);
}

static char *find(const struct reader *reader, char delimiter, size_t from)
{
    size_t n = buffered(reader) - from;

    return n > 0 ? memchr(reader->data + reader->begin + from, delimiter, n) : NULL;
}

/* Take a piece and the delimiter behind it, if there is one. */
static int give(struct reader *reader, size_t bytes, bool is_ended, struct rv_line *ret)
{
    *ret = (struct rv_line){reader->data + reader->begin, bytes, is_ended};
    reader->begin += bytes + is_ended;
    return 1;
}

int rv_reader_until(struct rv_reader *r, char delimiter, size_t max, struct rv_line *ret,
                    rv_time deadline)
{
    struct reader *reader = inside(r);
    size_t seen = 0; /* bytes that are known to hold no delimiter */
    ssize_t n = 1;
    char *at;

    while (!(at = find(reader, delimiter, seen)) && n > 0) {
        seen = buffered(reader);
        n = seen > max ? -EMSGSIZE : fill(reader, deadline);
    }
    size_t bytes = at ? (size_t)(at - reader->data) - reader->begin : seen;
    if (n < 0 || bytes > max)
        return n < 0 ? (int)n : -EMSGSIZE;
    return at || bytes > 0 ? give(reader, bytes, at != NULL, ret) : tell_end(reader);
}

int rv_reader_skip_until(struct rv_reader *r, char delimiter, rv_time deadline)
{
    struct reader *reader = inside(r);
    ssize_t n = 1;
    char *at;

    while (!(at = find(reader, delimiter, 0)) && n > 0) {
        reader->begin = reader->end;
        n = fill(reader, deadline);
    }
    if (!at)
        return n < 0 ? (int)n : tell_end(reader);
    reader->begin = (size_t)(at - reader->data) + 1;
    return 1;
}
