/* SPDX-License-Identifier: MIT */
/* nats_settle.c - how a lease ends.
 *
 * What its holder says is written down on his thread, so that nothing of his is needed later; the
 * engine's thread stores it, and acknowledges the task when it is stored (E4), while others are on
 * their way. Without memory for a result its task ends as an error, in a message that fits into the
 * lease.
 *
 * How often a delivery came to nothing, because the task was handed back before it began, lies in
 * ravel.P.tries.ID: the server counts deliveries, and we what was begun. It is stored before the
 * task goes back. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ravel/future.h>

#include "base/alloc.h"
#include "base/check.h"
#include "engine/nats_worker.h"
#include "sys/clock.h"
#include "sys/fd.h"

static struct rvi_nats_lease *lease_of(struct rvi_engine_lease *lease)
{
    return rvi_container_of(lease, struct rvi_nats_lease, base);
}

void rvi_nats_lease_say(struct rvi_nats *e, struct rvi_nats_lease *lease, const char *what)
{
    (void)rvi_nats_say(e, lease->reply, NULL, NULL, what, strlen(what)); /* lost: it comes again */
}

static void unhold(struct rvi_nats *e, struct rvi_nats_lease *lease)
{
    e->worker->holding -= lease->holds;
    lease->holds = false;
}

void rvi_nats_lease_give_up(struct rvi_nats *e, struct rvi_nats_lease *lease)
{
    struct rvi_nats_worker *worker = e->worker;

    lease->is_told = false;
    unhold(e, lease);
    if (rvi_list_is_empty(&worker->given_up))
        worker->given_up_extended = rvi_clock_now();
    rvi_list_push_back(&worker->given_up, &lease->given_up);
}

void rvi_nats_lease_free(struct rvi_nats *e, struct rvi_nats_lease *lease)
{
    rvi_nats_unask(e, &lease->ask);
    rvi_nats_blob_fini(e, &lease->input);
    rvi_nats_blob_fini(e, &lease->value);
    unhold(e, lease);
    if (rvi_link_is_linked(&lease->given_up))
        rvi_link_remove(&lease->given_up);
    if (lease->is_in)
        rvi_nats_table_remove(&e->worker->table, &lease->entry);
    if (lease->result != lease->small)
        rvi_free(lease->result);
    rvi_nats_drop(e, lease->msg);
    rvi_free(lease);
}

/* --- settling --- */

static void result_stored(struct rvi_nats *e, struct rvi_nats_ask *ask,
                          const struct rvi_nats_answer *answer)
{
    struct rvi_nats_lease *lease = rvi_container_of(ask, struct rvi_nats_lease, ask);

    if (answer->error < 0 && answer->error != -EEXIST) {
        rvi_nats_ask_later(e, ask);
        return;
    }
    rvi_nats_lease_say(e, lease, "+ACK");
    if (lease->input.name[0] && !lease->is_buried)
        rvi_nats_blob_purge(e, &lease->input);
    rvi_nats_lease_free(e, lease);
}

static void store_result(struct rvi_nats *e, struct rvi_nats_lease *lease)
{
    struct rvi_nats_ask *ask = &lease->ask;

    snprintf(ask->subject, sizeof(ask->subject), "ravel.%s.result.%s.%s", e->opts.pool,
             lease->wire.client, lease->entry.id);
    ask->header[0] = (struct rvi_nats_header){"Nats-Msg-Id", lease->entry.id};
    ask->bytes = lease->result;
    ask->count = lease->result_bytes;
    ask->answered = result_stored;
    rvi_nats_ask(e, ask);
}

static void value_stored(struct rvi_nats *e, struct rvi_nats_blob *blob, int error);

/* The value's pieces first. Until they are, and while there is no memory or no room for them, it is
 * begun anew: each piece that is there already is only said twice. */
