/* SPDX-License-Identifier: MIT */
/* conn.c - the life of one connection, from its first byte to its last.
 *
 * The same code serves from a task of Ravel and from a thread of its own: it blocks, in the wire.
 *
 * While a connection waits for its client it has a small buffer on its stack and nothing else, so
 * that a request which fits there is read without asking first whether there is one. All that an
 * answer needs is borrowed (buffers.h). Answers to requests that came together leave together: what
 * is written is kept until the next read would have to wait, or until it is full.
 *
 * Invariants
 *   I1  bytes [start, fill) of the input were received and not answered; the request being read
 *       begins at start
 *   I2  a connection without borrowed buffers owes its client nothing, and has nothing of a request
 *
 * Checked by: tests/examples/test_httpd.py */
#include "conn.h"

#include "buffers.h"
#include "date.h"
#include "log.h"
#include "target.h"

#include <errno.h>
#include <string.h>

enum {
    SMALL = 1024,           /* of a stack's first page, which is there anyway */
    LINGER_BYTES = 1 << 20, /* that are read and dropped after the last answer */
};

static const rv_time LINGER_NS = RV_SECOND;

struct conn {
    struct site *site;
    struct wire *wire;
    struct buffers *borrowed; /* NULL: none */
    char *in;                 /* small, or borrowed->in */
    size_t room, start, fill;
    size_t out_fill; /* of borrowed->out */
    char small[SMALL];
};

/* ---- writing --------------------------------------------------------------------------------- */

static int flush_by(struct conn *c, bool more, rv_time deadline)
{
    int err = 0;
    if (c->out_fill > 0)
        err = c->wire->calls->write(c->wire, c->borrowed->out, c->out_fill, more, deadline);
    c->out_fill = 0;
    return err;
}

static int flush(struct conn *c, bool more)
{
    return flush_by(c, more, rv_after(c->site->send_ns));
}

/* Make room; there is always enough once all that was written has left. */
static int reserve(struct conn *c, size_t len)
{
    return BUFFERS_OUT - c->out_fill >= len ? 0 : flush(c, true);
}

/* The time of day in words, made once a second on each thread. */
static const char *date_now(void)
{
    static _Thread_local struct {
        time_t second;
        char text[DATE_BYTES];
    } last;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != last.second)
        date_format(last.text, now.tv_sec);
    last.second = now.tv_sec;
    return last.text;
}

static int write_head(struct conn *c, const struct reply *reply)
{
    int err = reserve(c, reply_head_room(reply));
    if (err == 0)
        c->out_fill += reply_head(c->borrowed->out + c->out_fill, reply, date_now());
    return err;
}

static int write_memory(struct conn *c, const char *bytes, size_t len)
{
    if (len > BUFFERS_OUT) {
        int err = flush(c, true);
        return err ? err
                   : c->wire->calls->write(c->wire, bytes, len, false, rv_after(c->site->send_ns));
    }
    int err = reserve(c, len);
    if (err < 0)
        return err;
    memcpy(c->borrowed->out + c->out_fill, bytes, len);
    c->out_fill += len;
    return 0;
}

/* What fits leaves with its head, in one call. */
static int write_file(struct conn *c, int fd, uint64_t first, uint64_t len)
{
    int err = 0;
    if (len <= BUFFERS_OUT - c->out_fill) {
        err = files_read(fd, c->borrowed->out + c->out_fill, (size_t)len, first);
        c->out_fill += err == 0 ? (size_t)len : 0;
        return err;
    }
    err = flush(c, true);
    while (err == 0 && len > 0) {
        uint64_t part = len < SITE_SEND_BYTES ? len : SITE_SEND_BYTES;
        err = c->wire->calls->send_file(c->wire, fd, first, part, rv_after(c->site->send_ns));
        first += part;
        len -= part;
    }
    return err;
}

static int write_body(struct conn *c, const struct reply *reply, const struct file *file)
{
    char text[REPLY_TEXT_MOST];
    if (!reply_has_thing(reply))
        return write_memory(c, text, reply_text(text, reply->status));
    if (reply->thing->text)
        return write_memory(c, reply->thing->text + reply->first, (size_t)reply->len);
    return write_file(c, file->fd, reply->first, reply->len);
}

