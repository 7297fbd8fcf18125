/* SPDX-License-Identifier: MIT */
/* words.c - a pipe's bytes go two ways: into a ring of the last ones, and to our standard error by
 * way of its outlet, whose thread alone waits for whoever reads there.
 *
 * Rejected: letting workers write to our standard error themselves: nothing would be known of their
 * last words; a thread a worker that copies, which is what the outlet's one does.
 *
 * Checked by: tests/unit/proc/test_crash.c */
#include "proc/words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ravel/print.h>

#include "sys/op.h"

/* Somebody who has left the worker's group may go on writing: so much and no more is waited for. */
enum { MOST_AT_THE_END = 1 << 20 };

void rvi_words_init(struct rvi_words *words, rv_child *child)
{
    words->child = child;
    words->fd = rv_child_pipe(child, 2);
    words->waiting = words->lost = words->kept_count = 0;
}

static void keep(struct rvi_words *words, const char *bytes, size_t count)
{
    size_t at = words->kept_count % RVI_WORDS_KEPT;
    size_t first = count < RVI_WORDS_KEPT - at ? count : RVI_WORDS_KEPT - at;

    memcpy(words->kept + at, bytes, first);
    memcpy(words->kept, bytes + first, count - first);
    words->kept_count += count;
}

/* Nobody is told of a standard error that takes nothing any more: that is where it would be. */
static int hand_on(struct rvi_words *words)
{
    if (words->waiting > 0 && rv_print_text(RV_ERR, words->piece, words->waiting, 0) == -ETIME)
        return -EBUSY;
    words->waiting = 0;
    return 0;
}

static ssize_t read_piece(struct rvi_words *words)
{
    struct rvi_op op = rvi_op_read(words->fd, words->piece, RVI_WORDS_PIECE, RVI_OP_AT_POSITION);

    op.is_nonblocking = true;
    int64_t n;
    do
        n = rvi_op_try(&op);
    while (n == -EINTR);
    if (n > 0) {
        keep(words, words->piece, (size_t)n);
        words->waiting = (size_t)n;
    }
    return n;
}

/* A pipe that cannot be read has as good as ended. */
ssize_t rvi_words_read(struct rvi_words *words)
{
    int r = words->fd < 0 ? 0 : hand_on(words);

    if (r < 0 || words->fd < 0)
        return r;
    ssize_t n = read_piece(words);
    if (n > 0)
        return (r = hand_on(words)) < 0 ? r : n;
    if (n == -EAGAIN)
        return n;
    words->fd = -1;
    return rv_child_pipe_close(words->child, 2);
}

static void give_up_waiting(struct rvi_words *words)
{
    words->lost += words->waiting;
    words->waiting = 0;
}

void rvi_words_finish(struct rvi_words *words)
{
    size_t most = words->kept_count + MOST_AT_THE_END;
    ssize_t n = 1;
    char line[96];

    while ((n > 0 || n == -EBUSY) && words->kept_count < most) {
        n = rvi_words_read(words);
        if (n == -EBUSY)
            give_up_waiting(words);
    }
    if (words->lost > 0) {
        int length =
            snprintf(line, sizeof line,
                     "ravel: %zu bytes of worker %d's standard error are lost: ours is full\n",
                     words->lost, (int)rv_child_pid(words->child));
        int r = rv_print_text(RV_ERR, line, (size_t)length, 0);
        (void)r; /* it is full, as said */
        words->lost = 0;
    }
    rv_child_pipe_close(words->child, 2);
    words->fd = -1;
}

/* Where the last n bytes begin, moved on to the beginning of a line if they were cut from more. */
static size_t beginning(const struct rvi_words *words, size_t n)
{
    size_t from = words->kept_count - n;

    if (from == 0 || words->kept[(from - 1) % RVI_WORDS_KEPT] == '\n')
        return from;
    for (size_t at = from; at + 1 < words->kept_count; at++) {
        if (words->kept[at % RVI_WORDS_KEPT] == '\n')
            return at + 1;
    }
    return from;
}

size_t rvi_words_last(const struct rvi_words *words, char *buf, size_t n)
{
    size_t most = words->kept_count < RVI_WORDS_KEPT ? words->kept_count : RVI_WORDS_KEPT;
    size_t from = beginning(words, n - 1 < most ? n - 1 : most), count = words->kept_count - from;

    for (size_t i = 0; i < count; i++)
        buf[i] = words->kept[(from + i) % RVI_WORDS_KEPT];
    buf[count] = '\0';
    return count;
}
