/* SPDX-License-Identifier: MIT */
/* tls.h - TLS over a connected socket, by OpenSSL 3.
 *
 *     rv_tls_config *config;
 *     rv_tls *tls;
 *     struct rv_tls_flaw flaw;
 *     const struct rv_tls_opts opts = {.size = sizeof(opts), .ret_flaw = &flaw};
 *     rv_time deadline = rv_after(10 * RV_SECOND);
 *     int fd = rv_dial("tcp", "example.org:443", deadline);
 *     int r = rv_tls_config_new(&config, NULL, &flaw);
 *     if (r == 0)
 *         r = rv_tls_client(&tls, fd, config, "example.org", &opts, deadline);
 *     if (r < 0)
 *         fprintf(stderr, "%s\n", flaw.text);
 *
 * A client verifies its server: the chain up to an authority of the system's or of your own, the
 * dates, and the name that it meant to talk to. TLS 1.2 is the least that is spoken, and no
 * renegotiation.
 *
 * One task may read and another one write at the same time, on any workers. The library never
 * waits inside OpenSSL: what waits is a task, for its socket. A handshake takes some 16 KiB of the
 * task's stack.
 *
 * The socket stays the caller's: it is closed after rv_tls_free(), and nobody else reads or writes
 * it meanwhile. In a build without OpenSSL every call is refused with -ENOSYS. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ravel/def.h>
#include <ravel/stream.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** What many connections have in common: certificates, trust, protocols. */
typedef struct rv_tls_config rv_tls_config;

/** One connection. */
typedef struct rv_tls rv_tls;

/** What was wrong, in words for people. */
struct rv_tls_flaw {
    char text[256]; /* one line, without its end */
};

/** Whom a connection believes. */
enum rv_tls_trust {
    RV_TLS_VERIFY_SERVER, /* a client verifies its server, a server nobody: the usual */
    RV_TLS_VERIFY_BOTH,   /* a server demands a certificate of its clients, and verifies it */
    RV_TLS_VERIFY_NO_ONE_INSECURE, /* a client believes anyone. Whoever sits in between reads and
                                    * changes everything: for tests */
};

/** The versions of the protocol. */
enum rv_tls_version {
    RV_TLS_1_2 = 0x0303, /* RFC 5246 */
    RV_TLS_1_3 = 0x0304, /* RFC 8446 */
};

/** How a configuration is made; all zero is a client that verifies by the system's authorities. */
struct rv_tls_config_opts {
    size_t size;             /* sizeof(struct rv_tls_config_opts) */
    const char *ca_file;     /* PEM: the authorities to believe, instead of the system's */
    const char *ca_pem;      /* likewise, the text itself */
    const char *cert_file;   /* PEM: one's own certificate and those between it and an authority;
                              * servers need one */
    const char *cert_pem;    /* likewise, the text itself */
    const char *key_file;    /* PEM: its private key, not encrypted */
    const char *key_pem;     /* likewise, the text itself */
    const char *alpn;        /* protocols spoken on top, best first: "h2,http/1.1" */
    enum rv_tls_trust trust; /* whom to believe */
    enum rv_tls_version min_version; /* the least to be spoken; 0: RV_TLS_1_2 */
    int no_resumption; /* not 0: every connection begins anew, no tickets are given out */
};

/** Make a configuration.
 *
 * @param ret       the configuration, for any number of clients and servers
 * @param opts      NULL: the usual client
 * @param ret_flaw  written on failure: what is wrong; NULL: not asked for
 * @return 0
 * Errors:  -EINVAL what should be PEM is not, a certificate without its key, or options that
 *          contradict each other; -EKEYREJECTED certificate and key do not belong together;
 *          -ENOENT,
 *          -EACCES and others of open(2); -ENOMEM; -ENOSYS a build without OpenSSL; -E2BIG opts has
 *          fields from the future; -EAGAIN no thread to read files; -ECANCELED scope cancelled
 * Blocks:  the task, never its thread: files are read on a helper
 * Threads: any task of any worker, plain threads
 * Lifetime: until rv_tls_config_free; nothing of opts is held */
