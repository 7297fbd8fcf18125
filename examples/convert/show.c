/* SPDX-License-Identifier: MIT */
/* show.c - what people get to see: what was converted, and what became of the rest. */
#include "show.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_BYTES = 4096 };

/* What the program itself had said last: the line before the one in which Ravel tells of the end.
 * Cuts `words`. */
static const char *last_line(char *words)
{
    char *ours = strncmp(words, "ravel: ", 7) == 0 ? words : strstr(words, "\nravel: ");
    if (ours)
        *ours = '\0';
    size_t length = strlen(words);
    while (length > 0 && words[length - 1] == '\n')
        words[--length] = '\0';
    char *begin = strrchr(words, '\n');
    return begin ? begin + 1 : words;
}

void show_failure(const char *name, const struct rv_outcome *outcome, rv_future *f)
{
    char words[WORDS_BYTES];
    printf("%s: ", name);
    switch (outcome->kind) {
    case RV_OUTCOME_ERROR:
        printf("%s\n", strerror(-outcome->error));
        return;
    case RV_OUTCOME_SIGNAL:
        printf("killed by SIG%s", sigabbrev_np(outcome->signal));
        break;
    default:
        printf("%s", rv_outcome_word(outcome->kind));
    }
    rv_future_last_words(f, words, sizeof words);
    const char *line = last_line(words);
    printf("%s%s\n", *line ? ", its last words: " : "", line);
}

void show_tally(const struct tally *t)
{
    printf("%u of %u pictures converted on %s in %.2f s", t->converted, t->converted + t->failed,
           t->choice, (double)t->wall_ns / 1e9);
    if (t->stats.started > 0)
        printf("; %llu of %llu processes died", (unsigned long long)t->stats.deaths,
               (unsigned long long)t->stats.started);
    putchar('\n');
}
