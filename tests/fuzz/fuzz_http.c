/* SPDX-License-Identifier: MIT */
/* fuzz_http.c - what examples/httpd makes of a connection's bytes: the same requests however the
 * bytes arrive, paths that stay below the root, and answers that promise what there is.
 *
 * Input: the most bytes that arrive at a time; the size of the thing that is served; the rest are
 * the connection's bytes. */
#include <stdlib.h>
#include <string.h>

#include "date.h"
#include "reply.h"
#include "target.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_REQUESTS = 64, ROOM = REPLY_HEAD_MOST + REPLY_LOCATION_FACTOR * REQUEST_TARGET_MOST };

/* What came out of a request. */
struct outcome {
    int verdict;
    size_t end; /* among the connection's bytes */
    struct reply reply;
};

struct play {
    const char *text;
    size_t bytes, piece;
    struct thing thing;
    size_t count;
    struct outcome outcomes[MOST_REQUESTS];
};

/* No way out of the root, nothing hidden, no end before the end. */
static void check_path(const char *path, size_t most)
{
    RV_CHECK(strlen(path) <= most);
    RV_CHECK(path[0] != '/' && !strstr(path, "//"));
    RV_CHECK(path[0] != '.' && !strstr(path, "/."));
}

static void check_head(const struct reply *reply)
{
    static const char date[DATE_BYTES + 1] = "Sun, 06 Nov 1994 08:49:37 GMT";
    char head[ROOM + 1];
    size_t len = reply_head(head, reply, date);

    RV_CHECK(len <= reply_head_room(reply));
    RV_CHECK(memmem(head, len, "\r\n\r\n", 4) == head + len - 4);
    for (size_t i = 0; i < len; i++)
        RV_CHECK((head[i] >= ' ' && head[i] < 0x7f) || head[i] == '\r' || head[i] == '\n');
}

static void check_reply(const struct reply *reply, const struct thing *thing)
{
    RV_CHECK((reply->first <= thing->size && reply->len <= thing->size - reply->first) ||
             !reply_has_thing(reply));
    RV_CHECK(reply->status != 206 || reply->len > 0);
    RV_CHECK(reply->status != 304 || !reply->body);
    check_head(reply);
}

/* As conn.c does. */
static void decide(struct play *p, struct reply *reply, const struct request *r, const char *bytes,
                   int verdict)
{
    char path[REQUEST_TARGET_MOST + 1] = "";
    int status = verdict;

    if (verdict == 1)
        status = r->method == METHOD_OTHER ? 405
                                           : target_path(path, bytes + r->target.at, r->target.len);
    if (status)
        reply_status(reply, r, status);
    else
        reply_thing(reply, r, bytes, &p->thing);
    check_path(status ? "" : path, r->target.len);
    check_reply(reply, &p->thing);
    reply_status(reply, r, 301);
    reply->location = status ? "" : path;
    check_head(reply);
    reply->location = NULL;
}

/* Read one request, which begins at `at`, out of a buffer of just the bytes that have arrived;
 * those of a body go as soon as they may. */
static bool play_request(struct play *p, size_t at, struct outcome *ret)
{
    struct request r;
    size_t arrived = at, fill = 0, forgotten = 0;
    int verdict = 0;
    char *bytes = NULL;

    request_init(&r);
    while (verdict == 0 && arrived < p->bytes) {
        size_t n = p->bytes - arrived < p->piece ? p->bytes - arrived : p->piece;
        char *moved = malloc(fill + n);
        RV_CHECK(moved);
        memcpy(moved, bytes ? bytes : p->text, fill);
        memcpy(moved + fill, p->text + arrived, n);
        free(bytes);
        bytes = moved;
        fill += n;
        arrived += n;
        verdict = request_feed(&r, bytes, fill);
        RV_CHECK(r.seen <= fill);
        forgotten += fill - (verdict ? fill : request_forget_body(&r));
        fill = verdict ? fill : request_forget_body(&r);
    }
    if (verdict) {
        *ret = (struct outcome){.verdict = verdict, .end = at + forgotten + r.seen};
        decide(p, &ret->reply, &r, bytes, verdict);
    }
    free(bytes);
    return verdict == 1;
}

static void play(struct play *p)
{
    size_t at = 0;
    bool goes_on = true;

    for (p->count = 0; goes_on && at < p->bytes && p->count < MOST_REQUESTS; p->count++) {
        struct outcome *o = &p->outcomes[p->count];
        *o = (struct outcome){.verdict = 0};
        goes_on = play_request(p, at, o) && o->reply.keep_alive;
        RV_CHECK(!goes_on || o->end > at);
        at = o->end;
    }
}

static void check_same(const struct outcome *a, const struct outcome *b)
{
    RV_CHECK(a->verdict == b->verdict);
    RV_CHECK(a->verdict != 1 || a->end == b->end);
    RV_CHECK(a->reply.status == b->reply.status && a->reply.len == b->reply.len);
    RV_CHECK(a->reply.keep_alive == b->reply.keep_alive && a->reply.first == b->reply.first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct play whole, pieces;

    if (size < 2)
        return -1;
    whole.text = pieces.text = (const char *)data + 2;
    whole.bytes = pieces.bytes = size - 2;
    whole.piece = SIZE_MAX;
    pieces.piece = data[0] + 1U;
    whole.thing = (struct thing){.type = "text/plain", .size = data[1], .changed = {784111777, 5}};
    pieces.thing = whole.thing;
    play(&whole);
    play(&pieces);
    RV_CHECK(whole.count == pieces.count);
    for (size_t i = 0; i < whole.count; i++)
        check_same(&whole.outcomes[i], &pieces.outcomes[i]);
    return 0;
}
