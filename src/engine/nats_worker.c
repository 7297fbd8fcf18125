/* SPDX-License-Identifier: MIT */
/* nats_worker.c - what a worker is given, until its holder knows of it.
 *
 * A task is told at once when this is its first delivery. Otherwise it is looked up first: if its
 * result is there, its worker died between storing that and saying so; it is acknowledged, and
 * nobody hears of it (E4). Then how often it was handed back without having begun, which gives the
 * number of this attempt.
 *
 * A server that has crashed has forgotten the last of what it delivered, and of what was
 * acknowledged: such tasks come again, as for the first time. So what was stored before we
 * connected is looked up, too, as the server may have been started in between.
 *
 *   W1  A task is in the table from its delivery until nothing is left to be said of it. Delivered
 *       to us once more meanwhile (its lease has lapsed), it is the same task, under a new
 *       acknowledgement.
 *   W2  A task has a slot from its delivery until it is given up. One that comes when no slot is
 *       free has none, and goes back.
 *   W3  A task that was given up is ours until the server knows what has become of it: its result
 *       may be long, or find no room. Its lease is extended here, as its holder does not any more.
 *       Otherwise another would be lent what is done, and if that is not to be begun twice, say
 *       that it is lost.
 *
 * Workers of one build hear each other, on ravel.P.held.BUILD:
 *
 *     stop ID WHY   from a client: who has it answers, and tells its holder
 *     took ID N     by its N-th delivery somebody has it: who has it by an earlier one has
 *                   lost it */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "engine/nats_worker.h"
#include "sys/clock.h"
#include "sys/fd.h"

enum { OTHER_BUILD_MS = 1000, NO_MEMORY_MS = 1000, FETCH_EXTEND_MS = 1000 };

static const int64_t ms = 1000000;

static struct rvi_nats_lease *find(struct rvi_nats *e, const char *id)
{
    struct rvi_nats_entry *entry = rvi_nats_table_find(&e->worker->table, id);

    return entry ? rvi_container_of(entry, struct rvi_nats_lease, entry) : NULL;
}

/* --- telling --- */

static void tell_stop(struct rvi_nats *e, struct rvi_nats_lease *lease, int why)
{
    if (!e->is_mute && e->base.events.stop)
        e->base.events.stop(e->base.arg, lease->entry.id, why);
}

static void say_that_it_is_taken(struct rvi_nats *e, struct rvi_nats_lease *lease)
{
    char subject[RVI_NATS_SUBJECT], bytes[64];

    snprintf(subject, sizeof(subject), "ravel.%s.held.%s", e->opts.pool, e->opts.build);
    int count =
        snprintf(bytes, sizeof(bytes), "took %s %" PRIu64, lease->entry.id, lease->delivered);
    (void)rvi_nats_say(e, subject, NULL, NULL, bytes, (size_t)count); /* may be lost: E4 */
}

static void tell(struct rvi_nats *e, struct rvi_nats_lease *lease)
{
    struct rvi_engine_task *task = &lease->wire.task; /* its holder's until it is given up */

    if (lease->input.bytes)
        task->in = lease->input.bytes;
    task->attempt = (unsigned)(lease->delivered - lease->unbegun);
    if (lease->delivered > 1)
        say_that_it_is_taken(e, lease);
    lease->is_told = true;
    if (!e->is_mute)
        e->base.events.leased(e->base.arg, &lease->base, task);
    if (lease->stop_why)
        tell_stop(e, lease, lease->stop_why);
}

/* --- looking up --- */

static void look_up(struct rvi_nats *e, struct rvi_nats_lease *lease, const char *stream,
                    const char *what, const char *whose,
                    void (*answered)(struct rvi_nats *, struct rvi_nats_ask *,
                                     const struct rvi_nats_answer *))
{
    struct rvi_nats_ask *ask = &lease->ask;

    snprintf(ask->subject, sizeof(ask->subject), "$JS.API.STREAM.MSG.GET.RAVEL_%s_%s", e->opts.pool,
             stream);
    ask->bytes = lease->words;
    ask->count = (size_t)snprintf(lease->words, sizeof(lease->words),
                                  "{\"last_by_subj\":\"ravel.%s.%s.%s%s%s\"}", e->opts.pool, what,
                                  whose, whose[0] ? "." : "", lease->entry.id);
    ask->answered = answered;
    rvi_nats_ask(e, ask);
}

