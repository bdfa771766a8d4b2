/* redis_store.c - see redis_store.h. */
#include "redis_store.h"
#include "clock.h"
#include "errors.h"
#include "redis_url.h"
#include "retry_gate.h"

#include <hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <uv.h>

#define PREFIX             "modelhost:result:1:"
#define DEFAULT_TIMEOUT_MS 50
#define DEFAULT_KEEP_S     (24 * 60 * 60)
#define FIRST_WAIT_NS      NS_PER_S
#define LAST_WAIT_NS       (60 * NS_PER_S)

struct redis_store {
    struct redis_url url;
    const struct log_sink *log;
    struct timeval timeout;
    uint32_t keep_s;
    int64_t (*now_ns)(void);

    uv_mutex_t mutex; /* guards what follows */
    redisContext *connection;
    struct retry_gate gate;
    uint64_t n_failures;
};

/* hiredis writes to a socket that the server may have closed: a SIGPIPE of that is ours to take. */
struct pipe_signal {
    sigset_t before;
    bool was_pending;
};

static void pipe_signal_hold(struct pipe_signal *hold)
{
    sigset_t pipe_only, pending;
    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)sigpending(&pending);
    hold->was_pending = sigismember(&pending, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &pipe_only, &hold->before);
}

static void pipe_signal_restore(const struct pipe_signal *hold)
{
    sigset_t pipe_only, pending;
    int number = 0;
    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)sigpending(&pending);
    if (!hold->was_pending && sigismember(&pending, SIGPIPE) == 1)
        (void)sigwait(&pipe_only, &number);
    (void)pthread_sigmask(SIG_SETMASK, &hold->before, NULL);
}

/* Under the mutex. */
static void give_up(struct redis_store *store, const char *why)
{
    log_write(
        store->log, MODEL_LOG_WARN,
        "the Redis server %s:%u does not answer (%s): results are kept in memory only; asking "
        "again later",
        store->url.host, store->url.port, why);
    if (store->connection != NULL)
        redisFree(store->connection);
    store->connection = NULL;
    store->n_failures++;
    retry_gate_failed(&store->gate, store->now_ns());
}

/* Under the mutex: whether a reply is what was hoped for; frees it. */
static bool accept_reply(struct redis_store *store, redisReply *reply, const char *doing)
{
    const bool good = reply != NULL && reply->type != REDIS_REPLY_ERROR;
    if (!good)
        give_up(store, reply != NULL                  ? doing
                       : store->connection->errstr[0] ? store->connection->errstr
                                                      : doing);
    if (reply != NULL)
        freeReplyObject(reply);
    return good;
}

/* Under the mutex: connected, or false. */
static bool connect_server(struct redis_store *store)
{
    if (store->connection != NULL)
        return true;
    if (!retry_gate_is_open(&store->gate, store->now_ns()))
        return false;
    redisContext *connection =
        redisConnectWithTimeout(store->url.host, store->url.port, store->timeout);
    store->connection = connection;
    if (connection == NULL || connection->err != 0) {
        give_up(store, connection != NULL ? connection->errstr : "out of memory");
        return false;
    }
    (void)redisSetTimeout(connection, store->timeout);
    if (store->url.password[0] != '\0' &&
        !accept_reply(store, redisCommand(connection, "AUTH %s", store->url.password),
                      "the password is refused"))
        return false;
    return store->url.database == 0 ||
           accept_reply(store, redisCommand(connection, "SELECT %u", (unsigned)store->url.database),
                        "there is no such database");
}

bool redis_store_find(struct redis_store *store, const char *key, struct buffer *ret)
{
    struct pipe_signal hold;
    bool found = false;
    uv_mutex_lock(&store->mutex);
    pipe_signal_hold(&hold);
    if (connect_server(store)) {
        redisReply *reply = redisCommand(store->connection, "GET " PREFIX "%s", key);
        if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
            (void)accept_reply(store, reply, "it refuses to be read");
        } else {
            retry_gate_succeeded(&store->gate);
            found = reply->type == REDIS_REPLY_STRING &&
                    buffer_append(ret, reply->str, (size_t)reply->len) == MODEL_OK;
            freeReplyObject(reply);
        }
    }
    pipe_signal_restore(&hold);
    uv_mutex_unlock(&store->mutex);
    return found;
}

void redis_store_keep(struct redis_store *store, const char *key, const void *value,
                      size_t size_bytes)
{
    struct pipe_signal hold;
    uv_mutex_lock(&store->mutex);
    pipe_signal_hold(&hold);
    if (connect_server(store) &&
        accept_reply(store,
                     redisCommand(store->connection, "SET " PREFIX "%s %b EX %u", key, value,
                                  size_bytes, (unsigned)store->keep_s),
                     "it refuses to be written to"))
        retry_gate_succeeded(&store->gate);
    pipe_signal_restore(&hold);
    uv_mutex_unlock(&store->mutex);
}

uint64_t redis_store_failures(struct redis_store *store)
{
    uv_mutex_lock(&store->mutex);
    const uint64_t n = store->n_failures;
    uv_mutex_unlock(&store->mutex);
    return n;
}

model_status redis_store_create(const struct redis_store_options *options,
                                const struct log_sink *log, struct redis_store **ret,
                                struct model_error *err)
{
    struct redis_url url;
    model_status status = redis_url_parse(options->url, &url, err);
    if (status != MODEL_OK)
        return status;
    struct redis_store *store = calloc(1, sizeof *store);
    if (store == NULL || uv_mutex_init(&store->mutex) != 0) {
        free(store);
        return error_no_memory(err, "a result cache");
    }
    const uint32_t timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    store->url = url;
    store->log = log;
    store->timeout = (struct timeval){timeout_ms / 1000, timeout_ms % 1000 * 1000};
    store->keep_s = options->keep_s > 0 ? options->keep_s : DEFAULT_KEEP_S;
    store->now_ns = options->now_ns != NULL ? options->now_ns : clock_now_ns;
    store->gate = (struct retry_gate)RETRY_GATE_INIT(FIRST_WAIT_NS, LAST_WAIT_NS);
    *ret = store;
    return MODEL_OK;
}

void redis_store_destroy(struct redis_store *store)
{
    if (store == NULL)
        return;
    if (store->connection != NULL)
        redisFree(store->connection);
    uv_mutex_destroy(&store->mutex);
    free(store);
}
