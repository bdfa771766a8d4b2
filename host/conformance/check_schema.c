/* check_schema.c - check 7: the description is true. Each output that it names can be had alone, with the
 * dtype and shape that it says; sizes at the bounds are accepted, beyond them refused before run(); what is
 * empty, out of range or no number is refused by run() or computed, and does not crash it. */
#include "check.h"
#include "dtype.h"
#include "trial_run.h"

#include <stdio.h>
#include <string.h>

#define MAX_TRIED_SIZE 512

struct schema_check {
    struct check *check;
    struct trial *trial;
    struct made_options usual;
    struct model_error err;
    size_t n_runs;
};

static const struct model_description *description_of(const struct schema_check *s)
{
    return s->trial->model->description;
}

/* A run that may fail, but breaks no rule. */
static bool try_run(struct schema_check *s, const struct made_options *options, const char *output,
                    bool must_succeed, const char *what)
{
    struct run_result result;
    check_step(s->check, "run() with %s", what);
    struct made_inputs *inputs =
        made_inputs_create(description_of(s), s->check->subject->config, options, &s->err);
    if (inputs == NULL)
        return !must_succeed;
    bool good = trial_run(s->trial, NULL, &(struct run_options){.inputs = inputs, .output = output},
                          &result, &s->err);
    if (good && must_succeed && result.status != MODEL_OK)
        good = error_set(&s->err, MODEL_INTERNAL, "it fails: %s", result.err.message) == MODEL_OK;
    run_result_finish(&result);
    made_inputs_destroy(inputs);
    s->n_runs++;
    if (!good)
        error_prefix(&s->err, "run() with %s", what);
    return good;
}

static bool try_outputs(struct schema_check *s)
{
    char what[200];
    bool good = true;
    for (uint32_t i = 0; i < description_of(s)->n_outputs && good; i++) {
        const char *name = description_of(s)->outputs[i]->name;
        (void)snprintf(what, sizeof what, "the output '%.100s' alone", name);
        good = try_run(s, &s->usual, name, true, what);
    }
    for (uint32_t i = 0; i < description_of(s)->n_inputs && good; i++) {
        struct made_options options = s->usual;
        if (i >= 64 || (description_of(s)->inputs[i]->flags & MODEL_SPEC_OPTIONAL) == 0)
            continue;
        options.absent ^= (uint64_t)1 << i;
        (void)snprintf(what, sizeof what, "the optional input '%.100s' %s",
                       description_of(s)->inputs[i]->name,
                       (options.absent >> i & 1) != 0 ? "left out" : "there");
        good = try_run(s, &options, NULL, false, what);
    }
    return good;
}

static bool try_bytes(struct schema_check *s)
{
    char what[200];
    bool good = true;
    for (uint32_t i = 0; i < description_of(s)->n_inputs && i < 64 && good; i++) {
        struct made_options options = s->usual;
        if ((description_of(s)->inputs[i]->flags & MODEL_SPEC_BYTES) == 0)
            continue;
        options.bytes = (uint64_t)1 << i;
        (void)snprintf(what, sizeof what, "the input '%.100s' as U8",
                       description_of(s)->inputs[i]->name);
        good = try_run(s, &options, NULL, false, what);
    }
    return good;
}

/* Sizes at the ends of a dimension: allowed by the description, so they are no crash. */
static bool try_dimension(struct schema_check *s, const struct model_dimension *dimension)
{
    const int64_t sizes[] = {dimension->min, dimension->min + 1, dimension->max};
    bool good = true;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && good; i++) {
        char what[200];
        struct made_options options = s->usual;
        if (sizes[i] > MAX_TRIED_SIZE || sizes[i] > dimension->max)
            continue;
        options.at = dimension;
        options.at_size = sizes[i];
        (void)snprintf(what, sizeof what, "'%.80s' of size %lld", dimension->name,
                       (long long)sizes[i]);
        good = try_run(s, &options, NULL, false, what);
    }
    return good;
}

