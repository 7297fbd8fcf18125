/* SPDX-License-Identifier: MIT */
/* test_nats_faults.c - a real server that is not there, does not know us, is too old, is killed.
 * Each test has a server of its own. */
#include "engine/by_nats.h"
#include "engine/nkey.h"
#include "engine/queue.h"
#include "engine_party.h"

static const int64_t ms = 1000000;

static int open_fails_within(int64_t time, const char *url, char words[static RVI_ENGINE_WORDS])
{
    struct rvi_engine_opts opts = {.role = RVI_ENGINE_CLIENT,
                                   .url = url,
                                   .pool = "p",
                                   .build = PARTY_BUILD,
                                   .connect_timeout = time};
    struct rvi_engine *e = NULL;
    int r = rvi_engine_open(&e, &opts, &(struct rvi_engine_events){0}, NULL, words);

    assert_true(r < 0);
    assert_null(e);
    assert_true(words[0] != '\0');
    return r;
}

static int open_fails(const char *url, char words[static RVI_ENGINE_WORDS])
{
    return open_fails_within(300 * ms, url, words);
}

static void nobody_there_is_said_with_the_address(void **state)
{
    char url[64], words[RVI_ENGINE_WORDS];

    (void)state;
    snprintf(url, sizeof(url), "nats://127.0.0.1:%d", nats_server_free_port());
    assert_int_equal(open_fails(url, words), -ECONNREFUSED);
    assert_non_null(strstr(words, url));
}

static void a_server_that_comes_in_time_is_waited_for(void **state)
{
    struct rvi_engine_opts opts = {
        .role = RVI_ENGINE_CLIENT, .pool = "p", .build = PARTY_BUILD, .connect_timeout = 5000 * ms};
    struct nats_server server;
    struct rvi_engine *e = NULL;
    char words[RVI_ENGINE_WORDS];

    (void)state;
    if (!nats_server_is_installed())
        skip();
    nats_server_prepare(&server, NULL);
    opts.url = server.url;
    server.pid = fork();
    if (server.pid == 0) {
        usleep(200000);
        nats_server_run(&server);
    }
    int r = rvi_engine_open(&e, &opts, &(struct rvi_engine_events){0}, NULL, words);
    assert_int_equal(r, 0);
    rvi_engine_close(e, 0);
    nats_server_stop(&server);
}

static void a_server_without_jetstream_is_refused(void **state)
{
    struct nats_server server;
    char words[RVI_ENGINE_WORDS];

    (void)state;
    if (!nats_server_start(&server, "# jetstream is not here"))
        skip();
    assert_int_equal(open_fails(server.url, words), -EPROTO);
    assert_non_null(strstr(words, "JetStream"));
    nats_server_stop(&server);
}

static void wrong_credentials_are_said(void **state)
{
    struct nats_server server;
    char words[RVI_ENGINE_WORDS];

    (void)state;
    if (!nats_server_start(&server, "authorization { token: \"secret\" }"))
        skip();
    assert_int_equal(open_fails(server.url, words), -EACCES);
    nats_server_stop(&server);
}

/* A server of the test's own that says one line to everybody, or if it is shy to every second one:
 * those between are those who want to know who it is. What it is asked for it does not answer. */
struct impostor {
    int fd, port;
    const char *line;
    bool is_shy;
    int met;
    _Atomic(int) asked; /* for a stream of tasks */
    _Atomic(int) left;  /* without a word */
    pthread_t thread;
};

/* False: it has hung up. */
static bool hear(struct impostor *it, int fd)
{
    static const char asks[] = "PUB $JS.API.STREAM.CREATE.RAVEL_p_TASKS";
    char bytes[16384];
    ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

    if (n <= 0)
        return false;
    it->asked += memmem(bytes, (size_t)n, asks, sizeof(asks) - 1) != NULL;
    (void)!send(fd, "PONG\r\n", 6, MSG_NOSIGNAL);
    return true;
}

