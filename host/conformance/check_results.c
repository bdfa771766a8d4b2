/* check_results.c - check 9: the same inputs give the same outputs bit for bit, again and on another
 * instance; a batch gives what its items give one by one, within a tolerance; so does reference.safetensors
 * of the package, where it has the model's inputs and outputs by their names. */
#include "check.h"
#include "files.h"
#include "trial_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 3

struct results_check {
    struct check *check;
    struct trial *trial;
    struct made_options sizes;
    double tolerance; /* beside 1 + the largest magnitude of an output */
    struct model_error err;
    char batch[80], reference[120]; /* what was found, for the verdict */
};

static bool run_well(struct results_check *r, struct model_instance *instance,
                     const struct made_inputs *inputs, struct run_result *result, const char *what)
{
    check_step(r->check, "run() of %s", what);
    bool good =
        inputs != NULL &&
        trial_run(r->trial, instance, &(struct run_options){.inputs = inputs}, result, &r->err);
    if (good && result->status != MODEL_OK)
        good = error_set(&r->err, result->status, "run() of %s fails: %s", what,
                         result->err.message) == MODEL_OK;
    return good;
}

static bool check_same_again(struct results_check *r)
{
    struct run_result results[3] = {{.n_outputs = 0}, {.n_outputs = 0}, {.n_outputs = 0}};
    struct model_instance *other = NULL;
    const char *name = NULL;
    struct made_inputs *inputs = made_inputs_create(r->trial->model->description,
                                                    r->check->subject->config, &r->sizes, &r->err);
    bool good = run_well(r, NULL, inputs, &results[0], "usual inputs") &&
                run_well(r, NULL, inputs, &results[1], "the same inputs again");
    if (good && !results_are_equal(&results[0], &results[1], &name))
        good = error_set(&r->err, MODEL_INTERNAL,
                         "the same inputs give another '%s' the second time", name) == MODEL_OK;
    if (good && trial_create_instance(r->trial, &other) != MODEL_OK)
        good = error_set(&r->err, MODEL_INTERNAL, "a second instance: %s", r->trial->err.message) ==
               MODEL_OK;
    good = good && run_well(r, other, inputs, &results[2], "the same inputs on another instance");
    if (good && !results_are_equal(&results[0], &results[2], &name))
        good = error_set(&r->err, MODEL_INTERNAL,
                         "the same inputs give another '%s' on another instance", name) == MODEL_OK;
    if (other != NULL)
        other->destroy(other);
    for (size_t i = 0; i < 3; i++)
        run_result_finish(&results[i]);
    made_inputs_destroy(inputs);
    return good;
}

/* How far an item of a batch's output is from the output of the item alone; infinite without memory. */
static double item_differs_by(const struct model_tensor *whole, int axis, int64_t item,
                              const struct model_tensor *single)
{
    struct model_tensor part;
    made_inputs_cut(whole, axis, item, &part, NULL);
    void *data = malloc(part.size_bytes > 0 ? (size_t)part.size_bytes : 1);
    if (data == NULL)
        return INFINITY;
    made_inputs_cut(whole, axis, item, &part, data);
    const double difference = tensors_differ_by(&part, single);
    free(data);
    return difference;
}

static bool compare_item(struct results_check *r, const struct run_result *batch,
                         const struct run_result *single, int64_t item, double *ret_largest)
{
    const struct model_description *description = r->trial->model->description;
    for (uint32_t i = 0; i < batch->n_outputs && i < single->n_outputs; i++) {
        const struct model_tensor_spec *spec =
            schema_find(description->outputs, description->n_outputs, batch->outputs[i].name);
        const int axis = made_inputs_batch_axis(spec);
        if (axis < 0 || batch->outputs[i].shape[axis] != BATCH)
            continue;
        const double difference =
            item_differs_by(&batch->outputs[i], axis, item, &single->outputs[i]);
        *ret_largest = fmax(*ret_largest, difference);
        if (!(difference <= r->tolerance))
            return error_set(&r->err, MODEL_INTERNAL,
                             "item %lld of a batch of %d differs from the item alone: '%s' by %.2g "
                             "(beside 1 + its largest magnitude), at most %.0g may be",
                             (long long)item, BATCH, spec->name, difference,
                             r->tolerance) == MODEL_OK;
    }
    return true;
}

static bool has_batches(const struct model_description *description)
{
    bool inputs = false, outputs = false;
    for (uint32_t i = 0; i < description->n_inputs; i++) {
        const int axis = made_inputs_batch_axis(description->inputs[i]);
        inputs |= axis >= 0 && description->inputs[i]->shape[axis].max >= BATCH;
    }
    for (uint32_t i = 0; i < description->n_outputs; i++)
        outputs |= made_inputs_batch_axis(description->outputs[i]) >= 0;
    return inputs && outputs && (description->max_batch <= 0 || description->max_batch >= BATCH);
}

static bool check_batch(struct results_check *r)
{
    const struct model_description *description = r->trial->model->description;
    struct made_options options = r->sizes;
    struct run_result whole = {.n_outputs = 0};
    double largest = 0;
    if (!has_batches(description)) {
        (void)snprintf(r->batch, sizeof r->batch, "no batches");
        return true;
    }
    options.batch = BATCH;
    struct made_inputs *batch =
        made_inputs_create(description, r->check->subject->config, &options, &r->err);
    bool good = run_well(r, NULL, batch, &whole, "a batch");
    for (int64_t item = 0; item < BATCH && good; item++) {
        struct run_result single = {.n_outputs = 0};
        struct made_inputs *inputs = made_inputs_item(description, batch, item, &r->err);
        good = run_well(r, NULL, inputs, &single, "an item of the batch alone") &&
               compare_item(r, &whole, &single, item, &largest);
        run_result_finish(&single);
        made_inputs_destroy(inputs);
    }
    run_result_finish(&whole);
    made_inputs_destroy(batch);
    (void)snprintf(r->batch, sizeof r->batch, "a batch equals its items within %.1g", largest);
    return good;
}

