/* SPDX-License-Identifier: MIT */
/* fuzz_ring.c - a worker may write whatever it likes wherever it can: its parent's books stay
 * right.
 *
 * Input: calls to play, two bytes each: which, and its argument. Those of the worker write a byte
 * of the input to a place of the ring, or play by the rules. The parent's are held against books of
 * this file's own, in which each job ends once and in order. */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "shm/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = 4, BYTES = (SLOTS + 1) * RVI_SLOT_BYTES };

static _Alignas(RVI_SLOT_BYTES) unsigned char memory[BYTES];

struct play {
    struct rvi_ring ring;
    uint64_t sent, ended;
    bool is_recalled[SLOTS]; /* as rvi_ring_recall() has said */
    bool is_broken;          /* -EPROTO was said: only a funeral is left */
};

static struct rvi_slot *slot_at(unsigned argument)
{
    return &((struct rvi_ring_shared *)(void *)memory)->slots[argument % SLOTS];
}

static void play_send(struct play *p, unsigned argument)
{
    struct rvi_slot *slot = rvi_ring_room(&p->ring);

    RV_CHECK((slot != NULL) == (p->sent - p->ended < SLOTS));
    if (!slot)
        return;
    slot->what = argument;
    p->is_recalled[p->sent % SLOTS] = false;
    RV_CHECK(rvi_ring_send(&p->ring) == p->sent++);
    rvi_ring_call(&p->ring);
}

static void play_recall(struct play *p, unsigned argument)
{
    if (p->sent == p->ended)
        return;
    uint64_t index = p->ended + argument % (p->sent - p->ended);
    p->is_recalled[index % SLOTS] |= rvi_ring_recall(&p->ring, index);
}

static void check_end(struct play *p, const struct rvi_ring_end *end)
{
    RV_CHECK(end->index == p->ended && p->ended < p->sent);
    RV_CHECK((end->fate == RVI_FATE_RECALLED) == p->is_recalled[p->ended % SLOTS]);
    RV_CHECK(end->fate == RVI_FATE_DONE || end->status == 0);
    p->ended++;
}

static void play_collect(struct play *p)
{
    struct rvi_ring_end end;
    bool is_due = rvi_ring_has_end(&p->ring);
    int r = rvi_ring_collect(&p->ring, &end);

    RV_CHECK(r == 1 || r == 0 || r == -EPROTO);
    RV_CHECK(is_due == (r != 0));
    p->is_broken = r < 0;
    if (r == 1) {
        RV_CHECK(end.fate == RVI_FATE_DONE || end.fate == RVI_FATE_RECALLED);
        check_end(p, &end);
    }
}

static void play_call(struct play *p, unsigned which, unsigned argument)
{
    switch (which % 6) {
    case 0:
        play_send(p, argument);
        break;
    case 1:
        play_recall(p, argument);
        break;
    case 2:
        play_collect(p);
        break;
    case 3: /* a state, or near one */
        rvi_store_relaxed(&slot_at(argument)->state, argument / SLOTS % 8);
        break;
    case 4: /* anything anywhere */
        memory[(which / 6U * 256U + argument) % BYTES] = (unsigned char)(argument * 7);
        break;
    case 5: /* as it should be */
        rvi_store_relaxed(&slot_at(argument)->state,
                          argument & 128 ? RVI_SLOT_PASSED : RVI_SLOT_DONE);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rvi_ring_end end;
    struct play p = {0};

    memset(memory, 0, sizeof(memory));
    RV_CHECK(rvi_ring_init(&p.ring, memory, SLOTS, 1) == 0);
    for (size_t i = 0; i + 1 < size && !p.is_broken; i += 2)
        play_call(&p, data[i], data[i + 1]);
    while (rvi_ring_bury(&p.ring, &end))
        check_end(&p, &end);
    RV_CHECK(p.ended == p.sent);
    rvi_ring_fini(&p.ring);
    return 0;
}
