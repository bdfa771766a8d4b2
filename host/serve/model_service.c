/* model_service.c - see model_service.h: addresses, and the life of the service and of a request. */
#include "model_service.h"
#include "buffer.h"
#include "errors.h"
#include "http_server.h"
#include "infer_body.h"
#include "infer_reply.h"
#include "json_view.h"
#include "prometheus.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#define MAX_REPLY_BYTES ((size_t)256 << 20)
#define MAX_CONNECTIONS ((size_t)1000)
#define GOODBYE_MS      1000 /* for clients to take their last answer */
#define JSON            "application/json"
#define MODELS          "/v2/models/"

struct model_service {
    struct model_service_options options;
    uv_loop_t *loop;
    struct http_server *server; /* NULL: closed */
    struct exchange *exchanges; /* requests that models work on */
    bool is_draining, is_closed;
    void (*on_closed)(void *context);
    void *context;
};

/* A request that a model works on. */
struct exchange {
    struct exchange *next, *previous; /* in the service's list */
    struct model_service *service;
    const struct served_model *model;
    struct http_request *http;
    struct modelhost_request *request;
    char *id; /* NULL: none */
};

/* ---- statuses */

static int http_status(model_status status)
{
    static const struct {
        model_status status;
        int http;
    } rows[] = {
        {MODEL_INVALID_ARGUMENT, 400}, {MODEL_UNSUPPORTED, 400},
        {MODEL_NOT_FOUND, 404},        {MODEL_BUSY, 503},
        {MODEL_DEADLINE, 504},         {MODEL_CANCELLED, 503},
        {MODELHOST_CRASHED, 502},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].status == status)
            return rows[i].http;
    return 500;
}

static void reply_failure(struct http_request *http, model_status status,
                          const struct model_error *err)
{
    if (status == MODEL_BUSY)
        http_reply_header(http, "Retry-After", "1");
    http_reply_error(http, http_status(status), err->message);
}

static void reply_buffer(struct http_request *http, model_status status, const struct buffer *text,
                         const struct model_error *err)
{
    if (status == MODEL_OK)
        http_reply(http, 200, JSON, text->data, text->size);
    else
        reply_failure(http, status, err);
}

/* ---- infer */

static void end_if_over(struct model_service *service)
{
    if (!service->is_closed || service->exchanges != NULL)
        return;
    void (*on_closed)(void *context) = service->on_closed;
    void *context = service->context;
    free(service);
    if (on_closed != NULL)
        on_closed(context);
}

static void link_exchange(struct exchange *exchange)
{
    exchange->next = exchange->service->exchanges;
    if (exchange->next != NULL)
        exchange->next->previous = exchange;
    exchange->service->exchanges = exchange;
}

static void unlink_exchange(struct exchange *exchange)
{
    *(exchange->previous != NULL ? &exchange->previous->next : &exchange->service->exchanges) =
        exchange->next;
    if (exchange->next != NULL)
        exchange->next->previous = exchange->previous;
}

static void on_gone(void *context, struct http_request *http)
{
    const struct exchange *exchange = context;
    (void)http;
    modelhost_cancel(exchange->request);
}

static void on_answer(void *user, model_status status, struct modelhost_result *result,
                      const struct model_error *err)
{
    struct exchange *exchange = user;
    struct model_service *service = exchange->service;
    struct model_error own = *err;
    struct buffer text = BUFFER_INIT(MAX_REPLY_BYTES);
    if (status == MODEL_OK)
        status = infer_reply_result(exchange->model->name, exchange->id, result, &text, &own);
    if (status == MODEL_CANCELLED && service->is_draining)
        (void)error_set(&own, status, "the server is ending");
    reply_buffer(exchange->http, status, &text, &own);
    buffer_finish(&text);
    modelhost_result_destroy(result);
    modelhost_request_release(exchange->request);
    unlink_exchange(exchange);
    free(exchange->id);
    free(exchange);
    end_if_over(service);
}

static model_status start(struct exchange *exchange, const struct infer_body *body,
                          struct model_error *err)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    options.timeout_ms = body->timeout_ms;
    options.output_names = (const char *const *)body->output_names;
    options.n_output_names = body->n_output_names;
    options.loop = exchange->service->loop;
    return modelhost_run_async(exchange->model->model, body->inputs, body->n_inputs, &options,
                               on_answer, exchange, &exchange->request, err);
}

