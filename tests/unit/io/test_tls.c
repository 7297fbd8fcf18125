/* SPDX-License-Identifier: MIT */
/* test_tls.c - what two sides say to each other arrives, however their connection fares. */
#include "io/tls.h"

#include "../../support/every_point.h"
#include "tls_play.h"

/* --- what they say --- */

static void both_sides_talk_and_end_politely(void **state)
{
    struct play p = default_play(ask_and_leave, answer_and_leave);
    (void)state;
    assert_played(&p, 0, 0);
    assert_string_equal(p.client.flaw.text, "");
}

static int look_at_server(rv_tls *tls)
{
    struct rv_tls_info info = info_of(tls);
    time_t now = time(NULL);
    RV_CHECK(info.version == RV_TLS_1_3 && !info.is_resumed && *info.cipher && !*info.alpn);
    RV_CHECK(info.has_peer && info.is_verified);
    RV_CHECK(strcmp(info.subject, "CN=" HOST) == 0 && strcmp(info.issuer, "CN=authority") == 0);
    RV_CHECK(info.not_before < now && info.not_after > now && info.not_after < now + 31 * DAY);
    unsigned char digest[32];
    X509_digest(leaf.cert, EVP_sha256(), digest, NULL);
    RV_CHECK(memcmp(digest, info.sha256, sizeof(digest)) == 0);
    info.size = 8;
    RV_CHECK(rv_tls_info_read(tls, &info) == -EINVAL);
    return ask_and_leave(tls);
}

static int look_at_client(rv_tls *tls)
{
    struct rv_tls_info info = info_of(tls);
    RV_CHECK(info.version == RV_TLS_1_3 && !info.has_peer && !info.is_verified);
    return answer_and_leave(tls);
}

static void each_side_knows_what_was_agreed_on(void **state)
{
    struct play p = default_play(look_at_server, look_at_client);
    (void)state;
    assert_played(&p, 0, 0);
}

/* --- the application's protocol --- */

static char agreed[2][64];

static int note_client_alpn(rv_tls *tls)
{
    struct rv_tls_info info = info_of(tls);
    strcpy(agreed[0], info.alpn);
    return ask_and_leave(tls);
}

static int note_server_alpn(rv_tls *tls)
{
    struct rv_tls_info info = info_of(tls);
    strcpy(agreed[1], info.alpn);
    return answer_and_leave(tls);
}

static struct play play_alpn(const char *client, const char *server)
{
    struct play p = default_play(note_client_alpn, note_server_alpn);
    p.client.config = make_config(&(struct rv_tls_config_opts){
        .size = sizeof(struct rv_tls_config_opts), .ca_pem = ca.cert_pem, .alpn = client});
    p.server.config =
        make_config(&(struct rv_tls_config_opts){.size = sizeof(struct rv_tls_config_opts),
                                                 .cert_pem = leaf.cert_pem,
                                                 .key_pem = leaf.key_pem,
                                                 .alpn = server});
    play(&p);
    rv_tls_config_free(p.client.config);
    rv_tls_config_free(p.server.config);
    return p;
}

static void the_first_protocol_of_the_server_is_spoken(void **state)
{
    (void)state;
    assert_int_equal(play_alpn("http/1.1,h2", "h2,http/1.1").client.result, 0);
    assert_string_equal(agreed[0], "h2");
    assert_string_equal(agreed[1], "h2");
    assert_int_equal(play_alpn("h2", NULL).client.result, 0);
    assert_string_equal(agreed[0], "");
    assert_int_equal(play_alpn(NULL, "h2").client.result, 0);
    assert_string_equal(agreed[1], "");
}

static void nothing_in_common_is_refused(void **state)
{
    struct play p = play_alpn("h2", "http/1.1");
    (void)state;
    assert_int_equal(p.client.result, -EPROTO);
    assert_int_equal(p.server.result, -EPROTO);
    assert_non_null(strstr(p.client.flaw.text, "no application protocol"));
}

/* --- ends --- */

static int leave_without_a_word(rv_tls *tls)
{
    return hear(tls, "question");
}

static int ask_until_the_end(rv_tls *tls)
{
    int r = say(tls, "question");
    return r < 0 ? r : hear(tls, "answer");
}

static void a_stream_that_is_cut_off_is_no_end(void **state)
{
    struct play p = default_play(ask_until_the_end, leave_without_a_word);
    (void)state;
    assert_played(&p, -ECONNABORTED, 0);
    assert_non_null(strstr(p.client.flaw.text, "cut"));
}

