/* SPDX-License-Identifier: MIT */
/* process_bytes.c - what it costs to bring a record from one process's memory into another's,
 * besides waking anybody.
 *
 * how=plain     as jobs do: the struct is copied into the shared memory, and read where it lies
 * how=encoded   as it is done where bytes have to mean the same everywhere: each field is written
 *               behind the other, texts with their length, numbers in groups of seven bits; and
 *               read from there into a struct
 *
 * Both ways the reader looks at each text's first letter. The record has five texts of usual
 * lengths and four numbers. */
#include "bench.h"

#include <ravel.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct person {
    char name[48], street[48], city[32], country[32], mail[64];
    int64_t born, account;
    uint32_t visits, flags;
};

enum { RECORDS = 64, WIRE_BYTES = sizeof(struct person) + 64 };

static struct person people[RECORDS];
static unsigned char *shared; /* RECORDS pieces of WIRE_BYTES */
static unsigned long seen;

static void make_people(void)
{
    for (int i = 0; i < RECORDS; i++)
        people[i] = (struct person){
            .name = "Konrad Ernst Otto Zuse",
            .street = "Methfesselstrasse 7",
            .city = "Berlin",
            .country = "Germany",
            .mail = "konrad.zuse@computers.example.org",
            .born = -1876521600 + i,
            .account = 77123450000 + 1000003 * i,
            .visits = (uint32_t)i * 100,
            .flags = 5,
        };
}

static void look_at(const struct person *p)
{
    seen += (unsigned long)(p->name[0] + p->street[0] + p->city[0] + p->country[0] + p->mail[0]) +
            p->visits;
}

/* ---- each field behind the other ------------------------------------------------------------- */

static unsigned char *put_number(unsigned char *to, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        *to++ = (unsigned char)(n | 0x80);
    *to++ = (unsigned char)n;
    return to;
}

static unsigned char *put_signed(unsigned char *to, int64_t n)
{
    return put_number(to, (uint64_t)n << 1 ^ (uint64_t)(n >> 63));
}

static unsigned char *put_text(unsigned char *to, const char *text)
{
    size_t length = strlen(text);
    to = put_number(to, length);
    memcpy(to, text, length);
    return to + length;
}

static void encode(unsigned char *to, const struct person *p)
{
    to = put_text(to, p->name);
    to = put_text(to, p->street);
    to = put_text(to, p->city);
    to = put_text(to, p->country);
    to = put_text(to, p->mail);
    to = put_signed(to, p->born);
    to = put_signed(to, p->account);
    to = put_number(to, p->visits);
    put_number(to, p->flags);
}

struct reader {
    const unsigned char *at, *end;
    bool is_bad;
};

static uint64_t get_number(struct reader *r)
{
    uint64_t n = 0;
    for (int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        n |= (uint64_t)(*r->at & 0x7f) << shift;
        if (*r->at++ < 0x80)
            return n;
    }
    r->is_bad = true;
    return 0;
}

static int64_t get_signed(struct reader *r)
{
    uint64_t n = get_number(r);
    return (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
}

static void get_text(struct reader *r, char *text, size_t room)
{
    uint64_t length = get_number(r);
    if (length >= room || length > (uint64_t)(r->end - r->at)) {
        r->is_bad = true;
        length = 0;
    }
    memcpy(text, r->at, length);
    text[length] = '\0';
    r->at += length;
}

static bool decode(struct person *ret, const unsigned char *from)
{
    struct reader r = {from, from + WIRE_BYTES, false};
    get_text(&r, ret->name, sizeof ret->name);
    get_text(&r, ret->street, sizeof ret->street);
    get_text(&r, ret->city, sizeof ret->city);
    get_text(&r, ret->country, sizeof ret->country);
    get_text(&r, ret->mail, sizeof ret->mail);
    ret->born = get_signed(&r);
    ret->account = get_signed(&r);
    ret->visits = (uint32_t)get_number(&r);
    ret->flags = (uint32_t)get_number(&r);
    return !r.is_bad;
}

/* ---- both ways ------------------------------------------------------------------------------- */

static void run_plain(void *arg, long ops)
{
    (void)arg;
    for (long i = 0; i < ops; i++) {
        void *piece = shared + i % RECORDS * WIRE_BYTES;
        memcpy(piece, &people[i % RECORDS], sizeof(struct person));
        look_at(piece);
    }
}

static void run_encoded(void *arg, long ops)
{
    (void)arg;
    for (long i = 0; i < ops; i++) {
        unsigned char *piece = shared + i % RECORDS * WIRE_BYTES;
        struct person person;
        encode(piece, &people[i % RECORDS]);
        bench_require(decode(&person, piece), "decode");
        look_at(&person);
    }
}

static void check(void)
{
    struct person person = {0};
    encode(shared, &people[1]);
    bench_require(decode(&person, shared) && memcmp(&person, &people[1], sizeof person) == 0,
                  "what was decoded is what was encoded");
}

int main(int argc, char **argv)
{
    bench_begin("process-bytes", "ravel", argc, argv);
    bool is_encoded = strcmp(bench_param_text("how", "plain"), "encoded") == 0;
    struct rv_shm shm;
    void *at;
    bench_must(rv_shm_alloc(&shm, (size_t)RECORDS * WIRE_BYTES), "rv_shm_alloc");
    bench_must(rv_shm_map(shm, &at), "rv_shm_map");
    shared = at;
    make_people();
    check();
    bench_batches(is_encoded ? run_encoded : run_plain, NULL, 1000000);
    bench_require(seen > 0, "somebody has looked");
    rv_shm_free(shm);
}
