/* http_server.c - listening, limits, time; see http_server.h. Loop thread only.
 *
 * One timer for all deadlines, not one per connection: it looks at each a few times a second. */
#include "http_private.h"
#include "errors.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SWEEP_MS       250
#define LISTEN_BACKLOG 512

/* ---- closing */

static void finish_if_closed(struct http_server *server)
{
    if (!server->is_closing || server->n_handles > 0 || server->n_connections > 0)
        return;
    void (*on_closed)(void *) = server->on_closed;
    void *context = server->on_closed_context;
    free(server);
    if (on_closed != NULL)
        on_closed(context);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    server->n_handles--;
    finish_if_closed(server);
}

static void close_sweeper(struct http_server *server)
{
    if (!uv_is_closing((uv_handle_t *)&server->sweeper))
        uv_close((uv_handle_t *)&server->sweeper, on_handle_closed);
}

void http_server_connection_closed(struct http_server *server)
{
    server->n_connections--;
    if (server->is_closing && server->n_connections == 0)
        close_sweeper(server);
    finish_if_closed(server);
}

static void close_connections(struct http_server *server)
{
    for (struct http_connection *c = server->connections, *next; c != NULL; c = next) {
        next = c->next;
        http_connection_close(c);
    }
}

static void stop_listening(struct http_server *server, void (*on_closed)(void *context),
                           void *context)
{
    server->is_closing = true;
    server->on_closed = on_closed;
    server->on_closed_context = context;
    if (!uv_is_closing((uv_handle_t *)&server->listener))
        uv_close((uv_handle_t *)&server->listener, on_handle_closed);
}

void http_server_close(struct http_server *server, void (*on_closed)(void *context), void *context)
{
    stop_listening(server, on_closed, context);
    close_connections(server);
    close_sweeper(server);
}

/* Who is in the middle of a request is told, who waits for an answer gets it, and the others go. */
static void end_connection(struct http_connection *connection)
{
    if (connection->state == HTTP_READING_BODY ||
        (connection->state == HTTP_READING_HEAD && connection->in.size > 0))
        http_connection_refuse(connection, 503, "the server is ending");
    else if (connection->state == HTTP_READING_HEAD)
        http_connection_close(connection);
    else if (connection->state == HTTP_HANDLING)
        connection->request->keep_alive = false;
}

void http_server_end(struct http_server *server, uint32_t patience_ms,
                     void (*on_closed)(void *context), void *context)
{
    stop_listening(server, on_closed, context);
    server->end_ms = uv_now(server->sweeper.loop) + patience_ms;
    for (struct http_connection *c = server->connections, *next; c != NULL; c = next) {
        next = c->next;
        end_connection(c);
    }
    if (server->n_connections == 0)
        close_sweeper(server);
}

/* ---- time */

static void sweep(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    uint64_t now_ms = uv_now(timer->loop);
    if (server->owes_accept && !server->is_closing)
        http_connection_accept(server);
    if (server->is_closing && now_ms >= server->end_ms)
        close_connections(server);
    for (struct http_connection *c = server->connections, *next; c != NULL; c = next) {
        next = c->next;
        if (c->is_paused)
            http_file_resume(c);
        if (c->deadline_ms > now_ms)
            continue;
        if (c->state == HTTP_READING_BODY || (c->state == HTTP_READING_HEAD && c->in.size > 0))
            http_connection_refuse(c, 408, "the request did not come in time");
        else if (c->state != HTTP_HANDLING)
            http_connection_close(c);
    }
}

/* ---- listening */

static void on_connection(uv_stream_t *listener, int status)
{
    if (status == 0)
        http_connection_accept(listener->data);
}

static model_status listen_error(int code, const struct http_server_options *options,
                                 struct model_error *err)
{
    const char *host = options->host;
    if (code == UV_EADDRINUSE)
        return error_set(err, MODEL_BUSY,
                         "cannot listen on %s:%u: address already in use; give another port, or 0 "
                         "for any free one",
                         host, options->port);
    if (code == UV_EACCES)
        return error_set(err, MODEL_IO,
                         "cannot listen on %s:%u: permission denied; ports below 1024 belong to "
                         "the system, give a higher one",
                         host, options->port);
    if (code == UV_EMFILE || code == UV_ENFILE)
        return error_set_errno(err, -code, "cannot listen on %s:%u", host, options->port);
    return error_set(err, MODELHOST_NETWORK, "cannot listen on %s:%u: %s", host, options->port,
                     uv_strerror(code));
}

