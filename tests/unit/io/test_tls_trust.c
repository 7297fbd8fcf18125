/* SPDX-License-Identifier: MIT */
/* test_tls_trust.c - who is believed to be whom, and who is known again. */
#include "tls_play.h"

/* --- whom to believe --- */

static struct play play_with(const struct identity *shown, const char *host)
{
    struct play p = default_play(ask_and_leave, answer_and_leave);
    const struct rv_tls_config_opts opts = {
        .size = sizeof(opts), .cert_pem = shown->cert_pem, .key_pem = shown->key_pem};
    p.server.config = make_config(&opts);
    p.client.host = host;
    play(&p);
    rv_tls_config_free(p.server.config);
    return p;
}

static void assert_refused(struct identity shown, const char *host, int err, const char *words)
{
    struct play p = play_with(&shown, host);
    if (!strstr(p.client.flaw.text, words))
        print_message("it says: %s\n", p.client.flaw.text);
    assert_non_null(strstr(p.client.flaw.text, words));
    assert_int_equal(p.client.result, err);
    assert_int_equal(p.server.result, -EPROTO);
    assert_non_null(strstr(p.server.flaw.text, "the other side says"));
    free_identity(&shown);
}

static void certificates_that_are_not_good_are_refused_in_words(void **state)
{
    struct identity stranger = make_identity(NULL, "stranger", NULL, -1, 30);
    (void)state;
    assert_refused(make_identity(&ca, HOST, "DNS:" HOST, -30, -1), HOST, -EKEYEXPIRED,
                   "the certificate of " HOST " has expired on 20");
    assert_refused(make_identity(&ca, HOST, "DNS:" HOST, 1, 30), HOST, -EKEYREJECTED,
                   "is not valid before 20");
    assert_refused(make_identity(NULL, HOST, "DNS:" HOST, -1, 30), HOST, -EKEYREJECTED,
                   "is signed by itself");
    assert_refused(make_identity(&stranger, HOST, "DNS:" HOST, -1, 30), HOST, -EKEYREJECTED,
                   "an authority that is not trusted");
    assert_refused(make_identity(&ca, HOST, "DNS:a.test,DNS:b.test", -1, 30), HOST, -EKEYREJECTED,
                   "is for a.test, b.test, not for " HOST);
    assert_refused(make_identity(&ca, HOST, "IP:127.0.0.1", -1, 30), "127.0.0.2", -EKEYREJECTED,
                   "not for 127.0.0.2");
    assert_refused(make_identity(&ca, HOST, "DNS:*.some.test", -1, 30), "a.b.some.test",
                   -EKEYREJECTED, "is for *.some.test, not for a.b.some.test");
    free_identity(&stranger);
}

static void addresses_and_wildcards_may_be_in_certificates(void **state)
{
    struct identity both = make_identity(&ca, HOST, "DNS:*.some.test,IP:127.0.0.1,IP:::1", -1, 30);
    const char *const hosts[] = {"a.some.test", "127.0.0.1", "::1"};
    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++)
        assert_int_equal(play_with(&both, hosts[i]).client.result, 0);
    free_identity(&both);
}

static int look_at_stranger(rv_tls *tls)
{
    struct rv_tls_info info = info_of(tls);
    RV_CHECK(info.has_peer && !info.is_verified);
    return ask_and_leave(tls);
}

static void who_believes_anyone_has_to_say_so(void **state)
{
    struct play p = default_play(look_at_stranger, answer_and_leave);
    rv_tls *tls;
    (void)state;
    p.client.config = credulous;
    assert_played(&p, 0, 0);
    assert_int_equal(rv_tls_client(&tls, -1, trusting, NULL, NULL, RV_NEVER), -EINVAL);
    assert_int_equal(rv_tls_client(&tls, -1, trusting, "", NULL, RV_NEVER), -EINVAL);
    assert_int_equal(rv_tls_server(&tls, -1, trusting, NULL, RV_NEVER), -EINVAL);
}

static int hear_only(rv_tls *tls)
{
    return hear(tls, "answer");
}

static int look_at_known_client(rv_tls *tls)
{
    struct rv_tls_info info = info_of(tls);
    RV_CHECK(info.has_peer && info.is_verified && strcmp(info.subject, "CN=me") == 0);
    return answer_and_leave(tls);
}

