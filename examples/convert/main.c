/* SPDX-License-Identifier: MIT */
/* main.c - convert a folder of pictures by a job that crashes on a bad one.
 *
 * Begin with work.c, which hands the pictures over and learns what became of each. picture.c is the
 * job, written carelessly; gallery.c makes pictures, some of them damaged. Here is the choice
 * between the three things that the program does, and the demonstration of the difference. */
#include "gallery.h"
#include "options.h"
#include "show.h"
#include "work.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DONE = 0, FAILED = 1 };
enum { DEMO_PICTURES = 1000 };

static int convert(const struct options *o)
{
    struct tally tally;
    if (mkdir(o->to, 0777) < 0 && errno != EEXIST) {
        fprintf(stderr, "convert: %s: %s\n", o->to, strerror(errno));
        return FAILED;
    }
    if (work_run(&tally, o->from, o->to, o->tier, o->confined) < 0)
        return FAILED;
    show_tally(&tally);
    return tally.failed > 0 ? FAILED : DONE;
}

/* ---- the demonstration ----------------------------------------------------------------------- */

struct demo {
    char folder[64], from[80], to[80];
};

/* With its files; says how many these were. */
static unsigned remove_folder(const char *folder)
{
    unsigned count = 0;
    DIR *entries = opendir(folder);
    struct dirent *entry;
    while (entries && (entry = readdir(entries)))
        count += unlinkat(dirfd(entries), entry->d_name, 0) == 0; /* refuses "." and ".." */
    if (entries)
        closedir(entries);
    rmdir(folder);
    return count;
}

/* This program again, as somebody would call it. */
static int start_again(void *arg)
{
    struct demo *d = arg;
    const char *argv[] = {"convert", "--tier", "threads", d->from, d->to, NULL};
    const struct rv_child_limit no_core = {RLIMIT_CORE, {0, 0}};
    const struct rv_child_opts opts = {
        .size = sizeof opts, .program = "/proc/self/exe", .limits = &no_core, .limit_count = 1};
    struct rv_child_io io = {0}; /* what it says, the processes have said above */
    struct rv_child_status status;
    int err = rv_child_run(argv, &opts, &io, &status, RV_NEVER);
    if (err < 0)
        return err;
    unsigned count = remove_folder(d->to);
    if (status.kind == RV_CHILD_KILLED)
        printf("the same on threads: the whole program was killed by SIG%s, after %u pictures\n",
               sigabbrev_np(status.signal), count);
    else
        printf("the same on threads: %u pictures converted\n", count);
    rv_child_io_fini(&io);
    return 0;
}

static int demonstrate(struct demo *d)
{
    struct tally tally;
    if (mkdir(d->from, 0777) < 0 || mkdir(d->to, 0777) < 0)
        return -errno;
    int err = gallery_make(d->from, DEMO_PICTURES, DEMO_PICTURES);
    if (err < 0)
        return err;
    printf("%d PNG pictures, one of them cut short, by a job that crashes there:\n", DEMO_PICTURES);
    err = work_run(&tally, d->from, d->to, "processes", false);
    if (err == 0) {
        show_tally(&tally);
        remove_folder(d->to);
        err = rv_run(start_again, d, NULL);
    }
    return err < 0 ? err : tally.converted == DEMO_PICTURES - 1 ? 0 : -EIO;
}

static int demo(void)
{
    const char *place = getenv("TMPDIR");
    struct demo d;
    snprintf(d.folder, sizeof d.folder, "%.40s/convert.XXXXXX", place ? place : "/tmp");
    if (!mkdtemp(d.folder)) {
        fprintf(stderr, "convert: %s: %s\n", d.folder, strerror(errno));
        return FAILED;
    }
    snprintf(d.from, sizeof d.from, "%s/from", d.folder);
    snprintf(d.to, sizeof d.to, "%s/to", d.folder);
    int err = demonstrate(&d);
    remove_folder(d.from);
    remove_folder(d.to);
    remove_folder(d.folder);
    if (err < 0)
        fprintf(stderr, "convert: the demonstration: %s\n", strerror(-err));
    return err < 0 ? FAILED : DONE;
}

int main(int argc, char **argv)
{
    struct options o;
    int status = options_parse(&o, argc, argv);
    if (status >= 0)
        return status;
    setvbuf(stdout, NULL, _IOLBF, 0); /* in its place among what the processes say */
    if (o.demo)
        status = demo();
    else if (o.make > 0)
        status = gallery_make(o.from, o.make, o.bad_every) < 0 ? FAILED : DONE;
    else
        status = convert(&o);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("convert: standard output cannot be written\n", stderr);
        return FAILED;
    }
    return status;
}
