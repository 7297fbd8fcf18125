/* SPDX-License-Identifier: MIT */
/* events.c - from what workers have noted to what is drawn.
 *
 *     noted                        drawn
 *     BEGIN, RESUME                a bar begins in the worker's lane, named after its task
 *     PARK, YIELD, MIGRATE, END    it ends; its "end" says how
 *     SPAWN, WAKE                  an arrow begins, from the task that did it
 *     the BEGIN or RESUME after    it ends there
 *     SLEEP, AWAKE                 a bar "asleep"
 *     SCOPE_OPEN, SCOPE_CLOSE      a band "scope" of their owner's, one inside the other
 *     OP, OP_END                   a band "io" of the task's: the call; arguments fd, then result
 *                                  or error
 *     PARK for an object or time,  a band "wait" of the task's: for what, and where that is;
 *     WAKE, or the RESUME after    arguments object (what it is called), address, held_by (a task)
 *                                  if HELD said so
 *     LANE                         a lane of the process of executors
 *     JOB_BEGIN, JOB_END           a bar "job" in it; its "end" is the outcome, "ran_ns" for how
 *                                  long it ran of the time if that was elsewhere
 *     STEAL, SCOPE_CANCEL          a mark
 *     NAME                         tasks are called by the last name that they were given
 *     THING                        what is waited for at an address has that name until it is gone;
 *                                  one without is numbered, #1, #2, ..., as such waits begin
 *
 * A runtime is a process of the drawing, numbered from 1, its workers are threads from 1; executors
 * are processes from 1001, one for each process that has some. Bands are "async" events whose id is
 * the task's number, with the runtime's above bit 40: so the number is the same in all drawings of
 * one runtime.
 *
 * Lanes have noted by one clock, each in its own order: all events are put in the order of time
 * first. A bar or band that was not over when the run ended ends with it. Of events that were lost
 * nothing is made up: a bar without its beginning is not drawn.
 *
 * Checked by: tests/look/test_trace.py */
#include "timeline/events.h"

#include <ravel/future.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check/driver/json.h"
#include "look/index.h"
#include "look/snapshot.h"
#include "timeline/objects.h"

/* An event with its lane. */
struct moment {
    struct rvi_trace_event event;
    unsigned worker; /* the lane's index */
    size_t number;   /* in the order of the workers, and of each */
    uint64_t text;   /* of an opening: the number of the scope's name */
    int64_t closes;  /* of a closing: the one of the same owner's that is the next one out */
};

/* What is known of a task, or of an executor's lane, while its events go by. */
struct actor {
    uint64_t id;
    unsigned lane;       /* where it was first seen */
    uint64_t site, name; /* the numbers of texts; 0: not known */
    uint64_t arrow;      /* that leads to its next run; 0: none */
    size_t bands;        /* scopes that it has open */
    int64_t closes;      /* while names are learnt, from the end on: the innermost closing */
    uint64_t holder;     /* of the lock that it is about to wait for; 0: not known */
    bool is_in_op, is_waiting;
    unsigned what;           /* the call, or the reason */
    struct tl_object object; /* that it waits for */
    uint64_t job;            /* of a lane: its text; 0: none */
    int64_t since;
};

/* What a lane shows just now. */
struct lane {
    bool is_open, is_asleep;
    uint64_t task;
    int64_t since;
};

enum { SPACE_BIT = 44, RUNTIME_BIT = 40, EXECUTORS = 1000, PROGRAM_BYTES = 320 };

struct writer {
    FILE *file;
    const struct look_recording *rec;
    struct moment *moments;
    size_t count;
    struct lane *lanes;
    struct actor *actors;
    size_t actor_count, actor_room;
    struct look_index actor_at;
    struct tl_objects objects;
    uint64_t arrows;
    int64_t start, end; /* of the run */
    bool is_first;
};

/* --- actors --- */

/* Numbers of tasks are unique within a runtime, those of executors' lanes within theirs. */
static uint64_t key_of(const struct writer *w, unsigned lane, uint64_t id)
{
    const struct look_events *at = &w->rec->workers[lane];
    uint64_t space =
        at->kind == LOOK_LANE_OUTSIDE ? (uint64_t)lane << 1 | 1 : (uint64_t)at->runtime << 1;

    return id + 1 + (space << SPACE_BIT);
}

static struct actor *actor_at(struct writer *w, unsigned lane, uint64_t id)
{
    uint64_t key = key_of(w, lane, id);
    int64_t index = look_index_get(&w->actor_at, key);