static void a_server_may_demand_a_certificate(void **state)
{
    struct identity me = make_identity(&ca, "me", "DNS:me.test", -1, 30);
    const struct rv_tls_config_opts known = {.size = sizeof(known),
                                             .ca_pem = ca.cert_pem,
                                             .cert_pem = me.cert_pem,
                                             .key_pem = me.key_pem};
    const struct rv_tls_config_opts strict = {.size = sizeof(strict),
                                              .ca_pem = ca.cert_pem,
                                              .cert_pem = leaf.cert_pem,
                                              .key_pem = leaf.key_pem,
                                              .trust = RV_TLS_VERIFY_BOTH};
    struct play p = default_play(hear_only, look_at_known_client);
    (void)state;
    p.server.config = make_config(&strict);
    assert_played(&p, -EPROTO, -EPROTO);
    assert_non_null(strstr(p.client.flaw.text, "certificate required"));
    p.client.config = make_config(&known);
    p.client.talk = ask_and_leave;
    assert_played(&p, 0, 0);
    rv_tls_config_free(p.client.config);
    rv_tls_config_free(p.server.config);
    free_identity(&me);
}

/* --- resumption --- */

static char session[16384];
static ssize_t session_bytes;
static int was_resumed;

static int ask_and_remember(rv_tls *tls)
{
    int r = ask_and_leave(tls);
    was_resumed = info_of(tls).is_resumed;
    RV_CHECK(rv_tls_session(tls, session, 10) < 0);
    session_bytes = rv_tls_session(tls, session, sizeof(session));
    return r;
}

static void resume(struct play *p)
{
    p->client.opts.session = session;
    p->client.opts.session_bytes = (size_t)session_bytes;
    play(p);
}

static void a_session_is_resumed(void **state)
{
    struct play p = default_play(ask_and_remember, answer_and_leave);
    (void)state;
    play(&p);
    assert_true(session_bytes > 0);
    assert_int_equal(was_resumed, 0);
    resume(&p);
    assert_int_equal(p.client.result, 0);
    assert_int_equal(was_resumed, 1);
    session_bytes /= 2;
    resume(&p);
    assert_int_equal(p.client.result, -EINVAL);
}

static void a_session_is_good_for_its_host_alone(void **state)
{
    struct play p = default_play(ask_and_remember, answer_and_leave);
    (void)state;
    play(&p);
    p.client.host = "other.test";
    resume(&p);
    assert_int_equal(p.client.result, -EINVAL);
    assert_non_null(strstr(p.client.flaw.text, "another host's"));
}

static void an_unverified_session_is_not_believed(void **state)
{
    struct identity self = make_identity(NULL, HOST, "DNS:" HOST, -1, 30);
    const struct rv_tls_config_opts opts = {
        .size = sizeof(opts), .cert_pem = self.cert_pem, .key_pem = self.key_pem};
    struct play p = default_play(ask_and_remember, answer_and_leave);
    (void)state;
    p.server.config = make_config(&opts);
    p.client.config = credulous;
    play(&p);
    assert_int_equal(p.client.result, 0);
    p.client.config = trusting;
    resume(&p);
    assert_int_equal(p.client.result, -EKEYREJECTED);
    rv_tls_config_free(p.server.config);
    free_identity(&self);
}

static void without_resumption_there_are_no_sessions(void **state)
{
    const struct rv_tls_config_opts opts = {.size = sizeof(opts),
                                            .cert_pem = leaf.cert_pem,
                                            .key_pem = leaf.key_pem,
                                            .no_resumption = 1};
    struct play p = default_play(ask_and_remember, answer_and_leave);
    (void)state;
    p.server.config = make_config(&opts);
    play(&p);
    assert_int_equal(session_bytes, -ENODATA);
    rv_tls_config_free(p.server.config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_that_are_not_good_are_refused_in_words),
        cmocka_unit_test(addresses_and_wildcards_may_be_in_certificates),
        cmocka_unit_test(who_believes_anyone_has_to_say_so),
        cmocka_unit_test(a_server_may_demand_a_certificate),
        cmocka_unit_test(a_session_is_resumed),
        cmocka_unit_test(a_session_is_good_for_its_host_alone),
        cmocka_unit_test(an_unverified_session_is_not_believed),
        cmocka_unit_test(without_resumption_there_are_no_sessions),
    };
    return cmocka_run_group_tests(tests, start_tls, stop_tls);
}