/* A body in another encoding is not what it seems. */
static bool is_encoded(const struct http_request *http)
{
    const char *encoding = http_request_header(http, "Content-Encoding");
    return encoding != NULL && strcasecmp(encoding, "identity") != 0;
}

static void infer(struct model_service *service, const struct served_model *model,
                  struct http_request *http)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct infer_body body;
    size_t size_bytes = 0;
    if (is_encoded(http)) {
        http_reply_error(http, 415, "the body has a Content-Encoding, want it as it is");
        return;
    }
    const char *text = http_request_body(http, &size_bytes);
    const int64_t max_timeout_ms =
        model->max_timeout_ms > 0 ? model->max_timeout_ms : MODEL_SERVICE_MAX_TIMEOUT_MS;
    model_status status = infer_body_parse(text, size_bytes, max_timeout_ms, &body, &err);
    if (status == MODEL_UNSUPPORTED) {
        http_reply_error(http, 413, err.message);
        return;
    }
    if (status != MODEL_OK) {
        reply_failure(http, status, &err);
        return;
    }
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL) {
        status = error_no_memory(&err, "a request");
    } else {
        *exchange =
            (struct exchange){.service = service, .model = model, .http = http, .id = body.id};
        status = start(exchange, &body, &err);
    }
    if (status == MODEL_OK) {
        body.id = NULL; /* the exchange's */
        link_exchange(exchange);
        http_request_on_gone(http, on_gone, exchange);
    } else {
        free(exchange);
        reply_failure(http, status, &err);
    }
    infer_body_finish(&body);
}

/* ---- what there is */

static void reply_model(struct model_service *service, const struct served_model *model,
                        struct http_request *http)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer text = BUFFER_INIT(MAX_REPLY_BYTES);
    (void)service;
    model_status status =
        infer_reply_model(model->name, modelhost_description(model->model), &text, &err);
    reply_buffer(http, status, &text, &err);
    buffer_finish(&text);
}

static void reply_not_ready(struct http_request *http, const struct model_error *why)
{
    json_node *reply = json_new_object();
    (void)json_add_bool(reply, "ready", false);
    (void)json_add_string(reply, "error", why->message);
    char *text = json_print(reply, false);
    http_reply_text(http, 503, JSON, text != NULL ? text : "{\"ready\":false}");
    free(text);
    json_free(reply);
}

static void reply_model_ready(struct model_service *service, const struct served_model *model,
                              struct http_request *http)
{
    struct model_error why = MODEL_ERROR_INIT;
    if (service->is_draining)
        http_reply_text(http, 503, JSON, "{\"ready\":false}");
    else if (modelhost_model_ready(model->model, &why))
        http_reply_text(http, 200, JSON, "{\"ready\":true}");
    else
        reply_not_ready(http, &why);
}

static void reply_live(struct model_service *service, struct http_request *http)
{
    (void)service;
    http_reply_text(http, 200, JSON, "{\"live\":true}");
}

static void reply_ready(struct model_service *service, struct http_request *http)
{
    struct model_error why = MODEL_ERROR_INIT;
    bool is_ready = modelhost_ready(service->options.modelhost, &why);
    for (size_t i = 0; i < service->options.n_models && is_ready; i++)
        is_ready = modelhost_model_ready(service->options.models[i].model, &why);
    if (service->is_draining)
        http_reply_text(http, 503, JSON, "{\"ready\":false}");
    else if (is_ready)
        http_reply_text(http, 200, JSON, "{\"ready\":true}");
    else
        reply_not_ready(http, &why);
}

static void reply_server(struct model_service *service, struct http_request *http)
{
    (void)service;
    http_reply_text(http, 200, JSON,
                    "{\"name\":\"modelhost\",\"version\":\"" MODELHOST_VERSION
                    "\",\"extensions\":[]}");
}

static void reply_metrics(struct model_service *service, struct http_request *http)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_metrics *metrics = NULL;
    model_status status = modelhost_metrics_read(service->options.modelhost, &metrics, &err);
    if (status == MODEL_OK)
        http_reply_text(http, 200, PROMETHEUS_CONTENT_TYPE, modelhost_metrics_text(metrics));
    else
        reply_failure(http, status, &err);
    modelhost_metrics_destroy(metrics);
}

