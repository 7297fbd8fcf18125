/* SPDX-License-Identifier: MIT */
/* nats_client.c - a client's tasks, from submission to their end.
 *
 * A task is written into its message by its submitter, on his thread, and enters the table there,
 * so that whoever cancels it finds it. It is published under its identity: the server drops a
 * second copy for two minutes. Once it is stored its message is forgotten; the number under which
 * it is stored is kept, to delete it by.
 *
 *   C1  What is in the table has not ended. `ended` is told when it leaves, and by nothing else
 *       (E3). A task that was refused leaves too, with `stored`.
 *   C2  The table is guarded by in.lock; what is in it belongs to the engine's thread, but for
 *       `is_unwanted`, `why` and `is_noted`.
 *
 * To cancel: its worker, if there is one, claims it when it is asked by ravel.P.held.BUILD, and
 * tells its own side to stop; then its result comes as any other. If nobody has claimed it for a
 * while, it waits, or its worker is dead: it is deleted where it is stored, and has ended. Asking
 * is repeated, so a claim that comes to nothing is found out.
 *
 * Rejected: deleting first. What was deleted is not delivered again, so a worker that dies after
 * that takes the task's end with it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ravel/future.h>

#include "base/alloc.h"
#include "base/check.h"
#include "engine/nats_client.h"
#include "sys/clock.h"
#include "sys/fd.h"

static const int64_t ms = 1000000;

enum {
    CLAIM_MS = 100,    /* within which a worker claims what it has */
    CLAIMED_MS = 1500, /* until it is asked again */
    MISSING_MOST = 3,  /* so often it was not found where it was stored, and no result came */
};

static struct rvi_nats_sent *sent_of(struct rvi_nats_entry *entry)
{
    return rvi_container_of(entry, struct rvi_nats_sent, entry);
}

static struct rvi_nats_sent *find(struct rvi_nats *e, const char *id)
{
    rvi_lock_acquire(&e->in.lock);
    struct rvi_nats_entry *entry = rvi_nats_table_find(&e->client->table, id);
    rvi_lock_release(&e->in.lock);
    return entry ? sent_of(entry) : NULL;
}

static void free_sent(struct rvi_nats *e, struct rvi_nats_sent *sent)
{
    rvi_nats_blob_fini(e, &sent->blob);
    rvi_nats_drop(e, sent->result);
    rvi_free(sent->message);
    rvi_free(sent);
}

/* A note that was written and not read yet reads it once more: then it frees it. */
static void leave(struct rvi_nats *e, struct rvi_nats_sent *sent)
{
    rvi_nats_unask(e, &sent->ask);
    rvi_nats_blob_fini(e, &sent->blob);
    if (rvi_link_is_linked(&sent->unwanted))
        rvi_link_remove(&sent->unwanted);
    rvi_nats_doubt_left(e, sent);
    rvi_lock_acquire(&e->in.lock);
    rvi_nats_table_remove(&e->client->table, &sent->entry);
    bool is_noted = sent->is_noted;
    rvi_lock_release(&e->in.lock);
    sent->has_left = true;
    if (!is_noted)
        free_sent(e, sent);
}

static void tell_stored(struct rvi_nats *e, const char *id, int error)
{
    if (!e->is_mute && e->base.events.stored)
        e->base.events.stored(e->base.arg, id, error);
}

/* The answer that it is stored may have been lost, or not be there yet. */
static void end_with(struct rvi_nats *e, struct rvi_nats_sent *sent,
                     const struct rvi_engine_result *result)
{
    if (!sent->is_stored && !sent->is_unwanted)
        tell_stored(e, sent->entry.id, 0);
    if (!e->is_mute && e->base.events.ended)
        e->base.events.ended(e->base.arg, result);
    leave(e, sent);
}

static void end_unwanted(struct rvi_nats *e, struct rvi_nats_sent *sent)
{
    struct rvi_engine_result result = {.kind = sent->why == -ETIME ? RV_OUTCOME_TIMEOUT
                                                                   : RV_OUTCOME_CANCELLED};

    memcpy(result.id, sent->entry.id, sizeof(result.id));
    if (sent->blob.name[0])
        rvi_nats_blob_purge(e, &sent->blob);
    end_with(e, sent, &result);
}

/* --- storing --- */