/* ---- the package's reference */

/* The model's inputs as the reference has them; NULL when it has none, or not all that are wanted. */
static struct made_inputs *inputs_of_reference(const struct model_description *description,
                                               const struct weights *reference)
{
    struct made_inputs *inputs = calloc(1, sizeof *inputs);
    bool good = inputs != NULL;
    for (uint32_t i = 0; i < description->n_inputs && good; i++) {
        const struct model_tensor_spec *spec = description->inputs[i];
        struct model_tensor view = {.struct_size = sizeof view};
        if (weights_find(reference, spec->name, &view) == MODEL_OK)
            good = made_inputs_add(inputs, &view, view.data, GUARDED_AT_END);
        else
            good = (spec->flags & MODEL_SPEC_OPTIONAL) != 0;
    }
    struct schema_binding binding;
    if (good &&
        schema_check_inputs(description, inputs->list, inputs->n, &binding, NULL) == MODEL_OK)
        return inputs;
    made_inputs_destroy(inputs);
    return NULL;
}

static bool compare_reference(struct results_check *r, const struct weights *reference,
                              const struct made_inputs *inputs)
{
    const struct model_description *description = r->trial->model->description;
    size_t n = 0;
    double largest = 0;
    bool good = true;
    for (uint32_t i = 0; i < description->n_outputs && good; i++) {
        struct model_tensor want = {.struct_size = sizeof want};
        struct run_result result = {.n_outputs = 0};
        const char *name = description->outputs[i]->name;
        if (weights_find(reference, name, &want) != MODEL_OK ||
            want.rank != description->outputs[i]->rank)
            continue;
        check_step(r->check, "run() of the reference's inputs for '%s'", name);
        good = trial_run(r->trial, NULL, &(struct run_options){.inputs = inputs, .output = name},
                         &result, &r->err);
        if (good && result.status != MODEL_OK)
            good = error_set(&r->err, result.status, "run() of the reference's inputs fails: %s",
                             result.err.message) == MODEL_OK;
        const double difference = good ? tensors_differ_by(&result.outputs[0], &want) : 0;
        if (good && !(difference <= 10 * r->tolerance))
            good = error_set(&r->err, MODEL_INTERNAL,
                             "'%s' differs from reference.safetensors by %.2g (beside 1 + its "
                             "largest magnitude), at most %.0g may be",
                             name, difference, 10 * r->tolerance) == MODEL_OK;
        largest = fmax(largest, difference);
        run_result_finish(&result);
        n++;
    }
    if (n == 0)
        (void)snprintf(r->reference, sizeof r->reference,
                       "; the reference has none of its outputs");
    else
        (void)snprintf(r->reference, sizeof r->reference,
                       "; %zu outputs of the reference within %.1g", n, largest);
    return good;
}

/* Where it can be opened, to be freed; NULL: there is none. Of an archive it is a file in memory. */
static char *find_reference(const struct subject *subject, struct memory_file *unpacked)
{
    const struct archive *archive = subject->package.archive;
    const struct archive_entry *entry =
        archive != NULL ? archive_find(archive, SUBJECT_REFERENCE_NAME) : NULL;
    char *path = path_join(subject->package_dir, SUBJECT_REFERENCE_NAME);
    if (archive == NULL && path != NULL && path_is_file(path))
        return path;
    free(path);
    if (entry == NULL || archive_memory_file(archive, entry, unpacked, NULL) != MODEL_OK)
        return NULL;
    return text_format("%s", unpacked->path);
}

static bool check_reference(struct results_check *r)
{
    struct weights *reference = NULL;
    struct memory_file unpacked = MEMORY_FILE_NONE;
    char *path = find_reference(r->check->subject, &unpacked);
    bool good = true;
    (void)snprintf(r->reference, sizeof r->reference, "; no reference");
    if (path != NULL && weights_open_file(path, &reference, NULL) == MODEL_OK) {
        struct made_inputs *inputs = inputs_of_reference(r->trial->model->description, reference);
        if (inputs != NULL)
            good = compare_reference(r, reference, inputs);
        else
            (void)snprintf(r->reference, sizeof r->reference,
                           "; the reference has other names than the model's inputs");
        made_inputs_destroy(inputs);
    }
    if (reference != NULL)
        weights_destroy(reference);
    memory_file_close(&unpacked);
    free(path);
    return good;
}

enum check_verdict check_results(struct check *check)
{
    struct results_check r = {.check = check, .err = MODEL_ERROR_INIT};
    check_step(check, "a first run()");
    r.trial = trial_start(check->subject, &r.sizes, &r.err);
    if (r.trial == NULL)
        return check_failed(check, "%s", r.err.message);
    const char *compute = r.trial->model->description->compute_dtype;
    r.tolerance = compute == NULL || strcmp(compute, "f32") == 0 ? 1e-4 : 3e-2;
    const bool good = check_same_again(&r) && check_batch(&r) && check_reference(&r);
    trial_stop(r.trial);
    return good
               ? check_passed(check, "equal bit for bit when run again; %s%s", r.batch, r.reference)
               : check_failed(check, "%s", r.err.message);
}