/* Of a few digits. */
static uint64_t number_in(struct rvi_json text)
{
    char digits[32];
    uint64_t number = 0;
    size_t count = rvi_json_bytes(text, digits, sizeof(digits));

    rvi_json_number((struct rvi_json){digits, count}, &number);
    return number;
}

static void tries_found(struct rvi_nats *e, struct rvi_nats_ask *ask,
                        const struct rvi_nats_answer *answer)
{
    struct rvi_nats_lease *lease = rvi_container_of(ask, struct rvi_nats_lease, ask);

    if (answer->error < 0 && answer->error != -ENOENT) {
        rvi_nats_ask_later(e, ask);
        return;
    }
    lease->unbegun = number_in(rvi_json_member(rvi_json_member(answer->json, "message"), "data"));
    if (lease->unbegun >= lease->delivered)
        lease->unbegun = lease->delivered - 1;
    rvi_nats_lease_judge(e, lease);
}

static void result_found(struct rvi_nats *e, struct rvi_nats_ask *ask,
                         const struct rvi_nats_answer *answer)
{
    struct rvi_nats_lease *lease = rvi_container_of(ask, struct rvi_nats_lease, ask);

    if (answer->error == -ENOENT && lease->delivered > 1)
        look_up(e, lease, "BLOBS", "tries", "", tries_found);
    else if (answer->error == -ENOENT)
        rvi_nats_lease_judge(e, lease);
    else if (answer->error < 0)
        rvi_nats_ask_later(e, ask);
    else {
        rvi_nats_lease_say(e, lease, "+ACK");
        rvi_nats_lease_free(e, lease);
    }
}

/* --- judging --- */

unsigned rvi_nats_free_slots(const struct rvi_nats *e)
{
    const struct rvi_nats_worker *worker = e->worker;

    return worker->slots > worker->holding ? worker->slots - worker->holding : 0;
}

/* Without a word to its holder: it has none. */
static void back(struct rvi_nats *e, struct rvi_nats_lease *lease, int64_t delay_ns)
{
    lease->delay_ns = delay_ns;
    rvi_nats_lease_give_up(e, lease);
    rvi_nats_lease_back(e, lease);
}

static void input_fetched(struct rvi_nats *e, struct rvi_nats_blob *blob, int error)
{
    struct rvi_nats_lease *lease = rvi_container_of(blob, struct rvi_nats_lease, input);

    if (error == 0)
        tell(e, lease);
    else if (error == -ENOMEM)
        back(e, lease, NO_MEMORY_MS * ms);
    else
        rvi_nats_bury_lost(e, lease, "its input is gone, or spoilt");
}

static void keep_lease(struct rvi_nats *e, struct rvi_nats_blob *blob)
{
    struct rvi_nats_lease *lease = rvi_container_of(blob, struct rvi_nats_lease, input);
    int64_t now = rvi_clock_now();

    if (lease->extended + FETCH_EXTEND_MS * ms > now)
        return;
    lease->extended = now;
    rvi_nats_lease_say(e, lease, "+WPI");
}

static void fetch_input(struct rvi_nats *e, struct rvi_nats_lease *lease)
{
    struct rvi_nats_blob *input = &lease->input;

    *input = (struct rvi_nats_blob){.kind = "blob",
                                    .stream = "BLOBS",
                                    .count = lease->wire.task.in_bytes,
                                    .hash = lease->wire.pieces.hash,
                                    .step = keep_lease,
                                    .moved = input_fetched};
    memcpy(input->name, lease->wire.pieces.name, sizeof(input->name));
    lease->extended = rvi_clock_now();
    int r = rvi_nats_blob_fetch(e, input);
    if (r < 0)
        input_fetched(e, input, r);
}

