/* SPDX-License-Identifier: MIT */
/* web.c - how a library with callbacks of its own is adopted by its descriptors.
 *
 * libcurl's multi interface asks for two things: tell me when this socket is ready (on_socket), and
 * when this much time is over (on_timer). So each socket gets a task that waits for it in
 * rv_poll(), and one more task keeps the time; whoever has waited long enough calls libcurl, which
 * says by its callbacks what to wait for next. A transfer is a task that waits for an event.
 *
 *   W1  libcurl is called on one worker only, the one that opened it: tasks of one worker take
 *       turns where they wait, and nobody waits inside libcurl, so neither it nor what is written
 *       here needs a lock
 *   W2  hence callbacks never wait: they leave word, and a task does the rest
 *   W3  a socket is closed only when nobody waits for it: libcurl's wish to close one that is still
 *       watched is left with the watching task
 *   W4  a transfer has a bounded buffer: when it is full, libcurl is told to stop reading, and the
 *       server is held up until the buffer has been written out
 *
 * Rejected: one task for all sockets, around an epoll descriptor of its own: shorter, but then the
 * program has an event loop again, of the kind that it meant to be rid of. */
#include "web.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BUFFER_BYTES = 4 * CURL_MAX_WRITE_SIZE,
    WISH_CHANGED = -EINTR, /* why a watching task's scope was cancelled */
};

/* A socket that libcurl waits for. */
struct watch {
    struct web *web;
    struct watch *next;
    curl_socket_t fd;
    short wants;    /* POLL bits; 0: to be watched no longer */
    bool closes;    /* once it is watched no longer */
    rv_scope *wait; /* in which its task waits; NULL: it does not */
};

struct web {
    CURLM *multi;
    rv_scope *scope; /* of the tasks that wait on libcurl's behalf */
    unsigned worker;
    struct watch *watches;
    rv_time due; /* when libcurl wants to be called, whatever happens */
    struct rv_event due_changed;
};

struct transfer {
    CURL *easy;
    struct rv_event changed; /* there are bytes, or the end has come */
    bool is_paused, has_ended;
    CURLcode code; /* it has ended with */
    struct web_reply *reply;
    size_t len;
    char data[BUFFER_BYTES]; /* received, and not yet written out */
};

/* --- libcurl is called --- */

/* Something has happened to a socket, or the time is over. */
static void advance(struct web *web, curl_socket_t fd, int what)
{
    struct transfer *t;
    CURLMsg *message;
    int count;

    if (curl_multi_socket_action(web->multi, fd, what, &count) != CURLM_OK)
        rv_scope_cancel(web->scope, -EIO);
    while ((message = curl_multi_info_read(web->multi, &count))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
        t->code = message->data.result;
        t->has_ended = true;
        rv_event_set(&t->changed);
    }
}

/* --- time --- */

static int on_timer(CURLM *multi, long ms, void *arg)
{
    struct web *web = arg;

    (void)multi;
    web->due = ms < 0 ? RV_NEVER : rv_after(ms * RV_MILLISECOND);
    rv_event_set(&web->due_changed);
    return 0;
}

static int keep_time(void *arg)
{
    struct web *web = arg;
    int r = rv_migrate(web->worker);

    while (r == 0) {
        rv_event_reset(&web->due_changed);
        r = rv_event_wait(&web->due_changed, web->due);
        if (r == -ETIME) {
            web->due = RV_NEVER;
            advance(web, CURL_SOCKET_TIMEOUT, 0);
            r = 0;
        }
    }
    return r;
}

/* --- sockets --- */

static struct watch **find(struct web *web, curl_socket_t fd)
{
    struct watch **at = &web->watches;

    while (*at && (*at)->fd != fd)
        at = &(*at)->next;
    return at;
}

static void unlink_and_free(struct watch **at)
{
    struct watch *w = *at;

    *at = w->next;
    if (w->closes)
        close(w->fd);
    free(w);
}

/* Returns the events that have come; 0 when the wish for them has changed. */
static int wait_for_events(struct watch *w)
{
    int err, got = 0;

    RV_SCOPE(s, err, .name = "socket") {
        w->wait = s;
        got = rv_poll(w->fd, w->wants, RV_NEVER);
        w->wait = NULL;
    }
    if (got > 0)
        return got;
    return err == WISH_CHANGED ? 0 : err < 0 ? err : got;
}

static int what_of(int events)
{
    return (events & (POLLIN | POLLHUP) ? CURL_CSELECT_IN : 0) |
           (events & POLLOUT ? CURL_CSELECT_OUT : 0) |
           (events & (POLLERR | POLLNVAL) ? CURL_CSELECT_ERR : 0);
}

/* A task that does not get as far as its worker leaves its watch to web_close(). */
static int watch(void *arg)
{
    struct watch *w = arg;
    struct web *web = w->web;
    int r = rv_migrate(web->worker);

    if (r < 0)
        return r;
    while (r >= 0 && w->wants) {
        r = wait_for_events(w);
        if (r > 0 && w->wants)
            advance(web, w->fd, what_of(r));
    }
    unlink_and_free(find(web, w->fd));
    return r < 0 ? r : 0;
}