static int shut_down_and_hear(rv_tls *tls)
{
    int r = rv_tls_shutdown(tls, RV_NEVER);
    RV_CHECK(r < 0 || rv_tls_write(tls, "x", 1, RV_NEVER) == -EPIPE);
    RV_CHECK(r < 0 || rv_tls_shutdown(tls, RV_NEVER) == 0);
    if (r == 0)
        r = hear(tls, "answer");
    return r < 0 ? r : rv_tls_close(tls, RV_NEVER);
}

static int answer_after_the_end(rv_tls *tls)
{
    char byte;
    ssize_t n = rv_tls_read(tls, &byte, 1, RV_NEVER);
    RV_CHECK(n <= 0);
    if (n == 0)
        n = say(tls, "answer");
    return n < 0 ? (int)n : rv_tls_close(tls, RV_NEVER);
}

static void one_direction_may_end_before_the_other(void **state)
{
    struct play p = default_play(shut_down_and_hear, answer_after_the_end);
    (void)state;
    assert_played(&p, 0, 0);
}

static int speak_plainly(void *arg)
{
    struct end *e = arg;
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    RV_CHECK(rv_write(e->fd, text, sizeof(text) - 1, RV_NEVER) > 0);
    char answer[256];
    ssize_t n = rv_read(e->fd, answer, sizeof(answer), RV_NEVER);
    rv_close(e->fd);
    return n < 0 ? (int)n : 0;
}

static int play_against_plain_text(void *arg)
{
    struct play *p = arg;
    int ends[2], err;
    make_pair(ends);
    p->client.fd = ends[0];
    p->server.fd = ends[1];
    RV_SCOPE(s, err) {
        go(s, play_end, &p->server);
        go(s, speak_plainly, &p->client);
    }
    return err;
}

static void what_is_not_tls_is_refused(void **state)
{
    struct play p = default_play(NULL, NULL);
    (void)state;
    assert_int_equal(run_on(1, play_against_plain_text, &p), 0);
    assert_int_equal(p.server.result, -EPROTO);
    assert_non_null(strstr(p.server.flaw.text, "http request"));
}

static int play_against_silence(void *arg)
{
    struct play *p = arg;
    int ends[2];
    make_pair(ends);
    p->client.fd = ends[0];
    p->client.deadline = rv_after(5 * RV_MILLISECOND);
    int r = play_end(&p->client);
    rv_close(ends[1]);
    make_pair(ends);
    p->server.fd = ends[1];
    p->server.deadline = rv_after(5 * RV_MILLISECOND);
    r = r < 0 ? r : play_end(&p->server);
    rv_close(ends[0]);
    return r;
}

static void a_handshake_has_a_deadline(void **state)
{
    struct play p = default_play(NULL, NULL);
    (void)state;
    for (int in_task = 0; in_task < 2; in_task++) {
        assert_int_equal(in_task ? run_on(1, play_against_silence, &p) : play_against_silence(&p),
                         0);
        assert_int_equal(p.client.result, -ETIME);
        assert_int_equal(p.server.result, -ETIME);
        assert_non_null(strstr(p.client.flaw.text, "deadline"));
    }
}

/* --- the connection is cut at each byte --- */

/* Between the two ends: what comes from one goes to the other, until so many bytes have. */
struct relay {
    int near[2], far[2];
    _Atomic(long) left;
};

struct lane {
    struct relay *relay;
    int from, to;
};

static int pass_on(void *arg)
{
    struct lane *lane = arg;
    struct relay *relay = lane->relay;
    char buf[512];
    ssize_t n;

    while ((n = rv_read(lane->from, buf, sizeof(buf), RV_NEVER)) > 0) {
        long left = rvi_fetch_sub_relaxed(&relay->left, n);
        n = n < left ? n : left;
        if (n <= 0 || rv_write_all(lane->to, buf, (size_t)n, NULL, RV_NEVER) < 0 || n == left)
            break;
    }
    shutdown(lane->from, SHUT_RDWR);
    shutdown(lane->to, SHUT_RDWR);
    return 0;
}

static int play_relayed(void *arg)
{
    struct play *p = arg;
    struct relay relay = {.left = (long)p->client.opts.session_bytes};
    int err;

    p->client.opts.session_bytes = 0;
    make_pair(relay.near);
    make_pair(relay.far);
    struct lane lanes[2] = {{&relay, relay.near[1], relay.far[0]},
                            {&relay, relay.far[0], relay.near[1]}};
    p->client.fd = relay.near[0];
    p->server.fd = relay.far[1];
    RV_SCOPE(s, err) {
        go(s, pass_on, &lanes[0]);
        go(s, pass_on, &lanes[1]);
        go(s, play_end, &p->client);
        go(s, play_end, &p->server);
    }
    rv_close(relay.near[1]);
    rv_close(relay.far[0]);
    return err;
}

