/* SPDX-License-Identifier: MIT */
/* request.c - one HTTP/1 request, from the bytes of a connection.
 *
 * llhttp reads the syntax; this file keeps where the parts that matter lie, as offsets, because the
 * bytes move when a request outgrows its first buffer. Nothing is copied and nothing allocated.
 *
 * A request is complete with its body, so that the next one on the connection is found; bodies are
 * counted and dropped. Whatever is no GET or HEAD, and whatever waits for a "100 Continue", is
 * complete with its head: its answer is the last one on the connection if a body is announced. */
#include "request.h"

#include <string.h>
#include <strings.h>

#define NAMED(id, text) [id] = {text, sizeof(text) - 1}

static const struct {
    const char *name;
    size_t len;
} known[FIELD_COUNT] = {
    NAMED(FIELD_IF_MATCH, "if-match"),
    NAMED(FIELD_IF_UNMODIFIED_SINCE, "if-unmodified-since"),
    NAMED(FIELD_IF_NONE_MATCH, "if-none-match"),
    NAMED(FIELD_IF_MODIFIED_SINCE, "if-modified-since"),
    NAMED(FIELD_IF_RANGE, "if-range"),
    NAMED(FIELD_RANGE, "range"),
    NAMED(FIELD_HOST, "host"),
    NAMED(FIELD_EXPECT, "expect"),
};

static struct request *of(llhttp_t *parser)
{
    return parser->data;
}

static int refuse(struct request *r, int status)
{
    r->refusal = (uint16_t)status;
    return HPE_USER;
}

/* A part may come in pieces, where the bytes did. A gap between them is a folded line, which RFC
 * 9112 (5.2) lets a server refuse. */
static int extend(struct request *r, struct span *s, const char *at, size_t len)
{
    uint32_t begin = (uint32_t)(at - r->bytes);
    if (len == 0)
        return 0;
    if (s->len == 0)
        s->at = begin;
    if (s->at + s->len != begin)
        return refuse(r, 400);
    s->len += (uint32_t)len;
    return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct request *r = of(parser);
    int err = extend(r, &r->target, at, len);
    return err == 0 && r->target.len > REQUEST_TARGET_MOST ? refuse(r, 414) : err;
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    struct request *r = of(parser);
    return r->head_complete ? 0 : extend(r, &r->name, at, len);
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct request *r = of(parser);
    return r->head_complete ? 0 : extend(r, &r->value, at, len);
}

static int field_named(const char *name, size_t len)
{
    for (int id = 0; id < FIELD_COUNT; id++)
        if (known[id].len == len && strncasecmp(known[id].name, name, len) == 0)
            return id;
    return FIELD_COUNT;
}

static struct span trimmed(const char *bytes, struct span s)
{
    while (s.len > 0 && (bytes[s.at + s.len - 1] == ' ' || bytes[s.at + s.len - 1] == '\t'))
        s.len--;
    return s;
}

static int on_value_complete(llhttp_t *parser)
{
    struct request *r = of(parser);
    int id = field_named(r->bytes + r->name.at, r->name.len);

    if (r->head_complete)
        return 0;
    if (++r->field_count > REQUEST_FIELDS_MOST)
        return refuse(r, 431);
    if (id < FIELD_COUNT) {
        if (r->fields[id].len > 0)
            r->repeated |= (uint16_t)(1 << id);
        r->fields[id] = trimmed(r->bytes, r->value);
    }
    r->name = r->value = (struct span){0, 0};
    return 0;
}

/* RFC 9112 (3.2): a request has exactly one Host. The other fields mean nothing when repeated. */
static int check_fields(struct request *r)
{
    if (r->repeated & 1 << FIELD_HOST)
        return 400;
    if (r->parser.http_minor == 1 && r->fields[FIELD_HOST].len == 0)
        return 400;
    for (int id = 0; id < FIELD_COUNT; id++)
        if (r->repeated & 1 << id)
            r->fields[id].len = 0;
    return 0;
}

static bool expects_continue(const struct request *r)
{
    const struct span *s = &r->fields[FIELD_EXPECT];
    return s->len == 12 && strncasecmp(r->bytes + s->at, "100-continue", 12) == 0;
}

static int check_head(struct request *r)
{
    const llhttp_t *p = &r->parser;
    if (p->http_major != 1 || p->http_minor > 1)
        return p->http_major == 0 ? 400 : 505;
    if (r->fields[FIELD_EXPECT].len > 0 && !expects_continue(r))
        return 417;
    return check_fields(r);
}

static bool is_read_on(const struct request *r)
{
    return r->method != METHOD_OTHER && r->fields[FIELD_EXPECT].len == 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct request *r = of(parser);
    bool body = parser->flags & F_CHUNKED || parser->content_length > 0;
    int status = check_head(r);

    if (status)
        return refuse(r, status);
    r->head_complete = true;
    r->keep_alive = llhttp_should_keep_alive(parser);
    r->method = parser->method == HTTP_GET    ? METHOD_GET
                : parser->method == HTTP_HEAD ? METHOD_HEAD
                                              : METHOD_OTHER;
    if (is_read_on(r))
        return parser->content_length > REQUEST_BODY_MOST ? refuse(r, 413) : 0;
    if (body || parser->upgrade)
        r->keep_alive = false;
    r->complete = true;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct request *r = of(parser);
    (void)at;
    r->body_bytes += (uint32_t)len;
    return r->body_bytes > REQUEST_BODY_MOST ? refuse(r, 413) : 0;
}

static int on_message_complete(llhttp_t *parser)
{
    of(parser)->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void request_init(struct request *r)
{
    memset(r, 0, sizeof *r);
    llhttp_init(&r->parser, HTTP_REQUEST, &settings);
    r->parser.data = r;
}

/* A method that llhttp has never heard of is still a method; anything else at the begin of a
 * request is no HTTP. */
static int status_of_error(const struct request *r, llhttp_errno_t err, const char *bytes)
{
    if (r->refusal)
        return r->refusal;
    if (err == HPE_INVALID_VERSION || err == HPE_PAUSED_H2_UPGRADE)
        return 505;
    if (err == HPE_INVALID_METHOD && bytes[0] >= 'A' && bytes[0] <= 'Z')
        return 501;
    return 400;
}

int request_feed(struct request *r, const char *bytes, size_t len)
{
    bool had_head = r->head_complete;
    llhttp_errno_t err;

    r->bytes = bytes;
    err = llhttp_execute(&r->parser, bytes + r->seen, len - r->seen);
    if (r->complete)
        r->seen = (uint32_t)(llhttp_get_error_pos(&r->parser) - bytes);
    else if (err == HPE_OK)
        r->seen = (uint32_t)len;
    else
        return status_of_error(r, err, bytes);
    if (r->head_complete && !had_head)
        r->head_bytes = r->seen - r->body_bytes;
    return r->complete;
}

int request_too_long(const struct request *r)
{
    return r->field_count == 0 && r->name.len == 0 ? 414 : 431;
}

size_t request_forget_body(struct request *r)
{
    if (r->head_complete && !r->complete)
        r->seen = r->head_bytes;
    return r->seen;
}