/* It leaves without an end, and what was stored of its input takes no room. */
static void refuse(struct rvi_nats *e, struct rvi_nats_sent *sent, int error)
{
    if (sent->blob.name[0])
        rvi_nats_blob_purge(e, &sent->blob);
    tell_stored(e, sent->entry.id, error);
    leave(e, sent);
}

static void stored(struct rvi_nats *e, struct rvi_nats_ask *ask,
                   const struct rvi_nats_answer *answer)
{
    struct rvi_nats_sent *sent = rvi_container_of(ask, struct rvi_nats_sent, ask);

    if (answer->error == -EIO) {
        rvi_nats_ask_later(e, ask);
        return;
    }
    rvi_free(sent->message);
    sent->message = NULL;
    if (answer->error == 0 &&
        rvi_json_number(rvi_json_member(answer->json, "seq"), &sent->sequence))
        sent->is_stored = true;
    if (sent->is_stored) {
        rvi_nats_doubt_stored(e, sent);
        tell_stored(e, sent->entry.id, 0);
    } else
        refuse(e, sent, answer->error ? answer->error : -EPROTO);
}

static void publish_message(struct rvi_nats *e, struct rvi_nats_sent *sent)
{
    struct rvi_nats_ask *ask = &sent->ask;

    snprintf(ask->subject, sizeof(ask->subject), "ravel.%s.task.%s.%s", e->opts.pool,
             rvi_nats_lanes[sent->lane], e->opts.build);
    ask->header[0] = (struct rvi_nats_header){"Nats-Msg-Id", sent->entry.id};
    ask->bytes = sent->message;
    ask->count = sent->bytes;
    ask->answered = stored;
    rvi_nats_ask(e, ask);
}

static void input_stored(struct rvi_nats *e, struct rvi_nats_blob *blob, int error)
{
    struct rvi_nats_sent *sent = rvi_container_of(blob, struct rvi_nats_sent, blob);

    rvi_nats_blob_fini(e, blob);
    if (error < 0)
        refuse(e, sent, error);
    else
        publish_message(e, sent);
}

static void publish(struct rvi_nats *e, struct rvi_nats_sent *sent)
{
    sent->blob.moved = input_stored;
    int r = sent->blob.bytes ? rvi_nats_blob_store(e, &sent->blob) : 0;

    if (r < 0)
        refuse(e, sent, r);
    else if (!sent->blob.bytes)
        publish_message(e, sent);
}

/* --- what is not wanted any more --- */

static void ask_who_has_it(struct rvi_nats *e, struct rvi_nats_sent *sent)
{
    char subject[RVI_NATS_SUBJECT], reply[RVI_NATS_SUBJECT], bytes[64];

    snprintf(subject, sizeof(subject), "ravel.%s.held.%s", e->opts.pool, e->opts.build);
    snprintf(reply, sizeof(reply), "ravel.%s.to.%s.c.%s", e->opts.pool, e->me, sent->entry.id);
    int count = snprintf(bytes, sizeof(bytes), "stop %s %d", sent->entry.id, sent->why);
    (void)rvi_nats_say(e, subject, reply, NULL, bytes, (size_t)count); /* it is asked again */
}

static void look_again(struct rvi_nats *e, struct rvi_nats_sent *sent, int64_t after_ms)
{
    struct rvi_nats_client *client = e->client;

    if (rvi_link_is_linked(&sent->unwanted))
        rvi_link_remove(&sent->unwanted);
    sent->due = rvi_clock_now() + after_ms * ms;
    rvi_list_push_back(after_ms == CLAIM_MS ? &client->asking : &client->claimed, &sent->unwanted);
}

/* It may have been leased since. */
static void end_deleted(struct rvi_nats *e, struct rvi_nats_sent *sent)
{
    ask_who_has_it(e, sent);
    end_unwanted(e, sent);
}

static void deleted(struct rvi_nats *e, struct rvi_nats_ask *ask,
                    const struct rvi_nats_answer *answer)
{
    struct rvi_nats_sent *sent = rvi_container_of(ask, struct rvi_nats_sent, ask);

    if (answer->error == 0 || (answer->error == -ENOENT && ++sent->missing >= MISSING_MOST))
        end_deleted(e, sent);
    else
        look_again(e, sent, CLAIMED_MS);
}