static int resolve(uv_loop_t *loop, const struct http_server_options *options,
                   struct sockaddr_storage *ret)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    uv_getaddrinfo_t request;
    int code = uv_getaddrinfo(loop, &request, NULL, options->host, NULL, &hints);
    if (code != 0)
        return code;
    memcpy(ret, request.addrinfo->ai_addr, request.addrinfo->ai_addrlen);
    uv_freeaddrinfo(request.addrinfo);
    if (ret->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)ret)->sin6_port = htons(options->port);
    else
        ((struct sockaddr_in *)ret)->sin_port = htons(options->port);
    return 0;
}

static int learn_url(struct http_server *server)
{
    struct sockaddr_storage address;
    int length = (int)sizeof address;
    char host[64];
    int code = uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &length);
    if (code != 0)
        return code;
    bool is_6 = address.ss_family == AF_INET6;
    code = is_6 ? uv_ip6_name((struct sockaddr_in6 *)&address, host, sizeof host)
                : uv_ip4_name((struct sockaddr_in *)&address, host, sizeof host);
    server->port = ntohs(is_6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                              : ((struct sockaddr_in *)&address)->sin_port);
    (void)snprintf(server->url, sizeof server->url, is_6 ? "http%s://[%s]:%u" : "http%s://%s:%u",
                   server->options.tls != NULL ? "s" : "", host, server->port);
    return code;
}

static int start(struct http_server *server)
{
    struct sockaddr_storage address;
    uv_loop_t *loop = server->listener.loop;
    int code = resolve(loop, &server->options, &address);
    if (code == 0)
        code = uv_tcp_bind(&server->listener, (struct sockaddr *)&address, 0);
    if (code == 0)
        code = uv_listen((uv_stream_t *)&server->listener, LISTEN_BACKLOG, on_connection);
    if (code == 0)
        code = learn_url(server);
    if (code == 0)
        code = uv_timer_start(&server->sweeper, sweep, SWEEP_MS, SWEEP_MS);
    return code;
}

static void set_defaults(struct http_server_options *options)
{
    if (options->host == NULL)
        options->host = "127.0.0.1";
    if (options->max_head_bytes == 0)
        options->max_head_bytes = 32u << 10;
    if (options->max_target_bytes == 0)
        options->max_target_bytes = 8u << 10;
    if (options->max_body_bytes == 0)
        options->max_body_bytes = 1u << 20;
    if (options->max_connections == 0)
        options->max_connections = http_server_room(1000);
    if (options->idle_timeout_ms == 0)
        options->idle_timeout_ms = 60000;
    if (options->read_timeout_ms == 0)
        options->read_timeout_ms = 20000;
    if (options->write_timeout_ms == 0)
        options->write_timeout_ms = 60000;
}

model_status http_server_create(uv_loop_t *loop, const struct http_server_options *options,
                                struct http_server **ret, struct model_error *err)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return error_no_memory(err, "the HTTP server");
    server->options = *options;
    set_defaults(&server->options);
    int code = uv_tcp_init(loop, &server->listener);
    if (code != 0) {
        free(server);
        return error_set_errno(err, -code, "cannot make a socket");
    }
    (void)uv_timer_init(loop, &server->sweeper); /* cannot fail */
    server->listener.data = server->sweeper.data = server;
    server->n_handles = 2;
    code = start(server);
    if (code != 0) {
        model_status status = listen_error(code, &server->options, err);
        http_server_close(server, NULL, NULL);
        return status;
    }
    server->options.host = NULL; /* the caller's text */
    *ret = server;
    return MODEL_OK;
}

const char *http_server_url(const struct http_server *server)
{
    return server->url;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

size_t http_server_connections(const struct http_server *server)
{
    return server->n_connections;
}

/* ---- requests, as handlers see them */

const char *http_request_method(const struct http_request *request)
{
    return request->head.method;
}

const char *http_request_raw_path(const struct http_request *request)
{
    return request->head.path;
}

const char *http_request_path(const struct http_request *request)
{
    return request->path;
}

const char *http_request_query(const struct http_request *request)
{
    return request->head.query;
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    return http_head_value(&request->head, name);
}

const char *http_request_address(const struct http_request *request)
{
    return request->connection != NULL ? request->connection->address : "-";
}

bool http_request_is_secure(const struct http_request *request)
{
    return request->connection != NULL && request->connection->tls != NULL;
}

bool http_request_is_http_1_0(const struct http_request *request)
{
    return request->head.is_http_1_0;
}

const char *http_request_body(const struct http_request *request, size_t *ret_size_bytes)
{
    if (ret_size_bytes != NULL)
        *ret_size_bytes = request->body.size;
    return request->body.data != NULL ? request->body.data : "";
}

void http_request_on_gone(struct http_request *request,
                          void (*gone)(void *context, struct http_request *request), void *context)
{
    request->gone = gone;
    request->gone_context = context;
}