void rvi_nats_lease_judge(struct rvi_nats *e, struct rvi_nats_lease *lease)
{
    const struct rvi_engine_task *task = &lease->wire.task;
    int64_t early = task->not_before > 0 ? task->not_before - rvi_clock_wall() : 0;

    if (strcmp(lease->wire.build, e->opts.build) != 0)
        back(e, lease, OTHER_BUILD_MS * ms);
    else if (early > 0 && !lease->stop_why)
        back(e, lease, early);
    else if (!lease->holds)
        back(e, lease, 0);
    else if (lease->wire.pieces.name[0])
        fetch_input(e, lease);
    else
        tell(e, lease);
}

static void take_again(struct rvi_nats *e, struct rvi_nats_lease *lease,
                       const struct rvi_nats_origin *origin, const char *reply)
{
    snprintf(lease->reply, sizeof(lease->reply), "%s", reply);
    lease->delivered = origin->delivered;
    lease->is_stale = false;
    if (lease->is_told)
        say_that_it_is_taken(e, lease);
}

static struct rvi_nats_lease *new_lease(struct rvi_nats *e, natsMsg *msg,
                                        const struct rvi_nats_origin *origin)
{
    struct rvi_nats_lease *lease = rvi_calloc(1, sizeof(*lease));

    if (!lease)
        return NULL;
    lease->base.engine = &e->base;
    lease->note.read = rvi_nats_lease_read;
    lease->msg = msg;
    lease->delivered = origin->delivered;
    snprintf(lease->reply, sizeof(lease->reply), "%s", e->api->natsMsg_GetReply(msg));
    return lease;
}

static void take(struct rvi_nats *e, struct rvi_nats_lease *lease,
                 const struct rvi_nats_origin *origin)
{
    lease->holds = rvi_nats_free_slots(e) > 0;
    e->worker->holding += lease->holds;
    if (origin->delivered > 1 || origin->sequence <= e->worker->doubted)
        look_up(e, lease, "RESULTS", "result", lease->wire.client, result_found);
    else
        rvi_nats_lease_judge(e, lease);
}

/* Without memory it lapses, and is delivered again. */
void rvi_nats_worker_heard(struct rvi_nats *e, const struct rvi_nats_origin *origin, natsMsg *msg)
{
    const char *bytes = e->api->natsMsg_GetData(msg);
    size_t count = (size_t)e->api->natsMsg_GetDataLength(msg);
    struct rvi_wire_task wire;
    bool is_task = rvi_wire_task_read(&wire, bytes, count);
    struct rvi_nats_lease *lease = is_task ? find(e, wire.task.id) : NULL;

    if (!rvi_nats_pull_heard(e, origin))
        return;
    if (lease) {
        take_again(e, lease, origin, e->api->natsMsg_GetReply(msg));
        return;
    }
    lease = new_lease(e, msg, origin);
    if (!lease)
        return;
    e->is_kept = true;
    if (!is_task) {
        rvi_nats_bury_nonsense(e, lease, origin);
        return;
    }
    lease->wire = wire;
    memcpy(lease->entry.id, wire.task.id, sizeof(lease->entry.id));
    if (rvi_nats_table_add(&e->worker->table, &lease->entry)) {
        lease->is_in = true;
        take(e, lease, origin);
    } else {
        rvi_nats_lease_free(e, lease);
    }
}

/* --- among workers --- */

static void hear_stop(struct rvi_nats *e, struct rvi_nats_lease *lease, int why, const char *reply)
{
    if (reply)
        (void)rvi_nats_say(e, reply, NULL, NULL, "", 0);
    if (lease->stop_why)
        return;
    lease->stop_why = why < 0 ? why : -ECANCELED;
    if (lease->is_told)
        tell_stop(e, lease, lease->stop_why);
}

