/* SPDX-License-Identifier: MIT */
/* agent_main.c - what `ravel worker ./program` makes of a program: an agent in place of main().
 *
 * Words in the variable that says so, none of which needs to be there:
 *
 *     slots=4 report=line name=rack3
 *
 * Where the cluster is and what is shown there stands in variables of its own, which a job finds as
 * well, so that it can submit jobs itself.
 *
 * Checked by: tests/cli/test_worker.py */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cluster/agent.h"
#include "engine/address.h"
#include "proc/before_main.h"

enum {
    UNABLE = 2, /* what the `ravel` command says then, too */
    MOST_SLOTS = 65536,
};

static int complain(const char *words)
{
    fprintf(stderr, "ravel: %s\n", words);
    return -EINVAL;
}

static bool take_slots(const char *text, unsigned *ret)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    *ret = (unsigned)number;
    return text[0] >= '0' && text[0] <= '9' && !*end && number >= 1 && number <= MOST_SLOTS;
}

static bool take_report(const char *text, enum rvi_agent_report *ret)
{
    static const char *const words[] = {"none", "line", "json"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        *ret = (enum rvi_agent_report)i;
        if (strcmp(text, words[i]) == 0)
            return true;
    }
    return false;
}

static bool take_word(struct rvi_agent_opts *opts, char *word)
{
    char *value = strchr(word, '=');

    if (!value)
        return false;
    *value++ = '\0';
    if (strcmp(word, "slots") == 0)
        return take_slots(value, &opts->slots);
    if (strcmp(word, "report") == 0)
        return take_report(value, &opts->report);
    opts->engine.name = value;
    return strcmp(word, "name") == 0 && rvi_engine_is_name(value);
}

/* `text` is taken apart. */
static int take_words(struct rvi_agent_opts *opts, char *text)
{
    char *rest;

    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (!take_word(opts, word))
            return complain(RVI_AGENT_VARIABLE " makes no sense; `ravel worker` sets it");
    }
    return 0;
}

static int take_address(struct rvi_agent_opts *opts, char **ret_memory)
{
    const char *address = getenv(RVI_CLUSTER_VARIABLE);
    char words[RVI_ENGINE_WORDS] = "out of memory";

    if (!address || !address[0])
        return complain(RVI_CLUSTER_VARIABLE " does not say where the cluster is");
    int r = rvi_engine_address_take(&opts->engine, ret_memory, address, words);
    return r < 0 ? complain(words) : 0;
}

static int be_agent(const struct rvi_agent_opts *opts)
{
    struct rvi_agent *a;
    int r = rvi_agent_new(&a, opts);

    if (r < 0)
        return complain("out of memory");
    r = rvi_agent_run(a);
    rvi_agent_free(a);
    return r;
}

int rvi_agent_main(char *text)
{
    struct rvi_agent_opts opts = {.takes_signals = true};
    char *memory = NULL;
    int r = take_words(&opts, text);

    if (r == 0)
        r = take_address(&opts, &memory);
    if (r == 0) {
        rvi_engine_credentials_take(&opts.engine);
        r = be_agent(&opts);
    }
    rvi_free(memory);
    return r < 0 ? UNABLE : EXIT_SUCCESS;
}
