/* SPDX-License-Identifier: MIT */
/* nats_letters.c - which pools there are; dead letters read, sent anew, forgotten. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/nats_visit.h"

/* --- pools --- */

struct pools {
    struct rvi_nats_visit visit;
    struct rvi_engine_pools found;
    uint64_t offset;
};

enum { BEFORE = sizeof("RAVEL_") - 1 };

/* Of a stream that holds the tasks of pool P, or one of its queues (by_nats.h): P, in place. NULL:
 * it is neither. */
static const char *pool_of(char *stream)
{
    char *pool = stream + BEFORE, *end = NULL;

    if (strncmp(stream, "RAVEL+", BEFORE) == 0)
        end = strchr(pool, '+');
    else if (strncmp(stream, "RAVEL_", BEFORE) == 0 && (end = strrchr(pool, '_')) &&
             strcmp(end, "_TASKS") != 0)
        end = NULL;
    if (!end)
        return NULL;
    *end = '\0';
    return rvi_engine_is_name(pool) ? pool : NULL;
}

/* Once a stream; what is no pool's is passed over. */
static int add_pool(struct rvi_engine_pools *found, struct rvi_json name)
{
    char text[2 * RVI_ENGINE_NAME_BYTES + 16];
    const char *pool = rvi_json_text(name, text, sizeof(text)) ? pool_of(text) : NULL;

    if (!pool)
        return 0;
    void *names = rvi_realloc(found->names, (found->count + 1) * sizeof(*found->names));
    if (!names)
        return -ENOMEM;
    found->names = names;
    snprintf(found->names[found->count++], RVI_ENGINE_NAME_BYTES, "%.63s", pool);
    return 0;
}

static void ask_for_pools(struct rvi_nats *e, struct pools *pools);

static void pools_found(struct rvi_nats *e, struct rvi_nats_ask *ask,
                        const struct rvi_nats_answer *answer)
{
    struct pools *pools = rvi_container_of(ask, struct pools, visit.ask);
    struct rvi_json rest = rvi_json_member(answer->json, "streams"), name;
    uint64_t total = 0, before = pools->offset;
    int r = answer->error;

    rvi_json_number(rvi_json_member(answer->json, "total"), &total);
    while (r == 0 && rvi_json_next(&rest, &name)) {
        pools->offset++;
        r = add_pool(&pools->found, name);
    }
    if (r == 0 && pools->offset > before && pools->offset < total)
        ask_for_pools(e, pools);
    else
        rvi_nats_visit_end(e, &pools->visit, r);
}

static void ask_for_pools(struct rvi_nats *e, struct pools *pools)
{
    snprintf(pools->visit.request, sizeof(pools->visit.request), "{\"offset\":%" PRIu64 "}",
             pools->offset);
    rvi_nats_visit_ask(e, &pools->visit, "STREAM.NAMES", NULL, pools_found);
}

