/* SPDX-License-Identifier: MIT */
/* json.c - see json.h. Values are found by passing over others, one step a byte. */
#include "engine/json.h"

#include <string.h>

enum { DEEPEST = 32 };

static const struct rvi_json none;

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

/* Behind the string that begins at `at`; NULL: it has no end. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\')
            at++;
    }
    return at < end ? at + 1 : NULL;
}

/* true, false, null, a number: whatever they are made of. */
static const char *skip_word(const char *at, const char *end)
{
    const char *start = at;

    while (at < end && strchr("+-.", *at) != NULL && *at)
        at++;
    while (at < end &&
           (strchr("+-.", *at) != NULL || (*at >= '0' && *at <= '9') ||
            (*at >= 'a' && *at <= 'z') || *at == 'E') &&
           *at)
        at++;
    return at > start ? at : NULL;
}

static const char *skip_value(const char *at, const char *end, int depth);

/* From behind the opening bracket to behind the closing one. */
static const char *skip_inside(const char *at, const char *end, char close, int depth)
{
    bool is_first = true;

    for (;; is_first = false) {
        at = skip_blanks(at, end);
        if (at < end && *at == close)
            return at + 1;
        if (!is_first && (at == end || *at++ != ','))
            return NULL;
        if (close == '}') {
            at = skip_blanks(at, end);
            at = at < end && *at == '"' ? skip_string(at, end) : NULL;
            at = at ? skip_blanks(at, end) : NULL;
            if (!at || at == end || *at++ != ':')
                return NULL;
        }
        at = skip_value(at, end, depth);
        if (!at)
            return NULL;
    }
}

static const char *skip_value(const char *at, const char *end, int depth)
{
    at = skip_blanks(at, end);
    if (at == end || depth == 0)
        return NULL;
    switch (*at) {
    case '"':
        return skip_string(at, end);
    case '{':
        return skip_inside(at + 1, end, '}', depth - 1);
    case '[':
        return skip_inside(at + 1, end, ']', depth - 1);
    default:
        return skip_word(at, end);
    }
}

struct rvi_json rvi_json_whole(const char *bytes, size_t count)
{
    if (count == 0)
        return none;
    const char *end = bytes + count, *at = skip_blanks(bytes, end);
    const char *behind = at < end ? skip_value(at, end, DEEPEST) : NULL;

    return behind ? (struct rvi_json){at, (size_t)(behind - at)} : none;
}

static bool is_key(const char *at, const char *behind, const char *name)
{
    size_t length = strlen(name);

    return (size_t)(behind - at) == length + 2 && memcmp(at + 1, name, length) == 0;
}

struct rvi_json rvi_json_member(struct rvi_json object, const char *name)
{
    if (object.count < 2 || object.bytes[0] != '{')
        return none;
    const char *end = object.bytes + object.count;
    for (const char *at = skip_blanks(object.bytes + 1, end); at < end && *at == '"';
         at = skip_blanks(at + 1, end)) {
        const char *key = at, *key_end = skip_string(at, end);
        if (!key_end)
            return none;
        at = skip_blanks(key_end, end);
        if (at == end || *at++ != ':')
            return none;
        at = skip_blanks(at, end);
        const char *behind = skip_value(at, end, DEEPEST);
        if (!behind)
            return none;
        if (is_key(key, key_end, name))
            return (struct rvi_json){at, (size_t)(behind - at)};
        at = skip_blanks(behind, end);
        if (at == end || *at != ',')
            return none;
    }
    return none;
}

bool rvi_json_next(struct rvi_json *rest, struct rvi_json *ret)
{
    if (rest->count < 2 || (rest->bytes[0] != '[' && rest->bytes[0] != ','))
        return false;
    const char *end = rest->bytes + rest->count;
    const char *at = skip_blanks(rest->bytes + 1, end);
    const char *behind = at < end && *at != ']' ? skip_value(at, end, DEEPEST) : NULL;
    if (!behind)
        return false;
    *ret = (struct rvi_json){at, (size_t)(behind - at)};
    at = skip_blanks(behind, end);
    *rest = (struct rvi_json){at, (size_t)(end - at)};
    return true;
}

/* What \uXXXX means is nothing that we ever look at: it becomes a question mark. */
static const char *unescape(const char *at, const char *end, char *ret)
{
    static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
    const char *found = strchr(from, *at);

    if (*at == 'u') {
        *ret = '?';
        return end - at > 4 ? at + 5 : end;
    }
    *ret = found && *at ? to[found - from] : *at;
    return at + 1;
}

bool rvi_json_text(struct rvi_json value, char *ret, size_t room)
{
    size_t used = 0;

    ret[0] = '\0';
    if (value.count < 2 || value.bytes[0] != '"')
        return false;
    const char *at = value.bytes + 1, *end = value.bytes + value.count - 1;
    for (; at < end && used + 1 < room; used++) {
        if (*at == '\\')
            at = unescape(at + 1, end, &ret[used]);
        else
            ret[used] = *at++;
    }
    ret[at < end ? 0 : used] = '\0';
    return at >= end;
}

size_t rvi_json_bytes(struct rvi_json value, void *ret, size_t room)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char *bytes = ret;
    unsigned bits = 0, sum = 0;
    size_t count = 0;

    if (value.count < 2 || value.bytes[0] != '"')
        return 0;
    const char *end = value.bytes + value.count - 1;
    for (const char *at = value.bytes + 1; at < end && *at != '='; at++) {
        const char *digit = memchr(digits, *at, sizeof(digits) - 1);
        if (!digit)
            return 0;
        sum = sum << 6 | (unsigned)(digit - digits);
        bits += 6;
        if (bits < 8)
            continue;
        if (count == room)
            return 0;
        bits -= 8;
        bytes[count++] = (unsigned char)(sum >> bits);
    }
    return count;
}

bool rvi_json_number(struct rvi_json value, uint64_t *ret)
{
    uint64_t number = 0;

    for (size_t i = 0; i < value.count; i++) {
        if (value.bytes[i] < '0' || value.bytes[i] > '9' ||
            __builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(value.bytes[i] - '0'), &number))
            return false;
    }
    if (value.count == 0)
        return false;
    *ret = number;
    return true;
}

bool rvi_json_is_true(struct rvi_json value)
{
    return value.count == 4 && memcmp(value.bytes, "true", 4) == 0;
}
