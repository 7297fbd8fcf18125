/* SPDX-License-Identifier: MIT */
/* nats_survey.c - what a pool holds and who works for it: the consumers of its tasks, each of which
 * stands for a lane of a build; its streams; the last word of each worker; its queues, each of
 * which is a stream with one consumer.
 *
 * What consumers say is counted, not what the stream of tasks holds: after a crash of the server
 * that may have some again that are done. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/nats_visit.h"

struct survey {
    struct rvi_nats_visit visit;
    struct rvi_engine_survey found;
    unsigned next; /* stream */
    uint64_t offset;
    size_t counted; /* queues */
};

static struct survey *survey_of(struct rvi_nats_ask *ask)
{
    return rvi_container_of(ask, struct survey, visit.ask);
}

/* Room for one more, in steps of powers of two. */
static bool grow(void **list, size_t count, size_t bytes)
{
    if (count & (count - 1))
        return true;
    void *grown = rvi_realloc(*list, (count ? count * 2 : 1) * bytes);
    if (grown)
        *list = grown;
    return grown != NULL;
}

static uint64_t number(struct rvi_json object, const char *name)
{
    uint64_t value = 0;

    rvi_json_number(rvi_json_member(object, name), &value);
    return value;
}

/* --- queues --- */

static void ask_for_queues(struct rvi_nats *e, struct survey *survey);
static void count_next(struct rvi_nats *e, struct survey *survey);

/* One that is removed meanwhile holds nothing. */
static void queue_counted(struct rvi_nats *e, struct rvi_nats_ask *ask,
                          const struct rvi_nats_answer *answer)
{
    struct survey *survey = survey_of(ask);
    struct rvi_engine_queued *queue = &survey->found.queues[survey->counted++];

    if (answer->error < 0 && answer->error != -ENOENT) {
        rvi_nats_visit_end(e, &survey->visit, answer->error);
        return;
    }
    queue->waiting = number(answer->json, "num_pending");
    queue->leased = number(answer->json, "num_ack_pending");
    count_next(e, survey);
}

static void count_next(struct rvi_nats *e, struct survey *survey)
{
    struct rvi_nats_ask *ask = &survey->visit.ask;

    if (survey->counted == survey->found.queue_count) {
        rvi_nats_visit_end(e, &survey->visit, 0);
        return;
    }
    const char *name = survey->found.queues[survey->counted].name;
    snprintf(ask->subject, sizeof(ask->subject), "$JS.API.CONSUMER.INFO.RAVEL+%s+%s.q_%s",
             e->opts.pool, name, name);
    ask->count = 0;
    ask->answered = queue_counted;
    rvi_nats_ask(e, ask);
}

/* Of a stream that holds a queue of this pool; others are passed over. */
static int add_queue(struct rvi_nats *e, struct rvi_engine_survey *found, struct rvi_json stream)
{
    char text[2 * RVI_ENGINE_NAME_BYTES + 16], prefix[RVI_ENGINE_NAME_BYTES + 16];
    int length = snprintf(prefix, sizeof(prefix), "RAVEL+%s+", e->opts.pool);

    if (!rvi_json_text(stream, text, sizeof(text)) || strncmp(text, prefix, (size_t)length) != 0 ||
        !rvi_engine_is_name(text + length))
        return 0;
    if (!grow((void **)&found->queues, found->queue_count, sizeof(*found->queues)))
        return -ENOMEM;
    struct rvi_engine_queued *queue = &found->queues[found->queue_count++];
    *queue = (struct rvi_engine_queued){0};
    snprintf(queue->name, sizeof(queue->name), "%.63s", text + length);
    return 0;
}

static void queues_found(struct rvi_nats *e, struct rvi_nats_ask *ask,
                         const struct rvi_nats_answer *answer)
{
    struct survey *survey = survey_of(ask);
    struct rvi_json rest = rvi_json_member(answer->json, "streams"), stream;
    uint64_t before = survey->offset;
    int r = answer->error;

    while (r == 0 && rvi_json_next(&rest, &stream)) {
        survey->offset++;
        r = add_queue(e, &survey->found, stream);
    }
    if (r < 0)
        rvi_nats_visit_end(e, &survey->visit, r);
    else if (survey->offset > before && survey->offset < number(answer->json, "total"))
        ask_for_queues(e, survey);
    else
        count_next(e, survey);
}