static void begin_pools(struct rvi_nats *e, struct rvi_nats_visit *visit)
{
    ask_for_pools(e, rvi_container_of(visit, struct pools, visit));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* In their order, each once. */
static void put_in_order(struct rvi_engine_pools *found)
{
    size_t kept = 0;

    if (found->count > 1)
        qsort(found->names, found->count, sizeof(*found->names), by_name);
    for (size_t i = 0; i < found->count; i++) {
        if (kept == 0 || strcmp(found->names[kept - 1], found->names[i]) != 0)
            memmove(found->names[kept++], found->names[i], sizeof(*found->names));
    }
    found->count = kept;
}

int rvi_nats_pools(struct rvi_engine *engine, struct rvi_engine_pools *ret, rv_time deadline)
{
    struct pools pools = {0};
    int r = rvi_nats_visit(rvi_nats_of(engine), &pools.visit, begin_pools, deadline);

    if (r < 0) {
        rvi_engine_pools_drop(&pools.found);
        return r;
    }
    put_in_order(&pools.found);
    *ret = pools.found;
    return 0;
}

/* --- letters --- */

struct letters {
    struct rvi_nats_visit visit;
    struct rvi_engine_letters found;
    size_t most;
    uint64_t from;
};

static void copy_header(struct rvi_nats *e, natsMsg *msg, const char *name, char *ret, size_t room)
{
    const char *text;

    snprintf(ret, room, "%s", e->api->natsMsgHeader_Get(msg, name, &text) == NATS_OK ? text : "");
}

/* One that is none has a number, and its subject for words. */
static void read_letter(struct rvi_nats *e, natsMsg *msg, struct rvi_engine_letter *ret)
{
    struct rvi_wire_task wire;
    char outcome[64];
    unsigned deaths;

    *ret = (struct rvi_engine_letter){.number = rvi_nats_header_number(e, msg, "Nats-Sequence"),
                                      .buried = rvi_nats_header_time(e, msg)};
    copy_header(e, msg, "Ravel-Outcome", outcome, sizeof(outcome));
    copy_header(e, msg, "Ravel-Words", ret->words, sizeof(ret->words));
    (void)!sscanf(outcome, "%d %d %d %u %u", &ret->kind, &ret->error, &ret->signal, &deaths,
                  &ret->attempts);
    if (!rvi_wire_task_read(&wire, e->api->natsMsg_GetData(msg),
                            (size_t)e->api->natsMsg_GetDataLength(msg)))
        return;
    memcpy(ret->id, wire.task.id, sizeof(ret->id));
    memcpy(ret->build, wire.build, sizeof(ret->build));
    snprintf(ret->job, sizeof(ret->job), "%.*s", (int)sizeof(ret->job) - 1, wire.task.job);
    ret->lane = wire.task.lane;
    ret->in_bytes = wire.task.in_bytes;
}

static void ask_for_letter(struct rvi_nats *e, struct letters *letters);

static void letter_found(struct rvi_nats *e, struct rvi_nats_ask *ask,
                         const struct rvi_nats_answer *answer)
{
    struct letters *letters = rvi_container_of(ask, struct letters, visit.ask);
    struct rvi_engine_letters *found = &letters->found;

    if (answer->error < 0) {
        rvi_nats_visit_end(e, &letters->visit, answer->error == -ENOENT ? 0 : answer->error);
        return;
    }
    void *list = rvi_realloc(found->list, (found->count + 1) * sizeof(*found->list));
    if (!list) {
        rvi_nats_visit_end(e, &letters->visit, -ENOMEM);
        return;
    }
    found->list = list;
    read_letter(e, answer->msg, &found->list[found->count++]);
    letters->from = found->list[found->count - 1].number + 1;
    ask_for_letter(e, letters);
}

static void ask_for_letter(struct rvi_nats *e, struct letters *letters)
{
    if (letters->found.count < letters->most && !e->has_queues_only)
        rvi_nats_visit_next(e, &letters->visit, "DEAD", "dead", letters->from, letter_found);
    else
        rvi_nats_visit_end(e, &letters->visit, 0);
}

static void begin_letters(struct rvi_nats *e, struct rvi_nats_visit *visit)
{
    ask_for_letter(e, rvi_container_of(visit, struct letters, visit));
}

int rvi_nats_letters(struct rvi_engine *engine, uint64_t after, size_t most,
                     struct rvi_engine_letters *ret, rv_time deadline)
{
    struct letters letters = {.most = most, .from = after + 1};
    int r = rvi_nats_visit(rvi_nats_of(engine), &letters.visit, begin_letters, deadline);

    if (r < 0)
        rvi_engine_letters_drop(&letters.found);
    else
        *ret = letters.found;
    return r;
}

/* --- one letter --- */

struct exhumation {
    struct rvi_nats_visit visit;
    uint64_t number;
    bool is_retried;
    char id[RVI_ENGINE_ID_BYTES];
    char *message;
};

static void deleted(struct rvi_nats *e, struct rvi_nats_ask *ask,
                    const struct rvi_nats_answer *answer)
{
    struct exhumation *it = rvi_container_of(ask, struct exhumation, visit.ask);

    rvi_nats_visit_end(e, &it->visit, answer->error);
}

static void delete (struct rvi_nats *e, struct exhumation *it)
{
    memset(it->visit.ask.header, 0, sizeof(it->visit.ask.header));
    snprintf(it->visit.request, sizeof(it->visit.request), "{\"seq\":%" PRIu64 "}", it->number);
    rvi_nats_visit_ask(e, &it->visit, "STREAM.MSG.DELETE", "DEAD", deleted);
}

static void stored_anew(struct rvi_nats *e, struct rvi_nats_ask *ask,
                        const struct rvi_nats_answer *answer)
{
    struct exhumation *it = rvi_container_of(ask, struct exhumation, visit.ask);

    if (answer->error < 0)
        rvi_nats_visit_end(e, &it->visit, answer->error);
    else
        delete (e, it);
}

static int write_anew(struct exhumation *it, struct rvi_wire_task *wire, size_t *ret_bytes)
{
    int r = rvi_engine_make_id(it->id);

    if (r < 0)
        return r;
    memcpy(wire->task.id, it->id, sizeof(it->id));
    *ret_bytes = rvi_wire_task_bytes(wire);
    it->message = rvi_alloc(*ret_bytes);
    if (!it->message)
        return -ENOMEM;
    rvi_wire_task_write(wire, it->message);
    return 0;
}

static void letter_read(struct rvi_nats *e, struct rvi_nats_ask *ask,
                        const struct rvi_nats_answer *answer)
{
    struct exhumation *it = rvi_container_of(ask, struct exhumation, visit.ask);
    struct rvi_wire_task wire;
    int r = answer->error;

    if (r == 0 && !rvi_wire_task_read(&wire, e->api->natsMsg_GetData(answer->msg),
                                      (size_t)e->api->natsMsg_GetDataLength(answer->msg)))
        r = -EBADMSG;
    if (r == 0)
        r = write_anew(it, &wire, &ask->count);
    if (r < 0) {
        rvi_nats_visit_end(e, &it->visit, r);
        return;
    }
    snprintf(ask->subject, sizeof(ask->subject), "ravel.%s.task.%s.%s", e->opts.pool,
             rvi_nats_lanes[wire.task.lane], wire.build);
    ask->header[0] = (struct rvi_nats_header){"Nats-Msg-Id", it->id};
    ask->bytes = it->message;
    ask->answered = stored_anew;
    rvi_nats_ask(e, ask);
}

static void begin_exhumation(struct rvi_nats *e, struct rvi_nats_visit *visit)
{
    struct exhumation *it = rvi_container_of(visit, struct exhumation, visit);

    if (e->has_queues_only) {
        rvi_nats_visit_end(e, visit, -ENOENT);
        return;
    }
    if (!it->is_retried) {
        delete (e, it);
        return;
    }
    snprintf(visit->request, sizeof(visit->request), "{\"seq\":%" PRIu64 "}", it->number);
    rvi_nats_visit_ask(e, visit, "DIRECT.GET", "DEAD", letter_read);
}

int rvi_nats_exhume(struct rvi_engine *engine, uint64_t number, bool is_retried, rv_time deadline)
{
    struct exhumation it = {.number = number, .is_retried = is_retried};
    int r = rvi_nats_visit(rvi_nats_of(engine), &it.visit, begin_exhumation, deadline);

    rvi_free(it.message);
    return r;
}