static void *introduce(void *arg)
{
    struct impostor *it = arg;
    struct pollfd fds[8] = {{.fd = it->fd, .events = POLLIN}};
    nfds_t count = 1;

    while (poll(fds, count, -1) > 0 && !(fds[0].revents & (POLLHUP | POLLERR))) {
        for (nfds_t i = 1; i < count; i++) {
            if (fds[i].revents && !hear(it, fds[i].fd)) {
                close(fds[i].fd);
                fds[i] = fds[--count];
            }
        }
        int fd = fds[0].revents ? accept4(it->fd, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd >= 0 && it->is_shy && ++it->met % 2 == 0) {
            close(fd);
            it->left++;
        } else if (fd >= 0 && send(fd, it->line, strlen(it->line), MSG_NOSIGNAL) > 0)
            fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    while (count > 1)
        close(fds[--count].fd);
    return NULL;
}

static void impostor_start(struct impostor *it, const char *line)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)},
                             .sin_port = htons((uint16_t)it->port)};
    socklen_t bytes = sizeof(at);
    int yes = 1;

    it->line = line;
    it->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(it->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    RV_CHECK(it->fd >= 0 && bind(it->fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    RV_CHECK(listen(it->fd, 8) == 0);
    RV_CHECK(getsockname(it->fd, (struct sockaddr *)&at, &bytes) == 0);
    it->port = ntohs(at.sin_port);
    RV_CHECK(pthread_create(&it->thread, NULL, introduce, it) == 0);
}

static void impostor_stop(struct impostor *it)
{
    shutdown(it->fd, SHUT_RDWR);
    pthread_join(it->thread, NULL);
    close(it->fd);
}

static void an_older_server_is_refused_with_its_version(void **state)
{
    struct impostor old = {0};
    char url[64], words[RVI_ENGINE_WORDS];

    (void)state;
    if (!nats_server_is_installed()) /* nor is the library, most likely */
        skip();
    impostor_start(&old, "INFO {\"server_id\":\"A\",\"server_name\":\"old\",\"version\":\"2.8.4\","
                         "\"proto\":1,\"headers\":true,\"jetstream\":true,"
                         "\"max_payload\":1048576}\r\n");
    snprintf(url, sizeof(url), "nats://127.0.0.1:%d", old.port);
    assert_int_equal(open_fails(url, words), -EPROTO);
    assert_non_null(strstr(words, "2.8.4"));
    impostor_stop(&old);
}

/* Two that make the same at the same time: a cluster of servers may answer only one of them. */
static void regress_what_a_pool_is_made_of_is_soon_asked_for_again(void **state)
{
    struct impostor silent = {0};
    char url[64], words[RVI_ENGINE_WORDS];

    (void)state;
    if (!nats_server_is_installed())
        skip();
    impostor_start(&silent, "INFO {\"server_id\":\"A\",\"server_name\":\"mute\","
                            "\"version\":\"2.9.10\",\"proto\":1,\"headers\":true,"
                            "\"jetstream\":true,\"max_payload\":8388608}\r\n");
    snprintf(url, sizeof(url), "nats://127.0.0.1:%d", silent.port);
    assert_int_equal(open_fails_within(3 * RVI_NATS_MAKE_MS * ms, url, words), -ETIME);
    assert_true(silent.asked >= 2);
    impostor_stop(&silent);
}

/* A party at a server that this test has to itself, and may end. */
static struct party *begin_with(struct nats_server *server, void **state)
{
    has_server = true;
    struct party *p = begin(state);
    p->server = server;
    return p;
}

static struct party *begin_alone(struct nats_server *server, void **state)
{
    if (!nats_server_start(server, NULL))
        skip();
    return begin_with(server, state);
}

/* Everything is lost but what is stored: both ends are away and back. */
static void a_killed_server_loses_nothing(void **state)
{
    enum { TASKS = 300 };
    struct nats_server server;
    struct party *p = begin_alone(&server, state);
    p->opts.lease = 500 * ms;
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);
    worker->settles_at_once = true;
    rvi_engine_want(worker->e, 8);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < TASKS / 3; k++)
            submit(client, "work", "x", NULL);
        await(client, ENDED, 1 + i * TASKS / 3);
        nats_server_kill(&server);
        assert_true(nats_server_restart(&server));
    }
    await(client, ENDED, TASKS);
    assert_int_equal(await(client, LINK, 1)->error, -ENOTCONN);
    assert_int_equal(await(client, LINK, 2)->error, 0);
    finish(p);
    nats_server_stop(&server);
}

