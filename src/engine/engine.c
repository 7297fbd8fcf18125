/* SPDX-License-Identifier: MIT */
/* engine.c - which engine a URL means, and the way to its calls. */
#include "engine/engine.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sys/nonce.h"

enum { KINDS = 4 };

static const struct rvi_engine_kind *kinds[KINDS] = {
#ifdef RVI_HAVE_NATS
    &rvi_nats_kind,
#endif
};

void rvi_engine_register(const struct rvi_engine_kind *kind)
{
    size_t i = 0;

    while (i < KINDS && kinds[i] && kinds[i] != kind)
        i++;
    RV_CHECK(i < KINDS);
    kinds[i] = kind;
}

static bool has_scheme(const struct rvi_engine_kind *kind, const char *url)
{
    for (size_t i = 0; i < sizeof(kind->schemes) / sizeof(kind->schemes[0]); i++) {
        const char *scheme = kind->schemes[i];
        size_t length = scheme ? strlen(scheme) : 0;
        if (scheme && strncmp(url, scheme, length) == 0 && strncmp(url + length, "://", 3) == 0)
            return true;
    }
    return false;
}

static const struct rvi_engine_kind *kind_for(const char *url)
{
    for (size_t i = 0; i < KINDS && kinds[i]; i++) {
        if (has_scheme(kinds[i], url))
            return kinds[i];
    }
    return NULL;
}

bool rvi_engine_is_name(const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < length; i++) {
        if (!isascii((unsigned char)name[i]) ||
            (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_'))
            return false;
    }
    return length > 0 && length < RVI_ENGINE_NAME_BYTES;
}

int rvi_engine_make_id(char ret[static RVI_ENGINE_ID_BYTES])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    enum { LONGEST = 11 }; /* digits of a number of 64 bits */

    for (size_t half = 0; half < 2; half++) {
        uint64_t number;
        int r = rvi_nonce(&number);
        if (r < 0)
            return r;
        for (size_t i = 0; i < LONGEST; i++, number /= 62)
            ret[half * LONGEST + i] = digits[number % 62];
    }
    ret[2 * LONGEST] = '\0';
    return 0;
}

int rvi_engine_open(struct rvi_engine **ret, const struct rvi_engine_opts *opts,
                    const struct rvi_engine_events *events, void *arg,
                    char words[static RVI_ENGINE_WORDS])
{
    const struct rvi_engine_kind *kind = kind_for(opts->url);

    words[0] = '\0';
    if (!kind) {
        snprintf(words, RVI_ENGINE_WORDS, "this build has no engine for %s", opts->url);
        return -EPROTONOSUPPORT;
    }
    if (opts->pool ? !rvi_engine_is_name(opts->pool) : opts->role != RVI_ENGINE_OBSERVER) {
        snprintf(words, RVI_ENGINE_WORDS,
                 "\"%s\" cannot name a pool: 1 to 63 letters, digits, - and _",
                 opts->pool ? opts->pool : "");
        return -EINVAL;
    }
    return kind->open(ret, opts, events, arg, words);
}

void rvi_engine_close(struct rvi_engine *e, rv_time deadline)
{
    if (e)
        e->kind->close(e, deadline);
}

int rvi_engine_submit(struct rvi_engine *e, const struct rvi_engine_task *task)
{
    return e->kind->submit(e, task);
}

void rvi_engine_cancel(struct rvi_engine *e, const char *id, int why)
{
    e->kind->cancel(e, id, why);
}

void rvi_engine_want(struct rvi_engine *e, unsigned slots)
{
    e->kind->want(e, slots);
}

void rvi_engine_extend(struct rvi_engine_lease *lease)
{
    lease->engine->kind->extend(lease);
}

void rvi_engine_settle(struct rvi_engine_lease *lease, const struct rvi_engine_result *result)
{
    lease->engine->kind->settle(lease, result);
}

void rvi_engine_hand_back(struct rvi_engine_lease *lease, bool has_begun, int64_t delay_ns)
{
    lease->engine->kind->hand_back(lease, has_begun, delay_ns);
}

void rvi_engine_bury(struct rvi_engine_lease *lease, const struct rvi_engine_result *result)
{
    lease->engine->kind->bury(lease, result);
}

void rvi_engine_progress(struct rvi_engine_lease *lease, const void *bytes, size_t count)
{
    lease->engine->kind->progress(lease, bytes, count);
}

void rvi_engine_announce(struct rvi_engine *e, unsigned slots, unsigned busy, bool is_leaving)
{
    e->kind->announce(e, slots, busy, is_leaving);
}

int rvi_engine_survey(struct rvi_engine *e, struct rvi_engine_survey *ret, rv_time deadline)
{
    return e->kind->survey(e, ret, deadline);
}

void rvi_engine_survey_drop(struct rvi_engine_survey *survey)
{
    rvi_free(survey->builds);
    rvi_free(survey->members);
    rvi_free(survey->queues);
    survey->builds = NULL;
    survey->members = NULL;
    survey->queues = NULL;
}

int rvi_engine_pools(struct rvi_engine *e, struct rvi_engine_pools *ret, rv_time deadline)
{
    return e->kind->pools ? e->kind->pools(e, ret, deadline) : -EOPNOTSUPP;
}

void rvi_engine_pools_drop(struct rvi_engine_pools *pools)
{
    rvi_free(pools->names);
    *pools = (struct rvi_engine_pools){0};
}

int rvi_engine_letters(struct rvi_engine *e, uint64_t after, size_t most,
                       struct rvi_engine_letters *ret, rv_time deadline)
{
    return e->kind->letters ? e->kind->letters(e, after, most, ret, deadline) : -EOPNOTSUPP;
}

void rvi_engine_letters_drop(struct rvi_engine_letters *letters)
{
    rvi_free(letters->list);
    *letters = (struct rvi_engine_letters){0};
}

int rvi_engine_exhume(struct rvi_engine *e, uint64_t number, bool is_retried, rv_time deadline)
{
    return e->kind->exhume ? e->kind->exhume(e, number, is_retried, deadline) : -EOPNOTSUPP;
}