void rvi_nats_lease_settle(struct rvi_nats *e, struct rvi_nats_lease *lease)
{
    struct rvi_nats_blob *value = &lease->value;

    value->kind = "piece";
    value->stream = "VALUES";
    value->moved = value_stored;
    int r = value->bytes ? rvi_nats_blob_store(e, value) : 0;
    if (r < 0)
        value_stored(e, value, r);
    else if (!value->bytes)
        store_result(e, lease);
}

static void retried(struct rvi_nats *e, struct rvi_nats_ask *ask,
                    const struct rvi_nats_answer *answer)
{
    (void)answer; /* a moment has passed */
    rvi_nats_lease_settle(e, rvi_container_of(ask, struct rvi_nats_lease, ask));
}

static void value_stored(struct rvi_nats *e, struct rvi_nats_blob *blob, int error)
{
    struct rvi_nats_lease *lease = rvi_container_of(blob, struct rvi_nats_lease, value);

    if (error == 0) {
        rvi_nats_blob_fini(e, blob);
        store_result(e, lease);
        return;
    }
    snprintf(lease->ask.subject, sizeof(lease->ask.subject), "$JS.API.STREAM.INFO.RAVEL_%s_VALUES",
             e->opts.pool);
    lease->ask.bytes = NULL;
    lease->ask.count = 0;
    lease->ask.answered = retried;
    rvi_nats_ask_later(e, &lease->ask);
}

/* --- handing back --- */

static void say_back(struct rvi_nats *e, struct rvi_nats_lease *lease)
{
    char what[64];

    if (lease->delay_ns > 0)
        snprintf(what, sizeof(what), "-NAK {\"delay\": %" PRId64 "}", lease->delay_ns);
    else
        snprintf(what, sizeof(what), "-NAK");
    if (!lease->is_stale)
        rvi_nats_lease_say(e, lease, what);
    rvi_nats_lease_free(e, lease);
}

static void try_stored(struct rvi_nats *e, struct rvi_nats_ask *ask,
                       const struct rvi_nats_answer *answer)
{
    if (answer->error < 0)
        rvi_nats_ask_later(e, ask);
    else
        say_back(e, rvi_container_of(ask, struct rvi_nats_lease, ask));
}

void rvi_nats_lease_back(struct rvi_nats *e, struct rvi_nats_lease *lease)
{
    struct rvi_nats_ask *ask = &lease->ask;

    if (lease->has_begun || lease->is_stale) {
        say_back(e, lease);
        return;
    }
    snprintf(ask->subject, sizeof(ask->subject), "ravel.%s.tries.%s", e->opts.pool,
             lease->entry.id);
    ask->bytes = lease->request;
    ask->count =
        (size_t)snprintf(lease->request, sizeof(lease->request), "%" PRIu64, lease->unbegun + 1);
    ask->answered = try_stored;
    rvi_nats_ask(e, ask);
}

/* --- what the holder has asked for --- */

/* Its deadline bounds a lease: who runs it longer has lost it. */
static void extend(struct rvi_nats *e, struct rvi_nats_lease *lease)
{
    int64_t deadline = lease->wire.task.deadline;

    if (!lease->is_stale && (deadline == 0 || rvi_clock_wall() < deadline))
        rvi_nats_lease_say(e, lease, "+WPI");
}

void rvi_nats_lease_read(struct rvi_nats *e, struct rvi_nats_note *note)
{
    struct rvi_nats_lease *lease = rvi_container_of(note, struct rvi_nats_lease, note);

    rvi_lock_acquire(&e->in.lock);
    unsigned todo = lease->todo;
    lease->todo = 0;
    rvi_lock_release(&e->in.lock);
    if (todo & RVI_LEASE_EXTEND)
        extend(e, lease);
    if (todo & ~(unsigned)RVI_LEASE_EXTEND)
        rvi_nats_lease_give_up(e, lease);
    if (todo & RVI_LEASE_SETTLE)
        rvi_nats_lease_settle(e, lease);
    else if (todo & RVI_LEASE_HAND_BACK)
        rvi_nats_lease_back(e, lease);
    else if (todo & RVI_LEASE_BURY)
        rvi_nats_lease_bury(e, lease);
}

