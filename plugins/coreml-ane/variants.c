/* variants.c - see variants.h.
 *
 * A slot is looked at by who has counted itself among its users, which nobody can while the count is CLOSED: then the slot
 * belongs to the one thread that builds. Runners of a variant are in a list that only grows; each is taken by one call
 * at a time. */
#include "variants.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CLOSED    (-1)
#define TURN_NS   10000000 /* between two looks at the token of who waits for another one's variant */
#define SECOND_NS 1000000000

struct variant_runner {
    struct linear_runner *runner;
    struct variant_runner *next; /* older ones */
    atomic_bool is_taken;
};

struct sized_variant {
    struct ane_variant variant;
    struct graph_services services; /* of its kernels */
    struct kernels *kernels;
    struct graph_shape sizes[COREML_ANE_MAX_FEATURES];
    _Atomic(struct variant_runner *) runners;
    struct variant_slot *slot; /* NULL: of one call */
};

struct variant_slot {
    atomic_int n_users;             /* CLOSED: without a variant, or it is being replaced */
    atomic_uint_least64_t hash;     /* of its sizes */
    atomic_uint_least64_t last_use; /* by the clock below */
    struct sized_variant *variant;  /* changes while CLOSED */
};

struct ane_variants {
    const struct coreml_ane *ane;
    uint32_t threads;
    struct variant_slot slots[MAX_VARIANTS];
    atomic_uint_least64_t clock;
    pthread_mutex_t lock; /* of is_building */
    pthread_cond_t is_built;
    bool is_building;
};

static const struct model_services *host_of(const struct ane_variants *variants)
{
    return variants->ane->services->host;
}

/* ---- one variant */

static void destroy_variant(const struct ane_variants *variants, struct sized_variant *v)
{
    const struct model_services *host = host_of(variants);
    if (v == NULL)
        return;
    for (struct variant_runner *runner = atomic_load(&v->runners); runner != NULL;) {
        struct variant_runner *next = runner->next;
        linear_runner_destroy(runner->runner);
        host->release(host->context, runner);
        runner = next;
    }
    kernels_destroy(v->kernels);
    host->release(host->context, v);
}

/* Kernels and an empty graph of its own. */
static model_status open_variant(const struct ane_variants *variants,
                                 const struct model_cancel *cancel, struct sized_variant *v,
                                 struct model_error *err)
{
    const struct graph *usual = variants->ane->usual.graph;
    const struct model_create_args args = {.struct_size = sizeof args,
                                           .threads = variants->threads,
                                           .lanes = 1,
                                           .compute_dtype = kernels_dtype_name(usual->kernels)};
    graph_services_init(&v->services, host_of(variants));
    const model_status status = kernels_create(&v->services.table, &args, &v->kernels, err);
    if (status != MODEL_OK)
        return status;
    struct graph *graph = graph_create(v->kernels);
    if (graph == NULL)
        return kernels_no_memory(err, "a graph");
    v->services.graph = v->variant.graph = graph;
    graph->emulates_f16 = usual->emulates_f16;
    graph->keeps_apart = usual->keeps_apart;
    graph->discard = usual->discard;
    graph->stays = usual->stays;
    graph->reader = usual->reader;
    graph_services_join(&v->services, variants->ane->services);
    graph->cancel = cancel;
    return MODEL_OK;
}

/* Translated, not finished. On failure *ret is to be destroyed, too. */
static model_status translate_variant(const struct ane_variants *variants,
                                      const struct graph_shape *sizes,
                                      const struct model_cancel *cancel, struct sized_variant **ret,
                                      struct model_error *err)
{
    const struct coreml_ane *ane = variants->ane;
    const struct model_services *host = host_of(variants);
    struct sized_variant *v = host->allocate(host->context, sizeof *v);
    if (v == NULL)
        return kernels_no_memory(err, "the model at other sizes");
    memset(v, 0, sizeof *v);
    *ret = v;
    memcpy(v->sizes, sizes, ane->usual.n_inputs * sizeof *sizes);
    v->variant.usual = &ane->usual;
    v->variant.sizes = v->sizes;
    const model_status status = open_variant(variants, cancel, v, err);
    return status == MODEL_OK ? coreml_ane_translate(&v->variant, ane->file, err) : status;
}

