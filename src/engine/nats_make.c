/* SPDX-License-Identifier: MIT */
/* nats_make.c - the streams and consumers of a pool, made where they are not there.
 *
 * Each time that a connection was made all of it is asked for: the server may have lost what it
 * had, or be another one. What is there already, and otherwise, stays as it is: who came first
 * decides.
 *
 *   M1  Consumers are kept in files, as the streams: one in memory forgets at a crash what is
 *       leased.
 *   M2  The server never gives a task up (max_deliver -1); who does that is we, by counting what
 *       was begun.
 *   M3  What is purged by subject lies in a stream without consumers: nats_behind.c.
 *   M4  A consumer that nobody has used for half a day is forgotten by the server: each build has
 *       three of them. Its tasks stay. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/nats_worker.h"

enum {
    STREAMS = 6,
    PARTS = STREAMS + RVI_LANES,
    CONFIG_BYTES = 1024,
    LEASED_MOST = 1 << 20,
    MESSAGE_MOST = 8 << 20, /* what is longer this server acknowledges, and cannot read back */
    USUAL_BACKLOG = 1000000,
    LETTERS = 100000,
};

static const int64_t second = 1000000000, hour = 3600 * second, day = 24 * hour;

const char *const rvi_nats_lanes[RVI_LANES] = {"normal", "high", "low"};

struct rvi_nats_making {
    struct part {
        struct rvi_nats_ask ask;
        unsigned taken; /* times that what it wants was another's */
        char config[CONFIG_BYTES];
    } part[PARTS];
    unsigned count, left;
};

void rvi_nats_consumer_name(const char *build, enum rvi_engine_lane lane, char ret[static 64])
{
    snprintf(ret, 64, "%s_%s", rvi_nats_lanes[lane], build);
}

static void parts_made(struct rvi_nats *e);

/* While servers of a cluster are still coming, there is no place for copies, or nobody who
 * decides. */
static bool passes(const struct rvi_nats *e, const struct rvi_nats_answer *answer)
{
    return e->is_clustered && answer->error == -EIO;
}

/* Another may be making the same: the server knows that a stream's subjects, a consumer's tasks are
 * taken before it knows by whom. */
static bool may_be_the_same(struct part *part, const struct rvi_nats_answer *answer)
{
    enum { SUBJECTS_TAKEN = 10065, TASKS_TAKEN = 10100, TIMES = 8 };

    return (answer->code == SUBJECTS_TAKEN || answer->code == TASKS_TAKEN) && ++part->taken < TIMES;
}

/* Of opening, if that is still under way; otherwise it is asked again, and the link is not
 * there. */
static void fail(struct rvi_nats *e, const struct rvi_nats_answer *answer)
{
    if (answer->error == -EPROTO)
        rvi_nats_opened(e, -EPROTO, "%s: JetStream is not enabled there", e->opts.url);
    else if (passes(e, answer))
        snprintf(e->reason, sizeof(e->reason), "%s", answer->words);
    else
        rvi_nats_opened(e, answer->error, "%s: the pool cannot be made: %s", e->opts.url,
                        answer->words);
}

static void look_behind(struct rvi_nats *e, enum rvi_engine_lane lane, uint64_t floor)
{
    struct rvi_nats_behind *behind = &e->worker->behind[lane];

    snprintf(behind->stream, sizeof(behind->stream), "RAVEL_%s_TASKS", e->opts.pool);
    snprintf(behind->subject, sizeof(behind->subject), "ravel.%s.task.%s.%s", e->opts.pool,
             rvi_nats_lanes[lane], e->opts.build);
    rvi_nats_behind_look(e, behind, floor);
}

static void consumer_made(struct rvi_nats *e, enum rvi_engine_lane lane,
                          const struct rvi_nats_answer *answer)
{
    struct rvi_json floor = rvi_json_member(answer->json, "ack_floor");
    uint64_t sequence = 0;

    if (rvi_json_number(rvi_json_member(floor, "stream_seq"), &sequence) && sequence > 0 &&
        e->opts.role == RVI_ENGINE_WORKER)
        look_behind(e, lane, sequence);
}

static void part_made(struct rvi_nats *e, struct rvi_nats_ask *ask,
                      const struct rvi_nats_answer *answer)
{
    struct part *part = rvi_container_of(ask, struct part, ask);
    long index = part - e->making->part;
    bool is_there = answer->error == 0 || answer->error == -EEXIST;

    if (is_there && index >= STREAMS)
        consumer_made(e, (enum rvi_engine_lane)(index - STREAMS), answer);
    if (!is_there) {
        rvi_nats_ask_later(e, ask);
        if (!may_be_the_same(part, answer))
            fail(e, answer);
    } else if (--e->making->left == 0)
        parts_made(e);
}

