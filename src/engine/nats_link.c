/* SPDX-License-Identifier: MIT */
/* nats_link.c - the connection.
 *
 * libnats is told that there is an event loop: it starts no thread that reads or writes, hands over
 * its socket, and gathers what is published until it is told to write. So many messages leave in
 * one system call, a single one at once, and nothing waits. Whether the server is still there it is
 * not asked to find out either, by a thread with a timer: the thread of the engine's does that.
 *
 *   L1  `nc` is used by the engine's thread alone, and thrown away when it is closed.
 *   L2  The socket is closed by libnats; epoll forgets it by that.
 *   L3  Messages are freed many at a time: libnats has a thread for that, and wakes it for the
 *       first that it finds. One by one it was woken five times a job, before what had been
 *       published could be written.
 *
 * Rejected: libnats' way of connecting again. It is a thread, which keeps some of what was
 * published meanwhile and refuses the rest; here all that was not answered is published anew. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/by_nats.h"
#include "engine/nkey.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/poller.h"

enum { CONNECT_MS = 2000, BUFFER_BYTES = 64 << 10, SERVERS_MOST = 64, SIGNATURES = 4 };

/* --- what libnats asks its event loop for --- */

static natsStatus attach(void **ret, void *arg, natsConnection *nc, natsSock fd)
{
    struct rvi_nats *e = arg;

    (void)nc;
    *ret = e;
    e->fd = fd;
    e->wants_write = false;
    e->has_asked_for_write = false;
    rvi_fd_close_on_exec(fd);
    return rvi_poller_control(e->poller, EPOLL_CTL_ADD, fd, EPOLLIN, 1) < 0 ? NATS_SYS_ERROR
                                                                            : NATS_OK;
}

static natsStatus want_read(void *arg, bool is_wanted)
{
    struct rvi_nats *e = arg;

    if (!is_wanted)
        e->fd = -1;
    return NATS_OK;
}

static natsStatus want_write(void *arg, bool is_wanted)
{
    struct rvi_nats *e = arg;

    e->wants_write = is_wanted;
    return NATS_OK;
}

static natsStatus detach(void *arg)
{
    (void)arg;
    return NATS_OK;
}

/* A thread of libnats' tells of what the server refuses, such as a subject. Each such refusal
 * leaves something unanswered, so here it is only silenced: the usual handler prints. */
static void silence(natsConnection *nc, natsSubscription *sub, natsStatus status, void *arg)
{
    (void)nc, (void)sub, (void)status, (void)arg;
}

/* --- connecting --- */

static int error_of(natsStatus status)
{
    switch (status) {
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
    case NATS_SECURE_CONNECTION_REQUIRED:
    case NATS_SECURE_CONNECTION_WANTED:
    case NATS_SSL_ERROR:
        return -EACCES;
    case NATS_TIMEOUT:
        return -ETIME;
    case NATS_NO_MEMORY:
        return -ENOMEM;
    case NATS_ADDRESS_MISSING:
    case NATS_INVALID_ARG:
        return -EINVAL;
    default:
        return -ECONNREFUSED;
    }
}

/* In place; libnats copies. */
static int split(char *list, const char **ret)
{
    int count = 0;

    for (char *at = strtok_r(list, ",", &list); at && count < SERVERS_MOST;
         at = strtok_r(NULL, ",", &list))
        ret[count++] = at;
    return count;
}

static natsStatus set_servers(const struct rvi_nats_api *api, natsOptions *opts, const char *url)
{
    const char *servers[SERVERS_MOST];
    size_t bytes = strlen(url) + 1;
    char *list = rvi_alloc(bytes);

    if (!list)
        return NATS_NO_MEMORY;
    memcpy(list, url, bytes);
    natsStatus s = api->natsOptions_SetServers(opts, servers, split(list, servers));
    rvi_free(list);
    return s;
}

static natsStatus set_security(struct rvi_nats *e, natsOptions *opts,
                               char words[static RVI_ENGINE_WORDS])
{
    const struct rvi_nats_api *api = e->api;
    char public[RVI_NKEY_PUBLIC_BYTES];
    natsStatus s = NATS_OK;

    if (strncmp(e->opts.url, "tls", 3) == 0 || e->opts.ca_file || e->opts.cert_file)
        s = api->natsOptions_SetSecure(opts, true);
    if (s == NATS_OK && e->opts.ca_file)
        s = api->natsOptions_LoadCATrustedCertificates(opts, e->opts.ca_file);
    if (s == NATS_OK && e->opts.cert_file)
        s = api->natsOptions_LoadCertificatesChain(opts, e->opts.cert_file, e->opts.key_file);
    if (s == NATS_OK && e->opts.nkey_file) {
        int r = rvi_nkey_public_of(e->opts.nkey_file, public);
        if (r < 0) {
            snprintf(words, RVI_ENGINE_WORDS, "no seed can be read from %s: %s", e->opts.nkey_file,
                     strerror(-r));
            return NATS_CONNECTION_AUTH_FAILED;
        }
        s = api->natsOptions_SetNKeyFromSeed(opts, public, e->opts.nkey_file);
    }
    return s;
}