model_status variants_infer(const struct ane_variants *variants, const struct graph_shape *sizes,
                            struct ane_variant *ret, struct model_error *err)
{
    struct sized_variant *v = NULL;
    const model_status status = translate_variant(variants, sizes, NULL, &v, err);
    if (status == MODEL_OK)
        *ret = v->variant; /* without its names and its graph, which end here */
    destroy_variant(variants, v);
    return status;
}

/* Why the file's layers do not go together at these sizes: the request is at fault, the file is as it was. */
static model_status refuse_sizes(const struct ane_variants *variants,
                                 const struct graph_shape *sizes, model_status status,
                                 struct model_error *err)
{
    char list[512] = "", one[GRAPH_SHAPE_BYTES];
    size_t used = 0;
    if (status != MODEL_CORRUPT && status != MODEL_UNSUPPORTED)
        return status;
    for (uint32_t i = 0; i < variants->ane->usual.n_inputs && used < sizeof list; i++) {
        const int n =
            snprintf(list + used, sizeof list - used, "%s'%.60s' %s", i > 0 ? ", " : "",
                     variants->ane->usual.inputs[i].name, graph_shape_text(&sizes[i], one));
        used += n > 0 ? (size_t)n : 0;
    }
    struct model_error why = *err;
    char *advice = strstr(why.message, "; " MODEL_CONTRADICTS);
    if (advice != NULL)
        *advice = '\0';
    return kernels_fail(err, MODEL_INVALID_ARGUMENT, "no model for %s: %.400s", list, why.message);
}

static model_status make_variant(const struct ane_variants *variants,
                                 const struct graph_shape *sizes, const struct model_cancel *cancel,
                                 struct sized_variant **ret, struct model_error *err)
{
    struct sized_variant *v = NULL;
    model_status status = translate_variant(variants, sizes, cancel, &v, err);
    if (status == MODEL_OK)
        status = graph_finish(v->variant.graph, err);
    if (status != MODEL_OK) {
        destroy_variant(variants, v);
        return refuse_sizes(variants, sizes, status, err);
    }
    v->variant.graph->cancel = NULL; /* which ends with the call */
    *ret = v;
    return MODEL_OK;
}

/* ---- runners */

static struct variant_runner *take_idle(struct sized_variant *v)
{
    for (struct variant_runner *runner = atomic_load(&v->runners); runner != NULL;
         runner = runner->next)
        if (!atomic_exchange(&runner->is_taken, true))
            return runner;
    return NULL;
}

static model_status take_runner(const struct ane_variants *variants, struct variant_use *use,
                                struct model_error *err)
{
    const struct model_services *host = host_of(variants);
    struct sized_variant *v = use->sized;
    struct variant_runner *runner = take_idle(v);
    if (runner == NULL) {
        runner = host->allocate(host->context, sizeof *runner);
        if (runner == NULL)
            return kernels_no_memory(err, "an instance");
        *runner = (struct variant_runner){.is_taken = true};
        const model_status status = linear_runner_create(v->kernels, &runner->runner, err);
        if (status != MODEL_OK) {
            host->release(host->context, runner);
            return status;
        }
        runner->next = atomic_load(&v->runners);
        while (!atomic_compare_exchange_weak(&v->runners, &runner->next, runner))
            continue;
    }
    use->taken = runner;
    use->runner = runner->runner;
    return MODEL_OK;
}

/* ---- slots */

