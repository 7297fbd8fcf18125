/* SPDX-License-Identifier: MIT */
/* cluster_dead.c - `ravel cluster dead`: tasks that had their last attempt, and what becomes of
 * them.
 *
 * Checked by: tests/cli/test_cluster.py, tests/cluster */
#include <ctype.h>
#include <errno.h>
#include <ravel/future.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/driver/json.h"
#include "cli/cluster_link.h"
#include "cli/cluster_words.h"

static const char usage[] =
    "usage: ravel cluster dead list [URL] [options]\n"
    "       ravel cluster dead retry|drop [URL] NUMBER... [options]\n"
    "       ravel cluster dead retry|drop [URL] --all [options]\n"
    "\n"
    "Tasks that had their last attempt are kept with what became of them. `retry` makes them "
    "tasks\n"
    "again, with all their attempts; their submitters have been told their end, and are not told\n"
    "another. `drop` forgets them.\n"
    "\n" CLUSTER_LINK_USAGE "  --json                the list as JSON\n"
    "  --all                 each that is there now\n"
    "\n"
    "Exit status: 0, 1 if there is no letter of such a number, 2 if it could not be done.\n";

enum { JSON = CLUSTER_OWN, ALL };
enum { LETTERS_AT_ONCE = 256 };

struct dead {
    struct cluster_link link;
    const char *verb;
    bool is_json, is_all;
    char **numbers;
    int number_count;
    char pool[RVI_ENGINE_NAME_BYTES];
    uint64_t seen; /* the last number that was listed */
    size_t count;
};

/* --- each letter in turn --- */

typedef int letter_fn(struct dead *dead, struct rvi_engine *e, const struct rvi_engine_letter *l);

/* Those that are there when it begins: what is given back may come again. */
static int each_letter(struct dead *dead, struct rvi_engine *e, letter_fn *act)
{
    struct rvi_engine_letters some = {0};
    int status = 0;
    bool has_more = true;

    while (status == 0 && has_more) {
        int r = rvi_engine_letters(e, dead->seen, LETTERS_AT_ONCE, &some,
                                   cluster_link_deadline(&dead->link));
        if (r < 0)
            return cli_unable("cannot read the dead letters: %s", strerror(-r));
        for (size_t i = 0; i < some.count && status == 0; i++) {
            status = act(dead, e, &some.list[i]);
            dead->seen = some.list[i].number;
            dead->count++;
        }
        has_more = some.count == LETTERS_AT_ONCE;
        rvi_engine_letters_drop(&some);
    }
    return status;
}

/* --- list --- */

static void put_clean(const char *text)
{
    for (; *text; text++)
        putchar(isprint((unsigned char)*text) ? *text : '?');
}

static void put_end(const struct rvi_engine_letter *l)
{
    fputs(rv_outcome_word((enum rv_outcome_kind)l->kind), stdout);
    if (l->kind == RV_OUTCOME_ERROR)
        printf(" (%s)", strerror(-l->error));
    if (l->kind == RV_OUTCOME_SIGNAL)
        printf(" %d (%s)", l->signal, strsignal(l->signal));
}

static int put_letter(struct dead *dead, struct rvi_engine *e, const struct rvi_engine_letter *l)
{
    char word[CLUSTER_WORD_BYTES];

    (void)dead;
    (void)e;
    printf("%llu  ", (unsigned long long)l->number);
    put_clean(l->job);
    printf(", %s", cluster_say_bytes(l->in_bytes, word));
    printf(" of input, build %s: ", cluster_say_build(l->build, word));
    put_end(l);
    printf(" after %u attempt%s, %s ago", l->attempts, l->attempts == 1 ? "" : "s",
           cluster_say_age(l->buried, cluster_now(), word));
    if (l->words[0]) {
        fputs("\n   ", stdout);
        put_clean(l->words);
    }
    putchar('\n');
    return 0;
}

static int put_json_letter(struct dead *dead, struct rvi_engine *e,
                           const struct rvi_engine_letter *l)
{
    (void)e;
    printf("%s{\"number\":%llu,\"id\":", dead->count ? "," : "", (unsigned long long)l->number);
    ck_put_json(stdout, l->id);
    fputs(",\"job\":", stdout);
    ck_put_json(stdout, l->job);
    fputs(",\"build\":", stdout);
    ck_put_json(stdout, l->build);
    printf(",\"attempts\":%u,\"in_bytes\":%llu,\"buried_ns\":%lld,\"outcome\":", l->attempts,
           (unsigned long long)l->in_bytes, (long long)l->buried);
    ck_put_json(stdout, rv_outcome_word((enum rv_outcome_kind)l->kind));
    printf(",\"error\":%d,\"signal\":%d,\"words\":", l->error, l->signal);
    ck_put_json(stdout, l->words);
    putchar('}');
    return 0;
}

static int list(struct dead *dead, struct rvi_engine *e)
{
    if (dead->is_json) {
        fputs("{\"pool\":", stdout);
        ck_put_json(stdout, dead->pool);
        fputs(",\"letters\":[", stdout);
    }
    int status = each_letter(dead, e, dead->is_json ? put_json_letter : put_letter);
    if (dead->is_json)
        puts("]}");
    else if (status == 0 && dead->count == 0)
        printf("pool \"%s\" has no dead letters\n", dead->pool);
    return status;
}

