/* redis_store.c - see redis_store.h. The connection does not block: what is asked is waited for here, since
 * hiredis knows times of single reads only, which a server that drips never exceeds. */
#include "redis_store.h"
#include "clock.h"
#include "errors.h"
#include "host_lookup.h"
#include "redis_url.h"
#include "retry_gate.h"
#include "value_seal.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define PREFIX             "modelhost:result:2:"
#define DEFAULT_TIMEOUT_MS 50
#define DEFAULT_KEEP_S     (24 * 60 * 60)
#define FIRST_WAIT_NS      NS_PER_S
#define LAST_WAIT_NS       (60 * NS_PER_S)
#define MAX_VALUE_BYTES    ((size_t)4 << 20) /* what a usual network carries in that time */

struct redis_store {
    struct redis_url url;
    const struct log_sink *log;
    uint32_t timeout_ms, keep_s;
    int64_t (*now_ns)(void); /* of the gate */
    host_resolver resolve;
    _Atomic uint64_t n_failures;
    uint64_t n_lies; /* values that nobody kept; guarded by the mutex */

    uv_mutex_t mutex; /* guards what follows; nobody waits for it */
    redisContext *connection;
    struct host_lookup *lookup;      /* of the name that is being looked up; NULL: none */
    struct host_addresses addresses; /* n 0: not known; asked for anew after a failure */
    struct retry_gate gate;
    int64_t end_ns; /* of the question that is asked, by the clock of the machine */
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
    store->addresses.n = 0;
    (void)atomic_fetch_add(&store->n_failures, 1);
    retry_gate_failed(&store->gate, store->now_ns());
}

