/* SPDX-License-Identifier: MIT */
#include "explore/way.h"

#include <string.h>

#include "base/alloc.h"

bool rvi_way_open(struct rvi_way *way, size_t bytes)
{
    *way = (struct rvi_way){.room = rvi_alloc(bytes), .size = bytes, .end_at = RVI_WAY_NEVER};
    return way->room != NULL;
}

void rvi_way_close(struct rvi_way *way)
{
    rvi_free(way->room);
    *way = (struct rvi_way){.end_at = RVI_WAY_NEVER};
}

void rvi_way_mark(struct rvi_way *way, int64_t at)
{
    struct rvi_way_mark *last = way->count > 0 ? &way->marks[way->count - 1] : NULL;

    at = last ? rvi_way_later(at, last->at) : at;
    if (way->count == RVI_WAY_MARKS || (last && last->at == at))
        *last = (struct rvi_way_mark){way->written, at};
    else
        way->marks[way->count++] = (struct rvi_way_mark){way->written, at};
}

size_t rvi_way_free(const struct rvi_way *way)
{
    return way->size - (size_t)(way->written - way->read);
}

size_t rvi_way_arrived(const struct rvi_way *way, int64_t now)
{
    uint64_t upto = way->read;

    for (unsigned i = 0; i < way->count && way->marks[i].at <= now; i++)
        upto = way->marks[i].upto;
    return (size_t)(upto - way->read);
}

void rvi_way_put(struct rvi_way *way, const char *from, size_t count)
{
    size_t size = way->size, at = (size_t)(way->written % size);
    size_t first = count < size - at ? count : size - at;

    memcpy(way->room + at, from, first);
    memcpy(way->room, from + first, count - first);
    way->written += count;
}

void rvi_way_get(const struct rvi_way *way, char *to, size_t count)
{
    size_t size = way->size, at = (size_t)(way->read % size);
    size_t first = count < size - at ? count : size - at;

    memcpy(to, way->room + at, first);
    memcpy(to + first, way->room, count - first);
}

void rvi_way_advance(struct rvi_way *way, size_t count)
{
    unsigned done = 0;

    way->read += count;
    while (done < way->count && way->marks[done].upto <= way->read)
        done++;
    way->count -= done;
    memmove(way->marks, way->marks + done, way->count * sizeof way->marks[0]);
}

void rvi_way_end(struct rvi_way *way, int64_t at)
{
    if (way->end_at == RVI_WAY_NEVER)
        way->end_at = way->count > 0 ? rvi_way_later(at, way->marks[way->count - 1].at) : at;
}

void rvi_way_cut(struct rvi_way *way, int64_t now)
{
    while (way->count > 0 && way->marks[way->count - 1].at > now)
        way->count--;
    way->written = way->count > 0 ? way->marks[way->count - 1].upto : way->read;
    way->end_at = now;
}

int64_t rvi_way_next(const struct rvi_way *way, int64_t now)
{
    int64_t next = way->end_at > now ? way->end_at : RVI_WAY_NEVER;

    for (unsigned i = 0; i < way->count; i++) {
        if (way->marks[i].at > now)
            return rvi_way_earlier(next, way->marks[i].at);
    }
    return next;
}