    if (index != LOOK_NONE)
        return &w->actors[index];
    if (w->actor_count == w->actor_room) {
        size_t room = w->actor_room ? w->actor_room * 2 : 256;
        struct actor *larger = rvi_realloc(w->actors, room * sizeof *larger);
        if (!larger)
            return NULL;
        w->actors = larger;
        w->actor_room = room;
    }
    if (look_index_put(&w->actor_at, key, (int64_t)w->actor_count) < 0)
        return NULL;
    w->actors[w->actor_count] = (struct actor){.id = id, .lane = lane, .closes = LOOK_NONE};
    return &w->actors[w->actor_count++];
}

static struct actor *actor_of(struct writer *w, const struct moment *moment)
{
    return actor_at(w, moment->worker, moment->event.task);
}

/* Names are noted when a task begins, and when it is given one: known to all that is drawn of
 * it. */
static int learn_names(struct writer *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct rvi_trace_event *event = &w->moments[i].event;
        if (rvi_trace_kind(event) != RVI_TRACE_NAME)
            continue;
        struct actor *actor = actor_of(w, &w->moments[i]);
        const struct rvi_trace_text *text =
            rvi_trace_shared_find(w->rec->shared, rvi_trace_arg(event));
        if (!actor)
            return -ENOMEM;
        if (text && text->file[0])
            actor->site = rvi_trace_arg(event);
        else if (text)
            actor->name = rvi_trace_arg(event);
    }
    return 0;
}

/* What a scope is called is noted when it closes, and drawn when it opens. */
static void learn_scope(struct writer *w, struct moment *moment, struct actor *owner)
{
    switch (rvi_trace_kind(&moment->event)) {
    case RVI_TRACE_SCOPE_CLOSE:
        moment->closes = owner->closes;
        owner->closes = moment - w->moments;
        return;
    case RVI_TRACE_SCOPE_OPEN:
        if (owner->closes == LOOK_NONE)
            return;
        moment->text = rvi_trace_arg(&w->moments[owner->closes].event);
        owner->closes = w->moments[owner->closes].closes;
        return;
    default:
        return;
    }
}

static int learn_scopes(struct writer *w)
{
    for (size_t i = w->count; i-- > 0;) {
        struct moment *moment = &w->moments[i];
        enum rvi_trace_kind kind = rvi_trace_kind(&moment->event);
        if (kind != RVI_TRACE_SCOPE_OPEN && kind != RVI_TRACE_SCOPE_CLOSE)
            continue;
        struct actor *owner = actor_of(w, moment);
        if (!owner)
            return -ENOMEM;
        learn_scope(w, moment, owner);
    }
    return 0;
}

/* --- writing --- */

static double us(const struct writer *w, int64_t ns)
{
    return (double)(ns - w->start) / 1e3;
}

static unsigned process_of(const struct writer *w, unsigned lane)
{
    const struct look_events *at = &w->rec->workers[lane];

    return at->kind == LOOK_LANE_OUTSIDE ? EXECUTORS + lane + 1 : at->runtime + 1;
}

/* The members that all have; more follow, and end(). */
static void begin_in(struct writer *w, const char *phase, const char *category, unsigned lane,
                     uint64_t thread, int64_t time)
{
    fprintf(w->file, "%s{\"ph\": \"%s\", \"cat\": \"%s\", \"pid\": %u, \"tid\": %llu, \"ts\": %.3f",
            w->is_first ? "\n" : ",\n", phase, category, process_of(w, lane),
            (unsigned long long)thread, us(w, time));
    w->is_first = false;
}

static void begin(struct writer *w, const char *phase, const char *category, unsigned lane,
                  int64_t time)
{
    begin_in(w, phase, category, lane, w->rec->workers[lane].index + 1, time);
}

static void put_name(struct writer *w, const char *name)
{
    fputs(", \"name\": ", w->file);
    ck_put_json(w->file, name);
}

static void end(struct writer *w)
{
    fputs("}", w->file);
}

static const struct rvi_trace_text *text_of(const struct writer *w, uint64_t number)
{
    return rvi_trace_shared_find(w->rec->shared, number);
}

static void put_task_name(struct writer *w, const struct actor *actor)
{
    const struct rvi_trace_text *text = text_of(w, actor->name ? actor->name : actor->site);
    char name[RVI_TRACE_NAME_BYTES + 24];

    snprintf(name, sizeof name, "%s %llu", text ? text->name : "task",
             (unsigned long long)actor->id);
    put_name(w, name);
}