static bool is_an_end(int r)
{
    return r == -ECONNABORTED || r == -EPIPE || r == -ECONNRESET || r == -EPROTO;
}

static void a_connection_may_be_cut_after_any_byte(void **state)
{
    long step = is_under_a_tool() ? 211 : 23, cut_short = 0;
    struct play p;
    (void)state;
    for (long bytes = 1;; bytes += step) {
        p = default_play(ask_and_leave, answer_and_leave);
        p.client.opts.session_bytes = (size_t)bytes; /* how many, not a session */
        assert_int_equal(run_on(1, play_relayed, &p), 0);
        if (p.client.result == 0 && p.server.result == 0)
            break;
        assert_true(p.client.result == 0 || is_an_end(p.client.result));
        assert_true(p.server.result == 0 || is_an_end(p.server.result));
        cut_short++;
    }
    assert_true(cut_short > 5);
}

/* --- much data --- */

static size_t much_bytes;

static unsigned char nth_byte(size_t n, int direction)
{
    return (unsigned char)(n * 31 + n / 253 + (size_t)direction);
}

struct stream_end {
    rv_tls *tls;
    int direction;
    bool updates_keys;
};

static int write_much(void *arg)
{
    struct stream_end *e = arg;
    unsigned char buf[20000];
    size_t done = 0;

    while (done < much_bytes) {
        size_t count = much_bytes - done < sizeof(buf) ? much_bytes - done : 1 + done % sizeof(buf);
        for (size_t i = 0; i < count; i++)
            buf[i] = nth_byte(done + i, e->direction);
        ssize_t n = rv_tls_write(e->tls, buf, count, RV_NEVER);
        if (n < 0)
            return (int)n;
        done += (size_t)n;
        if (e->updates_keys) {
            rvi_lock_acquire(&e->tls->lock);
            RV_CHECK(SSL_key_update(e->tls->ssl, SSL_KEY_UPDATE_REQUESTED));
            RV_CHECK(SSL_do_handshake(e->tls->ssl) == 1);
            rvi_lock_release(&e->tls->lock);
        }
    }
    return rv_tls_shutdown(e->tls, RV_NEVER);
}

