/* SPDX-License-Identifier: MIT */
/* main.c - count the words below a directory on every tier of Ravel, and show what waiting costs.
 *
 * Begin with work.c: it is what a program that uses Ravel looks like. picture.c is the other half:
 * tasks that wait. chunk.c is the job itself, table.c holds its results, files.c finds the work.
 * The rest measures (measure.c) and shows (report.c, term.c). */
#include "measure.h"
#include "options.h"
#include "picture.h"
#include "report.h"
#include "term.h"

#include <errno.h>
#include <locale.h>
#include <string.h>

enum { DONE = 0, FAILED = 1, BAD_USAGE = 2 };

/* Find the files, measure every tier. Complains by itself. */
static int measure(struct results *ret, const struct options *o)
{
    int err = measure_survey(ret, o);
    if (err < 0)
        return err == -EINVAL ? BAD_USAGE : FAILED;
    progress_allow(o->json ? NULL : "reading: ");
    err = files_find(&ret->files, o->directory);
    if (err < 0) {
        fprintf(stderr, "wordfreq: %s: %s\n", o->directory, strerror(-err));
        return FAILED;
    }
    return measure_all(ret, o) < 0 ? FAILED : DONE;
}

static int show_picture(struct picture *ret, const struct options *o)
{
    if (o->count && !o->json)
        putchar('\n');
    int err = picture_run(ret, o->scale, o->json ? NULL : stdout);
    if (err < 0)
        fprintf(stderr, "wordfreq: the picture: %s\n", strerror(-err));
    return err < 0 ? FAILED : DONE;
}

static bool all_is_well(const struct results *r)
{
    for (size_t i = 0; i < r->tier_count; i++)
        if (!r->tiers[i].same || r->tiers[i].failed > 0)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    struct options o;
    static struct results results;
    struct picture picture;

    setlocale(LC_CTYPE, "");
    int status = options_parse(&o, argc, argv);
    if (status >= 0)
        return status;
    if (o.progress && o.tier)
        return measure_here(&o);

    setvbuf(stdout, NULL, _IOFBF, 16384); /* a frame of the picture leaves in one piece */
    if (o.count && (status = measure(&results, &o)) != DONE)
        return status;
    if (o.count && !o.json)
        report_table(stdout, o.directory, &results);
    if (o.picture && (status = show_picture(&picture, &o)) != DONE)
        return status;
    if (o.json)
        report_json(stdout, o.directory, o.count ? &results : NULL, o.picture ? &picture : NULL);
    files_free(&results.files);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("wordfreq: standard output cannot be written\n", stderr);
        return FAILED;
    }
    return all_is_well(&results) ? DONE : FAILED;
}