/* False: it is the thread's to do. */
static bool settle_here(struct rvi_nats_lease *lease)
{
    struct rvi_nats *e = rvi_nats_of(lease->base.engine);

    if (lease->value.bytes || !rvi_nats_borrow(e))
        return false;
    RV_DCHECK(!lease->todo);
    rvi_nats_lease_give_up(e, lease);
    rvi_nats_lease_settle(e, lease);
    rvi_nats_pull_turn(e, rvi_clock_now());
    rvi_nats_give_back(e);
    return true;
}

static void ask_for(struct rvi_nats_lease *lease, unsigned what)
{
    struct rvi_nats *e = rvi_nats_of(lease->base.engine);
    bool rings = false;

    rvi_lock_acquire(&e->in.lock);
    RV_DCHECK((lease->todo & ~(unsigned)RVI_LEASE_EXTEND) == 0);
    if (!lease->todo)
        rings = rvi_nats_note_locked(e, &lease->note);
    lease->todo |= what;
    rvi_lock_release(&e->in.lock);
    if (rings)
        rvi_fd_event_signal(e->bell);
}

void rvi_nats_lease_write(struct rvi_nats_lease *lease, const struct rvi_engine_result *result)
{
    struct rvi_wire_result wire = {.result = *result};
    struct rvi_nats_blob *value = &lease->value;
    int r = 0;

    memcpy(wire.result.id, lease->entry.id, sizeof(wire.result.id));
    wire.zeros = rvi_wire_zeros(result->out, result->out_bytes);
    if (result->out_bytes - wire.zeros > RVI_ENGINE_WHOLE) {
        wire.zeros = 0;
        r = result->out_bytes > RVI_WIRE_PIECES_MOST
                ? -EFBIG
                : rvi_nats_blob_prepare(value, result->out, result->out_bytes);
        memcpy(wire.pieces.name, value->name, sizeof(wire.pieces.name));
        wire.pieces.hash = value->hash;
    }
    lease->result_bytes = rvi_wire_result_bytes(&wire);
    if (r == 0)
        lease->result = lease->result_bytes <= sizeof(lease->small)
                            ? lease->small
                            : rvi_alloc(lease->result_bytes);
    if (!lease->result) {
        wire.pieces = (struct rvi_wire_pieces){0};
        rvi_free(value->bytes);
        value->bytes = NULL;
        wire.result.kind = RV_OUTCOME_ERROR;
        wire.result.error = r < 0 ? r : -ENOMEM;
        wire.result.out_bytes = wire.zeros = 0;
        wire.result.words = NULL;
        lease->result_bytes = rvi_wire_result_bytes(&wire);
        lease->result = lease->small;
    }
    rvi_wire_result_write(&wire, lease->result);
}

void rvi_nats_extend(struct rvi_engine_lease *lease)
{
    ask_for(lease_of(lease), RVI_LEASE_EXTEND);
}

void rvi_nats_settle(struct rvi_engine_lease *lease, const struct rvi_engine_result *result)
{
    rvi_nats_lease_write(lease_of(lease), result);
    if (!settle_here(lease_of(lease)))
        ask_for(lease_of(lease), RVI_LEASE_SETTLE);
}

void rvi_nats_hand_back(struct rvi_engine_lease *lease, bool has_begun, int64_t delay_ns)
{
    lease_of(lease)->has_begun = has_begun;
    lease_of(lease)->delay_ns = delay_ns;
    ask_for(lease_of(lease), RVI_LEASE_HAND_BACK);
}

void rvi_nats_bury(struct rvi_engine_lease *lease, const struct rvi_engine_result *result)
{
    rvi_nats_lease_write(lease_of(lease), result);
    ask_for(lease_of(lease), RVI_LEASE_BURY);
}
