/* test_redis_store.c - results in a Redis server: the real one (redis-server), one that says nothing, one that
 * says nonsense, and none. The clock is the test's. */
#include "clock.h"
#include "redis_store.h"
#include "testing.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

extern char **environ;

/* The answer "x" to who asks for "a": the seal is what sha256sum says of "a\0x". */
#define SEALED_X                                                                                   \
    "$65\r\n"                                                                                      \
    "8b86bced10290476e3cbf7ec75ec99dc5afd02120997525be1c62db47aa5c524x\r\n"

static const struct log_sink silent_log = {.level = MODEL_LOG_WARN};
static int64_t now_ns;

static int64_t test_clock(void)
{
    return now_ns;
}

/* A socket that listens on a free port of the loopback. */
static int listen_anywhere(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static struct redis_store *open_patient_store(uint16_t port, const char *password,
                                              uint32_t timeout_ms)
{
    char url[128];
    struct redis_store *store = NULL;
    struct model_error err = {.struct_size = sizeof err};
    (void)snprintf(url, sizeof url, "redis://%s%s%s127.0.0.1:%u/1", password[0] ? ":" : "",
                   password, password[0] ? "@" : "", port);
    const struct redis_store_options options = {
        .url = url, .timeout_ms = timeout_ms, .now_ns = test_clock};
    if (redis_store_create(&options, &silent_log, &store, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return store;
}

static struct redis_store *open_store(uint16_t port, const char *password)
{
    return open_patient_store(port, password, 200);
}

static bool finds(struct redis_store *store, const char *key, const void *want, size_t n)
{
    struct buffer bytes = BUFFER_INIT(1 << 20);
    bool found = redis_store_find(store, key, &bytes);
    if (found) {
        assert_int_equal(bytes.size, n);
        assert_memory_equal(bytes.data, want, n);
    }
    buffer_finish(&bytes);
    return found;
}

/* ---- the real server */

struct server {
    pid_t pid;
    uint16_t port;
    char *dir;
};

static bool answers(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool yes = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    (void)close(fd);
    return yes;
}

static struct server start_server(uint16_t port)
{
    struct server server = {.port = port, .dir = scratch_dir()};
    char port_text[8];
    if (port == 0)
        (void)close(listen_anywhere(&server.port));
    (void)snprintf(port_text, sizeof port_text, "%u", server.port);
    char *const arguments[] = {"redis-server", "--port",     port_text, "--bind",   "127.0.0.1",
                               "--save",       "",           "--dir",   server.dir, "--requirepass",
                               "secret",       "--loglevel", "warning", NULL};
    if (posix_spawnp(&server.pid, arguments[0], NULL, NULL, arguments, environ) != 0)
        SKIP_BECAUSE("needs redis-server");
    for (int i = 0; !answers(server.port); i++) {
        if (i == 2000 || waitpid(server.pid, NULL, WNOHANG) != 0)
            fail_msg("redis-server does not start on port %u", server.port);
        (void)usleep(5000); /* how long it takes is its own matter */
    }
    return server;
}

static void stop_server(struct server *server)
{
    (void)kill(server->pid, SIGKILL);
    assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
    assert_int_equal(rmdir(server->dir), 0);
    free(server->dir);
}

static void a_real_server_keeps_bytes_for_all_who_ask(void **state)
{
    (void)state;
    struct server server = start_server(0);
    struct redis_store *store = open_store(server.port, "secret");
    struct redis_store *other = open_store(server.port, "secret");
    static const char value[] = "any\0bytes\r\n";
    assert_false(finds(store, "a", NULL, 0));
    redis_store_keep(store, "a", value, sizeof value);
    assert_true(finds(store, "a", value, sizeof value));
    assert_true(finds(other, "a", value, sizeof value));
    assert_false(finds(other, "b", NULL, 0));
    const size_t too_large = ((size_t)4 << 20) + 1;
    char *large = calloc(1, too_large);
    assert_non_null(large);
    redis_store_keep(store, "large", large, too_large);
    assert_false(finds(other, "large", NULL, 0));
    free(large);
    assert_int_equal(redis_store_failures(store) + redis_store_failures(other), 0);
    redis_store_destroy(other);
    redis_store_destroy(store);
    stop_server(&server);
}

static void a_wrong_password_is_a_failure_that_is_not_repeated_at_once(void **state)
{
    (void)state;
    struct server server = start_server(0);
    struct redis_store *store = open_store(server.port, "wrong");
    now_ns = 0;
    assert_false(finds(store, "a", NULL, 0));
    assert_false(finds(store, "a", NULL, 0));
    assert_int_equal(redis_store_failures(store), 1);
    redis_store_destroy(store);
    stop_server(&server);
}

static void a_server_that_dies_and_comes_back_is_asked_again_later(void **state)
{
    (void)state;
    struct server server = start_server(0);
    struct redis_store *store = open_store(server.port, "secret");
    now_ns = 0;
    redis_store_keep(store, "a", "x", 1);
    assert_true(finds(store, "a", "x", 1));
    stop_server(&server);
    assert_false(finds(store, "a", NULL, 0));
    redis_store_keep(store, "a", "x", 1);
    assert_int_equal(redis_store_failures(store), 1);
    server = start_server(server.port);
    redis_store_keep(store, "a", "y", 1); /* too early */
    assert_false(finds(store, "a", NULL, 0));
    now_ns = NS_PER_S;
    redis_store_keep(store, "a", "z", 1);
    assert_true(finds(store, "a", "z", 1));
    assert_int_equal(redis_store_failures(store), 1);
    redis_store_destroy(store);
    stop_server(&server);
}

/* ---- servers that are none */

struct impostor {
    int listener;
    const char *says; /* to each question; NULL: nothing, ever */
    pthread_t thread;
};

static void *impostor_main(void *argument)
{
    struct impostor *impostor = argument;
    char question[4096];
    for (int fd; (fd = accept(impostor->listener, NULL, NULL)) >= 0;) {
        while (read(fd, question, sizeof question) > 0)
            if (impostor->says != NULL && write(fd, impostor->says, strlen(impostor->says)) < 0)
                break;
        (void)close(fd);
    }
    return NULL;
}

static void expect_one_failure(const char *says)
{
    uint16_t port = 0;
    struct impostor impostor = {.listener = listen_anywhere(&port), .says = says};
    assert_int_equal(pthread_create(&impostor.thread, NULL, impostor_main, &impostor), 0);
    struct redis_store *store = open_store(port, "");
    now_ns = 0;
    assert_false(finds(store, "a", NULL, 0));
    assert_false(finds(store, "a", NULL, 0)); /* not asked */
    redis_store_keep(store, "a", "x", 1);
    assert_int_equal(redis_store_failures(store), 1);
    now_ns = NS_PER_S;
    assert_false(finds(store, "a", NULL, 0));
    assert_int_equal(redis_store_failures(store), 2);
    redis_store_destroy(store);
    (void)shutdown(impostor.listener, SHUT_RDWR);
    assert_int_equal(pthread_join(impostor.thread, NULL), 0);
    (void)close(impostor.listener);
}

static void a_server_that_says_nothing_costs_one_timeout(void **state)
{
    (void)state;
    expect_one_failure(NULL);
}

static void nonsense_and_errors_are_failures(void **state)
{
    (void)state;
    expect_one_failure("HTTP/1.1 400 Bad Request\r\n\r\n");
    expect_one_failure("-ERR unknown command\r\n");
    expect_one_failure("$99999999999999999999\r\n");
}

/* The store would wait for an hour for its elements. */
static void an_array_is_refused_before_room_is_made_for_it(void **state)
{
    (void)state;
    uint16_t port = 0;
    struct impostor impostor = {.listener = listen_anywhere(&port), .says = "*300000000\r\n"};
    assert_int_equal(pthread_create(&impostor.thread, NULL, impostor_main, &impostor), 0);
    struct redis_store *store = open_patient_store(port, "", 3600000);
    assert_false(finds(store, "a", NULL, 0));
    assert_int_equal(redis_store_failures(store), 1);
    redis_store_destroy(store);
    (void)shutdown(impostor.listener, SHUT_RDWR);
    assert_int_equal(pthread_join(impostor.thread, NULL), 0);
    (void)close(impostor.listener);
}

static void a_value_that_was_not_kept_under_its_key_is_not_found(void **state)
{
    (void)state;
    uint16_t port = 0;
    struct impostor impostor = {.listener = listen_anywhere(&port), .says = SEALED_X};
    assert_int_equal(pthread_create(&impostor.thread, NULL, impostor_main, &impostor), 0);
    struct redis_store *store = open_store(port, "");
    now_ns = 0;
    assert_true(finds(store, "a", "x", 1));
    assert_false(finds(store, "b", NULL, 0));
    assert_false(finds(store, "c", NULL, 0));
    assert_int_equal(redis_store_failures(store), 2);
    assert_true(finds(store, "a", "x", 1)); /* the server is asked on */
    redis_store_destroy(store);
    (void)shutdown(impostor.listener, SHUT_RDWR);
    assert_int_equal(pthread_join(impostor.thread, NULL), 0);
    (void)close(impostor.listener);
}

/* Answers a question with 500 bytes, one each 10 ms: no single read waits for long. */
static void *drip_main(void *argument)
{
    const int *listener = argument;
    char question[4096];
    const int fd = accept(*listener, NULL, NULL);
    struct pollfd gone = {.fd = fd, .events = POLLIN};
    bool open = read(fd, question, sizeof question) > 0 && write(fd, "+OK\r\n", 5) == 5 &&
                read(fd, question, sizeof question) > 0 && write(fd, "$500\r\n", 6) == 6;
    for (int i = 0; i < 502 && open; i++)
        open = poll(&gone, 1, 10) == 0 && send(fd,
                                               i < 500    ? "x"
                                               : i == 500 ? "\r"
                                                          : "\n",
                                               1, MSG_NOSIGNAL) == 1;
    (void)close(fd);
    return NULL;
}

static void a_server_that_drips_costs_one_timeout(void **state)
{
    (void)state;
    uint16_t port = 0;
    pthread_t thread;
    int listener = listen_anywhere(&port);
    assert_int_equal(pthread_create(&thread, NULL, drip_main, &listener), 0);
    struct redis_store *store = open_store(port, "");
    now_ns = 0;
    assert_false(finds(store, "a", NULL, 0)); /* its answer takes 5 s, and is whole then */
    assert_int_equal(redis_store_failures(store), 1);
    redis_store_destroy(store);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(listener);
}

/* A server whose first answer waits for the test. */
struct held_server {
    int listener;
    uv_sem_t asked, answer;
};

static void *held_main(void *argument)
{
    struct held_server *held = argument;
    char question[4096];
    const int fd = accept(held->listener, NULL, NULL);
    for (int i = 0; read(fd, question, sizeof question) > 0; i++) {
        if (i == 0) {
            uv_sem_post(&held->asked);
            uv_sem_wait(&held->answer);
        }
        if (write(fd, SEALED_X, strlen(SEALED_X)) < 0)
            break;
    }
    (void)close(fd);
    return NULL;
}

static void *find_x(void *store)
{
    return finds(store, "a", "x", 1) ? store : NULL;
}

static void nobody_waits_for_the_question_of_another(void **state)
{
    (void)state;
    uint16_t port = 0;
    pthread_t server, asker;
    void *found = NULL;
    struct held_server held = {.listener = listen_anywhere(&port)};
    assert_int_equal(uv_sem_init(&held.asked, 0), 0);
    assert_int_equal(uv_sem_init(&held.answer, 0), 0);
    struct redis_store *store = open_patient_store(port, "", 60000);
    assert_int_equal(pthread_create(&server, NULL, held_main, &held), 0);
    assert_int_equal(pthread_create(&asker, NULL, find_x, store), 0);
    uv_sem_wait(&held.asked);
    assert_false(finds(store, "a", NULL, 0));
    redis_store_keep(store, "a", "x", 1);
    assert_int_equal(redis_store_failures(store), 0);
    uv_sem_post(&held.answer); /* who waited would come too late for it */
    assert_int_equal(pthread_join(asker, &found), 0);
    assert_ptr_equal(found, store);
    redis_store_destroy(store);
    assert_int_equal(pthread_join(server, NULL), 0);
    (void)close(held.listener);
    uv_sem_destroy(&held.asked);
    uv_sem_destroy(&held.answer);
}

static uv_sem_t may_resolve;

static const char *slow_resolver(const char *name, struct host_addresses *ret)
{
    uv_sem_wait(&may_resolve);
    if (strcmp(name, "cache.test") != 0)
        return "no such name";
    (void)snprintf(ret->text[0], sizeof ret->text[0], "127.0.0.2"); /* nobody listens there */
    (void)snprintf(ret->text[1], sizeof ret->text[1], "127.0.0.1");
    ret->n = 2;
    return NULL;
}

static struct redis_store *open_named_store(const char *name, uint16_t port)
{
    char url[128];
    struct redis_store *store = NULL;
    (void)snprintf(url, sizeof url, "redis://:secret@%s:%u", name, port);
    const struct redis_store_options options = {
        .url = url, .timeout_ms = 200, .now_ns = test_clock, .resolve = slow_resolver};
    assert_int_equal(redis_store_create(&options, &silent_log, &store, NULL), MODEL_OK);
    return store;
}

static void nobody_waits_while_the_name_of_a_server_is_looked_up(void **state)
{
    (void)state;
    struct server server = start_server(0);
    now_ns = 0;
    assert_int_equal(uv_sem_init(&may_resolve, 0), 0);
    struct redis_store *store = open_named_store("cache.test", server.port);
    assert_false(finds(store, "a", NULL, 0)); /* returns though the resolver does not */
    redis_store_keep(store, "a", "x", 1);
    assert_int_equal(redis_store_failures(store), 0);
    uv_sem_post(&may_resolve);
    for (redis_store_keep(store, "a", "x", 1); !finds(store, "a", "x", 1);
         redis_store_keep(store, "a", "x", 1))
        (void)sched_yield();
    assert_int_equal(redis_store_failures(store), 0);
    redis_store_destroy(store);
    stop_server(&server);
}

static void a_name_that_is_unknown_is_a_failure(void **state)
{
    (void)state;
    now_ns = 0;
    assert_int_equal(uv_sem_init(&may_resolve, 1), 0);
    struct redis_store *store = open_named_store("none.test", 1);
    while (redis_store_failures(store) == 0) {
        assert_false(finds(store, "a", NULL, 0));
        (void)sched_yield();
    }
    assert_false(finds(store, "a", NULL, 0)); /* the gate is shut: nobody asks */
    assert_int_equal(redis_store_failures(store), 1);
    redis_store_destroy(store);
}

static void where_nobody_listens_nothing_is_found(void **state)
{
    (void)state;
    uint16_t port = 0;
    (void)close(listen_anywhere(&port));
    struct redis_store *store = open_store(port, "");
    now_ns = 0;
    assert_false(finds(store, "a", NULL, 0));
    redis_store_keep(store, "a", "x", 1);
    assert_int_equal(redis_store_failures(store), 1);
    redis_store_destroy(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_real_server_keeps_bytes_for_all_who_ask),
        cmocka_unit_test(a_wrong_password_is_a_failure_that_is_not_repeated_at_once),
        cmocka_unit_test(a_server_that_dies_and_comes_back_is_asked_again_later),
        cmocka_unit_test(a_server_that_says_nothing_costs_one_timeout),
        cmocka_unit_test(nonsense_and_errors_are_failures),
        cmocka_unit_test(an_array_is_refused_before_room_is_made_for_it),
        cmocka_unit_test(a_value_that_was_not_kept_under_its_key_is_not_found),
        cmocka_unit_test(a_server_that_drips_costs_one_timeout),
        cmocka_unit_test(nobody_waits_for_the_question_of_another),
        cmocka_unit_test(nobody_waits_while_the_name_of_a_server_is_looked_up),
        cmocka_unit_test(a_name_that_is_unknown_is_a_failure),
        cmocka_unit_test(where_nobody_listens_nothing_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
