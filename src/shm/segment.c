/* SPDX-License-Identifier: MIT */
/* segment.c - see segment.h.
 *
 * What both sides need in order to talk at all is filled at once: a parent that finds no memory
 * there would die by SIGBUS in mid-protocol. The rest comes when it is touched, as memory of this
 * process does, so that a large arena costs nothing before it is used.
 *
 * Checked by: tests/unit/shm/test_segment.c */
#include "shm/segment.h"

#include <errno.h>

#include "base/check.h"
#include "sys/fd.h"
#include "sys/memfd.h"
#include "sys/thread.h"

/* 0 when there is no such number. */
static size_t whole_pages(size_t bytes)
{
    size_t page = rvi_page_bytes();

    return bytes > SIZE_MAX - (page - 1) ? 0 : (bytes + page - 1) / page * page;
}

int rvi_segment_make(struct rvi_segment *ret, const char *name, size_t bytes, size_t kept)
{
    struct rvi_segment segment = {.bytes = whole_pages(bytes)};
    void *base;
    int r;

    RV_DCHECK(bytes > 0 && kept <= bytes);
    if (segment.bytes == 0 || segment.bytes > PTRDIFF_MAX)
        return -ENOMEM;
    segment.fd = rvi_memfd_make(name, segment.bytes);
    if (segment.fd < 0)
        return segment.fd;
    r = kept == 0 ? 0 : rvi_memfd_fill(segment.fd, kept);
    if (r == 0)
        r = rvi_memfd_map(segment.fd, segment.bytes, &base);
    if (r < 0) {
        rvi_fd_close(segment.fd);
        return r;
    }
    segment.base = base;
    *ret = segment;
    return 0;
}

int rvi_segment_map(struct rvi_segment *ret, int fd)
{
    size_t bytes;
    void *base;
    int r = rvi_memfd_bytes(fd, &bytes);

    if (r == 0)
        r = rvi_memfd_map(fd, bytes, &base);
    if (r < 0)
        return r;
    *ret = (struct rvi_segment){.fd = fd, .bytes = bytes, .base = base};
    return 0;
}

void rvi_segment_close(struct rvi_segment *segment)
{
    if (segment->fd >= 0)
        rvi_fd_close(segment->fd);
    segment->fd = -1;
}

void rvi_segment_fini(struct rvi_segment *segment)
{
    rvi_segment_close(segment);
    rvi_memfd_unmap(segment->base, segment->bytes);
    *segment = (struct rvi_segment){.fd = -1};
}