/* A power loss takes the last of what was stored; here it takes all. */
static void forget_all(struct nats_server *server)
{
    char command[256];

    nats_server_kill(server);
    snprintf(command, sizeof(command), "rm -rf '%s/store'", server->folder);
    assert_int_equal(system(command), 0);
    assert_true(nats_server_restart(server));
}

static void a_task_that_the_server_has_lost_ends(void **state)
{
    struct nats_server server;

    struct party *p = begin_alone(&server, state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT);
    for (int i = 0; i < 20; i++)
        submit(client, "work", "", NULL);
    await(client, STORED, 20);
    nats_server_kill(&server);
    await(client, LINK, 1);
    submit(client, "meanwhile", "", NULL);
    forget_all(&server);
    for (int i = 1; i <= 20; i++) {
        struct told *ended = await(client, ENDED, i);
        assert_int_equal(ended->kind, RV_OUTCOME_LOST);
        assert_non_null(strstr(ended->words, "lost"));
    }
    struct end *worker = open_end(p, RVI_ENGINE_WORKER);
    rvi_engine_want(worker->e, 1);
    settle(await(worker, LEASED, 1), "done");
    assert_string_equal(await(client, ENDED, 21)->bytes, "done");
    finish(p);
    nats_server_stop(&server);
}

/* What waits, what somebody has, and whose result is not heard yet. */
static void a_task_that_is_there_is_not_taken_for_lost(void **state)
{
    struct nats_server server;

    struct party *p = begin_alone(&server, state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);
    rvi_engine_want(worker->e, 2);
    for (int i = 0; i < 3; i++)
        submit(client, "work", "", NULL);
    struct told *first = await(worker, LEASED, 1), *second = await(worker, LEASED, 2);
    await(client, STORED, 3);
    nats_server_kill(&server);
    await(client, LINK, 1);
    await(worker, LINK, 1);
    settle(first, "first");
    assert_true(nats_server_restart(&server));
    assert_string_equal(await(client, ENDED, 1)->bytes, "first");
    usleep(1500000); /* by then it has looked */
    settle(second, "second");
    assert_string_equal(await(client, ENDED, 2)->bytes, "second");
    settle(await(worker, LEASED, 3), "third");
    assert_string_equal(await(client, ENDED, 3)->bytes, "third");
    finish(p);
    nats_server_stop(&server);
}

static void regress_results_that_are_numbered_anew_are_heard(void **state)
{
    struct nats_server server;

    struct party *p = begin_alone(&server, state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);
    worker->settles_at_once = true;
    rvi_engine_want(worker->e, 4);
    for (int i = 0; i < 50; i++)
        submit(client, "work", "", NULL);
    await(client, ENDED, 50);
    nats_server_kill(&server);
    await(client, LINK, 1);
    for (int i = 0; i < 20; i++)
        submit(client, "work", "", NULL);
    forget_all(&server);
    await(client, ENDED, 70);
    finish(p);
    nats_server_stop(&server);
}

