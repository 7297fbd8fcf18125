/* SPDX-License-Identifier: MIT */
/* fakes.c - see fakes.h. Memory is libc's: what is not given back is found by its sanitizers' leak
 * check no more than in an execution, which ends with all of it. */
#include "fakes.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "check/runtime/arena.h"
#include "check/runtime/clocks.h"
#include "check/runtime/fail.h"
#include "check/runtime/modules.h"
#include "check/runtime/places.h"
#include "check/runtime/shadow.h"

enum { THREADS = 128 };

struct fake_report fake_reports[FAKE_REPORTS];
unsigned fake_report_count;
unsigned fake_points;

struct ck_shared *ck_shared;
struct ck_thread *ck_self;
struct ck_thread *ck_threads[CK_THREADS_MOST];
uint32_t ck_thread_count;

static struct ck_thread threads[THREADS];
static struct ck_report report;

/* Pieces hang together, so that a leak checker finds them. */
static void *pieces;

void *ck_alloc(size_t bytes)
{
    void **piece = calloc(1, bytes + 16);

    if (!piece)
        abort();
    piece[0] = pieces;
    pieces = piece;
    return (char *)piece + 16;
}

void ck_free(void *piece, size_t bytes)
{
    if (piece)
        memset(piece, 0xdb, bytes);
}

void ck_point(const struct ck_op *op)
{
    (void)op;
    fake_points++;
}

struct ck_report *ck_report_begin(enum ck_kind kind, const char *text, ...)
{
    (void)text;
    memset(&report, 0, sizeof report);
    report.kind = kind;
    return &report;
}

static struct ck_party *party(uint32_t thread, uint64_t address, uintptr_t pc)
{
    struct ck_party *one = &report.parties[report.party_count++];

    one->thread = thread;
    one->address = address;
    one->event = pc;
    return one;
}

struct ck_party *ck_report_party(struct ck_report *ignored, uint32_t thread, uint64_t address)
{
    (void)ignored;
    return party(thread, address, 0);
}

struct ck_party *ck_report_past(struct ck_report *ignored, uint32_t thread, uint64_t address,
                                uintptr_t pc)
{
    (void)ignored;
    return party(thread, address, pc);
}

void ck_report_end(struct ck_report *one)
{
    struct fake_report *to = &fake_reports[fake_report_count++ % FAKE_REPORTS];

    to->thread = one->parties[0].thread;
    to->address = one->parties[0].address;
    to->is_write = one->parties[0].is_write;
    to->earlier_thread = one->parties[1].thread;
    to->is_earlier_write = one->parties[1].is_write;
    to->pc = one->parties[1].event;
    to->bytes = one->bytes;
}

struct ck_place ck_place_of(uintptr_t return_address)
{
    return (struct ck_place){0, (uint32_t)(return_address - 1)};
}

/* A failure would end the test: what is freed here is freed by a library. */
bool ck_module_is_instrumented(uintptr_t address)
{
    (void)address;
    return false;
}

void ck_report_fail(struct ck_report *one)
{
    (void)one;
    abort();
}

void ck_unable(const char *text, ...)
{
    (void)text;
    abort();
}

void fake_begin(void)
{
    memset(threads, 0, sizeof threads);
    ck_shadow_prepare();
    ck_self = &threads[0];
    ck_hb_begin(&threads[0], NULL);
    fake_report_count = 0;
}

void fake_run(uint32_t id)
{
    threads[id].id = id;
    if (!threads[id].hb)
        ck_hb_begin(&threads[id], &threads[0]);
    ck_self = &threads[id];
}

void fake_join(uint32_t id)
{
    ck_self = &threads[0];
    ck_hb_join(&threads[id]);
}

int fake_end(void **state)
{
    (void)state;
    ck_shadow_fini();
    return 0;
}