static int start_watch(struct web *web, curl_socket_t fd, short wants)
{
    struct watch *w = calloc(1, sizeof *w);
    int r = w ? 0 : -ENOMEM;

    if (r == 0) {
        *w = (struct watch){.web = web, .next = web->watches, .fd = fd, .wants = wants};
        r = rv_go(web->scope, watch, w);
    }
    if (r == 0)
        web->watches = w;
    else
        free(w);
    return r;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
    struct web *web = arg;
    struct watch *w = *find(web, fd);
    short wants =
        (short)((what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0));

    (void)easy, (void)unused;
    if (w) {
        w->wants = wants;
        if (w->wait)
            rv_scope_cancel(w->wait, WISH_CHANGED);
        return 0;
    }
    int r = wants ? start_watch(web, fd, wants) : 0;
    if (r < 0)
        rv_scope_cancel(web->scope, r);
    return r < 0 ? -1 : 0;
}

static int on_close(void *arg, curl_socket_t fd)
{
    struct watch *w = *find(arg, fd);

    if (w)
        w->closes = true;
    else
        close(fd);
    return 0;
}

/* --- a transfer --- */

static size_t on_data(char *data, size_t one, size_t count, void *arg)
{
    struct transfer *t = arg;

    (void)one;
    rv_event_set(&t->changed);
    if (count > BUFFER_BYTES - t->len) {
        t->is_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    memcpy(t->data + t->len, data, count);
    t->len += count;
    return count;
}

/* More may arrive behind what is written out. */
static int write_out(struct transfer *t, int to, rv_time deadline)
{
    size_t len = t->len;
    int r = rv_write_all(to, t->data, len, NULL, deadline);

    if (r < 0)
        return r;
    t->len -= len;
    t->reply->bytes += (long long)len;
    memmove(t->data, t->data + len, t->len);
    if (!t->is_paused)
        return 0;
    t->is_paused = false;
    return curl_easy_pause(t->easy, CURLPAUSE_CONT) == CURLE_OK ? 0 : -EIO;
}

static int pump(struct transfer *t, int to, rv_time deadline)
{
    int r = 0;

    while (r == 0 && (t->len > 0 || !t->has_ended)) {
        rv_event_reset(&t->changed);
        if (t->len > 0)
            r = write_out(t, to, deadline);
        else
            r = rv_event_wait(&t->changed, deadline);
    }
    return r;
}

static int errno_of(struct transfer *t)
{
    long os_errno = 0;

    curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_errno);
    return t->code == CURLE_OK ? 0 : os_errno > 0 ? -(int)os_errno : -EPROTO;
}

static bool set_up(struct web *web, struct transfer *t, const char *url)
{
    CURL *easy = t->easy;

    return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, t) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, web) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->reply->why) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
}

static int transfer(struct web *web, struct transfer *t, const char *url, int to, rv_time deadline)
{
    if (!set_up(web, t, url) || curl_multi_add_handle(web->multi, t->easy) != CURLM_OK)
        return -EINVAL;
    int r = pump(t, to, deadline);
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->reply->status);
    curl_multi_remove_handle(web->multi, t->easy);
    return r < 0 ? r : errno_of(t);
}

int web_get(struct web *web, const char *url, int to, struct web_reply *reply, rv_time deadline)
{
    int r = rv_migrate(web->worker);

    *reply = (struct web_reply){0};
    if (r < 0)
        return r;
    struct transfer *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->reply = reply;
    t->easy = curl_easy_init();
    r = t->easy ? transfer(web, t, url, to, deadline) : -ENOMEM;
    curl_easy_cleanup(t->easy);
    free(t);
    return r;
}

/* --- life --- */

static int start(struct web *web)
{
    CURLM *multi = web->multi;
    struct rv_scope_opts opts = {.size = sizeof opts, .name = "libcurl"};
    int r;

    if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, web) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, web) != CURLM_OK)
        return -ENOTSUP;
    if ((r = rv_scope_open(&web->scope, &opts)) < 0)
        return r;
    if ((r = rv_go(web->scope, keep_time, web)) == 0)
        return 0;
    rv_scope_cancel(web->scope, r);
    return rv_scope_close(web->scope);
}

int web_open(struct web **ret)
{
    int worker = rv_task_worker(), r;

    if (worker < 0)
        return worker;
    struct web *web = calloc(1, sizeof *web);
    if (!web)
        return -ENOMEM;
    web->worker = (unsigned)worker;
    web->due = RV_NEVER;
    web->multi = curl_multi_init();
    r = web->multi ? start(web) : -ENOMEM;
    if (r == 0) {
        *ret = web;
        return 0;
    }
    curl_multi_cleanup(web->multi);
    free(web);
    return r;
}

int web_close(struct web *web)
{
    curl_multi_cleanup(web->multi);
    rv_scope_cancel(web->scope, -ECANCELED);
    int r = rv_scope_close(web->scope);
    while (web->watches)
        unlink_and_free(&web->watches);
    free(web);
    return r == -ECANCELED ? 0 : r;
}