static void put_metadata(struct writer *w, const char *what, unsigned lane, uint64_t thread,
                         const char *name)
{
    begin_in(w, "M", "__metadata", lane, thread, w->start);
    put_name(w, what);
    fputs(", \"args\": {\"name\": ", w->file);
    ck_put_json(w->file, name);
    fputs("}", w->file);
    end(w);
}

/* The first runtime has the program's name alone: mostly there is no other. */
static void put_process(struct writer *w, unsigned lane, const char *program)
{
    const struct look_events *at = &w->rec->workers[lane];
    char name[PROGRAM_BYTES];

    if (at->kind == LOOK_LANE_OUTSIDE)
        snprintf(name, sizeof name, "executors of %.200s (process %d)", program, (int)at->pid);
    else if (at->runtime == 0)
        snprintf(name, sizeof name, "%s", program);
    else
        snprintf(name, sizeof name, "%.200s, runtime %u (process %d)", program, at->runtime + 1,
                 (int)at->pid);
    put_metadata(w, "process_name", lane, 1, name);
}

/* Names of things alone have nothing to be drawn. */
static bool has_jobs(const struct look_events *at)
{
    for (size_t i = 0; i < at->count; i++) {
        if (rvi_trace_kind(&at->events[i]) == RVI_TRACE_LANE)
            return true;
    }
    return false;
}

static void put_lanes(struct writer *w, const char *program)
{
    char name[32];

    for (unsigned i = 0; i < w->rec->worker_count; i++) {
        const struct look_events *at = &w->rec->workers[i];
        if (at->kind == LOOK_LANE_KNOWN)
            continue;
        if (at->index == 0 && (at->kind == LOOK_LANE_WORKER || has_jobs(at)))
            put_process(w, i, program);
        snprintf(name, sizeof name, "worker %u", at->index);
        if (at->kind == LOOK_LANE_WORKER)
            put_metadata(w, "thread_name", i, at->index + 1, name);
    }
}

static void put_object(struct writer *w, const struct tl_object *object)
{
    char name[TL_OBJECT_BYTES];

    fputs("\"object\": ", w->file);
    ck_put_json(w->file, tl_object_words(&w->objects, object, "", name));
}

/* --- bars --- */

static void put_run(struct writer *w, unsigned lane, int64_t until, const char *how)
{
    struct actor *actor = actor_at(w, lane, w->lanes[lane].task);
    const struct rvi_trace_text *text = actor ? text_of(w, actor->site) : NULL;

    if (!actor)
        return;
    begin(w, "X", "run", lane, w->lanes[lane].since);
    put_task_name(w, actor);
    fprintf(w->file, ", \"dur\": %.3f, \"args\": {\"task\": %llu, \"end\": ",
            us(w, until) - us(w, w->lanes[lane].since), (unsigned long long)actor->id);
    ck_put_json(w->file, how);
    if (text) {
        fputs(", \"file\": ", w->file);
        ck_put_json(w->file, text->file);
        fprintf(w->file, ", \"line\": %u", text->line);
    }
    fputs("}", w->file);
    end(w);
}

static void put_sleep(struct writer *w, unsigned lane, int64_t until)
{
    begin(w, "X", "asleep", lane, w->lanes[lane].since);
    put_name(w, "asleep");
    fprintf(w->file, ", \"dur\": %.3f", us(w, until) - us(w, w->lanes[lane].since));
    end(w);
}

static void close_lane(struct writer *w, unsigned lane, int64_t until, const char *how)
{
    struct lane *at = &w->lanes[lane];

    if (at->is_open)
        put_run(w, lane, until, how);
    if (at->is_asleep)
        put_sleep(w, lane, until);
    at->is_open = at->is_asleep = false;
}

static void open_lane(struct writer *w, const struct moment *moment)
{
    struct lane *at = &w->lanes[moment->worker];

    close_lane(w, moment->worker, moment->event.time_ns, "unknown");
    at->is_open = true;
    at->task = moment->event.task;
    at->since = moment->event.time_ns;
}

/* --- arrows --- */

/* `object`: what the other has waited for; NULL: it is said at the other end. */
static void put_arrow(struct writer *w, const char *phase, uint64_t arrow,
                      const struct moment *moment, const struct tl_object *object)
{
    begin(w, phase, "wake", moment->worker, moment->event.time_ns);
    put_name(w, "wakes");
    fprintf(w->file, ", \"id\": %llu, \"bp\": \"e\"", (unsigned long long)arrow);
    if (object && tl_object_is_told(object)) {
        fputs(", \"args\": {", w->file);
        put_object(w, object);
        fputs("}", w->file);
    }
    end(w);
}

