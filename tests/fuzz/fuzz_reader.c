/* SPDX-License-Identifier: MIT */
/* fuzz_reader.c - any sequence of calls on a reader gives what the same calls give on the whole
 * text at once, however small the buffer, however the bytes arrive and whatever calls of the
 * stream fail in between.
 *
 * Input: the buffer's size; every how many calls one fails; the most bytes a call of the stream
 * gives; the number of calls to play, two bytes each: which, and its argument. The rest is the
 * text. */
#include <errno.h>
#include <string.h>

#include <ravel/stream.h>

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 100 };

struct play {
    const char *text;
    size_t bytes, given; /* of the text; by the stream so far */
    size_t at;           /* taken by the calls so far */
    size_t piece, room;
    unsigned fail_every, calls;
    struct rv_reader reader;
};

static ssize_t give_some(void *object, void *buf, size_t count, rv_time deadline)
{
    struct play *p = object;
    size_t n = p->bytes - p->given;

    (void)deadline;
    RV_CHECK(count > 0);
    if (p->fail_every && ++p->calls % p->fail_every == 0)
        return -ETIME;
    n = n < count ? n : count;
    n = n < p->piece ? n : p->piece;
    memcpy(buf, p->text + p->given, n);
    p->given += n;
    return (ssize_t)n;
}

static size_t left(const struct play *p)
{
    return p->bytes - p->at;
}

/* What a call has given is what the text has there. */
static void take(struct play *p, const char *got, size_t count)
{
    RV_CHECK(count <= left(p));
    RV_CHECK(memcmp(got, p->text + p->at, count) == 0);
    p->at += count;
}

static void play_read(struct play *p, size_t count)
{
    char got[MOST];
    ssize_t n;

    while ((n = rv_reader_read(&p->reader, got, count, RV_NEVER)) == -ETIME)
        continue;
    RV_CHECK(n >= 0 && (size_t)n <= count);
    RV_CHECK((n == 0) == (count == 0 || left(p) == 0));
    take(p, got, (size_t)n);
}

static void play_read_all(struct play *p, size_t count)
{
    char got[MOST];
    size_t sum = 0, done;
    int r;

    do {
        r = rv_reader_read_all(&p->reader, got + sum, count - sum, &done, RV_NEVER);
        sum += done;
    } while (r == -ETIME);
    RV_CHECK(r == (count <= left(p) ? 0 : -ENODATA));
    RV_CHECK(sum == (r == 0 ? count : left(p)));
    take(p, got, sum);
}

static void play_peek(struct play *p, size_t count)
{
    const char *view;
    ssize_t n;

    while ((n = rv_reader_peek(&p->reader, count, &view, RV_NEVER)) == -ETIME)
        continue;
    if (count > p->room) {
        RV_CHECK(n == -EMSGSIZE);
        return;
    }
    RV_CHECK((size_t)n >= count || (size_t)n == left(p));
    RV_CHECK((size_t)n == rv_reader_buffered(&p->reader));
    size_t some = (size_t)n / 2;
    rv_reader_consume(&p->reader, some);
    take(p, view, some);
}

static void play_until(struct play *p, char delimiter, size_t max)
{
    const char *end = left(p) > 0 ? memchr(p->text + p->at, delimiter, left(p)) : NULL;
    size_t bytes = end ? (size_t)(end - p->text) - p->at : left(p);
    struct rv_line line;
    int r;

    while ((r = rv_reader_until(&p->reader, delimiter, max, &line, RV_NEVER)) == -ETIME)
        continue;
    if (left(p) == 0) {
        RV_CHECK(r == 0);
    } else if (bytes > max || bytes + 1 > p->room) {
        RV_CHECK(r == -EMSGSIZE);
    } else {
        RV_CHECK(r == 1 && line.bytes == bytes && line.is_ended == (end != NULL));
        take(p, line.text, bytes);
        p->at += end != NULL;
    }
}

static void play_skip(struct play *p, char delimiter)
{
    const char *end = left(p) > 0 ? memchr(p->text + p->at, delimiter, left(p)) : NULL;
    int r;

    while ((r = rv_reader_skip_until(&p->reader, delimiter, RV_NEVER)) == -ETIME)
        continue;
    RV_CHECK(r == (end != NULL));
    p->at = end ? (size_t)(end - p->text) + 1 : p->bytes;
}

static void play_call(struct play *p, unsigned which, unsigned argument)
{
    switch (which % 6) {
    case 0:
        play_read(p, argument % MOST);
        break;
    case 1:
        play_read_all(p, argument % MOST);
        break;
    case 2:
        play_peek(p, argument % MOST);
        break;
    case 3:
        play_until(p, '\n', argument);
        break;
    case 4:
        play_skip(p, (char)argument);
        break;
    case 5:
        rv_reader_rest(&p->reader);
        break;
    }
    RV_CHECK(rv_reader_buffered(&p->reader) == p->given - p->at);
}

static void play_to_the_end(struct play *p)
{
    while (left(p) > 0) {
        size_t before = p->at;
        play_until(p, '\n', SIZE_MAX);
        if (p->at == before)
            play_skip(p, '\n');
    }
    play_until(p, '\n', SIZE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rv_stream_ops ops = {.size = sizeof(ops), .read = give_some};

    if (size < 4)
        return -1;
    size_t calls = data[3] < (size - 4) / 2 ? data[3] : (size - 4) / 2;
    struct play p = {
        .text = (const char *)data + 4 + 2 * calls,
        .bytes = size - 4 - 2 * calls,
        .piece = data[2] + 1U,
        .room = data[0] % MOST + 1U,
        .fail_every = data[1] == 1 ? 2 : data[1],
    };
    rv_reader_init(&p.reader, (struct rv_stream){&ops, &p}, NULL, p.room);
    for (size_t i = 0; i < calls; i++)
        play_call(&p, data[4 + 2 * i], data[5 + 2 * i]);
    play_to_the_end(&p);
    rv_reader_fini(&p.reader);
    return 0;
}