static void delete (struct rvi_nats *e, struct rvi_nats_sent *sent)
{
    struct rvi_nats_ask *ask = &sent->ask;

    snprintf(ask->subject, sizeof(ask->subject), "$JS.API.STREAM.MSG.DELETE.RAVEL_%s_TASKS",
             e->opts.pool);
    ask->header[0] = (struct rvi_nats_header){0};
    ask->bytes = sent->request;
    ask->count = (size_t)snprintf(sent->request, sizeof(sent->request),
                                  "{\"seq\":%" PRIu64 ",\"no_erase\":true}", sent->sequence);
    ask->answered = deleted;
    rvi_nats_ask(e, ask);
}

static void begin_to_stop(struct rvi_nats *e, struct rvi_nats_sent *sent)
{
    if (!sent->ask.was_sent && sent->ask.state == RVI_ASK_WAITING && e->state != RVI_NATS_READY)
        end_unwanted(e, sent);
    else if (!sent->is_stored || e->state != RVI_NATS_READY)
        look_again(e, sent, CLAIM_MS);
    else if (sent->ask.state == RVI_ASK_IDLE) {
        ask_who_has_it(e, sent);
        sent->is_asked = true;
        look_again(e, sent, CLAIM_MS);
    }
}

void rvi_nats_claim_heard(struct rvi_nats *e, const char *id)
{
    struct rvi_nats_sent *sent = find(e, id);

    if (sent && sent->is_asked && sent->ask.state == RVI_ASK_IDLE) {
        sent->is_asked = false;
        look_again(e, sent, CLAIMED_MS);
    }
}

static void look_after(struct rvi_nats *e, struct rvi_nats_sent *sent)
{
    rvi_link_remove(&sent->unwanted);
    if (sent->is_asked && sent->is_stored && sent->ask.state == RVI_ASK_IDLE) {
        sent->is_asked = false;
        delete (e, sent);
    } else {
        begin_to_stop(e, sent);
    }
}

static struct rvi_nats_sent *first_due(struct rvi_list *list, int64_t now)
{
    struct rvi_link *link = rvi_list_first(list);
    struct rvi_nats_sent *sent =
        link ? rvi_container_of(link, struct rvi_nats_sent, unwanted) : NULL;

    return sent && sent->due <= now ? sent : NULL;
}

/* --- results --- */

/* A result that tells nothing that could be believed still ends its task: there will be no
 * other. */
static void end_lost(struct rvi_nats *e, struct rvi_nats_sent *sent, const char *words)
{
    struct rvi_engine_result result = {.kind = RV_OUTCOME_LOST, .words = words};

    memcpy(result.id, sent->entry.id, sizeof(result.id));
    end_with(e, sent, &result);
}

static bool is_unwanted(struct rvi_nats *e, const struct rvi_nats_sent *sent)
{
    rvi_lock_acquire(&e->in.lock);
    bool it_is = sent->is_unwanted;
    rvi_lock_release(&e->in.lock);
    return it_is;
}

/* The answer to its deletion may have been lost. */
void rvi_nats_client_forgotten(struct rvi_nats *e, struct rvi_nats_sent *sent)
{
    if (is_unwanted(e, sent)) {
        end_deleted(e, sent);
        return;
    }
    if (sent->blob.name[0])
        rvi_nats_blob_purge(e, &sent->blob);
    end_lost(e, sent, "the engine has lost it, though it had stored it");
}

static void value_fetched(struct rvi_nats *e, struct rvi_nats_blob *blob, int error)
{
    struct rvi_nats_sent *sent = rvi_container_of(blob, struct rvi_nats_sent, blob);
    struct rvi_wire_result wire;

    RV_CHECK(rvi_wire_result_read(&wire, e->api->natsMsg_GetData(sent->result),
                                  (size_t)e->api->natsMsg_GetDataLength(sent->result)));
    if (error == -ENOMEM) {
        wire.result.kind = RV_OUTCOME_ERROR;
        wire.result.error = error;
        wire.result.out_bytes = 0;
    }
    wire.result.out = blob->bytes;
    rvi_nats_blob_purge(e, blob);
    if (error < 0 && error != -ENOMEM)
        end_lost(e, sent, "its value is gone, or spoilt");
    else
        end_with(e, sent, &wire.result);
}

static void fetch_value(struct rvi_nats *e, struct rvi_nats_sent *sent,
                        const struct rvi_wire_result *wire, natsMsg *msg)
{
    rvi_nats_blob_fini(e, &sent->blob);
    sent->result = msg;
    e->is_kept = true;
    sent->blob = (struct rvi_nats_blob){.kind = "piece",
                                        .stream = "VALUES",
                                        .count = wire->result.out_bytes,
                                        .hash = wire->pieces.hash,
                                        .moved = value_fetched};
    memcpy(sent->blob.name, wire->pieces.name, sizeof(sent->blob.name));
    int r = rvi_nats_blob_fetch(e, &sent->blob);
    if (r < 0)
        value_fetched(e, &sent->blob, r);
}

