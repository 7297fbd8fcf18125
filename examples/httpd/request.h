/* SPDX-License-Identifier: MIT */
/* request.h - one HTTP/1 request, from the bytes of a connection. Knows no sockets. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llhttp.h>

enum {
    REQUEST_TARGET_MOST = 4096, /* beyond: 414 */
    REQUEST_FIELDS_MOST = 100,  /* beyond: 431 */
    REQUEST_BODY_MOST = 65536,  /* beyond: 413; bodies are read and dropped */
};

/* Part of a request's bytes; a length of 0 where there is none. */
struct span {
    uint32_t at;
    uint32_t len;
};

/* The header fields that a file server looks at. */
enum request_field {
    FIELD_IF_MATCH,
    FIELD_IF_UNMODIFIED_SINCE,
    FIELD_IF_NONE_MATCH,
    FIELD_IF_MODIFIED_SINCE,
    FIELD_IF_RANGE,
    FIELD_RANGE,
    FIELD_HOST,
    FIELD_EXPECT,
    FIELD_COUNT,
};

enum request_method { METHOD_OTHER, METHOD_GET, METHOD_HEAD };

struct request {
    llhttp_t parser;
    struct span target;
    struct span fields[FIELD_COUNT];
    struct span name;    /* of the field being read */
    struct span value;   /* likewise */
    const char *bytes;   /* while request_feed() runs */
    uint32_t seen;       /* bytes that were parsed */
    uint32_t head_bytes; /* once the head is complete */
    uint32_t body_bytes;
    uint16_t field_count;
    uint16_t repeated; /* a bit for each enum request_field that came twice */
    uint16_t refusal;  /* the status of the answer, when a rule of ours was broken */
    uint8_t method;    /* enum request_method */
    bool head_complete;
    bool complete;
    bool keep_alive; /* as far as the client is concerned */
};

void request_init(struct request *r);

/* Parse what came since the last call. `bytes` begins with the request's first byte; it may have
 * moved. 0: more is wanted; 1: the request is complete, and is r->seen bytes long; otherwise the
 * status to refuse it with, after which nothing on the connection means anything any more. */
int request_feed(struct request *r, const char *bytes, size_t len);

/* The status for a request that fills all the room there is and is not complete. */
int request_too_long(const struct request *r);

/* Bytes of a body that lie behind the head are no longer needed: how many bytes are. */
size_t request_forget_body(struct request *r);
