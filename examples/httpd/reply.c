/* SPDX-License-Identifier: MIT */
/* reply.c - what is answered to a request, and the bytes of its head.
 *
 * The conditions are looked at in the order of RFC 9110, 13.2.2. A thing's tag is made of the time
 * of its last change, to the nanosecond, and of its size, and is strong. Of ranges (14.2) the
 * forms first-last, first- and -count are served, one at a time; several in one request are a
 * request for all of it, which the RFC allows and which no reader that resumes a download makes. */
#include "reply.h"

#include "date.h"

#include <string.h>

static const char server_name[] = "ravel-httpd";

const char *reply_reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 206:
        return "Partial Content";
    case 301:
        return "Moved Permanently";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 416:
        return "Range Not Satisfiable";
    case 417:
        return "Expectation Failed";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Internal Server Error";
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

static char *put(char *out, const char *text, size_t len)
{
    memcpy(out, text, len);
    return out + len;
}

#define PUT(out, literal) put((out), (literal), sizeof(literal) - 1)

static char *put_string(char *out, const char *text)
{
    return put(out, text, strlen(text));
}

static char *put_decimal(char *out, uint64_t value)
{
    char digits[20];
    size_t n = 0;
    do
        digits[sizeof digits - ++n] = (char)('0' + value % 10);
    while (value /= 10);
    return put(out, digits + sizeof digits - n, n);
}