/* With the zeros that were not sent. */
static void end_filled_up(struct rvi_nats *e, struct rvi_nats_sent *sent,
                          struct rvi_wire_result *wire)
{
    struct rvi_engine_result *result = &wire->result;
    size_t there = result->out_bytes - wire->zeros;
    char *whole = rvi_calloc(1, result->out_bytes);

    if (whole) {
        memcpy(whole, result->out, there);
        result->out = whole;
    } else {
        result->kind = RV_OUTCOME_ERROR;
        result->error = -ENOMEM;
        result->out_bytes = 0;
    }
    end_with(e, sent, result);
    rvi_free(whole);
}

void rvi_nats_result(struct rvi_nats *e, const char *id, natsMsg *msg)
{
    struct rvi_wire_result wire;
    struct rvi_nats_sent *sent = find(e, id);

    if (!sent || sent->result)
        return;
    if (!rvi_wire_result_read(&wire, e->api->natsMsg_GetData(msg),
                              (size_t)e->api->natsMsg_GetDataLength(msg)) ||
        strcmp(wire.result.id, id) != 0) {
        e->nonsense++;
        end_lost(e, sent, "its result makes no sense");
    } else if (wire.pieces.name[0])
        fetch_value(e, sent, &wire, msg);
    else if (wire.zeros > 0)
        end_filled_up(e, sent, &wire);
    else
        end_with(e, sent, &wire.result);
}

void rvi_nats_progress_heard(struct rvi_nats *e, const char *id, const char *bytes, size_t count)
{
    if (count > RVI_ENGINE_PROGRESS)
        e->nonsense++;
    else if (find(e, id) && !e->is_mute && e->base.events.progressed)
        e->base.events.progressed(e->base.arg, id, bytes, count);
}

/* --- what others say --- */

static void note_read(struct rvi_nats *e, struct rvi_nats_note *note)
{
    struct rvi_nats_sent *sent = rvi_container_of(note, struct rvi_nats_sent, note);

    rvi_lock_acquire(&e->in.lock);
    sent->is_noted = false;
    bool is_unwanted = sent->is_unwanted;
    rvi_lock_release(&e->in.lock);
    if (sent->has_left) {
        free_sent(e, sent);
        return;
    }
    if (!sent->is_known) {
        sent->is_known = true;
        publish(e, sent);
    }
    if (is_unwanted && !rvi_link_is_linked(&sent->unwanted))
        begin_to_stop(e, sent);
}

static struct rvi_nats_sent *new_sent(struct rvi_nats *e, const struct rvi_engine_task *task,
                                      int *ret_error)
{
    struct rvi_wire_task wire = {.task = *task};
    struct rvi_nats_sent *sent = rvi_calloc(1, sizeof(*sent));

    *ret_error = 0;
    if (!sent)
        return NULL;
    memcpy(wire.client, e->me, sizeof(wire.client));
    memcpy(wire.build, e->opts.build, sizeof(wire.build));
    memcpy(sent->entry.id, task->id, sizeof(sent->entry.id));
    sent->note.read = note_read;
    sent->lane = task->lane;
    sent->blob = (struct rvi_nats_blob){.kind = "blob", .stream = "BLOBS"};
    if (task->in_bytes > RVI_ENGINE_WHOLE) {
        *ret_error = rvi_nats_blob_prepare(&sent->blob, task->in, task->in_bytes);
        memcpy(wire.pieces.name, sent->blob.name, sizeof(wire.pieces.name));
        wire.pieces.hash = sent->blob.hash;
    }
    sent->bytes = rvi_wire_task_bytes(&wire);
    sent->message = *ret_error == 0 ? rvi_alloc(sent->bytes) : NULL;
    if (!sent->message) {
        free_sent(e, sent);
        return NULL;
    }
    rvi_wire_task_write(&wire, sent->message);
    return sent;
}

/* With what tells nothing by being published. False: it is the thread's to do. */
static bool publish_here(struct rvi_nats *e, struct rvi_nats_sent *sent)
{
    if (sent->blob.bytes || !rvi_nats_borrow(e))
        return false;
    rvi_lock_acquire(&e->in.lock);
    bool is_in = rvi_nats_table_add(&e->client->table, &sent->entry);
    rvi_lock_release(&e->in.lock);
    if (is_in) {
        sent->is_known = true;
        publish_message(e, sent);
    }
    rvi_nats_give_back(e);
    return is_in;
}

