/* SPDX-License-Identifier: MIT */
/* queue.h - a queue of work: put, get, done, join, in the meaning that Python's queue.Queue gave
 * them.
 *
 * What has been put is unfinished until somebody who got it says done; join waits until nothing is
 * unfinished. A daemon is a task in a scope that gets and does for ever and is cancelled when the
 * queue has been joined:
 *
 *     int err, item, r = 0;
 *     RV_SCOPE (daemons, err) {
 *         r = rv_go(daemons, serve, q);
 *         while (r == 0 && next_item(&item))
 *             r = rv_queue_put(q, &item, RV_NEVER);
 *         if (r == 0)
 *             r = rv_queue_join(q, RV_NEVER);
 *         rv_scope_cancel(daemons, -ECANCELED);
 *     } // err is -ECANCELED, as asked for; r is what matters
 *
 * A queue can be shared by this program's worker processes: rv_queue_new_shared makes it, its
 * struct rv_queue_ref travels in a job's input, and rv_queue_attach gives the job a handle for the
 * calls below. If a process ends, by whatever signal and in the middle of whatever call, what it
 * had put is there, and what it had got and not said done goes back and is got again by somebody
 * else:
 *
 *     struct page { int number; };
 *     struct report { long pages; };
 *
 *     static int count_pages(const struct rv_queue_ref *in, struct report *out)
 *     {
 *         struct page page;
 *         rv_queue *q;
 *         int r = rv_queue_attach(&q, *in);
 *         if (r < 0)
 *             return r;
 *         while (r == 0 && (r = rv_queue_get(q, &page, RV_NEVER)) == 0) {
 *             out->pages++;
 *             r = rv_queue_done(q);
 *         }
 *         rv_queue_free(q);
 *         return r; // -EPIPE: the queue was closed
 *     }
 *     RV_JOB(count_pages, struct rv_queue_ref, struct report);
 *
 * Shared, it differs in this:
 *   - its capacity counts what is unfinished, because what was got may have to go back: a put also
 *     waits for room when all of it is being worked on;
 *   - what goes back is got before all else, the oldest first; so order is kept but for what others
 *     had got meanwhile;
 *   - done is about the oldest item that the calling task or plain thread has got from this handle
 *     and not said done; if it has none, about the oldest that anybody has got from this handle;
 *   - a closed queue whose last items are being worked on is empty: get says -EPIPE. If they go
 *     back they can be got again, and join waits for them;
 *   - rv_select does not take it: -EOPNOTSUPP. A task that gets from it and sends into a channel
 *     makes up for that.
 *
 * A queue can lie in a cluster's engine (ravel/cluster.h), under a name. rv_queue_open gets a
 * handle on it in any program on any machine, and makes it if nobody has; it outlives them all,
 * until rv_queue_drop:
 *
 *     rv_queue *lines;
 *     int r = rv_queue_open(&lines, "cluster:nats://host:4222/pool/lines", sizeof(chunk), 10000,
 *                           NULL);
 *     while (r == 0 && (r = rv_queue_get(lines, &chunk, RV_NEVER)) == 0) {
 *         r = append(&chunk);
 *         if (r == 0)
 *             r = rv_queue_done(lines);
 *     }
 *
 * It differs as a shared one does, and in this:
 *   - an item is delivered at least once. Who has got it has it for some seconds, and longer as
 *     long as his program lives and reaches the engine; otherwise it goes back. It may be got again
 *     though it was done, if the engine did not hear of that before it crashed;
 *   - what was put lies in the engine's files before rv_queue_put returns 0. If that returns -ETIME
 *     or -ECANCELED instead, it may be in all the same;
 *   - rv_queue_close is about this handle alone: nothing more is put through it, and get says
 *     -EPIPE when nothing can be had, which it finds out within half a second. The queue is open
 *     for others, and for this program when it opens it anew;
 *   - rv_queue_try_put, rv_queue_try_get and rv_queue_stats_read wait for the engine's answer, some
 *     seconds at most: -ETIME if it is away. All calls wait while it is away, and go on when it is
 *     back;
 *   - who waits for room or for the end asks for it now and then: up to 200 ms pass until he sees
 *     it;
 *   - an item of another size than the handle's is taken out, and get says -EBADMSG. */
#pragma once

