/* SPDX-License-Identifier: MIT */
/* nats.c - the least that a cluster of jobs needs of NATS JetStream, on its C library alone: what
 * ravel-cluster is held against.
 *
 * The exchanges are those that a job makes under Ravel, and no others:
 *
 *   1  the client stores a task in a work queue, under an identity by which the server drops a
 *      second copy (Nats-Msg-Id), and is told so;
 *   2  a worker asks for as many tasks as it has free slots, by requests of its own that stand for
 *      250 ms;
 *   3  it stores the result under the same identity;
 *   4  once that is acknowledged, it acknowledges the task; meanwhile it goes on with others;
 *   5  the client reads results with an ordered consumer, which starts anew where a message was
 *      missed.
 *
 * What is longer than PIECE goes in pieces through a third stream: they are stored, then the
 * message that names them, and whoever gets that fetches them.
 *
 * What is left out is what a user needs and a measurement does not: no lease is extended, nobody
 * looks whether a result exists already, nothing is done again, the job is in the worker itself.
 *
 * Workers are forked before the library is used here: its threads are not to be forked. */
#include "bench.h"

#include <nats/nats.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PIECE = 512 << 10,
    MOST_BYTES = 16 << 20,
    MOST_WORKERS = 64,
    MOST_OPS = 100000,
    PENDING = 1 << 16, /* results of one worker that are not acknowledged yet, at most */
    SUBJECT = 128,
    PATIENCE_MS = 10000,
};

#define TASKS "BARE_TASKS"
#define RESULTS "BARE_RESULTS"
#define BLOBS "BARE_BLOBS"
#define PULL "$JS.API.CONSUMER.MSG.NEXT." TASKS ".workers"

/* A connection, and where its answers come. */
struct wire {
    natsConnection *nc;
    jsCtx *js;
    natsSubscription *pieces;
    char pieces_to[SUBJECT];
};

static const char *url;
static long bytes, in_flight, slots;
static char *payload;

static void must(natsStatus s)
{
    bench_require(s == NATS_OK, natsStatus_GetText(s));
}

/* --- the connection, and what is stored --- */

static void make_box(char ret[static SUBJECT])
{
    natsInbox *box = NULL;
    must(natsInbox_Create(&box));
    snprintf(ret, SUBJECT, "%s", box);
    natsInbox_Destroy(box);
}

static natsSubscription *listen_at(natsConnection *nc, const char *subject)
{
    natsSubscription *sub = NULL;
    must(natsConnection_SubscribeSync(&sub, nc, subject));
    must(natsSubscription_SetPendingLimits(sub, -1, -1));
    return sub;
}

static void join(struct wire *w, bool is_asap)
{
    natsOptions *opts = NULL;
    must(natsOptions_Create(&opts));
    must(natsOptions_SetURL(opts, url));
    must(natsOptions_SetSendAsap(opts, is_asap));
    must(natsConnection_Connect(&w->nc, opts));
    natsOptions_Destroy(opts);
    must(natsConnection_JetStream(&w->js, w->nc, NULL));
    make_box(w->pieces_to);
    w->pieces = listen_at(w->nc, w->pieces_to);
}

static void leave(struct wire *w)
{
    natsSubscription_Destroy(w->pieces);
    jsCtx_Destroy(w->js);
    natsConnection_Destroy(w->nc);
}

static void make_stream(struct wire *w, const char *name, const char *subject,
                        jsRetentionPolicy retention)
{
    jsStreamConfig config;
    must(jsStreamConfig_Init(&config));
    (void)js_DeleteStream(w->js, name, NULL, NULL);
    config.Name = name;
    config.Subjects = &subject;
    config.SubjectsLen = 1;
    config.Retention = retention;
    config.Discard = retention == js_WorkQueuePolicy ? js_DiscardNew : js_DiscardOld;
    config.Storage = js_FileStorage;
    config.AllowDirect = true;
    must(js_AddStream(NULL, w->js, &config, NULL, NULL));
}

