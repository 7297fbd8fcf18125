/* SPDX-License-Identifier: MIT */
/* wire.c - see wire.h.
 *
 * A message is a head of fixed size, a name or words with their zero, and a payload. Numbers are
 * little-endian, as both machines are that this library knows. */
#include "engine/wire.h"

#include <string.h>

#include <ravel/future.h>

#include "base/check.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are sent as they lie");

enum { ID = RVI_ENGINE_ID_BYTES - 1, BUILD = 32, ERROR_MOST = 4095, SIGNAL_MOST = 64 };

static const char task_mark[4] = "RVT1", result_mark[4] = "RVR2";

struct __attribute__((packed)) task_head {
    char mark[4];
    uint32_t flags, attempts;
    uint16_t lane, job_bytes;
    int64_t not_before, deadline, limit_ns;
    uint64_t in_bytes, hash;
    char id[ID], client[ID], pieces[ID], build[BUILD]; /* filled up with zeros */
};

struct __attribute__((packed)) result_head {
    char mark[4];
    int32_t kind, error, signal;
    uint32_t deaths, words_bytes;
    int64_t queued_ns, run_ns;
    uint64_t out_bytes, zeros, hash;
    char id[ID], pieces[ID];
};

/* Names in heads are no strings: they have a zero only if they are shorter. */
static void put(char *to, size_t room, const char *name)
{
    size_t length = strlen(name);

    RV_CHECK(length <= room);
    memset(to, 0, room);
    memcpy(to, name, length);
}

static void get(char *ret, const char *from, size_t room)
{
    memcpy(ret, from, room);
    ret[room] = '\0';
}

bool rvi_wire_is_id(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool is_digit = text[i] >= '0' && text[i] <= '9';
        bool is_letter = (text[i] >= 'A' && text[i] <= 'Z') || (text[i] >= 'a' && text[i] <= 'z');
        if (!is_digit && !is_letter)
            return false;
    }
    return length == ID;
}

bool rvi_wire_is_build(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length <= BUILD && strspn(text, "0123456789abcdef") == length;
}

static bool is_id(const char *text)
{
    return rvi_wire_is_id(text, strlen(text));
}

/* A string of so many bytes with its zero, and no other. */
static bool is_string(const char *text, size_t bytes)
{
    return bytes > 0 && memchr(text, '\0', bytes) == text + bytes - 1;
}

enum { ZEROS_LEAST = 1024 };

size_t rvi_wire_zeros(const void *bytes, size_t count)
{
    const char *begin = bytes;
    size_t left = count;
    uint64_t word;

    for (; left >= sizeof(word); left -= sizeof(word)) {
        memcpy(&word, begin + left - sizeof(word), sizeof(word));
        if (word != 0)
            break;
    }
    return count - left >= ZEROS_LEAST ? count - left : 0;
}

/* The payload is there as a whole, or is in pieces and none of it is there. */
static bool fits(const struct rvi_wire_pieces *pieces, uint64_t bytes, size_t there)
{
    if (pieces->name[0])
        return is_id(pieces->name) && there == 0 && bytes > 0 && bytes <= RVI_WIRE_PIECES_MOST;
    return bytes == there;
}

size_t rvi_wire_task_bytes(const struct rvi_wire_task *task)
{
    return sizeof(struct task_head) + strlen(task->task.job) + 1 +
           (task->pieces.name[0] ? 0 : task->task.in_bytes);
}

void rvi_wire_task_write(const struct rvi_wire_task *task, char *to)
{
    const struct rvi_engine_task *t = &task->task;
    size_t job_bytes = strlen(t->job) + 1;
    struct task_head head = {
        .flags = t->flags,
        .attempts = t->attempts,
        .lane = (uint16_t)t->lane,
        .job_bytes = (uint16_t)job_bytes,
        .not_before = t->not_before,
        .deadline = t->deadline,
        .limit_ns = t->limit_ns,
        .in_bytes = t->in_bytes,
        .hash = task->pieces.hash,
    };

    memcpy(head.mark, task_mark, sizeof(task_mark));
    put(head.id, ID, t->id);
    put(head.client, ID, task->client);
    put(head.pieces, ID, task->pieces.name);
    put(head.build, BUILD, task->build);
    memcpy(to, &head, sizeof(head));
    memcpy(to + sizeof(head), t->job, job_bytes);
    if (!task->pieces.name[0] && t->in_bytes > 0)
        memcpy(to + sizeof(head) + job_bytes, t->in, t->in_bytes);
}

static void take_task(struct rvi_wire_task *ret, const struct task_head *head, const char *job)
{
    *ret = (struct rvi_wire_task){.task =
                                      {
                                          .job = job,
                                          .flags = head->flags,
                                          .lane = head->lane,
                                          .not_before = head->not_before,
                                          .deadline = head->deadline,
                                          .limit_ns = head->limit_ns,
                                          .attempts = head->attempts,
                                          .in_bytes = head->in_bytes,
                                      },
                                  .pieces.hash = head->hash};
    get(ret->task.id, head->id, ID);
    get(ret->client, head->client, ID);
    get(ret->pieces.name, head->pieces, ID);
    get(ret->build, head->build, BUILD);
}