#include <ravel/cluster.h>
#include <ravel/def.h>
#include <ravel/shm.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** A queue of work, which also counts what has been put and is not yet done. */
typedef struct rv_queue rv_queue;

/** Make a queue between the tasks and threads of this process.
 *
 * @param ret         the queue
 * @param item_bytes  size of one item, at least 1
 * @param capacity    items it holds, at least 1: there is no unbounded queue
 * @return 0
 * Errors:  -EINVAL a size of 0; -EOVERFLOW their product is more than an address can count; -ENOMEM
 * Blocks:  no
 * Threads: any
 * Lifetime: until rv_queue_free */
RV_API RV_NODISCARD int rv_queue_new(rv_queue **ret, size_t item_bytes, size_t capacity);

/** Make a queue that this program's worker processes can share.
 *
 * An item is in one process's hands at a time, by one atomic write (Friedman, Herlihy, Marathe and
 * Petrank 2018), so that a process may be killed at any instruction.
 *
 * @param ret         a handle on the queue, for this process
 * @param item_bytes  size of one item, at least 1; without pointers, which mean nothing elsewhere
 * @param capacity    unfinished items that it holds, 1 to some million
 * @return 0
 * Errors:  -EINVAL a size of 0; -EOVERFLOW it cannot hold as much; -EOPNOTSUPP in a worker process;
 *          -ENOMEM, -EMFILE, -ENFILE; -ENOSYS or -EPERM a filter refuses shared memory
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: until rv_queue_free, after which nobody attaches any more; handles that others have
 *           live on */
RV_API RV_NODISCARD int rv_queue_new_shared(rv_queue **ret, size_t item_bytes, size_t capacity);

/** Which queue: a value, to be sent to worker processes. All zeros: none. */
struct rv_queue_ref {
    struct rv_shm memory; /* that it lies in */
};

/** Find out the value by which others attach to a queue.
 *
 * @param q    a shared queue
 * @param ret  its value, the same for all handles
 * @return 0
 * Errors:  -EINVAL the queue is not shared
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: good until the handle that rv_queue_new_shared has made is freed */
RV_API RV_NODISCARD int rv_queue_ref_of(rv_queue *q, struct rv_queue_ref *ret);

/** Get a handle on a shared queue.
 *
 * @param ret  the handle: what is got through it is remembered with it
 * @param ref  from rv_queue_ref_of
 * @return 0
 * Errors:  -ENOENT there is no such queue, or no longer; -EBADMSG the memory holds none; -EUSERS
 *          256 handles are open, in all processes; -ENOMEM, -EMFILE; -EPIPE the parent is going
 * Blocks:  in a worker process, the first time: the thread, until the parent has answered
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: until rv_queue_free; in a worker process before the job that asked returns */
RV_API RV_NODISCARD int rv_queue_attach(rv_queue **ret, struct rv_queue_ref ref);

/** Get a handle on a queue of a cluster, which is made if it is not there.
 *
 * @param ret         the handle: what is got through it is remembered with it
 * @param address     "cluster:nats://host:4222/pool/name"; "cluster:name" in the pool that
 *                    RAVEL_CLUSTER names. Names: 1 to 63 letters, digits, - and _
 * @param item_bytes  size of one item, 1 to 512 KiB; without pointers, which mean nothing elsewhere
 * @param capacity    unfinished items that it holds, at least 1; who makes it decides
 * @param opts        who one is, and how long connecting may take; the rest is about jobs. NULL:
 *                    the defaults. Read before return
 * @return 0
 * Errors:  -EINVAL a size of 0, no such address, no such name; -EMSGSIZE item_bytes; -E2BIG unknown
 *          options; -EPROTONOSUPPORT, -ENOSYS no engine of that kind in this build, or its library
 *          is not installed; -EOPNOTSUPP it has no queues; -ECONNREFUSED, -EHOSTUNREACH nobody is
 *          there; -EACCES it knows us not; -EPROTO it is too old; -ETIME; -ECANCELED scope
 *          cancelled; -EAGAIN no thread could be started; -EMFILE; -ENOMEM
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: until rv_queue_free; the queue itself until rv_queue_drop */
RV_API RV_NODISCARD int rv_queue_open(rv_queue **ret, const char *address, size_t item_bytes,
                                      size_t capacity, const struct rv_cluster_opts *opts);

