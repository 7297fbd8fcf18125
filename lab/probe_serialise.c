/* SPDX-License-Identifier: MIT */
/* probe_serialise.c - handing over data: where it is, a copy, or a text of it.
 *
 * The text is one line a record, numbers in decimal, written by snprintf(3) and read by strtod(3):
 * what a program does that has no better idea. It is read into an array that is compared at the
 * end.
 *
 * Checked by: tests/cli/test_lab.py */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/bench.h"

struct record {
    long id;
    double score;
    char name[16];
};

enum { TEXT_BYTES = 80 }; /* of one record, at most */

struct box {
    struct record *from, *to;
    const struct record *seen;
    char *text;
    long records;
};

static int pass_address(void *arg, long ops)
{
    struct box *box = arg;

    while (ops-- > 0) {
        box->seen = box->from;
        __asm__ volatile("" : : "r"(box) : "memory");
    }
    return 0;
}

static int pass_copy(void *arg, long ops)
{
    struct box *box = arg;

    while (ops-- > 0) {
        memcpy(box->to, box->from, (size_t)box->records * sizeof *box->to);
        __asm__ volatile("" : : "r"(box) : "memory");
    }
    return 0;
}

static char *write_record(char *to, const struct record *r)
{
    return to + snprintf(to, TEXT_BYTES, "%ld %.17g %s\n", r->id, r->score, r->name);
}

static char *read_record(char *from, struct record *r)
{
    char *at;

    r->id = strtol(from, &at, 10);
    r->score = strtod(at, &at);
    size_t bytes = strcspn(++at, "\n");
    memset(r->name, 0, sizeof r->name);
    memcpy(r->name, at, bytes < sizeof r->name ? bytes : sizeof r->name - 1);
    return at + bytes + 1;
}

static int pass_text(void *arg, long ops)
{
    struct box *box = arg;

    while (ops-- > 0) {
        char *at = box->text;
        for (long i = 0; i < box->records; i++)
            at = write_record(at, &box->from[i]);
        at = box->text;
        for (long i = 0; i < box->records; i++)
            at = read_record(at, &box->to[i]);
    }
    return 0;
}

static void fill(struct box *box)
{
    for (long i = 0; i < box->records; i++) {
        box->from[i] = (struct record){.id = i * 7919, .score = 1.0 / (double)(i + 3)};
        snprintf(box->from[i].name, sizeof box->from[i].name, "record %ld", i % 10000);
    }
}

static int time_size(struct lab_bench *b, struct box *box, long records)
{
    double bytes = (double)records * sizeof(struct record);
    int r;

    box->records = records;
    fill(box);
    r = lab_time(b, "its address", bytes, pass_address, box, 1);
    r = r < 0 ? r : lab_time(b, "a copy", bytes, pass_copy, box, 1);
    r = r < 0 ? r : lab_time(b, "a text, written and read", bytes, pass_text, box, 1);
    if (r == 0 && memcmp(box->from, box->to, (size_t)bytes) != 0)
        r = -EBADMSG;
    return r;
}

int lab_serialise(struct lab_bench *b)
{
    long most = lab_pick(b, 512, 32768);
    struct box box = {.from = calloc((size_t)most, sizeof(struct record)),
                      .to = calloc((size_t)most, sizeof(struct record)),
                      .text = malloc((size_t)most * TEXT_BYTES)};
    int r = box.from && box.to && box.text ? 0 : -ENOMEM;

    for (long records = 8; records <= most && r == 0; records *= 8)
        r = time_size(b, &box, records);
    free(box.from);
    free(box.to);
    free(box.text);
    return r;
}
