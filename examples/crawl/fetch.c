/* SPDX-License-Identifier: MIT */
/* fetch.c - one request, and what came back.
 *
 * It is written as if there were nothing else to do: connect, send, read to the end. The deadline
 * goes with each call, so it holds for all of them together. */
#include "fetch.h"

#include <errno.h>
#include <llhttp.h>

enum { BUFFER = 16384 };

struct answer {
    struct fetched *fetched;
    bool complete;
};

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct answer *a = parser->data;
    (void)at;
    a->fetched->bytes += len;
    return 0;
}

/* What a server says on the way (100, 103) is no answer. */
static int on_complete(llhttp_t *parser)
{
    struct answer *a = parser->data;
    a->fetched->status = parser->status_code;
    a->complete = parser->status_code >= 200;
    return a->complete ? HPE_PAUSED : 0;
}

static const llhttp_settings_t settings = {.on_body = on_body, .on_message_complete = on_complete};

static int send_request(int fd, const struct url *url, rv_time deadline)
{
    struct rv_writer writer;
    char buf[URL_MOST + 512];

    rv_writer_init(&writer, rv_stream_fd(fd), buf, sizeof buf);
    int err = rv_writer_printf(&writer, deadline,
                               "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: crawl\r\n"
                               "Accept: */*\r\nConnection: close\r\n\r\n",
                               url->target, url->host);
    if (err == 0)
        err = rv_writer_flush(&writer, deadline);
    rv_writer_fini(&writer);
    return err;
}

/* An answer that says no length ends with the connection. */
static int end_of_answer(llhttp_t *parser, const struct answer *a)
{
    llhttp_finish(parser);
    return a->complete ? 0 : -ENODATA;
}

static int read_answer(int fd, struct fetched *ret, rv_time deadline)
{
    struct answer answer = {.fetched = ret};
    struct rv_reader reader;
    const char *bytes;
    llhttp_t parser;
    ssize_t n;
    int err = 0;

    llhttp_init(&parser, HTTP_RESPONSE, &settings);
    parser.data = &answer;
    rv_reader_init(&reader, rv_stream_fd(fd), NULL, BUFFER);
    while (err == 0 && !answer.complete) {
        n = rv_reader_peek(&reader, 1, &bytes, deadline);
        if (n > 0 && llhttp_execute(&parser, bytes, (size_t)n) != HPE_OK && !answer.complete)
            err = -EPROTO;
        else if (n > 0)
            rv_reader_consume(&reader, (size_t)n);
        else
            err = n < 0 ? (int)n : end_of_answer(&parser, &answer);
    }
    rv_reader_fini(&reader);
    return err;
}

int fetch(const struct url *url, struct fetched *ret, rv_time deadline)
{
    *ret = (struct fetched){0};
    int fd = rv_dial("tcp", url->address, deadline);
    if (fd < 0)
        return fd;
    int err = send_request(fd, url, deadline);
    if (err == 0)
        err = read_answer(fd, ret, deadline);
    rv_close(fd);
    return err;
}
