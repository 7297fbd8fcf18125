/* SPDX-License-Identifier: MIT */
/* wire.h - how bytes come from a client and go to it: the one thing in which the servers differ. */
#pragma once

#include <ravel.h>
#include <stdbool.h>
#include <stdint.h>

struct wire;

/* What a kind of wire can do. Results below 0 are -errno; deadlines are absolute. */
struct wire_calls {
    /* At least one byte; 0 at the end. With a deadline of 0 it does not wait. */
    ssize_t (*read)(struct wire *w, char *buf, size_t room, rv_time deadline);
    /* All of it; `more`: what follows comes at once. */
    int (*write)(struct wire *w, const char *buf, size_t len, bool more, rv_time deadline);
    /* All of a part of a file. -EIO when the file has become shorter. */
    int (*send_file)(struct wire *w, int file, uint64_t first, uint64_t len, rv_time deadline);
    /* Nothing more will be written. */
    void (*finish)(struct wire *w, rv_time deadline);

    /* The next request is waited for; from now on the server may cancel that. False: it does. */
    bool (*rest)(struct wire *w);
    /* Something is. */
    void (*work)(struct wire *w);
    /* Whether the server ends, so that the answer at hand is the last one. */
    bool (*is_last)(struct wire *w);
};

struct wire {
    const struct wire_calls *calls;
    int fd;
    struct rv_conn *conn; /* of a task */
    rv_tls *tls;          /* of one with TLS */
};

/* Waits as a task of Ravel does. */
extern const struct wire_calls wire_of_task;

/* Likewise, with TLS in between. */
extern const struct wire_calls wire_of_tls;

/* What these two have in common. */
bool wire_task_rest(struct wire *w);
void wire_task_work(struct wire *w);
bool wire_task_is_last(struct wire *w);