static void make_all(struct wire *w)
{
    jsConsumerConfig config;
    make_stream(w, TASKS, "bare.task.*", js_WorkQueuePolicy);
    make_stream(w, RESULTS, "bare.result.*", js_LimitsPolicy);
    make_stream(w, BLOBS, "bare.blob.*.*.*", js_LimitsPolicy);
    must(jsConsumerConfig_Init(&config));
    config.Durable = "workers";
    config.AckPolicy = js_AckExplicit;
    config.AckWait = 5000000000;
    config.MaxDeliver = -1;
    config.MaxAckPending = 1000000;
    must(js_AddConsumer(NULL, w->js, TASKS, &config, NULL, NULL));
}

static void forget_all(struct wire *w)
{
    must(js_DeleteStream(w->js, TASKS, NULL, NULL));
    must(js_DeleteStream(w->js, RESULTS, NULL, NULL));
    must(js_DeleteStream(w->js, BLOBS, NULL, NULL));
}

/* An answer to something that was to be stored. */
static void check_stored(natsMsg *m)
{
    bench_require(natsMsg_GetDataLength(m) > 0 && !strstr(natsMsg_GetData(m), "\"error\""),
                  "the server stores nothing");
}

static void store(struct wire *w, const char *subject, const char *reply, const char *id,
                  const char *data, long count)
{
    natsMsg *m = NULL;
    must(natsMsg_Create(&m, subject, reply, data, (int)count));
    must(natsMsgHeader_Set(m, "Nats-Msg-Id", id));
    must(natsConnection_PublishMsg(w->nc, m));
    natsMsg_Destroy(m);
}

/* --- messages, whole or in pieces --- */

static long pieces_of(long count)
{
    return (count + PIECE - 1) / PIECE;
}

static natsMsg *next_piece(struct wire *w)
{
    natsMsg *m = NULL;
    must(natsSubscription_NextMsg(&m, w->pieces, PATIENCE_MS));
    return m;
}

static void store_pieces(struct wire *w, const char *kind, const char *id, const char *data)
{
    char subject[SUBJECT];
    for (long i = 0; i < pieces_of(bytes); i++) {
        long count = bytes - i * PIECE < PIECE ? bytes - i * PIECE : PIECE;
        snprintf(subject, sizeof subject, "bare.blob.%s.%s.%ld", kind, id, i);
        store(w, subject, w->pieces_to, subject, data + i * PIECE, count);
    }
    for (long i = 0; i < pieces_of(bytes); i++) {
        natsMsg *m = next_piece(w);
        check_stored(m);
        natsMsg_Destroy(m);
    }
}

static void fetch_pieces(struct wire *w, const char *kind, const char *id, char *ret)
{
    char request[2 * SUBJECT];
    for (long i = 0; i < pieces_of(bytes); i++) {
        snprintf(request, sizeof request, "{\"last_by_subj\":\"bare.blob.%s.%s.%ld\"}", kind, id,
                 i);
        must(natsConnection_PublishRequestString(w->nc, "$JS.API.DIRECT.GET." BLOBS, w->pieces_to,
                                                 request));
    }
    for (long i = 0, at = 0; i < pieces_of(bytes); i++) {
        natsMsg *m = next_piece(w);
        int count = natsMsg_GetDataLength(m);
        bench_require(count > 0 && at + count <= bytes, "a piece is not as it was");
        memcpy(ret + at, natsMsg_GetData(m), (size_t)count);
        at += count;
        natsMsg_Destroy(m);
    }
}

/* A task or result of `bytes`; what is in pieces is a message without data. */
static void put(struct wire *w, const char *kind, const char *id, const char *reply,
                const char *data)
{
    char subject[SUBJECT];
    if (bytes > PIECE)
        store_pieces(w, kind, id, data);
    snprintf(subject, sizeof subject, "bare.%s.%s", kind, id);
    store(w, subject, reply, id, data, bytes > PIECE ? 0 : bytes);
}

static const char *get(struct wire *w, const char *kind, const char *id, natsMsg *m, char *room)
{
    if (bytes <= PIECE) {
        bench_require(natsMsg_GetDataLength(m) == bytes, "a message is not as it was");
        return natsMsg_GetData(m);
    }
    fetch_pieces(w, kind, id, room);
    return room;
}

/* --- a worker --- */