static struct part *add(struct rvi_nats *e)
{
    struct part *part = &e->making->part[e->making->count++];

    part->taken = 0;
    part->ask.answered = part_made;
    part->ask.bytes = part->config;
    return part;
}

/* --- streams --- */

__attribute__((format(printf, 4, 5))) static void add_stream(struct rvi_nats *e, const char *what,
                                                             const char *subjects,
                                                             const char *format, ...)
{
    struct part *part = add(e);
    char *at = part->config, *end = at + sizeof(part->config);
    const char *pool = e->opts.pool;
    va_list args;

    snprintf(part->ask.subject, sizeof(part->ask.subject), "$JS.API.STREAM.CREATE.RAVEL_%s_%s",
             pool, what);
    at += snprintf(at, (size_t)(end - at), "{\"name\":\"RAVEL_%s_%s\",\"subjects\":[", pool, what);
    for (const char *next = subjects; *next; next += strlen(next) + 1)
        at += snprintf(at, (size_t)(end - at), "%s\"ravel.%s.%s.>\"", next > subjects ? "," : "",
                       pool, next);
    at += snprintf(at, (size_t)(end - at), "],\"num_replicas\":%d,\"max_msg_size\":%d,",
                   e->is_clustered ? 3 : 1, MESSAGE_MOST);
    va_start(args, format);
    at += vsnprintf(at, (size_t)(end - at), format, args);
    va_end(args);
    part->ask.count = (size_t)(at - part->config);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Subjects end by an empty one. */
static void add_streams(struct rvi_nats *e)
{
    int64_t life = e->opts.result_life > 0 ? e->opts.result_life : hour;
    uint64_t backlog = e->opts.backlog > 0 ? e->opts.backlog : USUAL_BACKLOG;

    add_stream(e, "TASKS", "task\0",
               "\"retention\":\"workqueue\",\"storage\":\"file\",\"discard\":\"new\","
               "\"max_msgs\":%" PRIu64 ",\"duplicate_window\":%" PRId64 "}",
               backlog, 120 * second);
    add_stream(e, "RESULTS", "result\0",
               "\"retention\":\"limits\",\"storage\":\"file\",\"discard\":\"new\","
               "\"max_msgs_per_subject\":1,\"discard_new_per_subject\":true,"
               "\"allow_direct\":true,\"max_age\":%" PRId64 ",\"duplicate_window\":%" PRId64 "}",
               life, least(life, 120 * second));
    add_stream(e, "VALUES", "piece\0",
               "\"retention\":\"limits\",\"storage\":\"file\",\"discard\":\"new\","
               "\"max_msgs_per_subject\":1,\"discard_new_per_subject\":true,"
               "\"allow_direct\":true,\"max_age\":%" PRId64 ",\"duplicate_window\":%" PRId64 "}",
               life, least(life, 120 * second));
    add_stream(e, "BLOBS", "blob\0tries\0",
               "\"retention\":\"limits\",\"storage\":\"file\",\"discard\":\"old\","
               "\"max_msgs_per_subject\":1,\"allow_direct\":true,\"max_age\":%" PRId64 "}",
               7 * day);
    add_stream(e, "DEAD", "dead\0",
               "\"retention\":\"limits\",\"storage\":\"file\",\"discard\":\"old\","
               "\"allow_direct\":true,\"max_msgs\":%d}",
               LETTERS);
    add_stream(e, "MEMBERS", "member\0",
               "\"retention\":\"limits\",\"storage\":\"memory\",\"discard\":\"old\","
               "\"allow_direct\":true,"
               "\"max_msgs_per_subject\":1,\"max_age\":%" PRId64 ",\"duplicate_window\":%" PRId64
               "}",
               (int64_t)RVI_ENGINE_BEATS_MISSED * RVI_ENGINE_BEAT_MS * 1000000,
               (int64_t)RVI_ENGINE_BEATS_MISSED * RVI_ENGINE_BEAT_MS * 1000000);
}

/* --- consumers --- */

static void add_consumer(struct rvi_nats *e, enum rvi_engine_lane lane)
{
    struct part *part = add(e);
    char name[64];

    rvi_nats_consumer_name(e->opts.build, lane, name);
    snprintf(part->ask.subject, sizeof(part->ask.subject),
             "$JS.API.CONSUMER.DURABLE.CREATE.RAVEL_%s_TASKS.%s", e->opts.pool, name);
    part->ask.count = (size_t)snprintf(
        part->config, sizeof(part->config),
        "{\"stream_name\":\"RAVEL_%s_TASKS\",\"config\":{\"durable_name\":\"%s\","
        "\"deliver_policy\":\"all\",\"ack_policy\":\"explicit\",\"ack_wait\":%" PRId64 ","
        "\"max_deliver\":-1,\"filter_subject\":\"ravel.%s.task.%s.%s\","
        "\"replay_policy\":\"instant\",\"max_waiting\":100000,\"max_ack_pending\":%d,"
        "\"inactive_threshold\":%" PRId64 "}}",
        e->opts.pool, name, rvi_nats_lease_time(e), e->opts.pool, rvi_nats_lanes[lane],
        e->opts.build, LEASED_MOST, 12 * hour);
}

static void queues_found(struct rvi_nats *e, struct rvi_nats_ask *ask,
                         const struct rvi_nats_answer *answer)
{
    uint64_t total = 0;

    rvi_json_number(rvi_json_member(answer->json, "total"), &total);
    if (answer->error < 0) {
        rvi_nats_ask_later(e, ask);
        fail(e, answer);
    } else if (total > 0) {
        e->has_queues_only = true;
        rvi_nats_made(e);
    } else
        rvi_nats_opened(e, -ENOENT, "%s has no pool \"%s\"", e->opts.url, e->opts.pool);
}

/* A queue is made by itself: a pool may have nothing else. */
static void look_for_queues(struct rvi_nats *e, struct rvi_nats_ask *ask)
{
    struct part *part = rvi_container_of(ask, struct part, ask);

    snprintf(ask->subject, sizeof(ask->subject), "$JS.API.STREAM.NAMES");
    ask->count = (size_t)snprintf(part->config, sizeof(part->config),
                                  "{\"subject\":\"ravel.%s.queue.*\"}", e->opts.pool);
    ask->answered = queues_found;
    rvi_nats_ask(e, ask);
}

static void pool_found(struct rvi_nats *e, struct rvi_nats_ask *ask,
                       const struct rvi_nats_answer *answer)
{
    if (answer->error == -ENOENT)
        look_for_queues(e, ask);
    else if (answer->error < 0) {
        rvi_nats_ask_later(e, ask);
        fail(e, answer);
    } else
        rvi_nats_made(e);
}

static void ask_parts(struct rvi_nats *e, unsigned from, unsigned to)
{
    e->making->left = to - from;
    for (unsigned i = from; i < to; i++)
        rvi_nats_ask(e, &e->making->part[i].ask);
}

static void parts_made(struct rvi_nats *e)
{
    if (e->making->count == PARTS) {
        rvi_nats_made(e);
        return;
    }
    for (enum rvi_engine_lane lane = 0; lane < RVI_LANES; lane++)
        add_consumer(e, lane);
    ask_parts(e, STREAMS, PARTS);
}

/* An observer makes nothing, and looks whether the pool is there. */
static void look_for_pool(struct rvi_nats *e)
{
    struct part *part = add(e);

    snprintf(part->ask.subject, sizeof(part->ask.subject), "$JS.API.STREAM.INFO.RAVEL_%s_TASKS",
             e->opts.pool);
    part->ask.count = 0;
    part->ask.answered = pool_found;
    e->has_queues_only = false;
    ask_parts(e, 0, 1);
}

int rvi_nats_make_open(struct rvi_nats *e)
{
    e->making = rvi_calloc(1, sizeof(*e->making));
    return e->making ? 0 : -ENOMEM;
}

void rvi_nats_make(struct rvi_nats *e)
{
    e->state = RVI_NATS_MAKING;
    e->making->count = 0;
    if (e->opts.role == RVI_ENGINE_CLIENT || e->opts.role == RVI_ENGINE_WORKER) {
        add_streams(e);
        ask_parts(e, 0, STREAMS);
    } else if (e->opts.role == RVI_ENGINE_OBSERVER && rvi_engine_is_name(e->opts.pool)) {
        look_for_pool(e);
    } else {
        rvi_nats_made(e);
    }
}

void rvi_nats_make_lost(struct rvi_nats *e)
{
    for (unsigned i = 0; e->making && i < e->making->count; i++)
        rvi_nats_unask(e, &e->making->part[i].ask);
}

void rvi_nats_make_free(struct rvi_nats *e)
{
    rvi_free(e->making);
}
