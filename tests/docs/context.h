/* SPDX-License-Identifier: MIT */
/* context.h - what the fragments in the headers' comments and in the guide take for granted. */
#pragma once

#include <ravel.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct chunk {
    char text[64];
};
struct count {
    unsigned long words;
};

int fetch(void *url);
int serve(void *queue);
int next_item(int *ret);
void sample(int ticks);
int load_table(void *table);
int append(void *line);
int greet(struct rv_conn *conn, void *arg);
int keep_store(void *arg);
int keep_door(void *arg);

__attribute__((unused)) static int count_words(const struct chunk *in, struct count *out)
{
    out->words = in->text[0] != '\0';
    return 0;
}
RV_JOB(count_words, struct chunk, struct count);

extern struct chunk chunk;
extern char a[], b[], entry[];
extern rv_queue *q;
extern rv_future *f;
extern rv_chan *ch, *requests, *answers;
extern int request, answer;
extern struct rv_event stop;
