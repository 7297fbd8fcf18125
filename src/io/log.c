/* SPDX-License-Identifier: MIT */
/* log.c - a line of the log is put together in one piece, and printed like any other text.
 *
 * What is wanted is one word, read by every call: it is settled by the first call, from RAVEL_LOG,
 * or by the program. Two first calls settle it alike. */
#include <ravel/print.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ravel/task.h>

#include "base/atomic.h"
#include "io/sentence.h"
#include "sys/clock.h"

/* The last level, and flags. */
enum { LEVELS = 7, JSON = 8, IS_SETTLED = 16 };

static _Atomic(unsigned) wanted;

static const char *const words[] = {
    [RV_LOG_OFF] = "off",   [RV_LOG_ERROR] = "error", [RV_LOG_WARN] = "warn",
    [RV_LOG_INFO] = "info", [RV_LOG_DEBUG] = "debug",
};

enum { WORDS = sizeof words / sizeof words[0] };

/* --- what is wanted --- */

/* "info", "debug,json"; 0: not understood. */
static unsigned parse(const char *text)
{
    const char *comma = strchrnul(text, ',');
    unsigned json = strcmp(comma, ",json") == 0 ? JSON : 0;

    if (*comma && !json)
        return 0;
    for (unsigned i = 0; i < WORDS; i++) {
        if (strlen(words[i]) == (size_t)(comma - text) &&
            memcmp(words[i], text, (size_t)(comma - text)) == 0)
            return i | json | IS_SETTLED;
    }
    return 0;
}

static unsigned settle(void)
{
    const char *text = getenv("RAVEL_LOG");
    unsigned now = 0, value = text && *text ? parse(text) : RV_LOG_INFO | IS_SETTLED;

    if (!value)
        fprintf(stderr,
                "ravel: RAVEL_LOG=%s: give off, error, warn, info or debug, with ,json "
                "behind it for JSON\n",
                text);
    value = value ? value : RV_LOG_INFO | IS_SETTLED;
    return rvi_cas_relaxed(&wanted, &now, value) ? value : now;
}

static unsigned wanted_now(void)
{
    unsigned now = rvi_load_relaxed(&wanted);

    return now ? now : settle();
}

int rv_log_wants(enum rv_log_level level)
{
    return level > RV_LOG_OFF && (unsigned)level <= (wanted_now() & LEVELS);
}

void rv_log_setup(enum rv_log_level last, int json)
{
    unsigned level = (unsigned)last < WORDS ? (unsigned)last : RV_LOG_DEBUG;

    rvi_store_relaxed(&wanted, level | (json ? JSON : 0U) | IS_SETTLED);
}

/* --- a line --- */

static void add_time(struct rvi_sentence *s)
{
    int64_t now_us = rvi_clock_wall() / 1000;
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    rvi_sentence_add_f(s, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                       tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(now_us % 1000000));
}

/* Of the task, or of the plain thread, which `room` is for. */
static const char *name_of_caller(char room[16])
{
    if (rv_task_id())
        return rv_task_name();
    if (pthread_getname_np(pthread_self(), room, 16) != 0)
        room[0] = '\0';
    return room;
}

static void add_plain(struct rvi_sentence *s, enum rv_log_level level, const char *text,
                      size_t bytes)
{
    char room[16];

    add_time(s);
    rvi_sentence_add_f(s, " %-5s %s: ", words[level], name_of_caller(room));
    rvi_sentence_add(s, text, bytes);
    rvi_sentence_add(s, "\n", 1);
}

/* How many bytes a character of UTF-8 has at its first byte's word, 0: none begins like that. */
static size_t utf8_wants(unsigned char first)
{
    if (first < 0x80)
        return 1;
    return first >= 0xc2 && first < 0xe0   ? 2
           : (first & 0xf0) == 0xe0        ? 3
           : first >= 0xf0 && first < 0xf5 ? 4
                                           : 0;
}

/* The length of the character that a text begins with; 0: it begins with none. RFC 3629: no longer
 * than need be, no surrogates, nothing above 10FFFF. */
static size_t utf8_length(const unsigned char *text, size_t bytes)
{
    size_t n = utf8_wants(text[0]);

    if (n > bytes)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    bool is_bad = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
                  (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f);
    return is_bad ? 0 : n;
}

/* A string of JSON, RFC 8259. */
static void add_string(struct rvi_sentence *s, const char *text, size_t bytes)
{
    rvi_sentence_add(s, "\"", 1);
    while (bytes > 0) {
        size_t n = utf8_length((const unsigned char *)text, bytes);
        if (n == 0)
            rvi_sentence_add(s, "\\ufffd", 6);
        else if (*text == '"' || *text == '\\')
            rvi_sentence_add_f(s, "\\%c", *text);
        else if ((unsigned char)*text < ' ')
            rvi_sentence_add_f(s, "\\u%04x", (unsigned)*text);
        else
            rvi_sentence_add(s, text, n);
        text += n ? n : 1;
        bytes -= n ? n : 1;
    }
    rvi_sentence_add(s, "\"", 1);
}

static void add_json(struct rvi_sentence *s, enum rv_log_level level, const char *text,
                     size_t bytes)
{
    char room[16];
    const char *name = name_of_caller(room);

    rvi_sentence_add_f(s, "{\"time\":\"");
    add_time(s);
    rvi_sentence_add_f(s, "\",\"level\":\"%s\",\"task\":", words[level]);
    add_string(s, name, strlen(name));
    if (rv_task_id())
        rvi_sentence_add_f(s, ",\"id\":%llu", (unsigned long long)rv_task_id());
    rvi_sentence_add_f(s, ",\"text\":");
    add_string(s, text, bytes);
    rvi_sentence_add(s, "}\n", 2);
}

static int log_text(enum rv_log_level level, const char *text, size_t bytes)
{
    struct rvi_sentence line;

    rvi_sentence_init(&line);
    if (wanted_now() & JSON)
        add_json(&line, level, text, bytes);
    else
        add_plain(&line, level, text, bytes);
    int r = line.error ? line.error : rv_print_text(RV_ERR, line.bytes, line.count, RV_NEVER);
    rvi_sentence_fini(&line);
    return r;
}

int rv_log(enum rv_log_level level, const char *format, ...)
{
    struct rvi_sentence text;
    va_list args;

    if ((unsigned)level >= WORDS || !rv_log_wants(level))
        return (unsigned)level < WORDS ? 0 : -EINVAL;
    rvi_sentence_init(&text);
    va_start(args, format);
    rvi_sentence_add_v(&text, format, args);
    va_end(args);
    int r = text.error ? text.error : log_text(level, text.bytes, text.count);
    rvi_sentence_fini(&text);
    return r;
}