static void what_is_said_while_the_engine_is_away_is_said_later(void **state)
{
    struct nats_server server;
    struct party *p = begin_alone(&server, state);
    char id[RVI_ENGINE_ID_BYTES];
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);
    rvi_engine_want(worker->e, 2);
    submit(client, "before", "", NULL);
    struct told *leased = await(worker, LEASED, 1);
    nats_server_kill(&server);
    await(client, LINK, 1);
    await(worker, LINK, 1);
    submit(client, "dropped", "", id);
    rvi_engine_cancel(client->e, id, -ECANCELED);
    assert_int_equal(await(client, ENDED, 1)->kind, RV_OUTCOME_CANCELLED);
    settle(leased, "away");
    submit(client, "meanwhile", "", NULL);
    assert_true(nats_server_restart(&server));
    assert_string_equal(await(client, ENDED, 2)->bytes, "away");
    settle(await(worker, LEASED, 2), "");
    await(client, ENDED, 3);
    assert_int_equal(count(worker, LEASED), 2);
    finish(p);
    nats_server_stop(&server);
}

/* After its first word and before its second, again and again. */
static void regress_a_server_that_falls_while_it_is_greeted_is_waited_for(void **state)
{
    struct nats_server server;
    struct impostor it = {.is_shy = true};

    struct party *p = begin_alone(&server, state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT);
    nats_server_kill(&server);
    await(client, LINK, 1);
    it.port = server.port;
    impostor_start(&it, "INFO {\"server_id\":\"A\",\"server_name\":\"shy\",\"version\":\"2.9.10\","
                        "\"proto\":1,\"headers\":true,\"jetstream\":true,"
                        "\"max_payload\":1048576}\r\n");
    while (it.left < 2)
        usleep(1000);
    impostor_stop(&it);
    assert_true(nats_server_restart(&server));
    assert_int_equal(await(client, LINK, 2)->error, 0);
    finish(p);
    nats_server_stop(&server);
}

static void hear_put(void *arg, void *token, int error)
{
    struct told *told = new_told(STORED, token);

    told->error = error;
    add_told(arg, told);
}

static struct rvi_engine_queue *open_queue(struct end *end)
{
    const struct rvi_engine_queue_events events = {.put = hear_put};
    struct rvi_engine_queue *q;

    assert_int_equal(rvi_engine_queue_open(&q, end->e, "things", 10, &events, end), 0);
    assert_int_equal(rvi_engine_queue_put(q, "first", 5, NULL), 0);
    assert_int_equal(await(end, STORED, 1)->error, 0);
    return q;
}

/* As if it had been used a minute ago for the last time. */
static void regress_a_server_that_nobody_has_asked_is_not_taken_for_gone(void **state)
{
    struct nats_server server;

    struct party *p = begin_alone(&server, state);
    struct end *queuer = open_end(p, RVI_ENGINE_QUEUER);
    struct rvi_nats *e = rvi_nats_of(queuer->e);
    struct rvi_engine_queue *q = open_queue(queuer);
    rvi_lock_acquire(&e->turn);
    e->heard -= 60000 * ms;
    rvi_lock_release(&e->turn);
    assert_int_equal(rvi_engine_queue_put(q, "second", 6, NULL), 0);
    await(queuer, STORED, 2);
    assert_int_equal(count(queuer, LINK), 0);
    rvi_engine_queue_close(q);
    finish(p);
    nats_server_stop(&server);
}

/* Nothing is unanswered but the request for an item. */
static void regress_who_waits_for_an_item_finds_out_that_the_server_is_gone(void **state)
{
    struct nats_server server;

    struct party *p = begin_alone(&server, state);
    struct end *queuer = open_end(p, RVI_ENGINE_QUEUER);
    struct rvi_nats *e = rvi_nats_of(queuer->e);
    struct rvi_engine_queue *q = open_queue(queuer);
    nats_server_freeze(&server);
    rvi_lock_acquire(&e->turn);
    e->silence = 300 * ms;
    rvi_lock_release(&e->turn);
    rvi_engine_queue_want(q, 1);
    assert_int_equal(await(queuer, LINK, 1)->error, -ENOTCONN);
    nats_server_kill(&server);
    rvi_engine_queue_close(q);
    finish(p);
    nats_server_stop(&server);
}

