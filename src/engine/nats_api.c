/* SPDX-License-Identifier: MIT */
/* nats_api.c - load libnats, once and for good.
 *
 * It is told to begin here rather than by its first use, as it has the whole program ignore
 * SIGPIPE when it does: that is taken back.
 *
 * Rejected: linking it (each program would load it, and Protobuf behind it); unloading it (its
 * threads stay until the process ends). */
#include "engine/nats_api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/auxv.h>

#include "sys/sigpipe.h"

static struct rvi_nats_api api;
static bool is_there;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void begin(void *arg)
{
    (void)arg;
    is_there = api.nats_Open(-1) == NATS_OK;
}

/* A program that is static as a whole has no loader, and brings no C library that others could
 * use. */
static void load(void)
{
    void *handle = getauxval(AT_BASE) ? dlopen(RVI_NATS_SONAME, RTLD_NOW | RTLD_LOCAL) : NULL;
    bool is_whole = handle != NULL;

#define LOOK_UP(name)                                                                              \
    api.name = handle ? (__typeof__(&name))dlsym(handle, #name) : NULL;                            \
    is_whole &= api.name != NULL;
    RVI_NATS_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
    if (is_whole)
        rvi_sigpipe_keep(begin, NULL);
}

const struct rvi_nats_api *rvi_nats_api(void)
{
    pthread_once(&once, load);
    return is_there ? &api : NULL;
}