static char *put_hex(char *out, uint64_t value)
{
    int shift = 60;
    while (shift > 0 && value >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *out++ = "0123456789abcdef"[value >> shift & 15];
    return out;
}

static char *put_tag(char *out, const struct thing *t)
{
    out = PUT(out, "\"");
    out = put_hex(out, (uint64_t)t->changed.tv_sec * 1000000000 + (uint64_t)t->changed.tv_nsec);
    out = PUT(out, "-");
    out = put_hex(out, t->size);
    return PUT(out, "\"");
}

static bool is_dated(const struct thing *t)
{
    return t->changed.tv_nsec >= 0;
}

/* ---- conditions ------------------------------------------------------------------------------ */

/* A field's text, or NULL. */
static const char *text_of(const struct request *r, const char *bytes, enum request_field id,
                           size_t *ret_len)
{
    *ret_len = r->fields[id].len;
    return *ret_len ? bytes + r->fields[id].at : NULL;
}

/* The next tag of a list, with its weakness taken off; false at its end, or where it is no list. */
static bool next_tag(const char **p, const char *end, const char **ret_tag, size_t *ret_len,
                     bool *ret_weak)
{
    while (*p < end && strchr(" \t,", **p))
        ++*p;
    *ret_weak = end - *p >= 2 && memcmp(*p, "W/", 2) == 0;
    if (*ret_weak)
        *p += 2;
    if (*p == end || **p != '"')
        return false;
    const char *close = memchr(*p + 1, '"', (size_t)(end - *p - 1));
    if (!close)
        return false;
    *ret_tag = *p;
    *ret_len = (size_t)(close + 1 - *p);
    *p = close + 1;
    return true;
}

static bool tag_in(const char *list, size_t list_len, const struct thing *t, bool weak_too)
{
    char own[TAG_BYTES];
    size_t own_len = (size_t)(put_tag(own, t) - own), len;
    const char *p = list, *tag;
    bool weak;

    if (list_len == 1 && *list == '*')
        return true;
    while (next_tag(&p, list + list_len, &tag, &len, &weak))
        if ((weak_too || !weak) && len == own_len && memcmp(tag, own, len) == 0)
            return true;
    return false;
}

/* 0, 304 or 412. */
static int condition(const struct request *r, const char *bytes, const struct thing *t)
{
    size_t len;
    time_t when;
    const char *text = text_of(r, bytes, FIELD_IF_MATCH, &len);

    if (text && !tag_in(text, len, t, false))
        return 412;
    if (!text && (text = text_of(r, bytes, FIELD_IF_UNMODIFIED_SINCE, &len)) &&
        date_parse(&when, text, len) && t->changed.tv_sec > when)
        return 412;
    text = text_of(r, bytes, FIELD_IF_NONE_MATCH, &len);
    if (text)
        return tag_in(text, len, t, true) ? 304 : 0;
    text = text_of(r, bytes, FIELD_IF_MODIFIED_SINCE, &len);
    return text && date_parse(&when, text, len) && t->changed.tv_sec <= when ? 304 : 0;
}

/* Whether a range is of the thing that the client has the rest of. */
static bool range_is_current(const struct request *r, const char *bytes, const struct thing *t)
{
    size_t len;
    time_t when;
    const char *text = text_of(r, bytes, FIELD_IF_RANGE, &len);

    if (!text)
        return true;
    if (*text == '"' || *text == 'W')
        return tag_in(text, len, t, false);
    return date_parse(&when, text, len) && when == t->changed.tv_sec;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

/* A number, UINT64_MAX for all that are too large; false where there is none. */
static bool take_number(const char **p, const char *end, uint64_t *ret)
{
    const char *begin = *p;
    for (*ret = 0; *p < end && **p >= '0' && **p <= '9'; ++*p)
        if (__builtin_mul_overflow(*ret, 10, ret) ||
            __builtin_add_overflow(*ret, (uint64_t)(**p - '0'), ret))
            *ret = UINT64_MAX;
    return *p > begin;
}

/* 200: no range that is served; 206: it is in first and len; 416: there is nothing there. */
static int range_of(const char *p, size_t text_len, uint64_t size, uint64_t *first, uint64_t *len)
{
    const char *end = p + text_len;
    uint64_t from = 0, to = 0;

    if (text_len < 7 || memcmp(p, "bytes=", 6) != 0)
        return 200;
    p += 6;
    bool has_from = take_number(&p, end, &from);
    if (p == end || *p++ != '-')
        return 200;
    bool has_to = take_number(&p, end, &to);
    if (p != end || (!has_from && !has_to) || (has_from && has_to && to < from))
        return 200;
    if (!has_from) { /* the last `to` bytes */
        from = to < size ? size - to : 0;
        to = to > 0 ? UINT64_MAX : 0;
        if (to == 0)
            return 416;
    } else if (!has_to) {
        to = UINT64_MAX;
    }
    if (from >= size)
        return 416;
    *first = from;
    *len = (to < size ? to + 1 : size) - from;
    return 206;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void begin(struct reply *ret, const struct request *r, int status)
{
    *ret = (struct reply){
        .status = status,
        .keep_alive = r->complete && r->keep_alive,
        .old_client = r->parser.http_minor == 0,
        .body = r->method != METHOD_HEAD,
    };
}

void reply_status(struct reply *ret, const struct request *r, int status)
{
    char text[REPLY_TEXT_MOST];
    begin(ret, r, status);
    ret->len = reply_text(text, status);
}

void reply_thing(struct reply *ret, const struct request *r, const char *bytes,
                 const struct thing *thing)
{
    size_t len;
    const char *range = text_of(r, bytes, FIELD_RANGE, &len);
    int status = is_dated(thing) ? condition(r, bytes, thing) : 0;

    begin(ret, r, status ? status : 200);
    ret->thing = thing;
    ret->len = thing->size;
    if (status == 304)
        ret->body = false;
    else if (status)
        reply_status(ret, r, status);
    else if (range && r->method == METHOD_GET && is_dated(thing) &&
             range_is_current(r, bytes, thing))
        ret->status = range_of(range, len, thing->size, &ret->first, &ret->len);
    if (ret->status == 416) {
        reply_status(ret, r, 416);
        ret->thing = thing; /* whose size the head tells */
    }
}

bool reply_has_thing(const struct reply *reply)
{
    return reply->status == 200 || reply->status == 206;
}

size_t reply_text(char *out, int status)
{
    char *p = put_decimal(out, (uint64_t)status);
    p = PUT(p, " ");
    p = put_string(p, reply_reason(status));
    return (size_t)(PUT(p, "\n") - out);
}

/* RFC 3986 (3.3): what may stand in a path as it is. */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("/-._~!$&'()*+,;=:@", c));
}

static char *put_location(char *out, const char *path)
{
    out = PUT(out, "Location: /");
    for (; *path; path++) {
        if (is_plain(*path)) {
            *out++ = *path;
            continue;
        }
        *out++ = '%';
        *out++ = "0123456789ABCDEF"[(unsigned char)*path >> 4];
        *out++ = "0123456789ABCDEF"[*path & 15];
    }
    return PUT(out, "/\r\n");
}

static char *put_range(char *out, const struct reply *reply)
{
    out = PUT(out, "Content-Range: bytes ");
    if (reply->status == 416) {
        out = PUT(out, "*");
    } else {
        out = put_decimal(out, reply->first);
        out = PUT(out, "-");
        out = put_decimal(out, reply->first + reply->len - 1);
    }
    out = PUT(out, "/");
    out = put_decimal(out, reply->thing->size);
    return PUT(out, "\r\n");
}

static char *put_validators(char *out, const struct thing *t)
{
    out = PUT(out, "Last-Modified: ");
    date_format(out, t->changed.tv_sec);
    out = PUT(out + DATE_BYTES, "\r\nETag: ");
    out = put_tag(out, t);
    return PUT(out, "\r\nAccept-Ranges: bytes\r\n");
}

static char *put_length(char *out, const struct reply *reply, const char *type)
{
    out = PUT(out, "Content-Type: ");
    out = put_string(out, type);
    out = PUT(out, "\r\nContent-Length: ");
    out = put_decimal(out, reply->len);
    return PUT(out, "\r\n");
}

static char *put_connection(char *out, const struct reply *reply)
{
    if (!reply->keep_alive)
        return PUT(out, "Connection: close\r\n");
    return reply->old_client ? PUT(out, "Connection: keep-alive\r\n") : out;
}

size_t reply_head_room(const struct reply *reply)
{
    return REPLY_HEAD_MOST +
           (reply->location ? REPLY_LOCATION_FACTOR * strlen(reply->location) : 0);
}

size_t reply_head(char *out, const struct reply *reply, const char *date)
{
    const struct thing *t = reply->thing;
    bool described = reply_has_thing(reply) || reply->status == 304;
    char *p = PUT(out, "HTTP/1.1 ");

    p = put_decimal(p, (uint64_t)reply->status);
    p = PUT(p, " ");
    p = put_string(p, reply_reason(reply->status));
    p = PUT(p, "\r\nServer: ");
    p = put(p, server_name, sizeof server_name - 1);
    p = PUT(p, "\r\nDate: ");
    p = put(p, date, DATE_BYTES);
    p = PUT(p, "\r\n");
    if (reply->status != 304)
        p = put_length(p, reply, described ? t->type : "text/plain; charset=utf-8");
    if (reply->status == 206 || reply->status == 416)
        p = put_range(p, reply);
    if (described && is_dated(t))
        p = put_validators(p, t);
    if (reply->location)
        p = put_location(p, reply->location);
    if (reply->status == 405)
        p = PUT(p, "Allow: GET, HEAD\r\n");
    if (reply->status == 503)
        p = PUT(p, "Retry-After: 1\r\n");
    p = put_connection(p, reply);
    return (size_t)(PUT(p, "\r\n") - out);
}
