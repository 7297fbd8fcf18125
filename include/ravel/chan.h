/* SPDX-License-Identifier: MIT */
/* chan.h - bounded channels: items of one size, copied in and out, first in first out.
 *
 * A channel costs three cache lines and, for each item of its capacity, the item's bytes rounded up
 * to a multiple of 8, and 8 more. rv_select (select.h) waits at several. */
#pragma once

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** A channel. Sent items wait in it, in order, until they are received. */
typedef struct rv_chan rv_chan;

/** Make a channel.
 *
 * @param ret         the channel
 * @param item_bytes  size of one item; 0 is a channel of bare signals
 * @param capacity    items it holds; 0 hands each item from sender to receiver directly
 * @return 0
 * Errors:  -ENOMEM; -EOVERFLOW item_bytes times capacity is more than an address can count
 * Blocks:  no
 * Threads: any
 * Lifetime: until rv_chan_free */
RV_API RV_NODISCARD int rv_chan_new(rv_chan **ret, size_t item_bytes, size_t capacity);

/** Free a channel that nobody is using; items still inside are dropped.
 *
 * @param ch  NULL does nothing; one that somebody waits on is a misuse that stops the program
 * @return NULL
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: ends it */
RV_API rv_chan *rv_chan_free(rv_chan *ch);

/** Send one item, waiting while the channel is full.
 *
 * @param ch        the channel
 * @param item      copied: rv_chan_item_bytes(ch) bytes
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0; the item is in the channel or with a receiver. On error it is not.
 * Errors:  -EPIPE closed; -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the
 *          timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep ch alive until return */
RV_API RV_NODISCARD int rv_chan_send(rv_chan *ch, const void *item, rv_time deadline);

/** Send one item if that needs no waiting.
 *
 * @param ch    the channel
 * @param item  copied
 * @return 0; the item is in the channel or with a receiver
 * Errors:  -EAGAIN full; -EPIPE closed
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_chan_try_send(rv_chan *ch, const void *item);

/** Receive one item, waiting while the channel is empty.
 *
 * @param ch        the channel
 * @param ret_item  receives rv_chan_item_bytes(ch) bytes; untouched on error
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0; the item is the caller's
 * Errors:  -EPIPE closed and empty; -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room
 *          for the timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep ch alive until return */
RV_API RV_NODISCARD int rv_chan_recv(rv_chan *ch, void *ret_item, rv_time deadline);

/** Receive one item if that needs no waiting.
 *
 * @param ch        the channel
 * @param ret_item  receives the item; untouched on error
 * @return 0; the item is the caller's
 * Errors:  -EAGAIN empty; -EPIPE closed and empty
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_chan_try_recv(rv_chan *ch, void *ret_item);

/** Close a channel: nothing more goes in; what is inside can still be received.
 *
 * Waiting senders and, once it is empty, waiting receivers return -EPIPE. Closing twice is the same
 * as once.
 *
 * @param ch  the channel
 * Errors:  none; works in a cancelled task
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: ch stays until rv_chan_free */
RV_API void rv_chan_close(rv_chan *ch);

/** The size of one item.
 *
 * @param ch  the channel
 * @return bytes
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API size_t rv_chan_item_bytes(const rv_chan *ch);

/** How many items are inside at the moment.
 *
 * @param ch  the channel
 * @return items; others may change it at once
 * Errors:  none
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API size_t rv_chan_count(rv_chan *ch);

/** Give a channel a name, by which `ravel ps`, `tree` and `top` tell how much is in it.
 *
 * @param ch    the channel
 * @param name  copied, cut to 63 bytes; NULL: none any more
 * @return 0
 * Errors:  -ENOMEM: it keeps the name that it had
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_chan_rename(rv_chan *ch, const char *name);

RV_END_DECLS