static int write_reply(struct conn *c, const struct reply *reply, const struct file *file)
{
    int err = write_head(c, reply);
    return err == 0 && reply->body ? write_body(c, reply, file) : err;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool borrow(struct conn *c)
{
    if (!c->borrowed)
        c->borrowed = buffers_take();
    return c->borrowed;
}

static void give_back(struct conn *c)
{
    buffers_give(c->borrowed);
    c->borrowed = NULL;
}

/* Nothing has come that is not answered: wait in the small buffer. */
static void rest(struct conn *c)
{
    give_back(c);
    c->in = c->small;
    c->room = SMALL;
    c->start = c->fill = 0;
}

/* Room behind what is there; 0, or the status of a request that is too long. */
static int make_room(struct conn *c)
{
    size_t len = c->fill - c->start;
    char *to = c->in;

    if (c->fill < c->room)
        return 0;
    if (c->start == 0) {
        if (c->in != c->small)
            return request_too_long(&c->borrowed->request);
        to = c->borrowed->in;
        c->room = BUFFERS_IN;
    }
    memmove(to, c->in + c->start, len);
    c->in = to;
    c->start = 0;
    c->fill = len;
    return 0;
}

/* Bytes, 0 when the client is done, -errno. */
static ssize_t read_some(struct conn *c, rv_time deadline)
{
    ssize_t n = c->wire->calls->read(c->wire, c->in + c->fill, c->room - c->fill, deadline);
    c->fill += n > 0 ? (size_t)n : 0;
    return n;
}

/* Wait for the first bytes of a request, with nothing in hand. Once the server ends nobody waits;
 * what has come by then is answered all the same. The clock is looked at once. */
static ssize_t read_first(struct conn *c, rv_time patience)
{
    const struct wire_calls *calls = c->wire->calls;
    rv_time now = rv_now();
    int err = flush_by(c, false, now + c->site->send_ns);
    if (err < 0)
        return err;
    rest(c);
    ssize_t n = calls->rest(c->wire) ? read_some(c, now + patience) : -ECANCELED;
    calls->work(c->wire);
    return n == -ECANCELED ? read_some(c, 0) : n;
}

/* The rest of a request whose begin is there: as receive(). */
static int read_rest(struct conn *c)
{
    struct request *r = &c->borrowed->request;
    rv_time deadline = 0;

    for (;;) {
        int verdict = request_feed(r, c->in + c->start, c->fill - c->start);
        if (verdict)
            return verdict;
        c->fill = c->start + request_forget_body(r);
        verdict = make_room(c);
        if (verdict)
            return verdict;
        if (deadline == 0)
            deadline = rv_after(c->site->head_ns);
        int err = flush(c, false);
        if (err < 0)
            return err;
        ssize_t n = read_some(c, deadline);
        if (n <= 0)
            return n == -ETIME ? 408 : (int)n;
    }
}

/* The next request: 1, 0 when there is none, a status to refuse it with, or -errno. */
static int receive(struct conn *c, rv_time patience)
{
    if (c->fill == c->start) {
        ssize_t n = read_first(c, patience);
        if (n <= 0)
            return (int)n;
    }
    if (!borrow(c))
        return -ENOMEM;
    request_init(&c->borrowed->request);
    return read_rest(c);
}

/* ---- one request ----------------------------------------------------------------------------- */

/* Find what a target names: 200 with *thing, 301 with the path, or another status. */
static int find(struct conn *c, struct file *file)
{
    const struct request *r = &c->borrowed->request;
    char *path = c->borrowed->path;
    int status = target_path(path, c->in + c->start + r->target.at, r->target.len);

    if (status)
        return status;
    if (c->site->hello && strcmp(path, "hello") == 0) {
        file->thing = (struct thing){
            .type = "text/plain",
            .text = c->site->hello,
            .size = strlen(c->site->hello),
            .changed.tv_nsec = -1,
        };
        return 200;
    }
    return c->site->root < 0 ? 404 : files_open(file, c->site->root, path);
}

static void decide(struct conn *c, int verdict, struct reply *reply, struct file *file)
{
    const struct request *r = &c->borrowed->request;
    int status = verdict;

    if (verdict == 1)
        status = r->method == METHOD_OTHER ? 405 : find(c, file);
    if (status == 200)
        reply_thing(reply, r, c->in + c->start, &file->thing);
    else
        reply_status(reply, r, status);
    if (status == 301)
        reply->location = c->borrowed->path;
    if (c->wire->calls->is_last(c->wire))
        reply->keep_alive = false;
}

/* Whether the connection goes on. */
static bool answer(struct conn *c, int verdict)
{
    struct file file = {.fd = -1};
    struct reply reply;
    int err;

    decide(c, verdict, &reply, &file);
    err = write_reply(c, &reply, &file);
    files_close(&file);
    if (c->site->log)
        log_answer(c->wire, &c->borrowed->request, c->in + c->start, &reply, err);
    c->start += c->borrowed->request.seen;
    return err == 0 && reply.keep_alive;
}

/* Closing at once would reset the connection under a client that still sends, and it might never
 * read our answer: RFC 9112, 9.6. */
static void linger(struct conn *c)
{
    rv_time deadline = rv_after(LINGER_NS);
    size_t dropped = 0;
    ssize_t n;

    c->wire->calls->finish(c->wire, deadline);
    do {
        n = c->wire->calls->read(c->wire, c->small, SMALL, deadline);
        dropped += n > 0 ? (size_t)n : 0;
    } while (n > 0 && dropped < LINGER_BYTES);
}

static void refuse(struct conn *c)
{
    struct reply reply;
    if (!borrow(c))
        return;
    request_init(&c->borrowed->request);
    reply_status(&reply, &c->borrowed->request, 503);
    if (write_reply(c, &reply, NULL) == 0 && flush(c, false) == 0)
        linger(c);
}

static void serve(struct conn *c)
{
    rv_time patience = c->site->head_ns;
    int verdict;

    while ((verdict = receive(c, patience)) > 0) {
        if (!answer(c, verdict)) {
            if (flush(c, false) == 0)
                linger(c);
            return;
        }
        patience = c->site->idle_ns;
    }
}

void conn_serve(struct site *site, struct wire *wire)
{
    struct conn c;

    c.site = site;
    c.wire = wire;
    c.borrowed = NULL;
    c.out_fill = 0;
    rest(&c);
    if (atomic_fetch_add(&site->count, 1) < site->most)
        serve(&c);
    else
        refuse(&c);
    give_back(&c);
    atomic_fetch_sub(&site->count, 1);
}