static natsStatus set_rest(struct rvi_nats *e, natsOptions *opts)
{
    const struct rvi_nats_api *api = e->api;
    natsStatus s = api->natsOptions_SetEventLoop(opts, e, attach, want_read, want_write, detach);

    s = s == NATS_OK ? api->natsOptions_SetSendAsap(opts, true) : s;
    s = s == NATS_OK ? api->natsOptions_SetAllowReconnect(opts, false) : s;
    s = s == NATS_OK ? api->natsOptions_SetPingInterval(opts, 0) : s;
    s = s == NATS_OK ? api->natsOptions_SetTimeout(opts, CONNECT_MS) : s;
    s = s == NATS_OK ? api->natsOptions_SetIOBufSize(opts, BUFFER_BYTES) : s;
    s = s == NATS_OK ? api->natsOptions_SetName(opts, e->name) : s;
    s = s == NATS_OK ? api->natsOptions_SetErrorHandler(opts, silence, NULL) : s;
    return s;
}

static natsStatus subscribe(struct rvi_nats *e, natsSubscription **ret, const char *subject)
{
    natsStatus s = e->api->natsConnection_SubscribeSync(ret, e->nc, subject);

    return s == NATS_OK ? e->api->natsSubscription_SetPendingLimits(*ret, -1, -1) : s;
}

static natsStatus connect_by(struct rvi_nats *e, natsOptions *opts)
{
    char subject[RVI_NATS_SUBJECT];
    natsStatus s = e->api->natsConnection_Connect(&e->nc, opts);

    snprintf(subject, sizeof(subject), "ravel.%s.to.%s.>", e->opts.pool, e->me);
    if (s == NATS_OK)
        s = subscribe(e, &e->to_me, subject);
    snprintf(subject, sizeof(subject), "ravel.%s.held.%s", e->opts.pool, e->opts.build);
    if (s == NATS_OK && e->opts.role == RVI_ENGINE_WORKER)
        s = subscribe(e, &e->among_workers, subject);
    return s;
}

/* libnats 3.4 takes a signature that begins with a zero for none, and sends none: so one connection
 * of 256 is refused for nothing. The next has another number to sign. */
static natsStatus connect_signed(struct rvi_nats *e, natsOptions *opts)
{
    natsStatus s = connect_by(e, opts);

    for (int tried = 1; s == NATS_CONNECTION_AUTH_FAILED && e->opts.nkey_file; tried++) {
        if (tried == SIGNATURES)
            return s;
        s = connect_by(e, opts);
    }
    return s;
}

int rvi_nats_connect(struct rvi_nats *e, char words[static RVI_ENGINE_WORDS])
{
    natsOptions *opts = NULL;
    natsStatus s = e->api->natsOptions_Create(&opts);

    words[0] = '\0';
    s = s == NATS_OK ? set_servers(e->api, opts, e->opts.url) : s;
    s = s == NATS_OK ? set_security(e, opts, words) : s;
    s = s == NATS_OK ? set_rest(e, opts) : s;
    s = s == NATS_OK ? connect_signed(e, opts) : s;
    if (s != NATS_OK && !words[0]) {
        natsStatus last;
        const char *text = e->api->nats_GetLastError(&last);
        snprintf(words, RVI_ENGINE_WORDS, "%s: %s", e->opts.url,
                 text && text[0] ? text : e->api->natsStatus_GetText(s));
    }
    e->api->natsOptions_Destroy(opts);
    if (s != NATS_OK) {
        rvi_nats_disconnect(e);
        return error_of(s);
    }
    e->payload_most = (size_t)e->api->natsConnection_GetMaxPayload(e->nc);
    e->heard = rvi_clock_now();
    return 0;
}

int rvi_nats_read_results(struct rvi_nats *e, const char *subject)
{
    e->api->natsSubscription_Destroy(e->results);
    e->results = NULL;
    return subscribe(e, &e->results, subject) == NATS_OK ? 0 : -ENOTCONN;
}

bool rvi_nats_is_connected(struct rvi_nats *e)
{
    return e->nc && e->fd >= 0 && !e->api->natsConnection_IsClosed(e->nc);
}