struct worker {
    struct wire w;
    natsSubscription *box;
    char tasks_to[SUBJECT], stored_to[SUBJECT];
    long asked; /* tasks that the server may send */
    unsigned begun;
    char (*acks)[SUBJECT]; /* where to acknowledge a task whose result is being stored */
    char *room;
};

/* Requests overlap, so that there is one while another is being answered. */
static void ask(struct worker *k)
{
    char request[SUBJECT];
    if (k->asked > slots / 2)
        return;
    snprintf(request, sizeof request, "{\"batch\":%ld,\"expires\":250000000}", slots - k->asked);
    must(natsConnection_PublishRequestString(k->w.nc, PULL, k->tasks_to, request));
    k->asked = slots;
}

/* A request that has not been answered in full is over. */
static void hear_of_request(struct worker *k, natsMsg *m)
{
    const char *left = NULL;
    must(natsMsgHeader_Get(m, "Nats-Pending-Messages", &left));
    k->asked -= strtol(left, NULL, 10);
}

static void hear_of_result(struct worker *k, natsMsg *m)
{
    const char *number = strrchr(natsMsg_GetSubject(m), '.') + 1;
    check_stored(m);
    must(natsConnection_PublishString(k->w.nc, k->acks[strtoul(number, NULL, 10) % PENDING],
                                      "+ACK"));
}

static void run_task(struct worker *k, natsMsg *m)
{
    char reply[SUBJECT + 16];
    const char *id = strrchr(natsMsg_GetSubject(m), '.') + 1;
    const char *in = get(&k->w, "task", id, m, k->room);
    k->asked--;
    snprintf(k->acks[k->begun % PENDING], SUBJECT, "%s", natsMsg_GetReply(m));
    snprintf(reply, sizeof reply, "%s.%u", k->stored_to, k->begun++);
    put(&k->w, "result", id, reply, in);
}

static void hear(struct worker *k, natsMsg *m)
{
    const char *subject = natsMsg_GetSubject(m);
    if (strcmp(subject, k->tasks_to) == 0)
        hear_of_request(k, m);
    else if (strncmp(subject, "bare.task.", strlen("bare.task.")) == 0)
        run_task(k, m);
    else
        hear_of_result(k, m);
}

__attribute__((noreturn)) static void serve(bool is_asap)
{
    struct worker k = {.room = malloc(MOST_BYTES), .acks = malloc((size_t)PENDING * SUBJECT)};
    char box[SUBJECT], all[SUBJECT + 8];
    bench_require(k.room && k.acks, "no memory");
    join(&k.w, is_asap);
    make_box(box);
    snprintf(all, sizeof all, "%.100s.>", box);
    snprintf(k.tasks_to, sizeof k.tasks_to, "%.100s.tasks", box);
    snprintf(k.stored_to, sizeof k.stored_to, "%.100s.stored", box);
    k.box = listen_at(k.w.nc, all);
    for (;;) {
        natsMsg *m = NULL;
        ask(&k);
        natsStatus s = natsSubscription_NextMsg(&m, k.box, PATIENCE_MS);
        must(s);
        hear(&k, m);
        natsMsg_Destroy(m);
    }
}

static pid_t workers[MOST_WORKERS];

/* They begin when they are told to, as there is nothing to ask for before. */
static void start_workers(long count, bool is_asap, int gate[static 2])
{
    bench_require(pipe(gate) == 0, "pipe");
    for (long i = 0; i < count; i++) {
        char c;
        workers[i] = fork();
        bench_require(workers[i] >= 0, "fork");
        if (workers[i] > 0)
            continue;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(gate[1]);
        (void)!read(gate[0], &c, 1);
        serve(is_asap);
    }
    close(gate[0]);
}

static void end_workers(long count)
{
    for (long i = 0; i < count; i++)
        kill(workers[i], SIGKILL);
    for (long i = 0; i < count; i++)
        (void)waitpid(workers[i], NULL, 0);
}

/* --- the client --- */

struct client {
    struct wire w;
    natsSubscription *stored, *results;
    char stored_to[SUBJECT];
    long submitted, ended;
    char *room;
};

static _Atomic long stored_count;