static void closing_without_the_engine_ends_at_its_deadline(void **state)
{
    struct nats_server server;
    struct party *p = begin_alone(&server, state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT);
    nats_server_kill(&server);
    await(client, LINK, 1);
    submit(client, "never", "", NULL);
    rvi_engine_close(client->e, rvi_clock_now() + 50 * ms);
    client->e = NULL;
    finish(p);
    nats_server_stop(&server);
}

static void a_user_is_known_by_his_nkey(void **state)
{
    char seed[RVI_NKEY_SEED_BYTES], public[RVI_NKEY_PUBLIC_BYTES], config[256], path[128];
    char words[RVI_ENGINE_WORDS];
    struct nats_server server;

    (void)state;
    int r = rvi_nkey_make(seed, public);
    if (r == -ENOSYS)
        skip();
    assert_int_equal(r, 0);
    snprintf(config, sizeof(config), "authorization { users: [ { nkey: %s } ] }", public);
    if (!nats_server_start(&server, config))
        skip();
    assert_int_equal(open_fails(server.url, words), -EACCES);
    snprintf(path, sizeof(path), "%s/seed", server.folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "%s\n", seed);
    fclose(file);
    struct party *p = begin_with(&server, state);
    p->opts.nkey_file = path;
    struct end *client = open_end(p, RVI_ENGINE_CLIENT);
    submit(client, "mine", "", NULL);
    assert_int_equal(await(client, STORED, 1)->error, 0);
    finish(p);
    nats_server_stop(&server);
}

/* Results have no room either, and wait; cancelling what waits makes some. */
static void a_full_disk_is_told_and_harms_nothing(void **state)
{
    struct rvi_engine_task task = {.job = "large"};
    struct nats_server server;
    char config[256], *bytes = calloc(1, 256 << 10);
    char id[RVI_ENGINE_ID_BYTES], first[RVI_ENGINE_ID_BYTES];
    int i, error = 0;

    assert_non_null(bytes);
    nats_server_prepare(&server, NULL); /* for its folder */
    snprintf(config, sizeof(config), "jetstream { store_dir: \"%s/store\", max_file_store: 2MB }",
             server.folder);
    memcpy(server.config, config, sizeof(config));
    nats_server_write_config(&server);
    if (!nats_server_is_installed() || !nats_server_restart(&server)) {
        nats_server_stop(&server);
        free(bytes);
        skip();
    }
    struct party *p = begin_with(&server, state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);
    for (i = 0; error == 0 && i < 20; i++) {
        submit_as(client, i == 0 ? first : id, &task, bytes, 256 << 10);
        error = await(client, STORED, i + 1)->error;
    }
    assert_int_equal(error, -ENOSPC);
    rvi_engine_cancel(client->e, first, -ECANCELED);
    assert_int_equal(await(client, ENDED, 1)->kind, RV_OUTCOME_CANCELLED);
    worker->settles_at_once = true;
    rvi_engine_want(worker->e, 4);
    await(client, ENDED, i - 1);
    submit_as(client, NULL, &task, bytes, 256 << 10);
    await(client, ENDED, i);
    free(bytes);
    finish(p);
    nats_server_stop(&server);
}

/* Says what anybody could say who may, and waits until `awaited` has come. */
static void exchange(const struct nats_server *server, const char *words, size_t count,
                     const char *awaited, char *answer, size_t room)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)},
                             .sin_port = htons((uint16_t)server->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    assert_int_equal(send(fd, words, count, MSG_NOSIGNAL), count);
    answer[0] = '\0';
    for (size_t used = 0; used < room - 1 && !strstr(answer, awaited);) {
        ssize_t n = recv(fd, answer + used, room - 1 - used, 0);
        assert_true(n > 0);
        used += (size_t)n;
        answer[used] = '\0';
    }
    close(fd);
}