void rvi_nats_free_dropped(struct rvi_nats *e)
{
    while (e->dropped_count > 0)
        e->api->natsMsg_Destroy(e->dropped[--e->dropped_count]);
    e->dropped_bytes = 0;
}

void rvi_nats_drop(struct rvi_nats *e, natsMsg *msg)
{
    if (!msg)
        return;
    e->dropped[e->dropped_count++] = msg;
    e->dropped_bytes += (size_t)e->api->natsMsg_GetDataLength(msg);
    if (e->dropped_count == RVI_NATS_DROPPED || e->dropped_bytes > RVI_NATS_DROPPED_BYTES)
        rvi_nats_free_dropped(e);
}

/* The connection first: to end a subscription of a live one is a message, and to close a connection
 * with a message that was not written waits for it. */
void rvi_nats_disconnect(struct rvi_nats *e)
{
    if (rvi_nats_is_connected(e))
        rvi_nats_write(e);
    e->api->natsConnection_Destroy(e->nc);
    rvi_nats_free_dropped(e);
    e->api->natsSubscription_Destroy(e->results);
    e->api->natsSubscription_Destroy(e->among_workers);
    e->api->natsSubscription_Destroy(e->to_me);
    e->results = e->among_workers = e->to_me = NULL;
    e->nc = NULL;
    e->fd = -1;
    e->buffered = 0;
}

/* --- using it --- */

static natsStatus publish_headed(struct rvi_nats *e, const char *subject, const char *reply,
                                 const struct rvi_nats_header *headers, const void *bytes,
                                 size_t count)
{
    const struct rvi_nats_api *api = e->api;
    natsMsg *msg = NULL;
    natsStatus s = api->natsMsg_Create(&msg, subject, reply, bytes, (int)count);

    for (int i = 0; s == NATS_OK && i < RVI_NATS_HEADERS && headers[i].name; i++)
        s = api->natsMsgHeader_Set(msg, headers[i].name, headers[i].value);
    if (s == NATS_OK)
        s = api->natsConnection_PublishMsg(e->nc, msg);
    rvi_nats_drop(e, msg);
    return s;
}

int rvi_nats_say(struct rvi_nats *e, const char *subject, const char *reply,
                 const struct rvi_nats_header *headers, const void *bytes, size_t count)
{
    natsStatus s;

    if (!rvi_nats_is_connected(e))
        return -ENOTCONN;
    if (headers && headers[0].name)
        s = publish_headed(e, subject, reply, headers, bytes, count);
    else if (reply)
        s = e->api->natsConnection_PublishRequest(e->nc, subject, reply, bytes, (int)count);
    else
        s = e->api->natsConnection_Publish(e->nc, subject, bytes, (int)count);
    e->buffered += count;
    return s == NATS_OK ? 0 : s == NATS_MAX_PAYLOAD ? -EFBIG : -ENOTCONN;
}

void rvi_nats_write(struct rvi_nats *e)
{
    if (e->nc && e->wants_write)
        e->api->natsConnection_ProcessWriteEvent(e->nc);
    if (!rvi_nats_is_connected(e))
        return;
    int left = e->wants_write ? e->api->natsConnection_Buffered(e->nc) : 0;
    e->buffered = left > 0 ? (size_t)left : 0;
    if (e->wants_write == e->has_asked_for_write)
        return;
    uint32_t events = e->wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
    if (rvi_poller_control(e->poller, EPOLL_CTL_MOD, e->fd, events, 1) == 0)
        e->has_asked_for_write = e->wants_write;
}

/* What is handled may end the subscription. */
static void drain(struct rvi_nats *e, natsSubscription *const *sub,
                  void (*hear)(struct rvi_nats *e, natsMsg *msg))
{
    const natsSubscription *first = *sub;
    natsMsg *msg = NULL;
    int count = 0;

    if (!first || e->api->natsSubscription_GetPending(*sub, &count, NULL) != NATS_OK)
        return;
    for (; count > 0 && *sub == first; count--) {
        natsStatus s = e->api->natsSubscription_NextMsg(&msg, *sub, 0);
        if (s == NATS_NO_RESPONDERS)
            continue; /* libnats has consumed it */
        if (s != NATS_OK)
            return;
        e->is_kept = false;
        hear(e, msg);
        if (!e->is_kept)
            rvi_nats_drop(e, msg);
    }
}

void rvi_nats_read(struct rvi_nats *e)
{
    e->api->natsConnection_ProcessReadEvent(e->nc);
    e->heard = rvi_clock_now();
    drain(e, &e->to_me, rvi_nats_hear);
    drain(e, &e->among_workers, rvi_nats_hear_worker);
    drain(e, &e->results, rvi_nats_hear_result);
}