RV_API RV_NODISCARD int rv_tls_config_new(rv_tls_config **ret,
                                          const struct rv_tls_config_opts *opts,
                                          struct rv_tls_flaw *ret_flaw);

/** Free a configuration.
 *
 * @param config  NULL is nothing
 * @return NULL
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: after all connections that were made by it */
RV_API rv_tls_config *rv_tls_config_free(rv_tls_config *config);

/** What one connection may be told besides; all zero is the usual. */
struct rv_tls_opts {
    size_t size;                  /* sizeof(struct rv_tls_opts) */
    const void *session;          /* a client's: what rv_tls_session() gave, to be resumed */
    size_t session_bytes;         /* of it */
    struct rv_tls_flaw *ret_flaw; /* written when the handshake fails: why; NULL: not asked for */
};

/** Begin TLS as the client of a connection.
 *
 * @param ret       the connection, ready for data
 * @param fd        a connected stream socket
 * @param config    trust, and a certificate where servers ask for one
 * @param host      who the server has to be: a name or an address in digits, which its certificate
 *                  has to carry; names are also told to it (SNI). NULL only if nobody is verified
 * @param opts      NULL: the usual
 * @param deadline  absolute nanoseconds, or RV_NEVER, for the whole handshake
 * @return 0
 * Errors:  -EKEYEXPIRED a certificate is no longer valid; -EKEYREJECTED it is not to be believed,
 *          or not the host's; -EPROTO the other side does not speak TLS, nothing that both speak,
 *          or refuses us; -ECONNABORTED it has hung up; -EINVAL no host to verify; -ECONNRESET,
 *          -EPIPE and others of sockets; -ENOMEM; -ENOSYS a build without OpenSSL; -E2BIG opts has
 *          fields from the future; -ETIME deadline; -ECANCELED scope cancelled
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: fd and config until rv_tls_free; on failure fd is the caller's, of no further use */
RV_API RV_NODISCARD int rv_tls_client(rv_tls **ret, int fd, rv_tls_config *config, const char *host,
                                      const struct rv_tls_opts *opts, rv_time deadline);

/** Begin TLS as the server of a connection.
 *
 * @param ret       the connection, ready for data
 * @param fd        a connected stream socket
 * @param config    with a certificate
 * @param opts      NULL: the usual
 * @param deadline  absolute nanoseconds, or RV_NEVER, for the whole handshake
 * @return 0
 * Errors:  as of rv_tls_client; -EINVAL the configuration has no certificate
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: fd and config until rv_tls_free; on failure fd is the caller's, of no further use */
RV_API RV_NODISCARD int rv_tls_server(rv_tls **ret, int fd, rv_tls_config *config,
                                      const struct rv_tls_opts *opts, rv_time deadline);

/** Free a connection, without a word to the other side: see rv_tls_close for the polite end.
 *
 * @param tls  NULL is nothing
 * @return NULL
 * Errors:  none
 * Blocks:  no
 * Threads: any, when nobody uses it any more
 * Lifetime: ends that of tls; the socket stays open */
RV_API rv_tls *rv_tls_free(rv_tls *tls);

/** Read what there is, at least one byte.
 *
 * @param tls       the connection
 * @param buf       room for `count` bytes
 * @param count     bytes wanted at most
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes read, 1 to count; 0 when the other side has said that no more will come, or when
 *         count is 0
 * Errors:  -ECONNABORTED the stream ends without that word: somebody may have cut it off; -EPROTO
 *          what came is not TLS, or was tampered with; -ECONNRESET and others of sockets; -ENOMEM;
 *          -ETIME deadline; -ECANCELED scope cancelled. After the last two, and -ENOMEM for want of
 *          a timer, one may go on
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads; one reader at a time
 * Lifetime: buf and tls until return */
RV_API RV_NODISCARD ssize_t rv_tls_read(rv_tls *tls, void *buf, size_t count, rv_time deadline);