static void hear_stored(natsConnection *nc, natsSubscription *sub, natsMsg *m, void *arg)
{
    (void)nc, (void)sub, (void)arg;
    check_stored(m);
    natsMsg_Destroy(m);
    stored_count++;
}

static void open_client(struct client *c, bool is_asap)
{
    jsSubOptions opts;
    join(&c->w, is_asap);
    make_all(&c->w);
    make_box(c->stored_to);
    must(natsConnection_Subscribe(&c->stored, c->w.nc, c->stored_to, hear_stored, NULL));
    must(natsSubscription_SetPendingLimits(c->stored, -1, -1));
    must(jsSubOptions_Init(&opts));
    opts.Ordered = true;
    must(js_SubscribeSync(&c->results, c->w.js, "bare.result.*", NULL, &opts, NULL));
    must(natsSubscription_SetPendingLimits(c->results, -1, -1));
    c->room = malloc(MOST_BYTES);
    bench_require(c->room != NULL, "no memory");
}

static void close_client(struct client *c)
{
    bench_require(stored_count == c->submitted, "a task was never acknowledged");
    forget_all(&c->w);
    natsSubscription_Destroy(c->stored);
    natsSubscription_Destroy(c->results);
    leave(&c->w);
    free(c->room);
}

static void submit(struct client *c)
{
    char id[32];
    snprintf(id, sizeof id, "%022ld", c->submitted++);
    memcpy(payload, id, sizeof(long));
    put(&c->w, "task", id, c->stored_to, payload);
}

static void await_result(struct client *c)
{
    natsMsg *m = NULL;
    must(natsSubscription_NextMsg(&m, c->results, PATIENCE_MS));
    const char *id = strrchr(natsMsg_GetSubject(m), '.') + 1;
    const char *out = get(&c->w, "result", id, m, c->room);
    bench_require(
        memcmp(out + sizeof(long), payload + sizeof(long), (size_t)bytes - sizeof(long)) == 0 &&
            memcmp(out, id, sizeof(long)) == 0,
        "the wrong result");
    c->ended++;
    natsMsg_Destroy(m);
}

static void run_one_by_one(struct client *c)
{
    static double us[MOST_OPS];
    long ops = bench_param_upto("ops", 1000, MOST_OPS), warm = ops / 10 + 1;
    for (long i = -warm; i < ops; i++) {
        int64_t begin = bench_now();
        submit(c);
        await_result(c);
        us[i < 0 ? 0 : i] = (double)(bench_now() - begin) / 1000;
    }
    bench_result("p50", bench_percentile(us, (size_t)ops, 50), "us");
    bench_result("p99", bench_percentile(us, (size_t)ops, 99), "us");
}

static void run_many(void *arg, long ops)
{
    struct client *c = arg;
    long until = c->submitted + ops;
    while (c->ended < until) {
        while (c->submitted < until && c->submitted - c->ended < in_flight)
            submit(c);
        await_result(c);
    }
}

static void run_cluster(void)
{
    struct client c = {0};
    int gate[2];
    url = bench_param_text("url", NATS_DEFAULT_URL);
    in_flight = bench_param("in_flight", 1);
    bytes = bench_param_upto("bytes", 8, MOST_BYTES);
    slots = bench_param("slots", 64);
    long count = bench_param_upto("workers", 1, MOST_WORKERS);
    bool is_asap = bench_param_upto("asap", in_flight == 1, 1) == 1;
    bench_require(bytes >= 8 && in_flight > 0 && slots > 0 && count > 0, "nothing to do");
    payload = calloc(1, MOST_BYTES);
    bench_require(payload != NULL, "no memory");
    memset(payload, 'x', (size_t)bytes);
    start_workers(count, is_asap, gate);
    open_client(&c, is_asap);
    close(gate[1]);
    if (in_flight == 1)
        run_one_by_one(&c);
    else
        bench_batches(run_many, &c, bytes > PIECE ? 50 : bytes > 4096 ? 1000 : 10000);
    end_workers(count);
    close_client(&c);
    free(payload);
    nats_Close();
}

int main(int argc, char **argv)
{
    static const struct bench_choice benches[] = {{"cluster", run_cluster}, {0}};
    bench_choose(benches, "nats", argc, argv);
}