/** Remove a queue of a cluster, with all that is in it, for everybody. Handles stay, and are to be
 * freed; through others that are open nothing is put or got until somebody makes it anew.
 *
 * @param q         a handle on it
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0 it is gone
 * Errors:  -EINVAL it is no cluster's; -ETIME deadline, -ECANCELED scope cancelled: it may be gone
 *          all the same; -EACCES; -ENOMEM
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep q alive until return */
RV_API RV_NODISCARD int rv_queue_drop(rv_queue *q, rv_time deadline);

/** Free a queue that nobody is using; items still inside are dropped. Of one that is
 * shared or a cluster's, let go of this handle: what was got through it and not said done goes
 * back.
 *
 * @param q  NULL does nothing; one that somebody waits on is a misuse that stops the program
 * @return NULL
 * Errors:  none
 * Blocks:  no; the thread for a moment, if tasks have waited for a shared one, or until a cluster's
 *          engine has heard what is left to be said, a second at most
 * Threads: any
 * Lifetime: ends it */
RV_API rv_queue *rv_queue_free(rv_queue *q);

/** Put one item, waiting while the queue is full; it is unfinished from then on.
 *
 * @param q         the queue
 * @param item      copied
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0; the item is in. On error it is not.
 * Errors:  -EPIPE closed; -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the
 *          timer; of a shared queue also -EBADMSG a process has written over its memory
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep q alive until return */
RV_API RV_NODISCARD int rv_queue_put(rv_queue *q, const void *item, rv_time deadline);

/** Put one item if that needs no waiting.
 *
 * @param q     the queue
 * @param item  copied
 * @return 0; the item is in
 * Errors:  -EAGAIN full; -EPIPE closed; -EBADMSG as rv_queue_put
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_queue_try_put(rv_queue *q, const void *item);

/** Get one item, waiting while the queue is empty. Say rv_queue_done when its work is done.
 *
 * @param q         the queue
 * @param ret_item  receives the item; untouched on error
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0; the item is the caller's to do
 * Errors:  -EPIPE closed and empty; -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room
 *          for the timer; of a shared queue also -EBADMSG a process has written over its memory
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep q alive until return */
RV_API RV_NODISCARD int rv_queue_get(rv_queue *q, void *ret_item, rv_time deadline);

/** Get one item if that needs no waiting.
 *
 * @param q         the queue
 * @param ret_item  receives the item; untouched on error
 * @return 0; the item is the caller's to do
 * Errors:  -EAGAIN empty; -EPIPE closed and empty; -EBADMSG as rv_queue_get
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_queue_try_get(rv_queue *q, void *ret_item);

/** Say that the work of one item got before is done.
 *
 * @param q  the queue
 * @return 0
 * Errors:  -EINVAL more were said done than were put, or of a shared queue got through this handle;
 *          -EBADMSG as rv_queue_get
 * Blocks:  no; works in a cancelled task
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_queue_done(rv_queue *q);

/** Wait until everything put so far, and whatever is put meanwhile, is done.
 *
 * @param q         the queue
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0 nothing is unfinished
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep q alive until return */
RV_API RV_NODISCARD int rv_queue_join(rv_queue *q, rv_time deadline);

/** Close a queue: nothing more is put; what is inside can still be got and joined.
 *
 * @param q  the queue; closing twice is the same as once
 * Errors:  none; works in a cancelled task
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: q stays until rv_queue_free */
RV_API void rv_queue_close(rv_queue *q);

/** How much is in a queue. */
struct rv_queue_stats {
    size_t size;       /* sizeof(struct rv_queue_stats); in: what the caller knows */
    size_t waiting;    /* put and not yet got */
    size_t unfinished; /* put and not yet done, those waiting included */
};

/** Count a queue's items.
 *
 * @param q      the queue
 * @param stats  size set by the caller; the rest is filled in, others may change the truth at once
 * @return 0
 * Errors:  -EINVAL stats->size is too small
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_queue_stats_read(rv_queue *q, struct rv_queue_stats *stats);

/** Give a queue a name, by which `ravel ps`, `tree` and `top` tell how much is in it, of one
 * that is a cluster's only that it is there.
 *
 * @param q     the queue
 * @param name  copied, cut to 63 bytes; NULL: none any more
 * @return 0
 * Errors:  -ENOMEM: it keeps the name that it had
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_queue_rename(rv_queue *q, const char *name);

RV_END_DECLS
