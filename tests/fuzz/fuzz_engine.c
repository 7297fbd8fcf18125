/* SPDX-License-Identifier: MIT */
/* fuzz_engine.c - what comes from a cluster's network: nothing is read beyond its end, and what is
 * believed of a message is what it says when it is written once more.
 *
 * Input: which; the rest is the message, or the server's answer, or the subject. */
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "engine/by_nats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void play_task(const char *bytes, size_t count)
{
    struct rvi_wire_task task, again;

    if (!rvi_wire_task_read(&task, bytes, count))
        return;
    RV_CHECK(rvi_wire_task_bytes(&task) == count);
    char *copy = rvi_alloc(count);
    RV_CHECK(copy);
    rvi_wire_task_write(&task, copy);
    RV_CHECK(rvi_wire_task_read(&again, copy, count));
    RV_CHECK(strcmp(task.task.job, again.task.job) == 0);
    RV_CHECK(strcmp(task.task.id, again.task.id) == 0 && strcmp(task.build, again.build) == 0);
    RV_CHECK(task.task.in_bytes == again.task.in_bytes && task.task.lane < RVI_LANES);
    rvi_free(copy);
}

static void play_result(const char *bytes, size_t count)
{
    struct rvi_wire_result result, again;

    if (!rvi_wire_result_read(&result, bytes, count))
        return;
    RV_CHECK(rvi_wire_result_bytes(&result) == count);
    char *copy = rvi_alloc(count);
    RV_CHECK(copy);
    rvi_wire_result_write(&result, copy);
    RV_CHECK(rvi_wire_result_read(&again, copy, count));
    RV_CHECK(result.result.kind == again.result.kind && result.result.error <= 0);
    RV_CHECK(result.result.out_bytes == again.result.out_bytes);
    rvi_free(copy);
}

/* Each value lies inside the one that it was found in. */
static void play_json(struct rvi_json value, int depth)
{
    static const char *const names[] = {"error", "seq", "a", ""};
    struct rvi_json rest = value, member;
    char text[8];
    uint64_t number;

    (void)rvi_json_text(value, text, sizeof(text));
    RV_CHECK(strnlen(text, sizeof(text)) < sizeof(text));
    (void)rvi_json_number(value, &number);
    for (size_t i = 0; depth > 0 && i < sizeof(names) / sizeof(names[0]); i++) {
        member = rvi_json_member(value, names[i]);
        if (member.count > 0) {
            RV_CHECK(member.bytes > value.bytes &&
                     member.bytes + member.count <= value.bytes + value.count);
            play_json(member, depth - 1);
        }
    }
    while (depth > 0 && rvi_json_next(&rest, &member)) {
        RV_CHECK(member.count > 0 && member.bytes + member.count <= value.bytes + value.count);
        play_json(member, depth - 1);
    }
}

static void play_origin(const char *bytes, size_t count)
{
    struct rvi_nats_origin origin;
    char reply[256];

    snprintf(reply, sizeof(reply), "%.*s", (int)count, bytes);
    if (rvi_nats_origin(reply, &origin))
        RV_CHECK(strlen(origin.consumer) < sizeof(origin.consumer));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data + 1;

    if (size == 0)
        return 0;
    switch (data[0] % 4) {
    case 0:
        play_task(bytes, size - 1);
        break;
    case 1:
        play_result(bytes, size - 1);
        break;
    case 2:
        play_json(rvi_json_whole(bytes, size - 1), 4);
        break;
    default:
        play_origin(bytes, size - 1);
        break;
    }
    return 0;
}
