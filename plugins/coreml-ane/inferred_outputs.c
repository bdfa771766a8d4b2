/* inferred_outputs.c - see inferred_outputs.h. */
#include "inferred_outputs.h"
#include "describe_features.h"
#include "variants.h"

#include <string.h>

/* A model of the same file that is translated and never finished: nothing is packed. */
struct inferring {
    struct coreml_ane ane;
    struct graph_services services; /* of its kernels */
    struct output_bounds bounds;
};

static bool is_open(const struct coreml_port *port)
{
    return port->rank == 0 && port->name != NULL;
}

static void fill(const struct inferring *inferring, struct coreml_port *port)
{
    const struct ane_variant *usual = &inferring->ane.usual;
    for (uint32_t k = 0; k < usual->n_outputs; k++) {
        const struct graph_shape *min = &inferring->bounds.min[k], *max = &inferring->bounds.max[k];
        if (strcmp(usual->outputs[k].name, port->name) != 0)
            continue;
        port->rank = min->rank;
        memcpy(port->min, min->size, min->rank * sizeof *port->min);
        memcpy(port->max, max->size, max->rank * sizeof *port->max);
    }
}

static model_status translate(struct inferring *inferring, const struct coreml_ane *like,
                              struct model_error *err)
{
    struct coreml_ane *ane = &inferring->ane;
    const struct model_services *host = like->services->host;
    const struct model_create_args args = {.struct_size = sizeof args,
                                           .threads = like->threads,
                                           .lanes = 1,
                                           .compute_dtype =
                                               kernels_dtype_name(like->model.kernels)};
    graph_services_init(&inferring->services, host);
    ane->services = &inferring->services;
    ane->threads = like->threads;
    model_status status =
        kernels_create(&inferring->services.table, &args, &ane->model.kernels, err);
    if (status != MODEL_OK)
        return status;
    ane->usual.graph = inferring->services.graph = graph_create(ane->model.kernels);
    if (ane->usual.graph == NULL)
        return kernels_no_memory(err, "a graph");
    status = coreml_ane_translate(&ane->usual, ane->file, err);
    if (status == MODEL_OK)
        status = coreml_ane_find_sizes(ane, err);
    return status == MODEL_OK ? describe_bound_outputs(ane, &inferring->bounds, err) : status;
}

model_status inferred_outputs_fill(const struct coreml_ane *ane, struct coreml_model *file,
                                   struct coreml_port *ports, uint32_t n_ports,
                                   struct model_error *err)
{
    const struct model_services *host = ane->services->host;
    struct model_error why = {.struct_size = sizeof why};
    uint32_t first = 0;
    while (first < n_ports && !is_open(&ports[first]))
        first++;
    if (first == n_ports || file == NULL || file->program == NULL)
        return MODEL_OK; /* networks add and leave out dimensions of 1 as they please */
    struct inferring *inferring = host->allocate(host->context, sizeof *inferring);
    if (inferring == NULL)
        return kernels_no_memory(err, "the sizes of outputs");
    memset(inferring, 0, sizeof *inferring);
    inferring->ane.file = file;
    const model_status status = translate(inferring, ane, &why);
    for (uint32_t i = first; i < n_ports && status == MODEL_OK; i++)
        if (is_open(&ports[i]))
            fill(inferring, &ports[i]);
    variants_destroy(inferring->ane.variants);
    kernels_destroy(inferring->ane.model.kernels);
    host->release(host->context, inferring);
    if (status == MODEL_OK || status == MODEL_OUT_OF_MEMORY)
        return status == MODEL_OK ? status : kernels_no_memory(err, "the sizes of outputs");
    return kernels_fail(err, MODEL_UNSUPPORTED,
                        "Core ML: output '%.100s' declares no sizes, and the model's operations do "
                        "not tell them: %.600s",
                        ports[first].name, why.message);
}
