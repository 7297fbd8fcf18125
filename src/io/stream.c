/* SPDX-License-Identifier: MIT */
/* stream.c - the streams that are here from the start: descriptors and memory. */
#include <ravel/stream.h>

#include <errno.h>
#include <string.h>

#include <ravel/io.h>

/* A descriptor is its own object: nothing has to be kept for it. */
static int fd_of(void *object)
{
    return (int)(intptr_t)object;
}

static ssize_t fd_read(void *object, void *buf, size_t count, rv_time deadline)
{
    return rv_read(fd_of(object), buf, count, deadline);
}

static ssize_t fd_write(void *object, const void *buf, size_t count, rv_time deadline)
{
    return rv_write(fd_of(object), buf, count, deadline);
}

static ssize_t fd_writev(void *object, const struct iovec *iov, int iov_count, rv_time deadline)
{
    return rv_writev(fd_of(object), iov, iov_count, deadline);
}

struct rv_stream rv_stream_fd(int fd)
{
    static const struct rv_stream_ops ops = {
        .size = sizeof(ops),
        .read = fd_read,
        .write = fd_write,
        .writev = fd_writev,
    };
    return (struct rv_stream){&ops, (void *)(intptr_t)fd};
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static ssize_t memory_read(void *object, void *buf, size_t count, rv_time deadline)
{
    struct rv_memory *memory = object;
    size_t n = smaller(count, memory->bytes - memory->at);

    (void)deadline;
    if (n > 0)
        memcpy(buf, memory->data + memory->at, n);
    memory->at += n;
    return (ssize_t)n;
}

static ssize_t memory_write(void *object, const void *buf, size_t count, rv_time deadline)
{
    struct rv_memory *memory = object;
    size_t n = smaller(count, memory->room - memory->bytes);

    (void)deadline;
    if (n == 0)
        return -ENOSPC;
    memcpy(memory->data + memory->bytes, buf, n);
    memory->bytes += n;
    return (ssize_t)n;
}

struct rv_stream rv_stream_memory(struct rv_memory *memory)
{
    static const struct rv_stream_ops ops = {
        .size = sizeof(ops),
        .read = memory_read,
        .write = memory_write,
    };
    return (struct rv_stream){&ops, memory};
}