static int read_much(void *arg)
{
    struct stream_end *e = arg;
    unsigned char buf[9000];
    size_t done = 0;
    ssize_t n;

    while ((n = rv_tls_read(e->tls, buf, 1 + done % sizeof(buf), RV_NEVER)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            RV_CHECK(buf[i] == nth_byte(done + (size_t)i, e->direction));
        done += (size_t)n;
    }
    RV_CHECK(n < 0 || done == much_bytes);
    return (int)n;
}

static int stream_both_ways(rv_tls *tls, int out, bool updates_keys)
{
    struct stream_end writer = {tls, out, updates_keys}, reader = {tls, !out, false};
    int err;
    RV_SCOPE(s, err) {
        if (rv_task_worker() == 0) /* the other end's worker takes one of the two */
            start_elsewhere(s, write_much, &writer);
        else
            go(s, write_much, &writer);
        go(s, read_much, &reader);
    }
    return err;
}

static int stream_as_client(rv_tls *tls)
{
    return stream_both_ways(tls, 0, false);
}

static int stream_as_server(rv_tls *tls)
{
    return stream_both_ways(tls, 1, false);
}

static int stream_with_new_keys(rv_tls *tls)
{
    return stream_both_ways(tls, 0, true);
}

static void both_directions_flow_at_once(void **state)
{
    struct play p = default_play(stream_as_client, stream_as_server);
    (void)state;
    much_bytes = scaled(4 << 20, 300 << 10);
    assert_played(&p, 0, 0);
}

static void keys_may_change_while_both_directions_flow(void **state)
{
    struct play p = default_play(stream_with_new_keys, stream_as_server);
    (void)state;
    much_bytes = scaled(300 << 10, 100 << 10);
    assert_played(&p, 0, 0);
}

/* --- a write that is interrupted --- */

static size_t written_impatiently;
static struct rv_event have_written;

static int write_impatiently(rv_tls *tls)
{
    unsigned char buf[3000];
    ssize_t n = 0;

    while (n >= 0) {
        for (size_t i = 0; i < sizeof(buf); i++)
            buf[i] = nth_byte(written_impatiently + i, 0);
        n = rv_tls_write(tls, buf, sizeof(buf), rv_after(2 * RV_MILLISECOND));
        written_impatiently += n < 0 ? 0 : (size_t)n;
    }
    RV_CHECK(n == -ETIME);
    rv_event_set(&have_written);
    RV_CHECK(rv_tls_write(tls, buf, 0, RV_NEVER) == 0);
    return rv_tls_close(tls, RV_NEVER);
}

static int read_late(rv_tls *tls)
{
    struct stream_end e = {tls, 0, false};
    int r = rv_event_wait(&have_written, RV_NEVER);
    much_bytes = written_impatiently;
    if (r == 0)
        r = read_much(&e);
    return r < 0 ? r : rv_tls_close(tls, RV_NEVER);
}

static void an_interrupted_write_loses_and_repeats_nothing(void **state)
{
    struct play p = default_play(write_impatiently, read_late);
    (void)state;
    rv_event_init(&have_written);
    written_impatiently = 0;
    assert_played(&p, 0, 0);
    assert_true(written_impatiently > 3000);
}

/* --- as a stream --- */

static int write_lines(rv_tls *tls)
{
    struct rv_writer out;
    rv_writer_init(&out, rv_tls_stream(tls), NULL, 0);
    int r = rv_writer_printf(&out, RV_NEVER, "first\nsecond %d\n", 2);
    if (r >= 0)
        r = rv_writer_flush(&out, RV_NEVER);
    rv_writer_fini(&out);
    return r < 0 ? r : rv_tls_close(tls, RV_NEVER);
}

static int read_lines(rv_tls *tls)
{
    struct rv_reader in;
    struct rv_line line;
    int count = 0, r;
    rv_reader_init(&in, rv_tls_stream(tls), NULL, 0);
    while ((r = rv_reader_line(&in, &line, RV_NEVER)) > 0)
        count++;
    rv_reader_fini(&in);
    RV_CHECK(r < 0 || count == 2);
    return r < 0 ? r : rv_tls_close(tls, RV_NEVER);
}

static void lines_are_written_and_read(void **state)
{
    struct play p = default_play(write_lines, read_lines);
    (void)state;
    assert_played(&p, 0, 0);
}

/* --- cut short --- */

static int scene(void *arg)
{
    struct play p = default_play(ask_and_leave, answer_and_leave);
    (void)arg;
    int r = play_connected(&p);
    return r < 0 ? r : p.client.result < 0 ? p.client.result : p.server.result;
}

static void a_connection_may_be_cancelled_at_every_point(void **state)
{
    (void)state;
    cancel_at_every_point(scene, 1);
}

/* Whoever has no memory hangs up, by an alert or without: the other one sees that. */
static int poor_scene(void *arg)
{
    int r = scene(arg);
    OPENSSL_thread_stop(); /* what it keeps for each thread is no leak */
    return is_an_end(r) || r == -EKEYREJECTED ? -ENOMEM : r;
}

/* As fail_every_allocation(), but OpenSSL makes thousands: some of them. */
static void memory_may_end_at_many_points(void **state)
{
    bool all_tried = false;
    long stride = is_under_a_tool() ? 97 : 17;

    (void)state;
    assert_int_equal(run_on(1, poor_scene, NULL), 0); /* what OpenSSL makes once for all */
    for (long n = 1; !all_tried; n += 1 + n % stride) {
        rvi_alloc_fail_after(n);
        int r = play_scene(poor_scene, 1);
        all_tried = rvi_alloc_fail_pending();
        rvi_alloc_fail_after(-1);
        assert_true(r == 0 || (!all_tried && (r == -ENOMEM || r == -EAGAIN)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_talk_and_end_politely),
        cmocka_unit_test(each_side_knows_what_was_agreed_on),
        cmocka_unit_test(the_first_protocol_of_the_server_is_spoken),
        cmocka_unit_test(nothing_in_common_is_refused),
        cmocka_unit_test(a_stream_that_is_cut_off_is_no_end),
        cmocka_unit_test(one_direction_may_end_before_the_other),
        cmocka_unit_test(what_is_not_tls_is_refused),
        cmocka_unit_test(a_handshake_has_a_deadline),
        cmocka_unit_test(a_connection_may_be_cut_after_any_byte),
        cmocka_unit_test(both_directions_flow_at_once),
        cmocka_unit_test(keys_may_change_while_both_directions_flow),
        cmocka_unit_test(an_interrupted_write_loses_and_repeats_nothing),
        cmocka_unit_test(lines_are_written_and_read),
        cmocka_unit_test(a_connection_may_be_cancelled_at_every_point),
        cmocka_unit_test(memory_may_end_at_many_points),
    };
    return cmocka_run_group_tests(tests, start_tls, stop_tls);
}