static void hear_took(struct rvi_nats *e, struct rvi_nats_lease *lease, uint64_t delivered)
{
    if (delivered <= lease->delivered || lease->is_stale)
        return;
    lease->is_stale = true;
    if (lease->is_told)
        tell_stop(e, lease, -ESTALE);
}

void rvi_nats_hear_worker(struct rvi_nats *e, natsMsg *msg)
{
    char text[64], id[RVI_ENGINE_ID_BYTES];
    size_t count = (size_t)e->api->natsMsg_GetDataLength(msg);

    if (count < sizeof("stop ") - 1 + sizeof(id) || count >= sizeof(text)) {
        e->nonsense++;
        return;
    }
    memcpy(text, e->api->natsMsg_GetData(msg), count);
    text[count] = '\0';
    memcpy(id, text + 5, sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    const char *number = text + 5 + sizeof(id);
    struct rvi_nats_lease *lease = find(e, id);
    if (!rvi_wire_is_id(id, strlen(id)))
        e->nonsense++;
    else if (lease && strncmp(text, "stop ", 5) == 0)
        hear_stop(e, lease, (int)strtol(number, NULL, 10), e->api->natsMsg_GetReply(msg));
    else if (lease && strncmp(text, "took ", 5) == 0)
        hear_took(e, lease, strtoull(number, NULL, 10));
}

/* --- what was stored before we were connected --- */

static void last_task_known(struct rvi_nats *e, struct rvi_nats_ask *ask,
                            const struct rvi_nats_answer *answer)
{
    struct rvi_json state = rvi_json_member(answer->json, "state");
    uint64_t last;

    if (answer->error == 0 && rvi_json_number(rvi_json_member(state, "last_seq"), &last))
        e->worker->doubted = last;
    else if (answer->error != -ENOTCONN)
        rvi_nats_ask_later(e, ask);
}

/* Until it is known, all are. */
static void doubt(struct rvi_nats *e)
{
    struct rvi_nats_ask *ask = &e->worker->last_task;

    e->worker->doubted = UINT64_MAX;
    rvi_nats_unask(e, ask);
    snprintf(ask->subject, sizeof(ask->subject), "$JS.API.STREAM.INFO.RAVEL_%s_TASKS",
             e->opts.pool);
    ask->is_once = true;
    ask->answered = last_task_known;
    rvi_nats_ask(e, ask);
}

/* --- beats --- */

static void beat_stored(struct rvi_nats *e, struct rvi_nats_ask *ask,
                        const struct rvi_nats_answer *answer)
{
    (void)e, (void)ask, (void)answer; /* the next one follows */
}

static void say_beat(struct rvi_nats *e)
{
    struct rvi_nats_worker *worker = e->worker;
    struct rvi_nats_ask *ask = &worker->beat;
    const struct rvi_nats_beat *beat = &worker->last_beat;

    rvi_nats_unask(e, ask);
    snprintf(ask->subject, sizeof(ask->subject), "ravel.%s.member.%s", e->opts.pool, e->name);
    ask->bytes = worker->beat_text;
    ask->count = (size_t)snprintf(worker->beat_text, sizeof(worker->beat_text),
                                  "RVM1 %u %u %d %d %" PRId64 " %s %s %s", beat->slots, beat->busy,
                                  beat->is_leaving, (int)getpid(), worker->since, e->opts.build,
                                  e->host[0] ? e->host : "-", program_invocation_short_name);
    ask->is_once = true;
    ask->answered = beat_stored;
    rvi_nats_ask(e, ask);
}

static void read_news(struct rvi_nats *e, struct rvi_nats_note *note)
{
    struct rvi_nats_worker *worker = e->worker;

    (void)note;
    rvi_lock_acquire(&e->in.lock);
    bool has_wanted = e->in.has_wanted, has_beat = e->in.beat.is_new;
    unsigned wanted = e->in.wanted;
    struct rvi_nats_beat beat = e->in.beat;
    worker->is_news_noted = e->in.has_wanted = e->in.beat.is_new = false;
    rvi_lock_release(&e->in.lock);
    if (has_wanted)
        worker->slots = wanted;
    if (has_beat) {
        worker->last_beat = beat;
        worker->has_beat = true;
        if (e->state == RVI_NATS_READY)
            say_beat(e);
    }
}

/* With in.lock. */
static bool note_news(struct rvi_nats *e)
{
    bool rings = !e->worker->is_news_noted && rvi_nats_note_locked(e, &e->worker->news);

    e->worker->is_news_noted = true;
    return rings;
}

void rvi_nats_want(struct rvi_engine *engine, unsigned slots)
{
    struct rvi_nats *e = rvi_nats_of(engine);

    rvi_lock_acquire(&e->in.lock);
    e->in.wanted = slots;
    e->in.has_wanted = true;
    bool rings = note_news(e);
    rvi_lock_release(&e->in.lock);
    if (rings)
        rvi_fd_event_signal(e->bell);
}

void rvi_nats_announce(struct rvi_engine *engine, unsigned slots, unsigned busy, bool is_leaving)
{
    struct rvi_nats *e = rvi_nats_of(engine);

    rvi_lock_acquire(&e->in.lock);
    e->in.beat = (struct rvi_nats_beat){slots, busy, is_leaving, true};
    bool rings = note_news(e);
    rvi_lock_release(&e->in.lock);
    if (rings)
        rvi_fd_event_signal(e->bell);
}

/* --- what is given up, and not said yet --- */

static int64_t keep_due(const struct rvi_nats *e)
{
    return rvi_list_is_empty(&e->worker->given_up)
               ? INT64_MAX
               : e->worker->given_up_extended + rvi_nats_lease_time(e) / 3;
}

/* W3 */
static void keep_given_up(struct rvi_nats *e, int64_t now)
{
    e->worker->given_up_extended = now;
    RVI_LIST_FOREACH(link, &e->worker->given_up) {
        struct rvi_nats_lease *lease = rvi_container_of(link, struct rvi_nats_lease, given_up);
        if (!lease->is_stale)
            rvi_nats_lease_say(e, lease, "+WPI");
    }
}

/* --- its life --- */

int rvi_nats_worker_open(struct rvi_nats *e)
{
    e->worker = rvi_calloc(1, sizeof(*e->worker));
    if (!e->worker)
        return -ENOMEM;
    e->worker->news.read = read_news;
    e->worker->since = rvi_clock_wall();
    rvi_list_init(&e->worker->given_up);
    rvi_nats_pull_open(e);
    return 0;
}

void rvi_nats_worker_free(struct rvi_nats *e)
{
    struct rvi_nats_entry *entry;

    if (!e->worker)
        return;
    while ((entry = rvi_nats_table_any(&e->worker->table)))
        rvi_nats_lease_free(e, rvi_container_of(entry, struct rvi_nats_lease, entry));
    rvi_nats_table_fini(&e->worker->table);
    rvi_free(e->worker);
}

void rvi_nats_worker_ready(struct rvi_nats *e)
{
    doubt(e);
    if (e->worker->has_beat)
        say_beat(e);
}

void rvi_nats_worker_lost(struct rvi_nats *e)
{
    rvi_nats_pull_lost(e);
}

void rvi_nats_worker_turn(struct rvi_nats *e, int64_t now)
{
    if (e->state != RVI_NATS_READY)
        return;
    rvi_nats_pull_turn(e, now);
    if (keep_due(e) <= now)
        keep_given_up(e, now);
}

int64_t rvi_nats_worker_due(const struct rvi_nats *e)
{
    int64_t pull = rvi_nats_pull_due(e), keep = keep_due(e);

    return pull < keep ? pull : keep;
}

bool rvi_nats_worker_is_idle(const struct rvi_nats *e)
{
    return rvi_list_is_empty(&e->worker->given_up);
}