/* From a task that runs; who was woken by a message or a timer has nobody to point from. */
static void begin_arrow(struct writer *w, const struct moment *moment)
{
    struct actor *actor = actor_of(w, moment);
    uint64_t by = rvi_trace_arg(&moment->event);
    const struct lane *lane = &w->lanes[moment->worker];

    if (!actor || !by || !lane->is_open || lane->task != by)
        return;
    actor->arrow = ++w->arrows;
    put_arrow(w, "s", actor->arrow, moment, actor->is_waiting ? &actor->object : NULL);
}

static void end_arrow(struct writer *w, const struct moment *moment)
{
    struct actor *actor = actor_of(w, moment);

    if (!actor || !actor->arrow)
        return;
    put_arrow(w, "f", actor->arrow, moment, NULL);
    actor->arrow = 0;
}

/* --- bands and marks --- */

/* Arguments may follow, and end(). */
static void begin_band(struct writer *w, const struct moment *moment, const char *phase,
                       const char *category, const char *name)
{
    uint64_t runtime = w->rec->workers[moment->worker].runtime;

    begin(w, phase, category, moment->worker, moment->event.time_ns);
    put_name(w, name);
    fprintf(w->file, ", \"id\": %llu",
            (unsigned long long)(moment->event.task + (runtime << RUNTIME_BIT)));
}

static void put_band(struct writer *w, const struct moment *moment, const char *phase,
                     const char *name)
{
    begin_band(w, moment, phase, "scope", name);
    end(w);
}

static const char *scope_name(const struct writer *w, uint64_t number)
{
    const struct rvi_trace_text *text = rvi_trace_shared_find(w->rec->shared, number);

    return text ? text->name : "scope";
}

static void open_band(struct writer *w, const struct moment *moment)
{
    struct actor *actor = actor_of(w, moment);

    if (!actor)
        return;
    actor->bands++;
    put_band(w, moment, "b", scope_name(w, moment->text));
}

static void close_band(struct writer *w, const struct moment *moment)
{
    struct actor *actor = actor_of(w, moment);

    if (!actor || !actor->bands)
        return;
    actor->bands--;
    put_band(w, moment, "e", scope_name(w, rvi_trace_arg(&moment->event)));
}

static void begin_op(struct writer *w, const struct moment *moment)
{
    struct actor *actor = actor_of(w, moment);
    int fd = rvi_trace_fd(&moment->event);

    if (!actor)
        return;
    actor->is_in_op = true;
    actor->what = rvi_trace_low(&moment->event);
    begin_band(w, moment, "b", "io", rvi_op_word(actor->what));
    fprintf(w->file, ", \"args\": {\"task\": %llu", (unsigned long long)actor->id);
    if (fd >= 0)
        fprintf(w->file, ", \"fd\": %d", fd);
    fputs("}", w->file);
    end(w);
}

static void end_op(struct writer *w, const struct moment *moment)
{
    struct actor *actor = actor_of(w, moment);
    int64_t result = rvi_trace_result(&moment->event);

    if (!actor || !actor->is_in_op)
        return;
    actor->is_in_op = false;
    begin_band(w, moment, "e", "io", rvi_op_word(actor->what));
    const char *error = result < 0 && result > INT32_MIN ? strerrorname_np((int)-result) : NULL;
    if (error)
        fprintf(w->file, ", \"args\": {\"error\": \"%s\"}", error);
    else
        fprintf(w->file, ", \"args\": {\"result\": %lld}", (long long)result);
    end(w);
}

static const char *wait_name(const struct writer *w, const struct actor *actor, char *room)
{
    return tl_object_words(&w->objects, &actor->object, rvi_why_word((enum rvi_why)actor->what),
                           room);
}