int rvi_nats_submit(struct rvi_engine *engine, const struct rvi_engine_task *task)
{
    struct rvi_nats *e = rvi_nats_of(engine);
    struct rvi_nats_sent *sent;
    bool is_in, rings = false;
    int r;

    RV_CHECK(e->client && rvi_wire_is_id(task->id, strlen(task->id)));
    if (task->in_bytes > RVI_WIRE_PIECES_MOST || strlen(task->job) >= RVI_WIRE_JOB_MOST)
        return -EFBIG;
    sent = new_sent(e, task, &r);
    if (!sent)
        return r < 0 ? r : -ENOMEM;
    if (publish_here(e, sent))
        return 0;
    rvi_lock_acquire(&e->in.lock);
    bool is_closing = e->in.is_closing;
    is_in = !is_closing && rvi_nats_table_add(&e->client->table, &sent->entry);
    if (is_in) {
        sent->is_noted = true;
        rings = rvi_nats_note_locked(e, &sent->note);
    }
    rvi_lock_release(&e->in.lock);
    if (rings)
        rvi_fd_event_signal(e->bell);
    if (!is_in)
        free_sent(e, sent);
    return is_in ? 0 : is_closing ? -EPIPE : -ENOMEM;
}

void rvi_nats_cancel(struct rvi_engine *engine, const char *id, int why)
{
    struct rvi_nats *e = rvi_nats_of(engine);
    bool rings = false;

    rvi_lock_acquire(&e->in.lock);
    struct rvi_nats_entry *entry = rvi_nats_table_find(&e->client->table, id);
    if (entry && !sent_of(entry)->is_unwanted) {
        struct rvi_nats_sent *sent = sent_of(entry);
        sent->is_unwanted = true;
        sent->why = why;
        if (!sent->is_noted)
            rings = rvi_nats_note_locked(e, &sent->note);
        sent->is_noted = true;
    }
    rvi_lock_release(&e->in.lock);
    if (rings)
        rvi_fd_event_signal(e->bell);
}

/* --- its life --- */

int rvi_nats_client_open(struct rvi_nats *e)
{
    e->client = rvi_calloc(1, sizeof(*e->client));
    if (!e->client)
        return -ENOMEM;
    rvi_list_init(&e->client->asking);
    rvi_list_init(&e->client->claimed);
    rvi_nats_doubt_open(e);
    return 0;
}

/* What is noted and not read is in the table as well: nobody reads it any more. */
void rvi_nats_client_free(struct rvi_nats *e)
{
    struct rvi_nats_entry *entry;

    if (!e->client)
        return;
    while ((entry = rvi_nats_table_any(&e->client->table))) {
        rvi_nats_table_remove(&e->client->table, entry);
        free_sent(e, sent_of(entry));
    }
    rvi_nats_table_fini(&e->client->table);
    rvi_free(e->client);
}

void rvi_nats_client_ready(struct rvi_nats *e)
{
    rvi_nats_results_open(e);
    rvi_nats_doubt_ready(e, e->client->was_ready);
    e->client->was_ready = true;
}

void rvi_nats_client_lost(struct rvi_nats *e)
{
    rvi_nats_results_lost(e);
}

void rvi_nats_client_turn(struct rvi_nats *e, int64_t now)
{
    struct rvi_nats_sent *sent;

    rvi_nats_results_turn(e, now);
    rvi_nats_doubt_turn(e, now);
    while ((sent = first_due(&e->client->asking, now)) ||
           (sent = first_due(&e->client->claimed, now)))
        look_after(e, sent);
}

static int64_t first_of(const struct rvi_list *list)
{
    struct rvi_link *link = rvi_list_first(list);

    return link ? rvi_container_of(link, struct rvi_nats_sent, unwanted)->due : INT64_MAX;
}

int64_t rvi_nats_client_due(const struct rvi_nats *e)
{
    int64_t due = rvi_nats_results_due(e), asking = first_of(&e->client->asking),
            claimed = first_of(&e->client->claimed), doubt = rvi_nats_doubt_due(e);

    due = doubt < due ? doubt : due;
    due = asking < due ? asking : due;
    return claimed < due ? claimed : due;
}
