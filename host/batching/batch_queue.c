/* batch_queue.c - see batch_queue.h. */
#include "batch_queue.h"
#include "batch_axes.h"
#include "batch_merge.h"
#include "loaded_model.h"
#include "request.h"
#include "size.h"

#include <string.h>

#define NS_PER_US  1000ll
#define HASH_START 0xCBF29CE484222325u /* FNV-1a */
#define HASH_PRIME 0x100000001B3u

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size_bytes)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size_bytes; i++)
        hash = (hash ^ bytes[i]) * HASH_PRIME;
    return hash;
}

/* ---- what a model can do */

static void bound_by(const struct model_tensor_spec *const *specs, uint32_t n_specs, int64_t *max)
{
    for (uint32_t i = 0; i < n_specs; i++) {
        const int axis = batch_axis(specs[i], BATCH_DIMENSION);
        if (axis >= 0 && specs[i]->shape[axis].max < *max)
            *max = specs[i]->shape[axis].max;
    }
}

struct batch_limits batch_limits_of(const struct modelhost_model *model)
{
    const struct model_description *description = modelhost_description(model);
    const struct modelhost_load_options *wanted = &model->load;
    struct batch_limits limits = {.max_items = wanted->max_batch,
                                  .max_tokens = wanted->max_batch_tokens,
                                  .max_delay_ns = wanted->max_delay_us * NS_PER_US};
    if (limits.max_items <= 1)
        return (struct batch_limits){.max_items = 0};
    int64_t max = limits.max_items;
    bound_by(description->inputs, description->n_inputs, &max);
    bound_by(description->outputs, description->n_outputs, &max);
    if (description->max_batch > 0 && description->max_batch < max)
        max = description->max_batch;
    if (!batch_inputs_join(description)) {
        log_write(model->log, MODEL_LOG_WARN,
                  "%s: max_batch is left aside: the model's inputs have no dimension 'batch' to "
                  "join requests along",
                  loaded_model_name(model));
        return (struct batch_limits){.max_items = 0};
    }
    if (max < limits.max_items)
        log_write(model->log, MODEL_LOG_WARN,
                  "%s: max_batch %u is more than the model's %lld; it counts",
                  loaded_model_name(model), limits.max_items, (long long)max);
    limits.max_items = max > 0 ? (uint32_t)max : 0;
    return limits;
}

/* ---- what a request wants */

/* One of a job's: its tensors are made on the lane. */
static uint64_t describe_job(struct batch_candidate *candidate, const struct request_job *job)
{
    candidate->n_items = job->n_items;
    candidate->n_tokens = job->n_tokens;
    return job->run == NULL && job->prepare != NULL ? hash_bytes(HASH_START, "job", 3) : 0;
}

/* One that brings its tensors: the names of those that are there, and their sizes but for "batch" and, where a
 * mask can hide padding, "sequence". A mask itself makes no difference. */
static uint64_t describe_tensors(struct batch_candidate *candidate,
                                 const struct modelhost_request *request,
                                 const struct model_description *description)
{
    uint64_t hash = HASH_START;
    int64_t length = 1;
    const struct model_tensor_spec *mask = batch_find_mask(description);
    candidate->n_items = 1;
    for (uint32_t i = 0; i < description->n_inputs; i++) {
        const struct model_tensor_spec *spec = description->inputs[i];
        const struct model_tensor *input =
            batch_find_input(request->inputs, request->n_inputs, spec->name);
        if (input == NULL || spec == mask)
            continue;
        hash = hash_bytes(hash, &i, sizeof i);
        for (uint32_t k = 0; k < spec->rank; k++) {
            const char *name = spec->shape[k].name != NULL ? spec->shape[k].name : "";
            const bool is_batch = strcmp(name, BATCH_DIMENSION) == 0;
            const bool is_sequence = strcmp(name, SEQUENCE_DIMENSION) == 0;
            if (is_batch)
                candidate->n_items = (uint64_t)input->shape[k];
            else if (is_sequence)
                length = input->shape[k];
            if (!is_batch && !(is_sequence && mask != NULL))
                hash = hash_bytes(hash, &input->shape[k], sizeof input->shape[k]);
        }
    }
    if (!size_multiply(candidate->n_items, (uint64_t)length, &candidate->n_tokens))
        candidate->n_tokens = UINT64_MAX;
    return hash;
}

void batch_describe(struct modelhost_request *request)
{
    const struct modelhost_model *model = request->model;
    const struct model_description *description = model->model->description;
    struct batch_candidate *candidate = &request->candidate;
    *candidate = (struct batch_candidate){
        .n_items = 1, .arrival_ns = request->submitted_ns, .deadline_ns = request->deadline_ns};
    const char *const *names = (const char *const *)request->output_names;
    if (model->batching.max_items <= 1 || request->session != NULL || request->on_tensors != NULL ||
        !batch_outputs_join(description, names, request->n_output_names))
        return;
    uint64_t hash = request->job != NULL ? describe_job(candidate, request->job)
                                         : describe_tensors(candidate, request, description);
    if (hash == 0 || candidate->n_items == 0)
        return;
    hash = hash_bytes(hash, &request->n_output_names, sizeof request->n_output_names);
    for (uint32_t i = 0; names != NULL && i < request->n_output_names; i++)
        hash = hash_bytes(hash, names[i], strlen(names[i]) + 1);
    candidate->key = hash;
}

uint32_t batch_gather(struct modelhost_request *first, int64_t now_ns,
                      struct modelhost_request **members, int64_t *ret_run_at_ns)
{
    struct batch_plan plan;
    batch_plan_begin(&plan, &first->model->batching, &first->candidate);
    members[0] = first;
    for (struct modelhost_request *next = first->next; next != NULL && !plan.is_full;
         next = next->next)
        if (next->model == first->model && batch_plan_add(&plan, &next->candidate))
            members[plan.n_members - 1] = next;
    if (batch_plan_is_due(&plan, now_ns))
        return plan.n_members;
    *ret_run_at_ns = plan.run_at_ns;
    return 0;
}
