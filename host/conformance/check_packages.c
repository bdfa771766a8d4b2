/* check_packages.c - check 5: packages that are not what they should be. Each weight missing, of another
 * dtype and shape (through services.tensor_by_name, its data ending at a guard page), each field of
 * config.json missing and of other values: creating fails with a sentence that names the thing, or the
 * model is one that runs. Nothing crashes. */
#include "check.h"
#include "config_variants.h"
#include "files.h"
#include "safetensors.h"
#include "trial_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tally {
    size_t n_tried, n_refused, n_accepted;
};

/* The weight or field, or the last part of its name, is in the sentence; anything in quotes counts, too: a
 * missing prefix may come out as the first weight that was looked for. */
static bool names_something(const char *sentence, const char *name)
{
    const char *dot = strrchr(name, '.');
    return strstr(sentence, name) != NULL || strchr(sentence, '\'') != NULL ||
           (dot != NULL && strstr(sentence, dot + 1) != NULL);
}

/* A model that was made of a changed package must run, or refuse to, without a crash. */
static bool run_accepted(struct check *check, struct trial *trial, const json_node *config,
                         struct model_error *err)
{
    struct made_options sizes = {.batch = 1, .other = 6, .picture = 32, .seed = 1};
    struct run_result result;
    struct made_inputs *inputs =
        made_inputs_create(trial->model->description, config, &sizes, NULL);
    if (inputs == NULL)
        return true; /* it wants inputs of gigabytes: nothing to run */
    (void)check;
    const bool good = trial_run(trial, NULL, &(struct run_options){.inputs = inputs}, &result, err);
    run_result_finish(&result);
    made_inputs_destroy(inputs);
    return good;
}

/* create_model() of a changed package. False with the reason set. */
static bool try_package(struct check *check, const struct trial_options *options, const char *name,
                        const char *what, struct tally *tally)
{
    struct model_error err = MODEL_ERROR_INIT;
    check_step(check, "create_model() with %s", what);
    struct trial *trial = trial_create(check->subject, options);
    if (trial == NULL)
        return true; /* no such change of this weight */
    const model_status status = trial_load(trial);
    bool good = true;
    tally->n_tried++;
    if (status == MODEL_OK) {
        tally->n_accepted++;
        check_step(check, "run() with %s", what);
        good = run_accepted(check, trial,
                            options->config != NULL ? options->config : check->subject->config,
                            &err) ||
               check_failed(check, "with %s: %s", what, err.message) == CHECK_PASSED;
    } else {
        tally->n_refused++;
        if (trial->err.message[0] == '\0')
            good = check_failed(check, "with %s it fails with '%s' and without a sentence", what,
                                status_name(status)) == CHECK_PASSED;
        else if (!names_something(trial->err.message, name))
            good = check_failed(check, "with %s it fails and names nothing: %s", what,
                                trial->err.message) == CHECK_PASSED;
    }
    trial_end(trial);
    const long long held = atomic_load(&trial->n_held);
    if (good && held != 0)
        good = check_failed(check, "with %s: %lld blocks of services.allocate() stay allocated",
                            what, held) == CHECK_PASSED;
    trial_destroy(trial);
    return good;
}

/* Every weight, or, when there is no time for all, evenly chosen ones. */
static bool try_weights(struct check *check, struct tally *tally)
{
    static const char *const lies[N_WEIGHT_LIES] = {"",
                                                    "is missing",
                                                    "has another dtype",
                                                    "is longer by one",
                                                    "is shorter by one",
                                                    "has a dimension more"};
    const struct weights *weights = check->subject->weights;
    const size_t n = weights != NULL ? weights_count(weights) : 0;
    /* Steps that have no divisor with n in common reach each once, far ones first. */
    const size_t step = n > 7 && n % 7 != 0 ? 7 : 1;
    for (size_t i = 0; i < n && check_has_time(check); i++)
        for (int lie = LIE_MISSING; lie < N_WEIGHT_LIES; lie++) {
            struct model_tensor view = {.struct_size = sizeof view};
            char what[300];
            const struct trial_options options = {.lie = (enum weight_lie)lie,
                                                  .lie_index = i * step % n};
            weights_at(weights, options.lie_index, &view);
            (void)snprintf(what, sizeof what, "a package where weight '%.200s' %s", view.name,
                           lies[lie]);
            if (!try_package(check, &options, view.name, what, tally))
                return false;
        }
    return true;
}

static bool try_field(void *context, const struct config_variant *variant)
{
    struct tally *tally = ((void **)context)[1];
    struct check *check = ((void **)context)[0];
    const struct trial_options options = {.config = variant->config, .config_text = variant->text};
    return !check_has_time(check) ||
           try_package(check, &options, variant->field, variant->what, tally);
}

/* Files that are cut: what the host's own readers refuse before a plugin sees anything. */
static bool try_cut_file(struct check *check)
{
    struct buffer bytes = BUFFER_INIT((size_t)1 << 30);
    char *path = path_join(check->subject->backend_dir, WEIGHTS_SINGLE_NAME);
    bool good = true;
    if (path != NULL && path_is_file(path) && file_read(path, 1u << 30, &bytes, NULL) == MODEL_OK) {
        struct safetensors file;
        check_step(check, "weights that end early");
        good = safetensors_parse((const uint8_t *)bytes.data, bytes.size - 1, "it", &file, NULL) !=
               MODEL_OK;
        if (!good)
            safetensors_finish(&file);
    }
    buffer_finish(&bytes);
    free(path);
    return good || check_failed(check, "a truncated weights file was opened") == CHECK_PASSED;
}

enum check_verdict check_bad_packages(struct check *check)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct tally weights = {0, 0, 0}, fields = {0, 0, 0};
    void *context[2] = {check, &fields};
    if (subject_open_plugin(check->subject, &err) != MODEL_OK)
        return check_failed(check, "%s", err.message);
    if (!config_variants_visit(check->subject->config, try_field, context) ||
        !try_weights(check, &weights) || !try_cut_file(check))
        return CHECK_FAILED;
    return check_passed(check,
                        "%zu changed fields (%zu refused, the others run), %zu changed weights "
                        "(%zu refused)%s",
                        fields.n_tried, fields.n_refused, weights.n_tried, weights.n_refused,
                        check_has_time(check) ? "" : "; no time for more");
}