bool rvi_wire_task_read(struct rvi_wire_task *ret, const char *bytes, size_t count)
{
    struct task_head head;

    if (count < sizeof(head))
        return false;
    memcpy(&head, bytes, sizeof(head));
    bytes += sizeof(head);
    count -= sizeof(head);
    if (memcmp(head.mark, task_mark, sizeof(task_mark)) != 0 || head.lane >= RVI_LANES ||
        head.job_bytes > RVI_WIRE_JOB_MOST || head.job_bytes > count ||
        !is_string(bytes, head.job_bytes) || head.not_before < 0 || head.deadline < 0 ||
        head.limit_ns < 0)
        return false;
    take_task(ret, &head, bytes);
    count -= head.job_bytes;
    if (!ret->pieces.name[0])
        ret->task.in = bytes + head.job_bytes;
    return is_id(ret->task.id) && is_id(ret->client) && rvi_wire_is_build(ret->build) &&
           fits(&ret->pieces, head.in_bytes, count);
}

static size_t words_bytes(const struct rvi_engine_result *result)
{
    return result->words ? strnlen(result->words, RVI_WIRE_WORDS_MOST - 1) + 1 : 0;
}

size_t rvi_wire_result_bytes(const struct rvi_wire_result *result)
{
    return sizeof(struct result_head) + words_bytes(&result->result) +
           (result->pieces.name[0] ? 0 : result->result.out_bytes - result->zeros);
}

void rvi_wire_result_write(const struct rvi_wire_result *result, char *to)
{
    const struct rvi_engine_result *r = &result->result;
    size_t words = words_bytes(r);
    struct result_head head = {
        .kind = r->kind,
        .error = r->error,
        .signal = r->signal,
        .deaths = r->deaths,
        .words_bytes = (uint32_t)words,
        .queued_ns = r->queued_ns,
        .run_ns = r->run_ns,
        .out_bytes = r->out_bytes,
        .zeros = result->zeros,
        .hash = result->pieces.hash,
    };

    memcpy(head.mark, result_mark, sizeof(result_mark));
    put(head.id, ID, r->id);
    put(head.pieces, ID, result->pieces.name);
    memcpy(to, &head, sizeof(head));
    to += sizeof(head);
    if (words > 0) {
        memcpy(to, r->words, words - 1);
        to[words - 1] = '\0';
    }
    if (!result->pieces.name[0] && r->out_bytes > result->zeros)
        memcpy(to + words, r->out, r->out_bytes - result->zeros);
}

static void take_result(struct rvi_wire_result *ret, const struct result_head *head)
{
    *ret = (struct rvi_wire_result){.result =
                                        {
                                            .kind = head->kind,
                                            .error = head->error,
                                            .signal = head->signal,
                                            .deaths = head->deaths,
                                            .queued_ns = head->queued_ns,
                                            .run_ns = head->run_ns,
                                            .out_bytes = head->out_bytes,
                                        },
                                    .pieces.hash = head->hash,
                                    .zeros = head->zeros};
    get(ret->result.id, head->id, ID);
    get(ret->pieces.name, head->pieces, ID);
}

bool rvi_wire_result_read(struct rvi_wire_result *ret, const char *bytes, size_t count)
{
    struct result_head head;

    if (count < sizeof(head))
        return false;
    memcpy(&head, bytes, sizeof(head));
    bytes += sizeof(head);
    count -= sizeof(head);
    if (memcmp(head.mark, result_mark, sizeof(result_mark)) != 0 ||
        head.words_bytes > RVI_WIRE_WORDS_MOST || head.words_bytes > count || head.queued_ns < 0 ||
        head.out_bytes > RVI_WIRE_PIECES_MOST || head.zeros > head.out_bytes ||
        (head.zeros > 0 && head.pieces[0]) || head.run_ns < 0 || head.kind < RV_OUTCOME_VALUE ||
        head.kind > RV_OUTCOME_MEMORY || head.error > 0 || head.error < -ERROR_MOST ||
        head.signal < 0 || head.signal > SIGNAL_MOST ||
        (head.words_bytes > 0 && !is_string(bytes, head.words_bytes)))
        return false;
    take_result(ret, &head);
    if (head.words_bytes > 0)
        ret->result.words = bytes;
    count -= head.words_bytes;
    if (!ret->pieces.name[0])
        ret->result.out = bytes + head.words_bytes;
    return is_id(ret->result.id) && fits(&ret->pieces, head.out_bytes - head.zeros, count);
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

uint64_t rvi_wire_hash(uint64_t hash, const void *bytes, size_t count)
{
    const char *at = bytes;
    uint64_t word;

    hash = mix(hash, count);
    for (; count >= sizeof(word); at += sizeof(word), count -= sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        hash = mix(hash, word);
    }
    word = 0;
    if (count > 0)
        memcpy(&word, at, count);
    return mix(hash, word);
}