/* A call for input or output is a band already, and says more. */
static void begin_wait(struct writer *w, const struct moment *moment)
{
    struct actor *actor = actor_of(w, moment);
    unsigned why = rvi_trace_low(&moment->event);
    char name[TL_OBJECT_BYTES];

    if (!actor)
        return;
    struct tl_object object = actor->object =
        tl_objects_of(&w->objects, w->rec->workers[moment->worker].pid, &moment->event);
    actor->what = why;
    if (!tl_object_is_told(&object) && why != RVI_WHY_SLEEP)
        return;
    actor->is_waiting = true;
    begin_band(w, moment, "b", "wait", wait_name(w, actor, name));
    fprintf(w->file, ", \"args\": {\"task\": %llu", (unsigned long long)actor->id);
    if (tl_object_is_told(&object)) {
        fputs(", ", w->file);
        put_object(w, &object);
    }
    if (object.address)
        fprintf(w->file, ", \"address\": \"0x%llx\"", (unsigned long long)object.address);
    if (actor->holder)
        fprintf(w->file, ", \"held_by\": %llu", (unsigned long long)actor->holder);
    fputs("}", w->file);
    end(w);
    actor->holder = 0;
}

static void end_wait(struct writer *w, const struct moment *moment)
{
    struct actor *actor = actor_of(w, moment);
    char name[TL_OBJECT_BYTES];

    if (!actor || !actor->is_waiting)
        return;
    actor->is_waiting = false;
    begin_band(w, moment, "e", "wait", wait_name(w, actor, name));
    end(w);
}

static void learn_holder(struct writer *w, const struct moment *moment)
{
    struct actor *actor = actor_of(w, moment);

    if (actor)
        actor->holder = rvi_trace_arg(&moment->event);
}

/* --- executors --- */

static const char *name_of_text(const struct writer *w, uint64_t number)
{
    const struct rvi_trace_text *text = text_of(w, number);

    return text ? text->name : "job";
}

/* `ran_ns`: of its time, elsewhere; 0: not told. */
static void put_job(struct writer *w, unsigned lane, struct actor *actor, int64_t until,
                    const char *how, uint64_t ran_ns)
{
    if (!actor->job)
        return;
    begin_in(w, "X", "job", lane, actor->id, actor->since);
    put_name(w, name_of_text(w, actor->job));
    fprintf(w->file, ", \"dur\": %.3f, \"args\": {\"end\": ", us(w, until) - us(w, actor->since));
    ck_put_json(w->file, how);
    if (ran_ns)
        fprintf(w->file, ", \"ran_ns\": %llu", (unsigned long long)ran_ns);
    fputs("}", w->file);
    end(w);
    actor->job = 0;
}

static void draw_outside(struct writer *w, const struct moment *moment)
{
    struct actor *actor = actor_of(w, moment);
    uint64_t arg = rvi_trace_arg(&moment->event);
    int64_t time = moment->event.time_ns;

    if (!actor)
        return;
    switch (rvi_trace_kind(&moment->event)) {
    case RVI_TRACE_LANE:
        return put_metadata(w, "thread_name", moment->worker, actor->id, name_of_text(w, arg));
    case RVI_TRACE_JOB_BEGIN:
        put_job(w, moment->worker, actor, time, "unknown", 0);
        actor->job = arg;
        actor->since = time;
        return;
    case RVI_TRACE_JOB_END:
        return put_job(w, moment->worker, actor, time,
                       rv_outcome_word((enum rv_outcome_kind)rvi_trace_low(&moment->event)),
                       rvi_trace_object(&moment->event));
    default:
        return;
    }
}

/* How a run ends with which its task waits. */
static void close_parked(struct writer *w, const struct moment *moment)
{
    static const struct tl_object none;
    const struct actor *actor = actor_of(w, moment);
    unsigned why = rvi_trace_low(&moment->event);
    char before[64], text[TL_OBJECT_BYTES];

    snprintf(before, sizeof before, "waits for %s", rvi_why_word((enum rvi_why)why));
    tl_object_words(&w->objects, actor ? &actor->object : &none, before, text);
    close_lane(w, moment->worker, moment->event.time_ns, text);
}

static void put_mark(struct writer *w, const struct moment *moment, const char *name)
{
    begin(w, "i", "mark", moment->worker, moment->event.time_ns);
    put_name(w, name);
    fputs(", \"s\": \"t\"", w->file);
    end(w);
}

/* --- all --- */