/* --- retry, drop --- */

static int exhume(struct dead *dead, struct rvi_engine *e, uint64_t number)
{
    bool is_retried = strcmp(dead->verb, "retry") == 0;
    int r = rvi_engine_exhume(e, number, is_retried, cluster_link_deadline(&dead->link));

    if (r == -ENOENT) {
        cli_unable("pool \"%s\" has no dead letter %llu", dead->pool, (unsigned long long)number);
        return CLI_FOUND;
    }
    if (r < 0)
        return cli_unable("dead letter %llu: %s", (unsigned long long)number, strerror(-r));
    printf("%llu %s\n", (unsigned long long)number,
           is_retried ? "is a task again" : "is forgotten");
    return 0;
}

/* Somebody else may have been faster. */
static int exhume_letter(struct dead *dead, struct rvi_engine *e, const struct rvi_engine_letter *l)
{
    int status = exhume(dead, e, l->number);

    return status == CLI_FOUND ? 0 : status;
}

static int exhume_named(struct dead *dead, struct rvi_engine *e)
{
    int status = 0;

    for (int i = 0; i < dead->number_count; i++) {
        char *end;
        errno = 0;
        uint64_t number = strtoull(dead->numbers[i], &end, 10);
        int r = *end || errno || !isdigit((unsigned char)dead->numbers[i][0])
                    ? cli_unable("%s is no number of a dead letter", dead->numbers[i])
                    : exhume(dead, e, number);
        status = r > status ? r : status;
    }
    return status;
}

/* --- the pool --- */

/* The only one, if none was named. */
static int choose_pool(struct dead *dead)
{
    struct rvi_engine_pools list = {0};
    struct rvi_engine *e = NULL;

    if (dead->link.pool) {
        snprintf(dead->pool, sizeof dead->pool, "%s", dead->link.pool);
        return 0;
    }
    int status = cluster_link_open(&dead->link, NULL, &e);
    if (status != 0)
        return status;
    int r = rvi_engine_pools(e, &list, cluster_link_deadline(&dead->link));
    rvi_engine_close(e, cluster_link_deadline(&dead->link));
    if (r < 0)
        status = cli_unable("cannot list pools: %s", strerror(-r));
    else if (list.count != 1)
        status = cli_unable("there %s; name one by --pool",
                            list.count ? "are several pools" : "is no pool");
    else
        snprintf(dead->pool, sizeof dead->pool, "%s", list.names[0]);
    rvi_engine_pools_drop(&list);
    return status;
}

static int act(struct dead *dead)
{
    struct rvi_engine *e = NULL;
    int status = choose_pool(dead);

    if (status == 0)
        status = cluster_link_open(&dead->link, dead->pool, &e);
    if (status != 0)
        return status;
    if (strcmp(dead->verb, "list") == 0)
        status = list(dead, e);
    else
        status = dead->is_all ? each_letter(dead, e, exhume_letter) : exhume_named(dead, e);
    rvi_engine_close(e, cluster_link_deadline(&dead->link));
    return fflush(stdout) == 0 && !ferror(stdout) ? status : CLI_UNABLE;
}

/* --- the command line --- */

static bool is_verb(const char *word)
{
    return strcmp(word, "list") == 0 || strcmp(word, "retry") == 0 || strcmp(word, "drop") == 0;
}

static int judge(const struct dead *dead)
{
    if (strcmp(dead->verb, "list") == 0)
        return dead->number_count == 0 && !dead->is_all
                   ? -1
                   : cli_unable("`ravel cluster dead list` lists all of a pool");
    if (dead->is_all == (dead->number_count > 0))
        return cli_unable("which ones? Name them by their numbers, or --all");
    return -1;
}

static int read_options(struct dead *dead, int argc, char **argv)
{
    static const struct option names[] = {CLUSTER_LINK_OPTIONS,
                                          {"json", no_argument, NULL, JSON},
                                          {"all", no_argument, NULL, ALL},
                                          {0}};
    int option, status = -1;

    while (status < 0 && (option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == JSON)
            dead->is_json = true;
        else if (option == ALL)
            dead->is_all = true;
        else
            status = cluster_link_take(&dead->link, option, optarg, usage, "dead");
    }
    if (status >= 0)
        return status;
    if (optind == argc || !is_verb(argv[optind])) {
        cli_unable("list, retry or drop?");
        return cluster_see_help("dead");
    }
    dead->verb = argv[optind++];
    if (optind < argc && strstr(argv[optind], "://"))
        dead->link.address = argv[optind++];
    dead->numbers = argv + optind;
    dead->number_count = argc - optind;
    return judge(dead);
}

int cluster_dead(int argc, char **argv)
{
    struct dead dead = {0};

    cluster_link_init(&dead.link);
    int status = read_options(&dead, argc, argv);
    if (status < 0) {
        status = cluster_link_find(&dead.link);
        if (status == 0)
            status = act(&dead);
    }
    cluster_link_fini(&dead.link);
    return status;
}
