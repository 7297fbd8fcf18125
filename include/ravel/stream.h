/* SPDX-License-Identifier: MIT */
/* stream.h - buffered reading and writing over anything that bytes come from or go to.
 *
 *     struct rv_reader in;
 *     struct rv_line line;
 *     int r;
 *     rv_reader_init(&in, rv_stream_fd(STDIN_FILENO), NULL, 0);
 *     while ((r = rv_reader_line(&in, &line, RV_NEVER)) > 0)
 *         printf("%.*s\n", (int)line.bytes, line.text);
 *     rv_reader_fini(&in);
 *
 * A stream is two functions and what they work on: a descriptor, a piece of memory, a TLS
 * connection, your own. A reader or a writer is its buffer, of a size that never changes, in the
 * caller's memory or allocated. Each belongs to one task at a time; the reader and the writer of
 * one stream may belong to two. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** Read some bytes of a stream.
 *
 * @param object    the stream's
 * @param buf       room for `count` bytes
 * @param count     at least 1
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes read, at least 1; 0 at the end; or -errno, and nothing was read */
typedef ssize_t rv_stream_read_fn(void *object, void *buf, size_t count, rv_time deadline);

/** Write some bytes to a stream.
 *
 * @param object    the stream's
 * @param buf       `count` bytes
 * @param count     at least 1
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes written, at least 1; or -errno, and nothing was written */
typedef ssize_t rv_stream_write_fn(void *object, const void *buf, size_t count, rv_time deadline);

/** Write some bytes to a stream, from several places.
 *
 * @param object     the stream's
 * @param iov        the places; the first is not empty
 * @param iov_count  at least 1
 * @param deadline   absolute nanoseconds, or RV_NEVER
 * @return bytes written, at least 1; or -errno, and nothing was written */
typedef ssize_t rv_stream_writev_fn(void *object, const struct iovec *iov, int iov_count,
                                    rv_time deadline);

/** What a kind of stream can do; one constant object a kind. */
struct rv_stream_ops {
    size_t size;                 /* sizeof(struct rv_stream_ops) */
    rv_stream_read_fn *read;     /* NULL: cannot be read from */
    rv_stream_write_fn *write;   /* NULL: cannot be written to */
    rv_stream_writev_fn *writev; /* NULL: one place at a time, by write */
};

/** Where bytes come from, or go to: passed by value. */
struct rv_stream {
    const struct rv_stream_ops *ops; /* of its kind */
    void *object;                    /* which one: handed to each of them */
};

/** The stream of a descriptor's position: rv_read() and rv_write().
 *
 * @param fd  any descriptor; it stays the caller's to close
 * @return the stream
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: fd, while the stream is used */
RV_API struct rv_stream rv_stream_fd(int fd);

/** A piece of memory that is read or written as a stream. */
struct rv_memory {
    char *data;   /* the caller's; reading alone never writes there */
    size_t bytes; /* how many are in it: writing appends to them */
    size_t room;  /* how many it can hold; only writing looks */
    size_t at;    /* how many of them have been read */
};

/** The stream of a piece of memory. It ends where the memory's bytes do; writing beyond its room is
 * -ENOSPC.
 *
 * @param memory  settled by the caller
 * @return the stream
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: memory and its data, while the stream is used */
RV_API struct rv_stream rv_stream_memory(struct rv_memory *memory);

/* ---- reading ---- */

/** What is read from a stream and not yet taken. */
struct rv_reader {
    uint64_t opaque[8];
};

/** One line, or other piece that a delimiter ends: a view of the reader's buffer. */
struct rv_line {
    const char *text; /* no NUL behind it, and any bytes in it; gone with the reader's next call */
    size_t bytes;     /* without the delimiter */
    int is_ended;     /* 0: the stream ended instead of a delimiter */
};

/** The buffer's size where the caller names none. */
#define RV_STREAM_BYTES ((size_t)16 << 10)

/** Make a reader.
 *
 * @param reader  caller's memory
 * @param from    the stream; an -errno that it gives is handed on and not remembered
 * @param buf     room for `bytes` bytes; NULL: allocated when it is needed
 * @param bytes   the buffer's size, the longest line with its delimiter; 0 with a buf of NULL:
 *                RV_STREAM_BYTES
 * Errors:  none
 * Blocks:  no
 * Threads: any, before others see it
 * Lifetime: until rv_reader_fini, and buf as long */
RV_API void rv_reader_init(struct rv_reader *reader, struct rv_stream from, void *buf,
                           size_t bytes);

/** Be done with a reader. What is still in its buffer is dropped; the stream stays open.
 *
 * @param reader  one that was made
 * Errors:  none
 * Blocks:  no
 * Threads: any, when nobody uses it
 * Lifetime: ends that of the reader */
RV_API void rv_reader_fini(struct rv_reader *reader);

/** Give an allocated buffer back for the time being, if nothing is in it: so that whoever waits for
 * long (with rv_poll()) holds no memory.
 *
 * @param reader  the reader; its next call allocates again
 * Errors:  none; a buffer that is not empty, or the caller's, stays
 * Blocks:  no
 * Threads: any, one at a time
 * Lifetime: ends that of views of the buffer */