static void draw(struct writer *w, const struct moment *moment)
{
    const struct rvi_trace_event *event = &moment->event;
    char text[64];

    switch (rvi_trace_kind(event)) {
    case RVI_TRACE_SPAWN:
        return begin_arrow(w, moment);
    case RVI_TRACE_WAKE:
        begin_arrow(w, moment);
        return end_wait(w, moment);
    case RVI_TRACE_BEGIN:
    case RVI_TRACE_RESUME:
        end_wait(w, moment);
        open_lane(w, moment);
        return end_arrow(w, moment);
    case RVI_TRACE_PARK:
        begin_wait(w, moment);
        return close_parked(w, moment);
    case RVI_TRACE_YIELD:
        return close_lane(w, moment->worker, event->time_ns, "yields");
    case RVI_TRACE_MIGRATE:
        return close_lane(w, moment->worker, event->time_ns, "migrates");
    case RVI_TRACE_END:
        return close_lane(w, moment->worker, event->time_ns, "ends");
    case RVI_TRACE_SLEEP:
        w->lanes[moment->worker].is_asleep = true;
        w->lanes[moment->worker].since = event->time_ns;
        return;
    case RVI_TRACE_AWAKE:
        return close_lane(w, moment->worker, event->time_ns, "unknown");
    case RVI_TRACE_SCOPE_OPEN:
        return open_band(w, moment);
    case RVI_TRACE_SCOPE_CLOSE:
        return close_band(w, moment);
    case RVI_TRACE_SCOPE_CANCEL:
        snprintf(text, sizeof text, "scope cancelled: %s",
                 strerrorname_np((int)rvi_trace_arg(event)));
        return put_mark(w, moment, text);
    case RVI_TRACE_STEAL:
        return put_mark(w, moment, "steals");
    case RVI_TRACE_HELD:
        return learn_holder(w, moment);
    case RVI_TRACE_OP:
        return begin_op(w, moment);
    case RVI_TRACE_OP_END:
        return end_op(w, moment);
    case RVI_TRACE_LANE:
    case RVI_TRACE_JOB_BEGIN:
    case RVI_TRACE_JOB_END:
        return draw_outside(w, moment);
    case RVI_TRACE_THING:
        return tl_objects_learn(&w->objects, w->rec->workers[moment->worker].pid, event);
    case RVI_TRACE_NAME:
        return;
    }
}

static int by_time(const void *a, const void *b)
{
    const struct moment *one = a, *other = b;

    if (one->event.time_ns != other->event.time_ns)
        return one->event.time_ns < other->event.time_ns ? -1 : 1;
    return one->number < other->number ? -1 : 1;
}

static int gather(struct writer *w)
{
    for (unsigned i = 0; i < w->rec->worker_count; i++)
        w->count += w->rec->workers[i].count;
    w->moments = rvi_calloc(w->count + 1, sizeof *w->moments);
    w->lanes = rvi_calloc(w->rec->worker_count + 1, sizeof *w->lanes);
    if (!w->moments || !w->lanes)
        return -ENOMEM;
    size_t number = 0;
    for (unsigned i = 0; i < w->rec->worker_count; i++) {
        for (size_t k = 0; k < w->rec->workers[i].count; k++, number++)
            w->moments[number] = (struct moment){.event = w->rec->workers[i].events[k],
                                                 .worker = i,
                                                 .number = number,
                                                 .closes = LOOK_NONE};
    }
    qsort(w->moments, w->count, sizeof *w->moments, by_time);
    w->start = w->count ? w->moments[0].event.time_ns : 0;
    w->end = w->count ? w->moments[w->count - 1].event.time_ns : 0;
    int r = learn_names(w);
    return r < 0 ? r : learn_scopes(w);
}

static void put_all(struct writer *w, const char *program)
{
    uint64_t lost = 0;

    for (unsigned i = 0; i < w->rec->worker_count; i++)
        lost += w->rec->workers[i].lost;
    fprintf(w->file,
            "{\"displayTimeUnit\": \"ns\", \"otherData\": {\"events\": %zu, \"lost\": %llu},\n"
            "\"traceEvents\": [",
            w->count, (unsigned long long)lost);
    put_lanes(w, program);
    for (size_t i = 0; i < w->count; i++)
        draw(w, &w->moments[i]);
    for (unsigned i = 0; i < w->rec->worker_count; i++)
        close_lane(w, i, w->end, "goes on");
    for (size_t i = 0; i < w->actor_count; i++)
        put_job(w, w->actors[i].lane, &w->actors[i], w->end, "goes on", 0);
    fputs("]}\n", w->file);
}

int tl_put_events(FILE *file, const struct look_recording *recording, const char *program)
{
    struct writer w = {
        .file = file, .rec = recording, .objects = {.texts = recording->shared}, .is_first = true};
    int r = gather(&w);

    if (r == 0)
        put_all(&w, program);
    rvi_free(w.moments);
    rvi_free(w.lanes);
    rvi_free(w.actors);
    look_index_fini(&w.actor_at);
    tl_objects_fini(&w.objects);
    return r;
}
