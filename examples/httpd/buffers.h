/* SPDX-License-Identifier: MIT */
/* buffers.h - what a connection needs while a request is answered, and gives back afterwards. */
#pragma once

#include "files.h"

enum {
    BUFFERS_IN = 16384,  /* the longest head of a request */
    BUFFERS_OUT = 16384, /* a head of ours is at most REPLY_HEAD_MOST and an encoded path */
};

struct buffers {
    struct buffers *next; /* while nobody has it */
    struct request request;
    char path[REQUEST_TARGET_MOST + FILES_INDEX_BYTES];
    char in[BUFFERS_IN];
    char out[BUFFERS_OUT];
};

/* NULL: no memory. */
struct buffers *buffers_take(void);
void buffers_give(struct buffers *b);