RV_API void rv_reader_rest(struct rv_reader *reader);

/** Read what there is, at least one byte. A count that the buffer would not hold goes straight to
 * the caller's room.
 *
 * What is buffered is given by this and the calls below even when the deadline has passed or the
 * scope is cancelled: only what has to be waited for can fail. After an error nothing is lost, and
 * the call may be made again. The end is told once, by the call that has nothing else to give; the
 * next one asks the stream anew, which is how a file that grows is followed.
 *
 * @param reader    the reader
 * @param buf       room for `count` bytes
 * @param count     bytes wanted at most
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes read; 0 at the end, or when count is 0
 * Errors:  those of the stream: -ETIME deadline; -ECANCELED scope cancelled, and others; -ENOMEM
 *          no buffer; -EBADF the stream cannot be read
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads; one at a time
 * Lifetime: buf until return */
RV_API RV_NODISCARD ssize_t rv_reader_read(struct rv_reader *reader, void *buf, size_t count,
                                           rv_time deadline);

/** Read exactly so many bytes.
 *
 * @param reader    the reader
 * @param buf       room for `count` bytes
 * @param count     bytes wanted
 * @param ret_done  how many of them were read, whatever the result; NULL: not asked for
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0: all were
 * Errors:  -ENODATA the stream has ended before; others as rv_reader_read. What was read until then
 *          is in buf: see ret_done
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads; one at a time
 * Lifetime: buf until return */
RV_API RV_NODISCARD int rv_reader_read_all(struct rv_reader *reader, void *buf, size_t count,
                                           size_t *ret_done, rv_time deadline);

/** Look at what comes next without taking it: rv_reader_consume() takes it.
 *
 * @param reader    the reader
 * @param at_least  so many bytes are waited for; 0: what is buffered
 * @param ret       the bytes, in the reader's buffer
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes at *ret, at_least or more; fewer only at the end of the stream
 * Errors:  -EMSGSIZE at_least is more than the buffer's size; others as rv_reader_read
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads; one at a time
 * Lifetime: *ret until the reader's next call; rv_reader_consume leaves it */
RV_API RV_NODISCARD ssize_t rv_reader_peek(struct rv_reader *reader, size_t at_least,
                                           const char **ret, rv_time deadline);

/** Take bytes that were seen.
 *
 * @param reader  the reader
 * @param bytes   no more than rv_reader_buffered(): else a misuse that stops the program
 * Errors:  none
 * Blocks:  no
 * Threads: any, one at a time
 * Lifetime: nothing is held */
RV_API void rv_reader_consume(struct rv_reader *reader, size_t bytes);

/** How much is read and not yet taken.
 *
 * @param reader  the reader
 * @return bytes
 * Errors:  none
 * Blocks:  no
 * Threads: any, one at a time
 * Lifetime: nothing is held */
RV_API size_t rv_reader_buffered(const struct rv_reader *reader);

/** Take the next piece that a delimiter ends, in place.
 *
 * The delimiter is taken with it. A last piece without one is a piece too, told apart by
 * ret->is_ended; a stream that ends with a delimiter has no empty piece behind it.
 *
 * A piece that is too long stays where it is. Take it in parts by rv_reader_peek() and
 * rv_reader_consume(), or drop it by rv_reader_skip_until(), and go on.
 *
 * @param reader     the reader
 * @param delimiter  a byte
 * @param max        most bytes, without the delimiter; the buffer's size is a limit as well, then
 *                   with the delimiter
 * @param ret        the piece; untouched unless 1 is returned
 * @param deadline   absolute nanoseconds, or RV_NEVER
 * @return 1: *ret is a piece; 0: the stream has ended
 * Errors:  -EMSGSIZE the piece is too long: nothing of it was taken; others as rv_reader_read
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads; one at a time
 * Lifetime: ret->text until the reader's next call */
RV_API RV_NODISCARD int rv_reader_until(struct rv_reader *reader, char delimiter, size_t max,
                                        struct rv_line *ret, rv_time deadline);

/** Drop everything up to a delimiter and the delimiter itself, however much that is.
 *
 * @param reader     the reader
 * @param delimiter  a byte
 * @param deadline   absolute nanoseconds, or RV_NEVER
 * @return 1: it was found; 0: the stream has ended before
 * Errors:  as rv_reader_read; what was dropped until then is gone
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads; one at a time
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_reader_skip_until(struct rv_reader *reader, char delimiter,
                                             rv_time deadline);

/** Take the next line, of any length that the buffer holds.
 *
 * @param reader    the reader
 * @param ret       the line without its newline; untouched unless 1 is returned
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 1: *ret is a line; 0: the stream has ended
 * Errors:  as rv_reader_until
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads; one at a time
 * Lifetime: ret->text until the reader's next call */
RV_NODISCARD static inline int rv_reader_line(struct rv_reader *reader, struct rv_line *ret,
                                              rv_time deadline)
{
    return rv_reader_until(reader, '\n', SIZE_MAX, ret, deadline);
}