static void say_raw(const struct nats_server *server, const char *subject, const void *payload,
                    size_t payload_bytes)
{
    char bytes[1024], answer[4096];

    int count = snprintf(bytes, sizeof(bytes), "CONNECT {\"verbose\":false}\r\nPUB %s %zu\r\n",
                         subject, payload_bytes);
    memcpy(bytes + count, payload, payload_bytes);
    count += (int)payload_bytes;
    count += snprintf(bytes + count, sizeof(bytes) - (size_t)count, "\r\nPING\r\n");
    exchange(server, bytes, (size_t)count, "PONG", answer, sizeof(answer));
}

static void say_text(const struct nats_server *server, const char *subject, const char *text)
{
    say_raw(server, subject, text, strlen(text));
}

static int readers_of_results(const struct party *p)
{
    char words[512], answer[8192];

    int count = snprintf(words, sizeof(words),
                         "CONNECT {\"verbose\":false}\r\nSUB here 1\r\n"
                         "PUB $JS.API.STREAM.INFO.RAVEL_%s_RESULTS here 0\r\n\r\n",
                         p->pool);
    exchange(p->server, words, (size_t)count, "\"consumer_count\":", answer, sizeof(answer));
    return atoi(strstr(answer, "\"consumer_count\":") + sizeof("\"consumer_count\":") - 1);
}

/* Each of them makes the server's next start longer. */
static void regress_who_comes_back_leaves_no_reader_behind(void **state)
{
    enum { TIMES = 3, PATIENCE_MS = 5000 };
    struct nats_server server;

    struct party *p = begin_alone(&server, state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT);
    for (int i = 1; i <= TIMES; i++) {
        nats_server_kill(&server);
        await(client, LINK, 2 * i - 1);
        assert_true(nats_server_restart(&server));
        assert_int_equal(await(client, LINK, 2 * i)->error, 0);
    }
    int readers = 0;
    for (int waited = 0; readers != 1 && waited < PATIENCE_MS; waited += 10) {
        usleep(10000);
        readers = readers_of_results(p);
    }
    assert_int_equal(readers, 1);
    finish(p);
    nats_server_stop(&server);
}

/* As it is after a server that was slow, or has crashed, and has deleted it before. */
static void regress_a_task_whose_deletion_was_not_confirmed_is_cancelled(void **state)
{
    struct nats_server server;
    char id[RVI_ENGINE_ID_BYTES], subject[128];

    struct party *p = begin_alone(&server, state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT);
    submit(client, "unwanted", "", id);
    await(client, STORED, 1);
    snprintf(subject, sizeof(subject), "$JS.API.STREAM.MSG.DELETE.RAVEL_%s_TASKS", p->pool);
    say_text(&server, subject, "{\"seq\":1}");
    nats_server_kill(&server);
    await(client, LINK, 1);
    rvi_engine_cancel(client->e, id, -ECANCELED);
    assert_true(nats_server_restart(&server));
    assert_int_equal(await(client, ENDED, 1)->kind, RV_OUTCOME_CANCELLED);
    finish(p);
    nats_server_stop(&server);
}

/* The stream of results, for messages up to that length. */
static void set_results(const struct party *p, const char *verb, int message_most)
{
    char subject[128], config[512];

    snprintf(subject, sizeof(subject), "$JS.API.STREAM.%s.RAVEL_%s_RESULTS", verb, p->pool);
    snprintf(config, sizeof(config),
             "{\"name\":\"RAVEL_%s_RESULTS\",\"subjects\":[\"ravel.%s.result.>\"],"
             "\"retention\":\"limits\",\"storage\":\"file\",\"discard\":\"new\","
             "\"max_msgs_per_subject\":1,\"discard_new_per_subject\":true,\"allow_direct\":true,"
             "\"max_msg_size\":%d}",
             p->pool, p->pool, message_most);
    say_text(p->server, subject, config);
}

