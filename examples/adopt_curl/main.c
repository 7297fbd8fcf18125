/* SPDX-License-Identifier: MIT */
/* main.c - fetch several URLs at once, each into a file: libcurl's transfers as tasks.
 *
 * Begin with web.c, which is how libcurl is adopted. Here, it is as if it had always been one of
 * us: a task a URL, no callbacks, a deadline for all. */
#include "web.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fetch {
    struct web *web;
    const char *url;
    int folder;
    rv_time deadline;
    struct web_reply reply;
    int result;
};

struct options {
    size_t jobs; /* at a time */
    rv_time limit;
    const char *folder;
    char **urls;
    int count;
};

/* What follows the last slash, without a query. */
static void name_of(char *name, size_t room, const char *url)
{
    const char *begin = strstr(url, "://");
    size_t len = strcspn(begin = begin ? begin + 3 : url, "?#");
    size_t at = len;

    while (at > 0 && begin[at - 1] != '/')
        at--;
    if (at == 0 || at == len)
        snprintf(name, room, "index.html");
    else
        snprintf(name, room, "%.*s", (int)(len - at), begin + at);
}

/* A file is there when all of it is. */
static int fetch(void *arg)
{
    struct fetch *f = arg;
    char name[256];

    name_of(name, sizeof name, f->url);
    int to = openat(f->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (to < 0)
        return f->result = -errno;
    f->result = web_get(f->web, f->url, to, &f->reply, f->deadline);
    int closed = rv_close(to);
    f->result = f->result < 0 ? f->result : closed;
    if (f->result < 0)
        unlinkat(f->folder, name, 0);
    return f->result;
}

static int fetch_all(struct fetch *fetches, const struct options *o)
{
    struct web *web;
    int err, r = web_open(&web);

    if (r < 0)
        return r;
    RV_SCOPE(s, err, .policy = RV_COLLECT_ALL, .limit = o->jobs, .name = "transfers") {
        for (int i = 0; i < o->count && r == 0; i++) {
            fetches[i].web = web;
            r = rv_go(s, fetch, &fetches[i]);
        }
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    r = web_close(web);
    return r < 0 ? r : err;
}

static void report(const struct fetch *f)
{
    if (f->result == 0)
        printf("%ld %10lld  %s\n", f->reply.status, f->reply.bytes, f->url);
    else
        printf("failed          %s: %s\n", f->url,
               *f->reply.why ? f->reply.why : strerror(-f->result));
}

static int entry(void *arg)
{
    const struct options *o = arg;
    struct fetch *fetches = calloc((size_t)o->count, sizeof *fetches);
    int folder = open(o->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = !fetches ? -ENOMEM : folder < 0 ? -errno : 0;

    for (int i = 0; i < o->count && r == 0; i++)
        fetches[i] = (struct fetch){.url = o->urls[i],
                                    .folder = folder,
                                    .deadline = o->limit ? rv_after(o->limit) : RV_NEVER,
                                    .result = -ECANCELED};
    if (r == 0) {
        r = fetch_all(fetches, o);
        for (int i = 0; i < o->count; i++)
            report(&fetches[i]);
    }
    rv_close(folder);
    free(fetches);
    return r;
}

static int usage(void)
{
    fputs("usage: adopt_curl [-j JOBS] [-t SECONDS] [-o FOLDER] URL...\n", stderr);
    return 2;
}

/* A number above 0 and below a million. */
static int number(const char *text, double *ret)
{
    char *end;

    *ret = strtod(text, &end);
    return end != text && *end == '\0' && *ret > 0 && *ret < 1e6 ? 0 : -1;
}

static int parse(struct options *o, int argc, char **argv)
{
    double value;
    int c;

    *o = (struct options){.jobs = 8, .folder = "."};
    while ((c = getopt(argc, argv, "j:t:o:")) != -1) {
        if (c == 'o')
            o->folder = optarg;
        else if ((c != 'j' && c != 't') || number(optarg, &value) < 0 || (c == 'j' && value < 1))
            return -1;
        else if (c == 'j')
            o->jobs = (size_t)value;
        else
            o->limit = (rv_time)(value * (double)RV_SECOND);
    }
    o->urls = argv + optind;
    o->count = argc - optind;
    return o->count > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct options o;

    if (parse(&o, argc, argv) < 0)
        return usage();
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return 1;
    int r = rv_run(entry, &o, NULL);
    curl_global_cleanup();
    if (r < 0)
        fprintf(stderr, "adopt_curl: %s\n", strerror(-r));
    return r < 0;
}