/* Whether the connection can be read or written before the question's time is over. */
static bool wait_until_ready(const struct redis_store *store, short events)
{
    struct pollfd poll_fd = {.fd = store->connection->fd, .events = events};
    for (;;) {
        const int64_t left_ns = store->end_ns - clock_now_ns();
        if (left_ns <= 0)
            return false;
        const int n = poll(&poll_fd, 1, (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS));
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

/* An array is never an answer to what is asked here, and hiredis makes room for as many as it says. */
static bool is_array(redisContext *connection)
{
    static const char plain[] = "+-:$";
    const redisReader *reader = connection->reader;
    if (reader->ridx >= 0 ||
        reader->pos >= reader->len || /* in the middle of one, or nothing yet */
        memchr(plain, reader->buf[reader->pos], sizeof plain - 1) != NULL)
        return false;
    connection->err = REDIS_ERR_PROTOCOL;
    (void)snprintf(connection->errstr, sizeof connection->errstr,
                   "its answer is neither a text nor a number");
    return true;
}

/* Under the mutex: the answer to the command that was appended; NULL: none in time. */
static redisReply *take_reply(struct redis_store *store)
{
    redisContext *connection = store->connection;
    void *reply = NULL;
    int is_written = 0;
    while (reply == NULL) {
        if (!is_written && redisBufferWrite(connection, &is_written) != REDIS_OK)
            return NULL;
        if (!wait_until_ready(store, is_written ? POLLIN : POLLOUT))
            return NULL;
        if (is_written && (redisBufferRead(connection) != REDIS_OK || is_array(connection) ||
                           redisGetReplyFromReader(connection, &reply) != REDIS_OK))
            return NULL;
    }
    return reply;
}

/* Under the mutex: whether a reply is what was hoped for; frees it. */
static bool accept_reply(struct redis_store *store, redisReply *reply, const char *refusal)
{
    const bool good = reply != NULL && reply->type != REDIS_REPLY_ERROR;
    if (!good)
        give_up(store, reply != NULL                  ? refusal
                       : store->connection->errstr[0] ? store->connection->errstr
                                                      : "no whole answer in time");
    if (reply != NULL)
        freeReplyObject(reply);
    return good;
}

static bool stop_blocking(redisContext *connection)
{
    const int flags = fcntl(connection->fd, F_GETFL);
    connection->flags &= ~REDIS_BLOCK;
    return flags >= 0 && fcntl(connection->fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

/* Under the mutex: whether the server's addresses are known; a name is looked up meanwhile, and nobody waits. */
static bool find_addresses(struct redis_store *store)
{
    struct model_error err = MODEL_ERROR_INIT;
    const char *why = NULL;
    if (store->addresses.n > 0 || host_lookup_is_address(store->url.host, &store->addresses))
        return true;
    if (store->lookup == NULL &&
        host_lookup_begin(store->url.host, store->resolve, &store->lookup, &err) != MODEL_OK) {
        give_up(store, err.message);
        return false;
    }
    const enum host_lookup_state state = host_lookup_poll(store->lookup, &store->addresses, &why);
    if (state == HOST_LOOKUP_PENDING)
        return false;
    host_lookup_drop(store->lookup);
    store->lookup = NULL;
    if (state == HOST_LOOKUP_FAILED)
        give_up(store, why);
    return state == HOST_LOOKUP_DONE;
}

/* Under the mutex: connected to the first address that listens, all of them within the question's time. */
static bool open_connection(struct redis_store *store)
{
    redisContext *connection = NULL;
    for (uint32_t i = 0; i < store->addresses.n; i++) {
        const int64_t left_us = (store->end_ns - clock_now_ns()) / 1000;
        const struct timeval timeout = {(time_t)(left_us / 1000000),
                                        (suseconds_t)(left_us % 1000000)};
        if (left_us <= 0)
            break;
        if (connection != NULL)
            redisFree(connection);
        connection = redisConnectWithTimeout(store->addresses.text[i], store->url.port, timeout);
        if (connection != NULL && connection->err == 0)
            break;
    }
    store->connection = connection;
    if (connection != NULL && connection->err == 0 && stop_blocking(connection))
        return true;
    give_up(store, connection == NULL      ? "out of memory or time"
                   : connection->errstr[0] ? connection->errstr
                                           : "its socket cannot be set up");
    return false;
}

/* Under the mutex: connected, or false. */
static bool connect_server(struct redis_store *store)
{
    if (store->connection != NULL)
        return true;
    if (!retry_gate_is_open(&store->gate, store->now_ns()) || !find_addresses(store) ||
        !open_connection(store))
        return false;
    if (store->url.password[0] != '\0') {
        (void)redisAppendCommand(store->connection, "AUTH %s", store->url.password);
        if (!accept_reply(store, take_reply(store), "the password is refused"))
            return false;
    }
    if (store->url.database == 0)
        return true;
    (void)redisAppendCommand(store->connection, "SELECT %u", (unsigned)store->url.database);
    return accept_reply(store, take_reply(store), "there is no such database");
}

/* False when another thread asks, or nobody may now: its time is not waited for. */
static bool question_begin(struct redis_store *store, struct pipe_signal *hold)
{
    if (uv_mutex_trylock(&store->mutex) != 0)
        return false;
    pipe_signal_hold(hold);
    store->end_ns = clock_now_ns() + (int64_t)store->timeout_ms * NS_PER_MS;
    if (connect_server(store))
        return true;
    pipe_signal_restore(hold);
    uv_mutex_unlock(&store->mutex);
    return false;
}

static void question_end(struct redis_store *store, const struct pipe_signal *hold)
{
    pipe_signal_restore(hold);
    uv_mutex_unlock(&store->mutex);
}

/* Under the mutex: it may be one value only, so the server is asked on; the next result replaces it. */
static void report_lie(struct redis_store *store, const char *key)
{
    (void)atomic_fetch_add(&store->n_failures, 1);
    store->n_lies++;
    if ((store->n_lies & (store->n_lies - 1)) == 0) /* the 1st, 2nd, 4th, ... */
        log_write(store->log, MODEL_LOG_WARN,
                  "the Redis server %s:%u has a value under %.16s... that is damaged or was kept "
                  "under another key (%llu so far); it is computed anew",
                  store->url.host, store->url.port, key, (unsigned long long)store->n_lies);
}

bool redis_store_find(struct redis_store *store, const char *key, struct buffer *ret)
{
    struct pipe_signal hold;
    bool found = false;
    if (!question_begin(store, &hold))
        return false;
    (void)redisAppendCommand(store->connection, "GET " PREFIX "%s", key);
    redisReply *reply = take_reply(store);
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        (void)accept_reply(store, reply, "it refuses to be read");
    } else {
        retry_gate_succeeded(&store->gate);
        if (reply->type == REDIS_REPLY_STRING) {
            found = value_seal_fits(key, reply->str, (size_t)reply->len);
            if (!found)
                report_lie(store, key);
        }
        found = found && buffer_append(ret, reply->str + VALUE_SEAL_BYTES,
                                       (size_t)reply->len - VALUE_SEAL_BYTES) == MODEL_OK;
        freeReplyObject(reply);
    }
    question_end(store, &hold);
    return found;
}

void redis_store_keep(struct redis_store *store, const char *key, const void *value,
                      size_t size_bytes)
{
    struct pipe_signal hold;
    char seal[SHA256_HEX_BYTES];
    if (size_bytes > MAX_VALUE_BYTES || value_seal_make(key, value, size_bytes, seal) != MODEL_OK ||
        !question_begin(store, &hold))
        return;
    (void)redisAppendCommand(store->connection, "SET " PREFIX "%s %s%b EX %u", key, seal, value,
                             size_bytes, (unsigned)store->keep_s);
    if (accept_reply(store, take_reply(store), "it refuses to be written to"))
        retry_gate_succeeded(&store->gate);
    question_end(store, &hold);
}

uint64_t redis_store_failures(struct redis_store *store)
{
    return atomic_load(&store->n_failures);
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
    store->url = url;
    store->log = log;
    store->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    store->keep_s = options->keep_s > 0 ? options->keep_s : DEFAULT_KEEP_S;
    store->now_ns = options->now_ns != NULL ? options->now_ns : clock_now_ns;
    store->resolve = options->resolve;
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
    host_lookup_drop(store->lookup);
    uv_mutex_destroy(&store->mutex);
    free(store);
}
