/* SPDX-License-Identifier: MIT */
/* reply.h - what is answered to a request, and the bytes of its head. Knows no sockets or files. */
#pragma once

#include "request.h"

#include <time.h>

/* A thing that can be served: a file, or a text in memory. */
struct thing {
    const char *type;
    const char *text; /* NULL: in a file */
    uint64_t size;
    struct timespec changed; /* tv_nsec < 0: has no date and no tag */
};

enum {
    TAG_BYTES = 2 + 16 + 1 + 16, /* of an entity tag */
    REPLY_HEAD_MOST = 640,       /* without a location */
    REPLY_LOCATION_FACTOR = 3,   /* bytes in the head for one of the location */
    REPLY_TEXT_MOST = 64,        /* of the text that explains an error */
};

struct reply {
    int status;
    bool keep_alive;
    bool old_client;           /* HTTP/1.0: has to be told that the connection stays */
    bool body;                 /* follows the head: no HEAD, no 304 */
    const struct thing *thing; /* what was asked for; NULL where there is none */
    uint64_t first;            /* what is sent of it */
    uint64_t len;
    const char *location; /* a path below the root, not encoded, without its last slash */
};

/* An answer that is no thing. */
void reply_status(struct reply *ret, const struct request *r, int status);

/* Serve a thing, or as much of it as the request's conditions and range ask for. `bytes` are the
 * request's. */
void reply_thing(struct reply *ret, const struct request *r, const char *bytes,
                 const struct thing *thing);

/* Whether the body is (part of) the thing; otherwise it is a text that says the status. */
bool reply_has_thing(const struct reply *reply);

/* Room that reply_head() wants at most. */
size_t reply_head_room(const struct reply *reply);

/* Write the head; `date` is DATE_BYTES of Date. Its length. */
size_t reply_head(char *out, const struct reply *reply, const char *date);

/* Write the text that says the status, REPLY_TEXT_MOST bytes at most. Its length. */
size_t reply_text(char *out, int status);

const char *reply_reason(int status);