static void ask_for_queues(struct rvi_nats *e, struct survey *survey)
{
    snprintf(survey->visit.request, sizeof(survey->visit.request),
             "{\"offset\":%" PRIu64 ",\"subject\":\"ravel.%s.queue.*\"}", survey->offset,
             e->opts.pool);
    rvi_nats_visit_ask(e, &survey->visit, "STREAM.NAMES", NULL, queues_found);
}

/* --- workers --- */

static void ask_for_member(struct rvi_nats *e, struct survey *survey, uint64_t from);

/* "RVM1 slots busy leaving pid since build host program", which may have blanks. */
static bool read_member(const char *text, struct rvi_engine_member *ret, bool *ret_is_leaving)
{
    int leaving, from = 0;

    if (sscanf(text, "RVM1 %u %u %d %" SCNd64 " %" SCNd64 " %32[0-9a-f] %63s %n", &ret->slots,
               &ret->busy, &leaving, &ret->pid, &ret->since, ret->build, ret->host, &from) < 7 ||
        from == 0)
        return false;
    snprintf(ret->program, sizeof(ret->program), "%s", text + from);
    *ret_is_leaving = leaving != 0;
    return true;
}

static int add_member(struct rvi_nats *e, struct survey *survey, natsMsg *msg)
{
    struct rvi_engine_member member = {0};
    struct rvi_engine_survey *found = &survey->found;
    const char *subject, *name;
    char text[512];
    bool is_leaving;

    snprintf(text, sizeof(text), "%.*s", e->api->natsMsg_GetDataLength(msg),
             e->api->natsMsg_GetData(msg));
    name = e->api->natsMsgHeader_Get(msg, "Nats-Subject", &subject) == NATS_OK
               ? strrchr(subject, '.')
               : NULL;
    if (!name || !rvi_engine_is_name(name + 1) || !read_member(text, &member, &is_leaving)) {
        e->nonsense++;
        return 0;
    }
    if (is_leaving)
        return 0;
    member.seen = rvi_nats_header_time(e, msg);
    snprintf(member.name, sizeof(member.name), "%s", name + 1);
    if (!grow((void **)&found->members, found->member_count, sizeof(member)))
        return -ENOMEM;
    found->members[found->member_count++] = member;
    return 0;
}

static void member_found(struct rvi_nats *e, struct rvi_nats_ask *ask,
                         const struct rvi_nats_answer *answer)
{
    struct survey *survey = survey_of(ask);
    uint64_t at = answer->error == 0 ? rvi_nats_header_number(e, answer->msg, "Nats-Sequence") : 0;
    int r = answer->error == 0 ? add_member(e, survey, answer->msg) : 0;

    if (answer->error == -ENOENT) {
        survey->offset = 0;
        ask_for_queues(e, survey);
    } else if (answer->error < 0 || at == 0 || r < 0)
        rvi_nats_visit_end(e, &survey->visit,
                           answer->error < 0 ? answer->error
                           : r < 0           ? r
                                             : -EPROTO);
    else
        ask_for_member(e, survey, at + 1);
}

static void ask_for_member(struct rvi_nats *e, struct survey *survey, uint64_t from)
{
    rvi_nats_visit_next(e, &survey->visit, "MEMBERS", "member", from, member_found);
}

/* --- streams --- */

static const char *const streams[] = {"TASKS", "RESULTS", "VALUES", "BLOBS", "DEAD"};

static void ask_for_stream(struct rvi_nats *e, struct survey *survey);

static void stream_found(struct rvi_nats *e, struct rvi_nats_ask *ask,
                         const struct rvi_nats_answer *answer)
{
    struct survey *survey = survey_of(ask);
    struct rvi_json state = rvi_json_member(answer->json, "state");

    if (answer->error < 0) {
        rvi_nats_visit_end(e, &survey->visit, answer->error);
        return;
    }
    survey->found.bytes += number(state, "bytes");
    if (strcmp(streams[survey->next], "RESULTS") == 0)
        survey->found.results = number(state, "messages");
    if (strcmp(streams[survey->next], "DEAD") == 0)
        survey->found.dead = number(state, "messages");
    if (++survey->next < sizeof(streams) / sizeof(streams[0]))
        ask_for_stream(e, survey);
    else
        ask_for_member(e, survey, 1);
}

