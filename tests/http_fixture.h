/* http_fixture.h - an HTTP server on a thread of its own, and a blocking client: what the tests of
 * base/http_*.c share. Nothing here waits by the clock: each wait ends with bytes or with the end of a
 * connection. Included once by a test program. */
#ifndef HTTP_FIXTURE_H
#define HTTP_FIXTURE_H

#include "errors.h"
#include "files.h"
#include "http_server.h"
#include "testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

#define BIG_BYTES ((size_t)16 << 20)

struct fixture {
    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t command; /* see on_command() */
    uv_sem_t done;
    struct http_server *server;
    struct http_server_options options;
    struct model_error err;
    model_status status;
    uint16_t port;
    enum order { RELEASE, COUNT, END, CLOSE } order;
    uint32_t patience_ms; /* of END */
    bool is_ending;
    size_t n_connections;      /* by COUNT */
    struct http_request *kept; /* by "/keep", or by "/late" that does not ask who is gone */
    uv_sem_t has_kept, has_gone;
    unsigned n_sources; /* open ones of "/source" */
    char *folder, *file;
    char *big;
};

/* ---- the server's side */

static inline void on_gone(void *context, struct http_request *request)
{
    struct fixture *fixture = context;
    assert_ptr_equal(request, fixture->kept);
    uv_sem_post(&fixture->has_gone);
}

static inline void reply_seen(struct http_request *request)
{
    size_t size_bytes;
    const char *body = http_request_body(request, &size_bytes);
    const char *query = http_request_query(request), *x = http_request_header(request, "x-test");
    char *text = text_format("%s|%s|%s|%s|%s|%zu|%s", http_request_method(request),
                             http_request_raw_path(request), http_request_path(request),
                             query != NULL ? query : "-", x != NULL ? x : "-", size_bytes, body);
    assert_non_null(text);
    http_reply_text(request, 200, "text/plain", text);
    free(text);
}

/* "/source": big, of which "/source?broken" cannot read what lies behind its first half. */
static inline void read_big(void *context, uint64_t offset, void *data, size_t size_bytes,
                            struct http_reading *reading)
{
    const struct fixture *fixture = context;
    memcpy(data, fixture->big + offset, size_bytes);
    http_reading_done(reading, true);
}

static inline void read_half(void *context, uint64_t offset, void *data, size_t size_bytes,
                             struct http_reading *reading)
{
    if (offset < BIG_BYTES / 2)
        read_big(context, offset, data, size_bytes, reading);
    else
        http_reading_done(reading, false);
}

static inline void close_source(void *context)
{
    struct fixture *fixture = context;
    fixture->n_sources--;
}

static inline void reply_source(struct fixture *fixture, struct http_request *request)
{
    const bool is_part = strcmp(http_request_path(request), "/source/part") == 0;
    fixture->n_sources++;
    http_reply_source(
        request, is_part ? 206 : 200, "application/octet-stream",
        &(struct http_source){http_request_query(request) != NULL ? read_half : read_big,
                              close_source, fixture},
        is_part ? 1000 : 0, is_part ? 5000 : BIG_BYTES);
}

static inline void handle(void *context, struct http_request *request)
{
    struct fixture *fixture = context;
    const char *path = http_request_path(request);
    if (strcmp(path, "/keep") == 0) {
        fixture->kept = request;
        http_request_on_gone(request, on_gone, fixture);
        uv_sem_post(&fixture->has_kept);
    } else if (strcmp(path, "/late") == 0) {
        fixture->kept = request;
        uv_sem_post(&fixture->has_kept);
    } else if (strncmp(path, "/file", 5) == 0) {
        int fd = open(fixture->file, O_RDONLY | O_CLOEXEC);
        bool is_part = strcmp(path, "/file/part") == 0;
        unsigned how = 0, after_bytes = 0; /* "?3-1000": as http_reply_spoil() takes them */
        if (http_request_query(request) != NULL &&
            sscanf(http_request_query(request), "%1u-%8u", &how, &after_bytes) == 2)
            http_reply_spoil(request, (enum http_spoil)how, after_bytes);
        http_reply_file(request, is_part ? 206 : 200, "application/octet-stream", fd,
                        is_part ? 1000 : 0, is_part ? 5000 : BIG_BYTES);
    } else if (strncmp(path, "/source", 7) == 0) {
        reply_source(fixture, request);
    } else if (strcmp(path, "/big") == 0) {
        http_reply(request, 200, NULL, fixture->big, BIG_BYTES);
    } else if (strcmp(path, "/headers") == 0) {
        http_reply_header(request, "X-Good", "yes");
        http_reply_header(request, "X-Bad", "a\r\nX-Injected: b");
        http_reply_text(request, 304, NULL, "never sent");
    } else {
        reply_seen(request);
    }
}

static inline void on_closed(void *context)
{
    struct fixture *fixture = context;
    fixture->server = NULL;
}