/** Write some of a buffer.
 *
 * What has been taken is sent before the call returns, unless the deadline or a cancellation ends
 * that: then the next call sends what is left, rv_tls_close() as the last.
 *
 * @param tls       the connection
 * @param buf       `count` bytes
 * @param count     bytes to write at most
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes taken, at least 1, or 0 when count is 0
 * Errors:  -EPIPE this side has said that no more will come; -ECONNRESET, -EPIPE and others of
 *          sockets; -EPROTO; -ENOMEM; -ETIME deadline; -ECANCELED scope cancelled. Nothing of buf
 *          was taken; after the last two, and -ENOMEM for want of a timer, one may go on
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads; one writer at a time
 * Lifetime: buf and tls until return */
RV_API RV_NODISCARD ssize_t rv_tls_write(rv_tls *tls, const void *buf, size_t count,
                                         rv_time deadline);

/** Say that no more will come (close_notify), after what was written. Reading goes on.
 *
 * @param tls       the connection
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0; again: nothing happens
 * Errors:  -ECONNRESET, -EPIPE and others of sockets; -EPROTO; -ENOMEM; -ETIME deadline;
 *          -ECANCELED scope cancelled
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads; it counts as a writer
 * Lifetime: tls until return */
RV_API RV_NODISCARD int rv_tls_shutdown(rv_tls *tls, rv_time deadline);

/** End a connection politely: rv_tls_shutdown(), and wait for the other side's word. What it still
 * sends before that is dropped.
 *
 * @param tls       the connection; rv_tls_free it afterwards
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0: both sides know that nothing was cut off
 * Errors:  as of rv_tls_shutdown and rv_tls_read
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads; it counts as a reader and a writer
 * Lifetime: tls until return */
RV_API RV_NODISCARD int rv_tls_close(rv_tls *tls, rv_time deadline);

/** The connection as a stream, for rv_reader_init() and rv_writer_init().
 *
 * @param tls  the connection
 * @return the stream
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: tls, while the stream is used */
RV_API struct rv_stream rv_tls_stream(rv_tls *tls);

/** Why the connection is of no use any more, in words.
 *
 * @param tls  the connection
 * @return a line, "" while nothing is wrong
 * Errors:  none
 * Blocks:  no
 * Threads: the one that got an error of tls
 * Lifetime: the text lives as long as tls */
RV_API const char *rv_tls_error(const rv_tls *tls);

/** What was agreed on. */
struct rv_tls_info {
    size_t size;                 /* sizeof(struct rv_tls_info); in: what the caller knows */
    enum rv_tls_version version; /* of the protocol */
    int is_resumed;              /* the handshake was an abbreviated one */
    char cipher[64];             /* the cipher suite's name */
    char alpn[64];               /* the protocol on top; "": none */
    int has_peer;                /* whether the other side has shown a certificate, as follows */
    int is_verified;             /* ... and it was believed */
    char subject[256];           /* whom it is for: its distinguished name, RFC 2253 */
    char issuer[256];            /* who says so */
    int64_t not_before;          /* valid from: seconds since 1970 */
    int64_t not_after;           /* valid until */
    unsigned char sha256[32];    /* of the whole certificate: what is called its fingerprint */
};

/** Tell what was agreed on.
 *
 * @param tls   the connection
 * @param info  size set by the caller; the rest is filled in
 * @return 0
 * Errors:  -EINVAL info->size is too small
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_tls_info_read(rv_tls *tls, struct rv_tls_info *info);

/** What a client may resume a connection to this host by, later, in a process of the same
 * configuration. Servers give it out after the handshake: it is there once something was read. It
 * is a secret.
 *
 * @param tls   a client's connection
 * @param buf   room for it
 * @param room  bytes there; 16 KiB are plenty
 * @return its bytes
 * Errors:  -ENODATA the server has given none; -ERANGE no room
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API RV_NODISCARD ssize_t rv_tls_session(rv_tls *tls, void *buf, size_t room);

RV_END_DECLS
