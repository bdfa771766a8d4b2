/* check_versions.c - check 2: structs of other versions than the plugin was built with. Those of the oldest
 * minor version end at a page that cannot be touched; what is longer is a newer host's. A file of another
 * major version is refused by the host from its note. (Nothing is shorter than 1.0: no host of this major
 * version hands it out.) */
#include "buffer.h"
#include "check.h"
#include "files.h"
#include "trial_run.h"

#include <string.h>

#define MAX_PLUGIN_BYTES ((size_t)256 << 20)

/* The oldest that a plugin of this major version is handed. */
#define SERVICES_1_0_BYTES 128
#define ARGS_1_0_BYTES     48
#define CALL_1_0_BYTES     80

/* The file again with another version in its note. */
static model_status read_as(const struct buffer *bytes, size_t note, uint16_t major, uint16_t minor,
                            struct model_error *err)
{
    struct plugin_file file = {0};
    memcpy(bytes->data + note + offsetof(struct model_note, abi_major), &major, sizeof major);
    memcpy(bytes->data + note + offsetof(struct model_note, abi_minor), &minor, sizeof minor);
    model_status status =
        plugin_file_parse((const uint8_t *)bytes->data, bytes->size, "it", &file, err);
    return status == MODEL_OK ? plugin_file_check(&file, "it", err) : status;
}

/* "" or what is wrong with how the host reads the note. */
static const char *check_note(const struct subject *subject)
{
    struct buffer bytes = BUFFER_INIT(MAX_PLUGIN_BYTES);
    const char *wrong = "";
    if (file_read(subject->plugin_path, MAX_PLUGIN_BYTES, &bytes, NULL) != MODEL_OK) {
        wrong = "its file cannot be read";
    } else {
        /* The whole owner field and the magic: the note itself, not code that mentions them. */
        static const char mark[] = MODEL_NOTE_OWNER "\0\0\0" MODEL_NOTE_MAGIC;
        const char *found = memmem(bytes.data, bytes.size, mark, sizeof mark - 1);
        const size_t note =
            found != NULL ? (size_t)(found - bytes.data) + sizeof MODEL_NOTE_OWNER + 2 : bytes.size;
        if (found == NULL || bytes.size - note < sizeof(struct model_note))
            wrong = "its note is not that of MODEL_PLUGIN_NOTE()";
        else if (read_as(&bytes, note, MODEL_ABI_MAJOR + 1, 0, NULL) != MODEL_ABI_MISMATCH)
            wrong = "with a note of the next major version it is not refused";
        else if (read_as(&bytes, note, MODEL_ABI_MAJOR, MODEL_ABI_MINOR + 7, NULL) != MODEL_OK)
            wrong = "with a note of a newer minor version it is refused";
    }
    buffer_finish(&bytes);
    return wrong;
}

struct variant {
    const char *name;
    size_t table_bytes, args_bytes;
};

/* create_model() with structs of these sizes. True when it did what it may. */
static bool try_sizes(struct check *check, const struct variant *variant, bool is_runnable)
{
    const struct trial_options options = {.table_bytes = variant->table_bytes,
                                          .args_bytes = variant->args_bytes};
    check_step(check, "create_model() with %s", variant->name);
    struct trial *trial = trial_create(check->subject, &options);
    if (trial == NULL)
        return check_failed(check, "out of memory") == CHECK_PASSED;
    const model_status status = trial_load(trial);
    bool good = true;
    if (status != MODEL_OK && trial->err.message[0] == '\0')
        good = check_failed(check, "with %s it fails without a sentence", variant->name) ==
               CHECK_PASSED;
    else if (status != MODEL_OK && is_runnable)
        good = check_failed(check, "with %s it fails: %s", variant->name, trial->err.message) ==
               CHECK_PASSED;
    trial_end(trial);
    trial_destroy(trial);
    return good;
}

/* A run with the call of 1.0 before a guard page, and with a longer one. */
static bool try_calls(struct check *check)
{
    static const uint32_t sizes[] = {CALL_1_0_BYTES, sizeof(struct model_call) + 64};
    struct model_error err = MODEL_ERROR_INIT;
    struct trial *trial = trial_create(check->subject, &(struct trial_options){.fail_at = 0});
    bool good = trial != NULL && trial_load(trial) == MODEL_OK;
    struct made_options sizes_found;
    good = good && trial_find_sizes(trial, &sizes_found, &err);
    struct made_inputs *inputs =
        good ? made_inputs_create(trial->model->description, check->subject->config, &sizes_found,
                                  &err)
             : NULL;
    for (size_t i = 0; i < 2 && inputs != NULL && good; i++) {
        struct run_result result;
        check_step(check, "run() with a model_call of %u bytes", sizes[i]);
        good =
            trial_run(trial, NULL, &(struct run_options){.inputs = inputs, .call_bytes = sizes[i]},
                      &result, &err);
        if (good && result.status != MODEL_OK)
            good = error_set(&err, MODEL_INTERNAL, "run() with a model_call of %u bytes fails: %s",
                             sizes[i], result.err.message) == MODEL_OK;
        run_result_finish(&result);
    }
    made_inputs_destroy(inputs);
    if (trial != NULL)
        trial_end(trial);
    trial_destroy(trial);
    return good || check_failed(check, "%s", err.message) == CHECK_PASSED;
}

enum check_verdict check_versions(struct check *check)
{
    static const struct variant variants[] = {
        {"services and arguments of ABI 1.0", SERVICES_1_0_BYTES, ARGS_1_0_BYTES},
        {"services and arguments of a newer minor version", sizeof(struct model_services) + 64,
         sizeof(struct model_create_args) + 64},
    };
    struct model_error err = MODEL_ERROR_INIT;
    const char *wrong = check_note(check->subject);
    if (wrong[0] != '\0')
        return check_failed(check, "%s", wrong);
    if (subject_open_plugin(check->subject, &err) != MODEL_OK)
        return check_failed(check, "%s", err.message);
    struct trial *trial = trial_create(check->subject, &(struct trial_options){.fail_at = 0});
    check_step(check, "create_model()");
    const bool is_runnable = trial != NULL && trial_load(trial) == MODEL_OK;
    if (trial != NULL)
        trial_end(trial);
    trial_destroy(trial);
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
        if (!try_sizes(check, &variants[i], is_runnable))
            return CHECK_FAILED;
    if (is_runnable && !try_calls(check))
        return CHECK_FAILED;
    return check_passed(check,
                        "structs of 1.0 and of a newer version; another major version is refused%s",
                        is_runnable ? "" : "; no model to run");
}
