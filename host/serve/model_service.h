/* model_service.h - loaded models over HTTP: health, what there is, tensors through a model, by the Open
 * Inference Protocol (v2), and metrics for Prometheus.
 *
 *   GET  /v2/health/live              the process answers
 *   GET  /v2/health/ready             no lane is stuck and every model takes calls; else why not
 *   GET  /v2, /v2/models/M, /v2/models/M/ready
 *   POST /v2/models/M/infer           see infer_body.h
 *   GET  /metrics
 *
 * A client that leaves cancels its request. Everything runs on the caller's loop, but the models. */
#ifndef MODEL_SERVICE_H
#define MODEL_SERVICE_H

#include "log.h"

struct uv_loop_s;
struct model_service;

#define MODEL_SERVICE_MAX_TIMEOUT_MS 3600000

struct served_model {
    const char *name; /* in addresses */
    struct modelhost_model *model;
    int64_t max_timeout_ms; /* that a client may ask for; 0: MODEL_SERVICE_MAX_TIMEOUT_MS */
};

struct model_service_options {
    const char *host; /* NULL: "127.0.0.1" */
    uint16_t port;    /* 0: any free one */
    struct modelhost *modelhost;
    const struct served_model *models; /* (n_models), outlive the service */
    size_t n_models;
    const struct log_sink *log; /* outlives the service */
    size_t max_per_address;     /* connections; 0: half of all that there may be */
};

/* Listens; errors as http_server_create(). [the loop's thread, as all here] */
model_status model_service_create(struct uv_loop_s *loop,
                                  const struct model_service_options *options,
                                  struct model_service **ret, struct model_error *err);
/* "http://127.0.0.1:8080" */
const char *model_service_url(const struct model_service *service);
/* Says from now on that it is not ready, and goes on serving. */
void model_service_drain(struct model_service *service);
/* Stops listening, cancels what runs, which is answered with 503, and frees the service when all of it has ended, for which the loop must
 * go on; on_closed is the last thing that happens. Once. */
void model_service_close(struct model_service *service, void (*on_closed)(void *context),
                         void *context);

#endif