/* Its holder has said all that he has to say. */
static void regress_a_result_that_finds_no_room_keeps_its_lease(void **state)
{
    struct nats_server server;

    struct party *p = begin_alone(&server, state);
    p->opts.lease = 1000 * ms;
    set_results(p, "CREATE", 1);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER),
               *other = open_end(p, RVI_ENGINE_WORKER);
    rvi_engine_want(worker->e, 1);
    submit(client, "once", "", NULL);
    struct told *leased = await(worker, LEASED, 1);
    rvi_engine_want(worker->e, 0);
    rvi_engine_want(other->e, 1);
    settle(leased, "kept");
    usleep(1500000); /* longer than a lease */
    assert_int_equal(count(other, LEASED), 0);
    set_results(p, "UPDATE", 1 << 20);
    assert_string_equal(await(client, ENDED, 1)->bytes, "kept");
    assert_int_equal(count(other, LEASED), 0);
    finish(p);
    nats_server_stop(&server);
}

/* As a server delivers it that has crashed, and forgotten that it was done. */
static void regress_what_is_done_is_recognised_though_it_comes_as_for_the_first_time(void **state)
{
    struct nats_server server;
    char id[RVI_ENGINE_ID_BYTES], subject[256];

    struct party *p = begin_alone(&server, state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT);
    submit(client, "done", "", id);
    await(client, STORED, 1);
    snprintf(subject, sizeof(subject), "ravel.%s.result.%s.%s", p->pool, rvi_nats_of(client->e)->me,
             id);
    say_text(&server, subject, "its result");
    await(client, ENDED, 1);
    struct end *worker = open_end(p, RVI_ENGINE_WORKER);
    rvi_engine_want(worker->e, 1);
    submit(client, "other", "", NULL);
    struct told *leased = await(worker, LEASED, 1);
    assert_string_equal(leased->job, "other");
    settle(leased, "");
    await(client, ENDED, 2);
    finish(p);
    nats_server_stop(&server);
}

static void nonsense_is_set_aside(void **state)
{
    static const char *const to_an_end[] = {"q.0.0",    "q.99999999.0", "q.x", "p.7",
                                            "c.nobody", "n.nobody",     "z.1", "x"};
    struct nats_server server;
    struct rvi_engine_letters letters = {0};
    char subject[256];

    struct party *p = begin_alone(&server, state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER),
               *observer = open_end(p, RVI_ENGINE_OBSERVER);
    rvi_engine_want(worker->e, 2);
    snprintf(subject, sizeof(subject), "ravel.%s.task.normal.%s", p->pool, PARTY_BUILD);
    say_text(&server, subject, "RVT1 this is no task");
    snprintf(subject, sizeof(subject), "ravel.%s.held.%s", p->pool, PARTY_BUILD);
    say_text(&server, subject, "stop");
    say_text(&server, subject, "stop ????????????????????? x");
    say_text(&server, subject, "took 0123456789abcdef012345 18446744073709551616");
    for (size_t i = 0; i < sizeof(to_an_end) / sizeof(to_an_end[0]); i++) {
        snprintf(subject, sizeof(subject), "ravel.%s.to.%s.%s", p->pool, rvi_nats_of(client->e)->me,
                 to_an_end[i]);
        say_text(&server, subject, "{\"error\":");
        snprintf(subject, sizeof(subject), "ravel.%s.to.%s.%s", p->pool, rvi_nats_of(worker->e)->me,
                 to_an_end[i]);
        say_text(&server, subject, "");
    }
    submit(client, "real", "", NULL);
    struct told *leased = await(worker, LEASED, 1);
    assert_string_equal(leased->job, "real");
    snprintf(subject, sizeof(subject), "ravel.%s.result.%s.%s", p->pool, rvi_nats_of(client->e)->me,
             leased->id);
    say_text(&server, subject, "RVR1 this is no result");
    assert_int_equal(await(client, ENDED, 1)->kind, RV_OUTCOME_LOST);
    settle(leased, "too late");
    submit(client, "other", "", NULL);
    settle(await(worker, LEASED, 2), "");
    assert_int_equal(await(client, ENDED, 2)->kind, RV_OUTCOME_VALUE);
    assert_int_equal(rvi_engine_letters(observer->e, 0, 10, &letters, rvi_clock_now() + 5000 * ms),
                     0);
    assert_int_equal(letters.count, 1);
    assert_non_null(strstr(letters.list[0].words, ".task.normal."));
    rvi_engine_letters_drop(&letters);
    finish(p);
    nats_server_stop(&server);
}

