/* SPDX-License-Identifier: MIT */
/* pictures.c - reads traces, and has their pictures written.
 *
 * Checked by: tests/look/test_trace_page.py */
#include "cli/pictures.h"

#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "timeline/page.h"
#include "timeline/story.h"

static int read_story(FILE *json, const char *name, struct tl_story **ret)
{
    char why[160];

    return tl_story_read(json, ret, why, sizeof why) < 0 ? cli_unable("%s: %s", name, why)
                                                         : CLI_FINE;
}

static int read_file(const char *name, struct tl_story **ret)
{
    FILE *json = fopen(name, "re");

    if (!json)
        return cli_unable("%s: %s", name, strerror(errno));
    int status = read_story(json, name, ret);
    fclose(json);
    return status;
}

static int put_page(FILE *to, struct tl_story *const *stories, size_t count,
                    const struct tl_choice *choice)
{
    (void)count;
    (void)choice;
    return tl_put_page(to, stories[0]);
}

typedef int put_fn(FILE *to, struct tl_story *const *stories, size_t count,
                   const struct tl_choice *choice);

static int write_picture(const char *name, put_fn *put, struct tl_story *const *stories,
                         size_t count, const struct tl_choice *choice)
{
    FILE *file = fopen(name, "we");

    if (!file)
        return cli_unable("%s: %s", name, strerror(errno));
    int r = put(file, stories, count, choice);
    if (r == 0 && (fflush(file) != 0 || ferror(file)))
        r = errno ? -errno : -EIO;
    if (fclose(file) != 0 && r == 0)
        r = -errno;
    if (r == -ENOENT)
        return cli_unable("%s: no task %sran in what was recorded", name,
                          choice->has_times || choice->tasks ? "that was chosen " : "");
    return r < 0 ? cli_unable("%s: %s", name, strerror(-r)) : CLI_FINE;
}

static int write_all(const struct cli_pictures *wanted, struct tl_story *const *stories,
                     size_t count)
{
    int status = CLI_FINE;

    if (wanted->html)
        status = write_picture(wanted->html, put_page, stories, count, &wanted->choice);
    if (wanted->sequence && status == CLI_FINE)
        status = write_picture(wanted->sequence, tl_put_sequence, stories, count, &wanted->choice);
    return status;
}

int cli_make_pictures(const struct cli_pictures *wanted, FILE *json)
{
    struct tl_story *stories[CLI_PICTURE_SOURCES] = {NULL};
    size_t count = json ? 1 : wanted->from_count;
    int status = json ? read_story(json, "what was recorded", &stories[0]) : CLI_FINE;

    for (size_t i = 0; !json && i < count && status == CLI_FINE; i++)
        status = read_file(wanted->from[i], &stories[i]);
    if (status == CLI_FINE)
        status = write_all(wanted, stories, count);
    for (size_t i = 0; i < count; i++)
        tl_story_free(stories[i]);
    return status;
}