static void ask_for_stream(struct rvi_nats *e, struct survey *survey)
{
    survey->visit.request[0] = '\0';
    rvi_nats_visit_ask(e, &survey->visit, "STREAM.INFO", streams[survey->next], stream_found);
}

/* --- consumers --- */

static struct rvi_engine_backlog *backlog_of(struct rvi_engine_survey *found, const char *build)
{
    for (size_t i = 0; i < found->build_count; i++) {
        if (strcmp(found->builds[i].build, build) == 0)
            return &found->builds[i];
    }
    if (!grow((void **)&found->builds, found->build_count, sizeof(*found->builds)))
        return NULL;
    struct rvi_engine_backlog *backlog = &found->builds[found->build_count++];
    *backlog = (struct rvi_engine_backlog){0};
    snprintf(backlog->build, sizeof(backlog->build), "%s", build);
    return backlog;
}

/* Consumers of others, and those without tasks, are passed over. */
static int add_consumer(struct rvi_engine_survey *found, struct rvi_json consumer)
{
    char name[64];
    uint64_t waiting = number(consumer, "num_pending"),
             leased = number(consumer, "num_ack_pending");
    char *build = rvi_json_text(rvi_json_member(consumer, "name"), name, sizeof(name))
                      ? strchr(name, '_')
                      : NULL;

    if (!build || !rvi_wire_is_build(build + 1) || waiting + leased == 0)
        return 0;
    *build = '\0';
    for (int lane = 0; lane < RVI_LANES; lane++) {
        if (strcmp(name, rvi_nats_lanes[lane]) == 0) {
            found->waiting[lane] += waiting;
            found->leased[lane] += leased;
        }
    }
    struct rvi_engine_backlog *backlog = backlog_of(found, build + 1);
    if (!backlog)
        return -ENOMEM;
    backlog->waiting += waiting;
    backlog->leased += leased;
    return 0;
}

static void ask_for_consumers(struct rvi_nats *e, struct survey *survey);

static void consumers_found(struct rvi_nats *e, struct rvi_nats_ask *ask,
                            const struct rvi_nats_answer *answer)
{
    struct survey *survey = survey_of(ask);
    struct rvi_json rest = rvi_json_member(answer->json, "consumers"), consumer;
    uint64_t before = survey->offset;
    int r = answer->error;

    while (r == 0 && rvi_json_next(&rest, &consumer)) {
        survey->offset++;
        r = add_consumer(&survey->found, consumer);
    }
    if (r < 0)
        rvi_nats_visit_end(e, &survey->visit, r);
    else if (survey->offset > before && survey->offset < number(answer->json, "total"))
        ask_for_consumers(e, survey);
    else
        ask_for_stream(e, survey);
}

static void ask_for_consumers(struct rvi_nats *e, struct survey *survey)
{
    snprintf(survey->visit.request, sizeof(survey->visit.request), "{\"offset\":%" PRIu64 "}",
             survey->offset);
    rvi_nats_visit_ask(e, &survey->visit, "CONSUMER.LIST", "TASKS", consumers_found);
}

/* What has queues only has nothing else to be asked for. */
static void begin(struct rvi_nats *e, struct rvi_nats_visit *visit)
{
    struct survey *survey = rvi_container_of(visit, struct survey, visit);

    snprintf(survey->found.server, sizeof(survey->found.server), "%s", e->server);
    snprintf(survey->found.version, sizeof(survey->found.version), "%s", e->version);
    if (e->has_queues_only)
        ask_for_queues(e, survey);
    else
        ask_for_consumers(e, survey);
}

int rvi_nats_survey(struct rvi_engine *engine, struct rvi_engine_survey *ret, rv_time deadline)
{
    struct survey survey = {0};
    int r = rvi_nats_visit(rvi_nats_of(engine), &survey.visit, begin, deadline);

    if (r < 0)
        rvi_engine_survey_drop(&survey.found);
    else
        *ret = survey.found;
    return r;
}