static inline void on_command(uv_async_t *async)
{
    struct fixture *fixture = async->data;
    if (fixture->order == RELEASE && fixture->kept != NULL) {
        struct http_request *request = fixture->kept;
        fixture->kept = NULL;
        http_reply_text(request, 200, "text/plain", "late");
    } else if (fixture->order == COUNT) {
        fixture->n_connections = http_server_connections(fixture->server);
    } else if (fixture->order == END) {
        fixture->is_ending = true;
        http_server_end(fixture->server, fixture->patience_ms, on_closed, fixture);
    } else if (fixture->order == CLOSE) {
        if (fixture->server != NULL && !fixture->is_ending)
            http_server_close(fixture->server, on_closed, fixture);
        uv_close((uv_handle_t *)&fixture->command, NULL);
    }
    uv_sem_post(&fixture->done);
}

static inline void run(void *argument)
{
    struct fixture *fixture = argument;
    fixture->status =
        http_server_create(&fixture->loop, &fixture->options, &fixture->server, &fixture->err);
    if (fixture->status == MODEL_OK)
        fixture->port = http_server_port(fixture->server);
    uv_sem_post(&fixture->done);
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(fixture->n_sources, 0);
    assert_null(fixture->server); /* its on_closed() came before the loop ended */
}

static inline void order(struct fixture *fixture, enum order what)
{
    fixture->order = what;
    assert_int_equal(uv_async_send(&fixture->command), 0);
    uv_sem_wait(&fixture->done);
}

static inline struct fixture *start(struct http_server_options options)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    (void)signal(SIGPIPE, SIG_IGN);
    fixture->options = options;
    fixture->options.handle = handle;
    fixture->options.context = fixture;
    fixture->err.struct_size = sizeof fixture->err;
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    assert_int_equal(uv_async_init(&fixture->loop, &fixture->command, on_command), 0);
    fixture->command.data = fixture;
    assert_int_equal(uv_sem_init(&fixture->done, 0), 0);
    assert_int_equal(uv_sem_init(&fixture->has_kept, 0), 0);
    assert_int_equal(uv_sem_init(&fixture->has_gone, 0), 0);
    fixture->folder = scratch_dir();
    fixture->file = path_join(fixture->folder, "file.bin");
    fixture->big = malloc(BIG_BYTES);
    assert_non_null(fixture->big);
    for (size_t i = 0; i < BIG_BYTES; i++)
        fixture->big[i] = (char)(i * 2654435761u >> 13);
    write_file(fixture->file, fixture->big, BIG_BYTES);
    assert_int_equal(uv_thread_create(&fixture->thread, run, fixture), 0);
    uv_sem_wait(&fixture->done);
    return fixture;
}

/* Returns the request that "/keep" kept and nobody has answered. */
static inline struct http_request *stop_server(struct fixture *fixture)
{
    order(fixture, CLOSE);
    assert_int_equal(uv_thread_join(&fixture->thread), 0);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    return fixture->kept;
}

static inline void finish(struct fixture *fixture)
{
    uv_sem_destroy(&fixture->done);
    uv_sem_destroy(&fixture->has_kept);
    uv_sem_destroy(&fixture->has_gone);
    assert_int_equal(dir_remove_all(fixture->folder, NULL), MODEL_OK);
    free(fixture->folder);
    free(fixture->file);
    free(fixture->big);
    free(fixture);
}

static inline void stop(struct fixture *fixture)
{
    assert_null(stop_server(fixture));
    finish(fixture);
}

/* ---- the client's side */

static inline int connect_to(const struct fixture *fixture)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(fixture->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline void send_bytes(int fd, const char *data, size_t size_bytes)
{
    while (size_bytes > 0) {
        ssize_t n = send(fd, data, size_bytes, MSG_NOSIGNAL);
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return; /* refused early: the answer is there to be read */
        assert_true(n > 0);
        data += n;
        size_bytes -= (size_t)n;
    }
}

static inline void send_text(int fd, const char *text)
{
    send_bytes(fd, text, strlen(text));
}

/* All until the server ends the connection; closes it. */
static inline char *read_all(int fd, size_t *ret_size_bytes)
{
    struct buffer text = BUFFER_INIT((size_t)64 << 20);
    char block[65536];
    ssize_t n;
    while ((n = recv(fd, block, sizeof block, 0)) > 0)
        assert_int_equal(buffer_append(&text, block, (size_t)n), MODEL_OK);
    (void)close(fd);
    if (ret_size_bytes != NULL)
        *ret_size_bytes = text.size;
    char *all = buffer_take(&text);
    assert_non_null(all);
    return all;
}

/* The bytes up to and with `end`. */
static inline void read_until(int fd, const char *end)
{
    struct buffer text = BUFFER_INIT(65536);
    char c;
    do {
        assert_int_equal(recv(fd, &c, 1, 0), 1);
        assert_int_equal(buffer_append(&text, &c, 1), MODEL_OK);
    } while (strstr(text.data, end) == NULL);
    buffer_finish(&text);
}

static inline char *talk(const struct fixture *fixture, const char *request)
{
    int fd = connect_to(fixture);
    send_text(fd, request);
    return read_all(fd, NULL);
}

static inline void check_talk(const struct fixture *fixture, const char *request,
                              const char *status_line, const char *body)
{
    char *answer = talk(fixture, request);
    assert_memory_equal(answer, status_line, strlen(status_line));
    const char *found = strstr(answer, "\r\n\r\n");
    assert_non_null(found);
    if (body != NULL)
        assert_string_equal(found + 4, body);
    free(answer);
}

#define CLOSE_HEADERS "Host: x\r\nConnection: close\r\n\r\n"

#endif