/* ---- addresses */

static const struct {
    const char *path;
    void (*reply)(struct model_service *service, struct http_request *http);
} pages[] = {
    {"/v2", reply_server},
    {"/v2/health/live", reply_live},
    {"/v2/health/ready", reply_ready},
    {"/metrics", reply_metrics},
};

static const struct {
    const char *method, *path; /* behind the model's name */
    void (*reply)(struct model_service *service, const struct served_model *model,
                  struct http_request *http);
} model_pages[] = {
    {"GET", "", reply_model},
    {"GET", "/ready", reply_model_ready},
    {"POST", "/infer", infer},
};

static bool is_get(const struct http_request *http)
{
    const char *method = http_request_method(http);
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static void refuse_method(struct http_request *http, const char *allowed)
{
    http_reply_header(http, "Allow", allowed);
    http_reply_error(http, 405, "this address does not take that method; see Allow");
}

/* A name may have slashes in it: the longest that fits. */
static void route_model(struct model_service *service, const char *path, struct http_request *http)
{
    for (size_t i = 0; i < service->options.n_models; i++) {
        const struct served_model *model = &service->options.models[i];
        const size_t length = strlen(model->name);
        if (strncmp(path, model->name, length) != 0)
            continue;
        for (size_t k = 0; k < sizeof model_pages / sizeof model_pages[0]; k++) {
            if (strcmp(path + length, model_pages[k].path) != 0)
                continue;
            const bool takes_get = model_pages[k].method[0] == 'G';
            if (takes_get ? is_get(http) : strcmp(http_request_method(http), "POST") == 0)
                model_pages[k].reply(service, model, http);
            else
                refuse_method(http, takes_get ? "GET, HEAD" : "POST");
            return;
        }
    }
    http_reply_error(http, 404, "no such model, or nothing at this address of it");
}

static void handle(void *context, struct http_request *http)
{
    struct model_service *service = context;
    const char *path = http_request_path(http);
    if (strncmp(path, MODELS, strlen(MODELS)) == 0) {
        route_model(service, path + strlen(MODELS), http);
        return;
    }
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(path, pages[i].path) != 0)
            continue;
        if (is_get(http))
            pages[i].reply(service, http);
        else
            refuse_method(http, "GET, HEAD");
        return;
    }
    http_reply_error(http, 404,
                     "there is nothing at this address; /v2/models/NAME/infer runs a model");
}

/* ---- life */

model_status model_service_create(struct uv_loop_s *loop,
                                  const struct model_service_options *options,
                                  struct model_service **ret, struct model_error *err)
{
    struct model_service *service = calloc(1, sizeof *service);
    if (service == NULL)
        return error_no_memory(err, "a service");
    service->options = *options;
    service->loop = loop;
    const size_t max_connections = http_server_room(MAX_CONNECTIONS);
    const struct http_server_options http = {
        .max_connections = max_connections,
        .max_connections_per_address =
            options->max_per_address > 0 ? options->max_per_address : (max_connections + 1) / 2,
        .host = options->host,
        .port = options->port,
        .handle = handle,
        .context = service,
        .log = options->log,
        .max_body_bytes = INFER_MAX_BODY_BYTES};
    model_status status = http_server_create(loop, &http, &service->server, err);
    if (status != MODEL_OK)
        free(service);
    else
        *ret = service;
    return status;
}

const char *model_service_url(const struct model_service *service)
{
    return http_server_url(service->server);
}

void model_service_drain(struct model_service *service)
{
    service->is_draining = true;
}

static void on_server_closed(void *context)
{
    struct model_service *service = context;
    service->is_closed = true;
    end_if_over(service);
}

void model_service_close(struct model_service *service, void (*on_closed)(void *context),
                         void *context)
{
    service->is_draining = true;
    service->on_closed = on_closed;
    service->context = context;
    for (struct exchange *exchange = service->exchanges; exchange != NULL;
         exchange = exchange->next)
        modelhost_cancel(exchange->request); /* the answers come over the loop */
    http_server_end(service->server, GOODBYE_MS, on_server_closed, service);
}
