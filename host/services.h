/* services.h - what the host hands to a plugin (struct model_services) for one model. */
#ifndef SERVICES_H
#define SERVICES_H

#include "json_view.h"
#include "log.h"
#include "mapped_files.h"
#include "model_extensions.h"
#include "packed_blobs.h"
#include "weights.h"

struct plugin_counters;
struct weight_loading;

/* Lives in its model and must not move: the table's context points at it. */
struct services {
    struct model_services table;
    const struct log_sink *log;
    char *model_name;               /* in log lines */
    const json_node *config;        /* may be NULL */
    const struct weights *weights;  /* NULL: a model without weights */
    _Atomic unsigned char *asked;   /* (weights_count()): the plugin has asked for it */
    struct weight_loading *loading; /* is told which views are handed out; NULL: nobody */
    uint32_t threads;
    struct plugin_counters *counters;      /* NULL: nobody counts */
    struct packed_blobs packed;            /* filled on the create-thread only */
    struct model_compiled_models compiled; /* folder NULL: not offered */
    struct mapped_files files;             /* its own struct_size 0: not offered */
};

model_status services_init(struct services *services, const struct log_sink *log,
                           const char *model_name, const json_node *config,
                           const struct weights *weights, uint32_t threads,
                           struct model_error *err);
void services_finish(struct services *services);

/* Offers MODEL_COMPILED_MODELS; the folder's name is copied. Before create_model(). */
model_status services_offer_compiled(struct services *services, const char *folder,
                                     uint64_t max_bytes, struct model_error *err);

/* Tells of weights that the plugin has not asked for, if there are any: behind create_model(). Those that it has
 * gone through by index count as asked for. */
void services_log_unused(const struct services *services);

/* Bytes of packed blobs. */
uint64_t services_packed_bytes(const struct services *services);

/* Frees the calling thread's scratch block: when a lane ends. */
void services_release_scratch(void);

#endif