static bool try_sizes(struct schema_check *s)
{
    const struct model_description *description = description_of(s);
    const char *done[SCHEMA_MAX_DIMENSIONS];
    size_t n_done = 0;
    for (uint32_t i = 0; i < description->n_inputs; i++)
        for (uint32_t axis = 0; axis < description->inputs[i]->rank; axis++) {
            const struct model_dimension *dimension = &description->inputs[i]->shape[axis];
            bool is_new = dimension->name != NULL && n_done < SCHEMA_MAX_DIMENSIONS;
            for (size_t k = 0; k < n_done && is_new; k++)
                is_new = strcmp(done[k], dimension->name) != 0;
            if (!is_new)
                continue;
            done[n_done++] = dimension->name;
            if (!try_dimension(s, dimension))
                return false;
        }
    return true;
}

static bool try_values(struct schema_check *s)
{
    static const struct {
        enum made_values values;
        const char *what;
    } kinds[] = {{MADE_NEGATIVE, "integers of -1 and numbers that are none (NaN)"},
                 {MADE_BEYOND, "the first id that does not exist, infinite numbers"},
                 {MADE_LARGEST, "the largest integers and numbers"}};
    bool good = true;
    for (size_t i = 0; i < 3 && good; i++) {
        struct made_options options = s->usual;
        options.values = kinds[i].values;
        good = try_run(s, &options, NULL, false, kinds[i].what);
    }
    return good && try_run(s, &s->usual, NULL, true, "usual inputs after all of these");
}

/* One tensor of good inputs made wrong: the host must refuse it by this description. */
static bool refuse_wrong(struct schema_check *s)
{
    const struct model_description *description = description_of(s);
    struct schema_binding binding;
    struct made_inputs *inputs =
        made_inputs_create(description, s->check->subject->config, &s->usual, &s->err);
    const char *accepted = NULL;
    for (uint32_t i = 0; inputs != NULL && i < inputs->n && accepted == NULL; i++) {
        struct model_tensor *tensor = &inputs->tensors[i];
        const struct model_tensor good = *tensor;
        tensor->dtype = good.dtype == MODEL_U8 ? MODEL_I8 : MODEL_U8;
        if (schema_check_inputs(description, inputs->list, inputs->n, &binding, NULL) == MODEL_OK)
            accepted = "another dtype";
        *tensor = good;
        tensor->rank = good.rank < MODEL_MAX_RANK ? good.rank + 1 : good.rank - 1;
        if (schema_check_inputs(description, inputs->list, inputs->n, &binding, NULL) == MODEL_OK)
            accepted = "another rank";
        *tensor = good;
        for (uint32_t axis = 0; axis < good.rank; axis++)
            tensor->shape[axis] = INT64_MAX;
        if (good.rank > 0 &&
            schema_check_inputs(description, inputs->list, inputs->n, &binding, NULL) == MODEL_OK)
            accepted = "a shape that overflows";
        *tensor = good;
    }
    const bool good = inputs != NULL && accepted == NULL;
    if (accepted != NULL)
        (void)error_set(&s->err, MODEL_INTERNAL, "by its description %s is a good input", accepted);
    made_inputs_destroy(inputs);
    return good;
}

enum check_verdict check_schema(struct check *check)
{
    struct schema_check s = {.check = check, .err = MODEL_ERROR_INIT};
    check_step(check, "a first run()");
    s.trial = trial_start(check->subject, &s.usual, &s.err);
    const bool good = s.trial != NULL && try_outputs(&s) && try_bytes(&s) && try_sizes(&s) &&
                      try_values(&s) && refuse_wrong(&s);
    const unsigned n_inputs = good ? description_of(&s)->n_inputs : 0;
    const unsigned n_outputs = good ? description_of(&s)->n_outputs : 0;
    trial_stop(s.trial);
    return good ? check_passed(check,
                               "%u inputs, %u outputs; %zu runs at the bounds of what it says",
                               n_inputs, n_outputs, s.n_runs)
                : check_failed(check, "%s", s.err.message);
}
