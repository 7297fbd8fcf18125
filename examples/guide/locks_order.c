/* SPDX-License-Identifier: MIT */
/* locks_order.c - who needs two locks takes them in an order that all keep:
 * by address. */
#include <ravel.h>
#include <stdint.h>
#include <stdio.h>

struct account {
    struct rv_mutex lock;
    long balance; /* by lock */
};

static struct account ann = {RV_MUTEX_INIT, 1000}, ben = {RV_MUTEX_INIT, 1000};

static int lock_both(struct account *a, struct account *b)
{
    struct account *first = (uintptr_t)a < (uintptr_t)b ? a : b;
    struct account *second = first == a ? b : a;
    int r = rv_mutex_lock(&first->lock, RV_NEVER);
    if (r < 0)
        return r;
    r = rv_mutex_lock(&second->lock, RV_NEVER);
    if (r < 0)
        rv_mutex_unlock(&first->lock);
    return r;
}

static int transfer(struct account *from, struct account *to, long amount)
{
    int r = lock_both(from, to);
    if (r < 0)
        return r;
    from->balance -= amount;
    to->balance += amount;
    rv_mutex_unlock(&from->lock);
    rv_mutex_unlock(&to->lock);
    return 0;
}

static int ann_to_ben(void *arg)
{
    int r = 0;
    for (int i = 0; i < 1000 && r == 0; i++)
        r = transfer(&ann, &ben, 3);
    return r;
}

static int ben_to_ann(void *arg)
{
    int r = 0;
    for (int i = 0; i < 1000 && r == 0; i++)
        r = transfer(&ben, &ann, 2);
    return r;
}

static int entry(void *arg)
{
    int err;
    RV_SCOPE(s, err) {
        int r = rv_go(s, ann_to_ben, NULL);
        if (r == 0)
            r = rv_go(s, ben_to_ann, NULL);
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    printf("ann %ld, ben %ld\n", ann.balance, ben.balance);
    return err;
}

int main(void)
{
    return rv_run(entry, NULL, NULL) < 0;
}