/* ---- writing ---- */

/** What is to be written to a stream. */
struct rv_writer {
    uint64_t opaque[9];
};

/** Make a writer.
 *
 * @param writer  caller's memory
 * @param to      the stream
 * @param buf     room for `bytes` bytes; NULL: allocated when it is needed
 * @param bytes   the buffer's size; 0 with a buf of NULL: RV_STREAM_BYTES
 * Errors:  none
 * Blocks:  no
 * Threads: any, before others see it
 * Lifetime: until rv_writer_fini, and buf as long */
RV_API void rv_writer_init(struct rv_writer *writer, struct rv_stream to, void *buf, size_t bytes);

/** Be done with a writer. What was not flushed is dropped; the stream stays open.
 *
 * @param writer  one that was made
 * Errors:  none
 * Blocks:  no
 * Threads: any, when nobody uses it
 * Lifetime: ends that of the writer */
RV_API void rv_writer_fini(struct rv_writer *writer);

/** Give an allocated buffer back for the time being, if nothing is in it.
 *
 * @param writer  the writer; its next call allocates again
 * Errors:  none; a buffer that is not empty, or the caller's, stays
 * Blocks:  no
 * Threads: any, one at a time
 * Lifetime: nothing is held */
RV_API void rv_writer_rest(struct rv_writer *writer);

/** Write bytes: into the buffer while they fit, and on to the stream when it is full, which is how
 * a slow receiver holds up its sender. What is larger than the buffer goes to the stream in one
 * vectored call with what was buffered.
 *
 * Errors stay: once a call has failed, all later ones return the same and write nothing, so that a
 * stream never has a hole, and whoever writes in many small calls may look at the last alone.
 * rv_writer_clear() ends that. Of a failed call that fits into the buffer nothing was taken; of a
 * larger one, rv_writer_total() tells how much. What was taken before is still there and leaves
 * with the next flush.
 *
 * @param writer    the writer
 * @param data      `count` bytes
 * @param count     any number
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0: all are buffered or written
 * Errors:  those of the stream: -ETIME deadline; -ECANCELED scope cancelled; -EPIPE nobody reads
 *          any more, and others; -ENOMEM no buffer; -EBADF the stream cannot be written;
 *          -EIO it takes nothing and does not say why
 * Blocks:  the task, never its thread; not while the buffer has room
 * Threads: any task of any worker, plain threads; one at a time
 * Lifetime: data until return */
RV_API RV_NODISCARD int rv_writer_write(struct rv_writer *writer, const void *data, size_t count,
                                        rv_time deadline);

/** Write formatted text, by the rules of rv_writer_write.
 *
 * @param writer    the writer
 * @param deadline  absolute nanoseconds, or RV_NEVER; not the last here, as the values have to be
 * @param format    as printf(3), its values behind it
 * @return 0
 * Errors:  as rv_writer_write; -ENOMEM also for a text that is longer than the buffer; -EILSEQ and
 *          others of vsnprintf(3)
 * Blocks:  the task, never its thread; not while the buffer has room
 * Threads: any task of any worker, plain threads; one at a time
 * Lifetime: the values until return */
RV_API RV_NODISCARD int rv_writer_printf(struct rv_writer *writer, rv_time deadline,
                                         const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Write formatted text whose values come as a list.
 *
 * @param writer    the writer
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @param format    as printf(3)
 * @param values    as vprintf(3)
 * @return 0
 * Errors:  as rv_writer_printf
 * Blocks:  the task, never its thread; not while the buffer has room
 * Threads: any task of any worker, plain threads; one at a time
 * Lifetime: the values until return */
RV_API RV_NODISCARD int rv_writer_vprintf(struct rv_writer *writer, rv_time deadline,
                                          const char *format, va_list values)
    __attribute__((format(printf, 3, 0)));

/** Write everything that is buffered to the stream.
 *
 * @param writer    the writer
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0: the buffer is empty
 * Errors:  as rv_writer_write; what has not gone stays buffered
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads; one at a time
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_writer_flush(struct rv_writer *writer, rv_time deadline);

/** Forget that a call has failed, to try again: after a deadline, or where there is room again.
 *
 * @param writer  the writer
 * @return 0, or the -errno that is forgotten
 * Errors:  see @return
 * Blocks:  no
 * Threads: any, one at a time
 * Lifetime: nothing is held */
RV_API int rv_writer_clear(struct rv_writer *writer);

/** How much is taken and not yet written to the stream.
 *
 * @param writer  the writer
 * @return bytes
 * Errors:  none
 * Blocks:  no
 * Threads: any, one at a time
 * Lifetime: nothing is held */
RV_API size_t rv_writer_buffered(const struct rv_writer *writer);

/** How much was ever taken, buffered or written.
 *
 * @param writer  the writer
 * @return bytes
 * Errors:  none
 * Blocks:  no
 * Threads: any, one at a time
 * Lifetime: nothing is held */
RV_API uint64_t rv_writer_total(const struct rv_writer *writer);

RV_END_DECLS