static bool has_sizes(const struct ane_variants *variants, const struct graph_shape *shapes,
                      const struct graph_shape *sizes)
{
    for (uint32_t i = 0; i < variants->ane->usual.n_inputs; i++)
        if (!graph_shape_equal(&shapes[i], &sizes[i]))
            return false;
    return true;
}

static uint64_t hash_of(const struct ane_variants *variants, const struct graph_shape *sizes)
{
    uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a */
    for (uint32_t i = 0; i < variants->ane->usual.n_inputs; i++)
        for (uint32_t d = 0; d < sizes[i].rank; d++)
            hash = (hash ^ (uint64_t)sizes[i].size[d]) * 0x100000001B3u;
    return hash;
}

/* The variant of these sizes, with one user more; NULL: there is none. */
static struct sized_variant *find(struct ane_variants *variants, const struct graph_shape *sizes)
{
    const uint64_t hash = hash_of(variants, sizes);
    for (size_t i = 0; i < MAX_VARIANTS; i++) {
        struct variant_slot *slot = &variants->slots[i];
        int n = atomic_load(&slot->n_users);
        if (atomic_load(&slot->hash) != hash)
            continue;
        while (n != CLOSED && !atomic_compare_exchange_weak(&slot->n_users, &n, n + 1))
            continue;
        if (n == CLOSED)
            continue;
        if (has_sizes(variants, slot->variant->sizes, sizes)) {
            atomic_store(&slot->last_use, atomic_fetch_add(&variants->clock, 1) + 1);
            return slot->variant;
        }
        atomic_fetch_sub(&slot->n_users, 1);
    }
    return NULL;
}

/* An empty slot, or that of the variant whose last use is longest ago, closed; NULL: all are running. By who builds. */
static struct variant_slot *close_slot(struct ane_variants *variants)
{
    for (;;) {
        struct variant_slot *oldest = NULL;
        int idle = 0;
        for (size_t i = 0; i < MAX_VARIANTS; i++) {
            struct variant_slot *slot = &variants->slots[i];
            if (slot->variant == NULL)
                return slot;
            if (atomic_load(&slot->n_users) == 0 &&
                (oldest == NULL || atomic_load(&slot->last_use) < atomic_load(&oldest->last_use)))
                oldest = slot;
        }
        if (oldest == NULL || atomic_compare_exchange_strong(&oldest->n_users, &idle, CLOSED))
            return oldest;
    }
}

/* Where others find it; its one user is the caller. */
static void publish(struct ane_variants *variants, struct sized_variant *v)
{
    struct variant_slot *slot = close_slot(variants);
    if (slot == NULL)
        return;
    destroy_variant(variants, slot->variant);
    slot->variant = v;
    v->slot = slot;
    atomic_store(&slot->hash, hash_of(variants, v->sizes));
    atomic_store(&slot->last_use, atomic_fetch_add(&variants->clock, 1) + 1);
    atomic_store(&slot->n_users, 1);
}

/* ---- building, one at a time */

static model_status begin_building(struct ane_variants *variants, const struct model_cancel *cancel,
                                   struct model_error *err)
{
    model_status status = MODEL_OK;
    (void)pthread_mutex_lock(&variants->lock);
    while (variants->is_building && status == MODEL_OK) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += TURN_NS;
        until.tv_sec += until.tv_nsec / SECOND_NS;
        until.tv_nsec %= SECOND_NS;
        (void)pthread_cond_timedwait(&variants->is_built, &variants->lock, &until);
        status = model_cancel_status(cancel);
    }
    variants->is_building = variants->is_building || status == MODEL_OK;
    (void)pthread_mutex_unlock(&variants->lock);
    return status == MODEL_OK
               ? status
               : kernels_fail(err, status, "the run was ended while other sizes were prepared");
}

static void end_building(struct ane_variants *variants)
{
    (void)pthread_mutex_lock(&variants->lock);
    variants->is_building = false;
    (void)pthread_cond_broadcast(&variants->is_built);
    (void)pthread_mutex_unlock(&variants->lock);
}