/* Whoever had it has died between storing its result and saying so. */
static void a_redelivered_task_whose_result_is_there_is_not_run_again(void **state)
{
    struct nats_server server;
    char subject[256], message[256];

    struct party *p = begin_alone(&server, state);
    p->opts.lease = 100 * ms;
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);
    rvi_engine_want(worker->e, 1);
    submit(client, "once", "", NULL);
    struct told *leased = await(worker, LEASED, 1);
    struct rvi_wire_result result = {.result = {.kind = RV_OUTCOME_ERROR, .error = -EDOM}};
    memcpy(result.result.id, leased->id, sizeof(result.result.id));
    size_t bytes = rvi_wire_result_bytes(&result);
    rvi_wire_result_write(&result, message);
    snprintf(subject, sizeof(subject), "ravel.%s.result.%s.%s", p->pool, rvi_nats_of(client->e)->me,
             leased->id);
    close_end(worker); /* without a word of the task */
    say_raw(&server, subject, message, bytes);
    struct told *ended = await(client, ENDED, 1);
    assert_int_equal(ended->error, -EDOM);
    struct end *other = open_end(p, RVI_ENGINE_WORKER);
    struct end *observer = open_end(p, RVI_ENGINE_OBSERVER);
    struct rvi_engine_survey survey = {.leased = {1}};
    rvi_engine_want(other->e, 1);
    while (survey.leased[RVI_LANE_NORMAL] + survey.waiting[RVI_LANE_NORMAL] > 0) {
        rvi_engine_survey_drop(&survey);
        assert_int_equal(rvi_engine_survey(observer->e, &survey, rvi_clock_now() + 5000 * ms), 0);
    }
    rvi_engine_survey_drop(&survey);
    assert_int_equal(count(other, LEASED), 0);
    finish(p);
    nats_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_there_is_said_with_the_address),
        cmocka_unit_test(a_server_that_comes_in_time_is_waited_for),
        cmocka_unit_test(a_server_without_jetstream_is_refused),
        cmocka_unit_test(wrong_credentials_are_said),
        cmocka_unit_test(an_older_server_is_refused_with_its_version),
        cmocka_unit_test(regress_what_a_pool_is_made_of_is_soon_asked_for_again),
        cmocka_unit_test(a_killed_server_loses_nothing),
        cmocka_unit_test(a_task_that_the_server_has_lost_ends),
        cmocka_unit_test(a_task_that_is_there_is_not_taken_for_lost),
        cmocka_unit_test(regress_results_that_are_numbered_anew_are_heard),
        cmocka_unit_test(what_is_said_while_the_engine_is_away_is_said_later),
        cmocka_unit_test(a_user_is_known_by_his_nkey),
        cmocka_unit_test(a_full_disk_is_told_and_harms_nothing),
        cmocka_unit_test(regress_what_is_done_is_recognised_though_it_comes_as_for_the_first_time),
        cmocka_unit_test(regress_a_server_that_falls_while_it_is_greeted_is_waited_for),
        cmocka_unit_test(regress_a_server_that_nobody_has_asked_is_not_taken_for_gone),
        cmocka_unit_test(regress_who_waits_for_an_item_finds_out_that_the_server_is_gone),
        cmocka_unit_test(regress_a_task_whose_deletion_was_not_confirmed_is_cancelled),
        cmocka_unit_test(regress_who_comes_back_leaves_no_reader_behind),
        cmocka_unit_test(regress_a_result_that_finds_no_room_keeps_its_lease),
        cmocka_unit_test(nonsense_is_set_aside),
        cmocka_unit_test(a_redelivered_task_whose_result_is_there_is_not_run_again),
        cmocka_unit_test(closing_without_the_engine_ends_at_its_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
