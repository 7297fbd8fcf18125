/* SPDX-License-Identifier: MIT */
/* process_fit.c - what one of `count` worker processes of an executor occupies, once each has run a
 * job, and so how many fit.
 *
 *     private       bytes that it alone has resident
 *     shared        bytes resident that others have too, each counted by its share: the program's
 *                   and the libraries' text, and the segment between it and its parent
 *     page tables   bytes that the kernel keeps for its addresses
 *     parent        bytes that the parent has more on its heap and stacks
 *     descriptors   that the parent has open for it: RLIMIT_NOFILE over this is how many can be
 *                   started, if memory and RLIMIT_NPROC let them */
#include "bench.h"

#include <dirent.h>
#include <ravel.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 1024 };

/* ---- as many jobs as workers, each waiting for all others ------------------------------------ */

struct meeting {
    struct rv_shm here; /* _Atomic int: so many are */
    int parties;
};
struct member {
    int pid;
};

static int meet(const struct meeting *in, struct member *out)
{
    void *at;
    int r = rv_shm_map(in->here, &at);
    if (r < 0)
        return r;
    _Atomic int *here = at;
    atomic_fetch_add(here, 1);
    while (atomic_load(here) < in->parties)
        usleep(1000);
    out->pid = getpid();
    return 0;
}
RV_JOB(meet, struct meeting, struct member);

static rv_executor *open_workers(struct member *ret, int count)
{
    static struct meeting meetings[MOST];
    char spec[32];
    rv_executor *ex;
    struct meeting meeting = {.parties = count};

    snprintf(spec, sizeof spec, "processes:%d", count);
    bench_must(rv_executor_open(&ex, spec, NULL), "rv_executor_open");
    bench_must(rv_shm_alloc(&meeting.here, sizeof(int)), "rv_shm_alloc");
    for (int i = 0; i < count; i++)
        meetings[i] = meeting;
    bench_must(rv_map(ex, meet, meetings, (size_t)count, ret, NULL, rv_after(RV_MINUTE)), "rv_map");
    rv_shm_free(meeting.here);
    return ex;
}

/* ---- what they occupy ------------------------------------------------------------------------ */

/* The sum of the lines of a file of /proc that begin so, in bytes. */
static double bytes_of(int pid, const char *file, const char *key)
{
    char path[64], line[256];
    double kib = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    FILE *in = fopen(path, "r");
    if (!in)
        bench_not_here();
    while (fgets(line, sizeof line, in))
        if (strncmp(line, key, strlen(key)) == 0)
            kib += strtod(strchr(line, ':') + 1, NULL);
    fclose(in);
    return 1024 * kib;
}

static double private_of(int pid)
{
    return bytes_of(pid, "smaps_rollup", "Private_");
}

static double shared_of(int pid)
{
    return bytes_of(pid, "smaps_rollup", "Pss:") - private_of(pid);
}

static double tables_of(int pid)
{
    return bytes_of(pid, "status", "VmPTE:");
}

static double anonymous_of(int pid)
{
    return bytes_of(pid, "status", "RssAnon:");
}

static double descriptors(void)
{
    DIR *all = opendir("/proc/self/fd");
    double count = 0;
    if (!all)
        bench_not_here();
    while (readdir(all))
        count++;
    closedir(all);
    return count;
}

static void report(const char *part, double (*of)(int pid), const struct member *members, int count)
{
    double values[MOST];
    for (int i = 0; i < count; i++)
        values[i] = of(members[i].pid);
    bench_result(part, bench_percentile(values, (size_t)count, 50), "B");
}

int main(int argc, char **argv)
{
    static struct member members[MOST];
    bench_begin("process-fit", "ravel", argc, argv);
    int count = (int)bench_param_upto("count", 32, MOST);
    double anonymous = anonymous_of(getpid()), open_before = descriptors();
    rv_executor *ex = open_workers(members, count);
    anonymous = anonymous_of(getpid()) - anonymous;
    double opened = descriptors() - open_before;

    report("private", private_of, members, count);
    report("shared", shared_of, members, count);
    report("page tables", tables_of, members, count);
    bench_result("parent", anonymous / count, "B");
    bench_result("descriptors", opened / count, "fds");
    bench_must(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER), "rv_executor_close");
}