static model_status build(struct ane_variants *variants, const struct graph_shape *sizes,
                          const struct model_cancel *cancel, struct sized_variant **ret,
                          struct model_error *err)
{
    model_status status = begin_building(variants, cancel, err);
    if (status != MODEL_OK)
        return status;
    struct sized_variant *v = find(variants, sizes); /* made by who was first */
    if (v == NULL) {
        status = make_variant(variants, sizes, cancel, &v, err);
        if (status == MODEL_OK)
            publish(variants, v);
    }
    end_building(variants);
    if (status == MODEL_OK)
        *ret = v;
    return status;
}

/* ---- calls */

/* The sizes that the call brings. */
static model_status read_sizes(const struct ane_variants *variants, const struct model_call *call,
                               struct graph_shape *ret, struct model_error *err)
{
    const struct coreml_ane *ane = variants->ane;
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i < ane->usual.n_inputs && status == MODEL_OK; i++) {
        const struct model_tensor *tensor = call_input(call, ane->usual.inputs[i].name);
        ret[i].rank = tensor->rank;
        memcpy(ret[i].size, tensor->shape, tensor->rank * sizeof ret[i].size[0]);
        status = feature_sizes_check(&ane->sizes[i], &ane->usual.inputs[i], &ret[i], err);
    }
    return status;
}

static bool are_usual(const struct ane_variants *variants, const struct graph_shape *sizes)
{
    const struct ane_variant *usual = &variants->ane->usual;
    for (uint32_t i = 0; i < usual->n_inputs; i++)
        if (!graph_shape_equal(&usual->inputs[i].shape, &sizes[i]))
            return false;
    return true;
}

model_status variants_take(struct ane_variants *variants, const struct model_call *call,
                           struct variant_use *ret, struct model_error *err)
{
    struct graph_shape sizes[COREML_ANE_MAX_FEATURES];
    model_status status = read_sizes(variants, call, sizes, err);
    if (status != MODEL_OK || are_usual(variants, sizes))
        return status;
    struct variant_use use = {.sized = find(variants, sizes)};
    if (use.sized == NULL)
        status = build(variants, sizes, call->cancel, &use.sized, err);
    if (status != MODEL_OK)
        return status;
    use.variant = &use.sized->variant;
    status = take_runner(variants, &use, err);
    if (status == MODEL_OK)
        *ret = use;
    else
        variants_leave(variants, &use);
    return status;
}

void variants_leave(const struct ane_variants *variants, const struct variant_use *use)
{
    struct sized_variant *v = use->sized;
    if (v == NULL)
        return;
    if (use->taken != NULL)
        atomic_store(&use->taken->is_taken, false);
    if (v->slot != NULL)
        atomic_fetch_sub(&v->slot->n_users, 1);
    else
        destroy_variant(variants, v);
}

struct ane_variants *variants_create(const struct coreml_ane *ane, uint32_t threads)
{
    struct ane_variants *variants = kernels_allocate(ane->model.kernels, sizeof *variants);
    if (variants == NULL || pthread_mutex_init(&variants->lock, NULL) != 0)
        return NULL;
    if (pthread_cond_init(&variants->is_built, NULL) != 0) {
        (void)pthread_mutex_destroy(&variants->lock);
        return NULL;
    }
    variants->ane = ane;
    variants->threads = threads;
    for (size_t i = 0; i < MAX_VARIANTS; i++)
        atomic_init(&variants->slots[i].n_users, CLOSED);
    return variants;
}

void variants_destroy(struct ane_variants *variants)
{
    if (variants == NULL)
        return;
    for (size_t i = 0; i < MAX_VARIANTS; i++)
        destroy_variant(variants, variants->slots[i].variant);
    (void)pthread_cond_destroy(&variants->is_built);
    (void)pthread_mutex_destroy(&variants->lock);
}
