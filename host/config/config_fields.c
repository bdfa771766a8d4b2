/* config_fields.c - see config_fields.h. */
#include "config_fields.h"
#include "buffer.h"
#include "errors.h"

#include <string.h>

#define EXACT       9007199254740992.0 /* 2^53: whole numbers up to it are exact */
#define DAY_MS      86400000
#define LEAST_BYTES (64 << 20)    /* of a worker: what it takes before a model, and its threads */
#define MAX_IDLE_MS 9223372036854 /* in nanoseconds 2^63 */

static const char *const log_levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const load_policies[] = {"any", "conformant", NULL};
static const char *const loadings[] = {"mapped", "eager", "streaming", "lazy", NULL};
static const char *const dtypes[] = {"f32", "bf16", "int8", "int4", "auto", NULL};
static const char *const accuracy_policies[] = {"measured", "any", "required", NULL};
static const char *const verifications[] = {"checksum", "standard", "paranoid", NULL};
static const char *const speculations[] = {"default", "off", "prompt", NULL};
static const char *const accelerator_starts[] = {"default", "wait", "background", NULL};
static const char *const isolations[] = {"inproc", "worker", NULL};

#define HOST(field)  #field, offsetof(struct modelhost_options, field)
#define MODEL(field) #field, offsetof(struct modelhost_load_options, field)
#define ROW(kind, key_and_offset, min, max, words, meaning)                                        \
    ROW_(kind, key_and_offset, min, max, words, meaning)
#define ROW_(kind, key, offset, min, max, words, meaning)                                          \
    {                                                                                              \
        key, kind, offset, min, max, words, meaning                                                \
    }

const struct config_field config_host_fields[] = {
    ROW(CONFIG_TEXT, HOST(store_dir), 1, 0, NULL, "where packages live"),
    ROW(CONFIG_TEXT, HOST(plugin_path), 0, 0, NULL, "folders with plugins, separated by ':'"),
    ROW(CONFIG_U32, HOST(lanes), 0, 1024, NULL, "requests that run at the same time; 0: 1"),
    ROW(CONFIG_U32, HOST(threads), 0, 1024, NULL, "of each lane; 0: all CPUs, shared out"),
    ROW(CONFIG_U32, HOST(max_queue), 0, 1 << 24, NULL, "requests that may wait; 0: 1024"),
    ROW(CONFIG_WORD, HOST(log_level), 0, 0, log_levels, "what is logged"),
    ROW(CONFIG_U64, HOST(result_cache_bytes), 0, EXACT, NULL,
        "for outputs of inputs that were seen before; 0: none"),
    ROW(CONFIG_TEXT, HOST(redis_url), 0, 0, NULL, "a Redis server that shares them"),
    ROW(CONFIG_TEXT, HOST(statsd_address), 0, 0, NULL, "\"host:port\" that metrics are pushed to"),
    ROW(CONFIG_I64, HOST(statsd_interval_ms), 0, 86400000, NULL, "between two pushes; 0: 10000"),
    ROW(CONFIG_I64, HOST(abandon_grace_ms), 0, 24 * 3600 * 1000, NULL,
        "until a lane that does not come back is replaced; 0: 100"),
    ROW(CONFIG_TEXT, HOST(worker_path), 1, 0, NULL, "the modelhost command that runs workers"),
    ROW(CONFIG_WORD, HOST(load_policy), 0, 0, load_policies, "which plugins are opened"),
    ROW(CONFIG_U32, HOST(cache_items), 0, 1 << 20, NULL,
        "models that stay open when nobody holds them; 0: none"),
    ROW(CONFIG_U64, HOST(cache_bytes), 0, EXACT, NULL, "of these models; 0: no limit"),
    ROW(CONFIG_I64, HOST(cache_idle_ms), 0, MAX_IDLE_MS, NULL,
        "until a model that nobody holds goes; 0: no limit"),
    ROW(CONFIG_U64, HOST(prepared_max_bytes), 0, EXACT, NULL,
        "of prepared weights in the store; 0: 16 GiB; 1: none are kept"),
    ROW(CONFIG_U64, HOST(compiled_max_bytes), 0, EXACT, NULL,
        "of compiled models in the store; 0: 8 GiB; 1: none are kept"),
    ROW(CONFIG_BOOL, HOST(pin_threads), 0, 0, NULL, "lanes stay on processors of their own"),
    {.key = NULL},
};

const struct config_field config_model_fields[] = {
    ROW(CONFIG_WORD, MODEL(isolation), 0, 0, isolations, "where the plugin's code runs"),
    ROW(CONFIG_U32, MODEL(workers), 0, 64, NULL, "child processes; 0: 1"),
    ROW(CONFIG_I64, MODEL(kill_grace_ms), 0, 3600000, NULL,
        "from a deadline to the worker's end; 0: 50"),
    ROW(CONFIG_U64, MODEL(worker_memory_bytes), LEAST_BYTES, EXACT, NULL,
        "address space of each worker; 0: no limit"),
    ROW(CONFIG_U32, MODEL(max_abandoned_lanes), 0, 1024, NULL,
        "stuck calls before the model refuses; 0: 2"),
    ROW(CONFIG_TEXT, MODEL(backend), 0, 0, NULL, "backends in order of preference: coreml,cpu"),
    ROW(CONFIG_I64, MODEL(sla_ms), 0, DAY_MS, NULL, "p99 of a call's time; 0: none"),
    ROW(CONFIG_U32, MODEL(breaker_window), 0, 4096, NULL,
        "last calls that the breaker looks at; 0: 200"),
    ROW(CONFIG_U32, MODEL(breaker_min_calls), 0, 4096, NULL, "fewer say nothing; 0: 20"),
    ROW(CONFIG_DOUBLE, MODEL(breaker_success_rate), -1, 1, NULL,
        "below it no calls pass; 0: 0.95; negative: errors do not matter"),
    ROW(CONFIG_I64, MODEL(breaker_cooldown_ms), 0, DAY_MS, NULL,
        "until a backend is tried again; 0: 5000"),
    ROW(CONFIG_U32, MODEL(max_batch), 0, 1024, NULL,
        "items of several requests that run together; 0, 1: none do"),
    ROW(CONFIG_U32, MODEL(max_delay_us), 0, 60000000, NULL, "that a request waits for others"),
    ROW(CONFIG_U64, MODEL(max_batch_tokens), 0, EXACT, NULL,
        "of the joined texts together; 0: no limit"),
    ROW(CONFIG_TEXT, MODEL(name), 0, 0, NULL, "of the model in log lines and metrics"),
    ROW(CONFIG_I64, MODEL(load_timeout_ms), 0, DAY_MS, NULL,
        "until a worker that hangs while it loads is ended; 0: 300000"),
    ROW(CONFIG_U32, MODEL(quarantine_after_crashes), 0, 64, NULL,
        "crashes of workers in a row that put the plugin into quarantine; 0: none do"),
    ROW(CONFIG_I64, MODEL(quarantine_window_ms), 0, DAY_MS, NULL, "in which they come; 0: 60000"),
    ROW(CONFIG_I64, MODEL(quarantine_ms), 0, 7 * (double)DAY_MS, NULL,
        "that it stays there; 0: 600000"),
    ROW(CONFIG_WORD, MODEL(loading), 0, 0, loadings, "when weights become memory"),
    ROW(CONFIG_WORD, MODEL(verification), 0, 0, verifications,
        "what is compared with its digest before it is used"),
    ROW(CONFIG_U64, MODEL(memory_budget_bytes), 0, EXACT, NULL,
        "a model that takes more is refused; 0: no limit"),
    ROW(CONFIG_I64, MODEL(timeout_ms), 0, DAY_MS, NULL, "of calls that name none; 0: none"),
    ROW(CONFIG_TEXT, MODEL(passphrase_file), 0, 0, NULL,
        "whose first line opens an encrypted archive"),
    ROW(CONFIG_TEXT, MODEL(key_file), 0, 0, NULL, "of 32 bytes that open an encrypted archive"),
    ROW(CONFIG_WORD, MODEL(dtype), 0, 0, dtypes, "what products of weights are computed in"),
    ROW(CONFIG_BOOL, MODEL(require_signature), 0, 0, NULL,
        "whether the package must be signed by a trusted key"),
    ROW(CONFIG_TEXT, MODEL(trusted_keys), 0, 0, NULL, "the file of these keys"),
    ROW(CONFIG_WORD, MODEL(speculation), 0, 0, speculations,
        "whether greedy calls propose several tokens; default: prompt"),
    ROW(CONFIG_I32, MODEL(prefix_cache), -1, 1024, NULL,
        "texts that are remembered between requests; 0: 4; -1: none"),
    ROW(CONFIG_U32, MODEL(prefill_chunk), 0, 1 << 20, NULL,
        "tokens of a prompt that are read in one call; 0: 256"),
    ROW(CONFIG_WORD, MODEL(accuracy_policy), 0, 0, accuracy_policies,
        "what reports of modelhost quantize decide"),
    ROW(CONFIG_DOUBLE, MODEL(max_cosine_loss), 0, 2, NULL,
        "that such a report may have; 0: the budget in it"),
    ROW(CONFIG_DOUBLE, MODEL(min_top1_agreement), 0, 1, NULL,
        "that such a report must have; 0: the budget in it"),
    ROW(CONFIG_WORD, MODEL(accelerator_start), 0, 0, accelerator_starts,
        "whether a load waits for the first backend"),
    ROW(CONFIG_I32, MODEL(demote_after_openings), -1, 16, NULL,
        "of its breaker, then a backend stands behind the others; 0: 3; -1: never"),
    ROW(CONFIG_I64, MODEL(demotion_window_ms), 0, DAY_MS, NULL, "in which they come; 0: 600000"),
    ROW(CONFIG_I64, MODEL(demotion_ms), 0, 7 * (double)DAY_MS, NULL,
        "that it stays there; 0: 1800000"),
    {.key = NULL},
};

const struct config_field *config_fields_find(const struct config_field *fields, const char *key)
{
    for (; fields->key != NULL; fields++)
        if (strcmp(fields->key, key) == 0)
            return fields;
    return NULL;
}

static int32_t word_index(const struct config_field *field, const char *word)
{
    for (int32_t i = 0; field->words[i] != NULL; i++)
        if (word != NULL && strcmp(field->words[i], word) == 0)
            return i;
    return -1;
}

static model_status refuse_key(const struct config_field *fields, const char *where,
                               const char *key, struct model_error *err)
{
    struct buffer known = BUFFER_INIT(900);
    for (; fields->key != NULL; fields++)
        (void)buffer_printf(&known, "%s%s", known.size > 0 ? ", " : "", fields->key);
    model_status status =
        error_set(err, MODEL_INVALID_ARGUMENT, "%s.%.60s is not known; there are %s", where, key,
                  known.data != NULL ? known.data : "none");
    buffer_finish(&known);
    return status;
}

static model_status refuse_value(const struct config_field *field, const char *where,
                                 struct model_error *err)
{
    struct buffer words = BUFFER_INIT(200);
    model_status status = MODEL_INVALID_ARGUMENT;
    switch (field->kind) {
    case CONFIG_TEXT:
        return error_set(err, status, "%s.%s: want a string%s without control characters", where,
                         field->key, field->min > 0 ? " that is not empty," : "");
    case CONFIG_BOOL:
        return error_set(err, status, "%s.%s: want true or false", where, field->key);
    case CONFIG_WORD:
        for (const char *const *word = field->words; *word != NULL; word++)
            (void)buffer_printf(&words, "%s\"%s\"", words.size > 0 ? ", " : "", *word);
        (void)error_set(err, status, "%s.%s: want one of %s", where, field->key,
                        words.data != NULL ? words.data : "");
        buffer_finish(&words);
        return status;
    case CONFIG_DOUBLE:
        return error_set(err, status, "%s.%s: want a number from %g to %g", where, field->key,
                         field->min, field->max);
    default:
        return error_set(err, status, "%s.%s: want %sa whole number from %.0f to %.0f", where,
                         field->key, field->min > 0 ? "0 or " : "", field->min, field->max);
    }
}

static bool is_good_text(const struct config_field *field, const char *text)
{
    size_t n = 0;
    for (; text[n] != '\0'; n++)
        if ((unsigned char)text[n] < 0x20 || text[n] == 0x7F)
            return false;
    return (double)n >= field->min;
}

static bool is_good(const struct config_field *field, const json_node *value)
{
    int64_t whole = 0;
    if (field->kind == CONFIG_TEXT)
        return json_is_string(value) && is_good_text(field, json_string_or(value, ""));
    if (field->kind == CONFIG_BOOL)
        return json_is_bool(value);
    if (field->kind == CONFIG_WORD)
        return word_index(field, json_string_or(value, NULL)) >= 0;
    if (field->kind == CONFIG_DOUBLE)
        return json_is_number(value) && json_number_or(value, 0) >= field->min &&
               json_number_or(value, 0) <= field->max;
    return json_integer(value, (int64_t)field->min, (int64_t)field->max, &whole) ||
           json_integer(value, 0, 0, &whole);
}

model_status config_fields_check(const struct config_field *fields, const json_node *object,
                                 const char *where, struct model_error *err)
{
    if (!json_is_object(object))
        return error_set(err, MODEL_INVALID_ARGUMENT, "%s is not a JSON object", where);
    if (json_check_unique_keys(object, where, err) != MODEL_OK)
        return MODEL_INVALID_ARGUMENT;
    for (const json_node *value = json_first(object); value != NULL; value = json_next(value)) {
        const struct config_field *field = config_fields_find(fields, json_key(value));
        if (field == NULL)
            return refuse_key(fields, where, json_key(value), err);
        if (!is_good(field, value))
            return refuse_value(field, where, err);
    }
    return MODEL_OK;
}

static size_t kind_bytes(enum config_kind kind)
{
    return kind == CONFIG_BOOL || kind == CONFIG_U32 || kind == CONFIG_I32 || kind == CONFIG_WORD
               ? 4
               : 8;
}

void config_fields_apply(const struct config_field *fields, const json_node *object, void *options,
                         size_t struct_size)
{
    for (const struct config_field *field = fields; field->key != NULL; field++) {
        const json_node *value = json_member(object, field->key);
        if (value == NULL || field->offset + kind_bytes(field->kind) > struct_size)
            continue;
        void *place = (char *)options + field->offset;
        const double number = json_number_or(value, 0);
        switch (field->kind) {
        case CONFIG_BOOL:
            *(uint32_t *)place = json_bool_or(value, false);
            break;
        case CONFIG_U32:
            *(uint32_t *)place = (uint32_t)number;
            break;
        case CONFIG_I32:
            *(int32_t *)place = (int32_t)number;
            break;
        case CONFIG_U64:
            *(uint64_t *)place = (uint64_t)number;
            break;
        case CONFIG_I64:
            *(int64_t *)place = (int64_t)number;
            break;
        case CONFIG_DOUBLE:
            *(double *)place = number;
            break;
        case CONFIG_TEXT:
            *(const char **)place = json_string_or(value, NULL);
            break;
        case CONFIG_WORD:
            *(int32_t *)place = word_index(field, json_string_or(value, NULL));
            break;
        }
    }
}

static json_node *show(const struct config_field *field, const void *place, json_node *object)
{
    switch (field->kind) {
    case CONFIG_BOOL:
        return json_add_bool(object, field->key, *(const uint32_t *)place != 0);
    case CONFIG_U32:
        return json_add_number(object, field->key, *(const uint32_t *)place);
    case CONFIG_I32:
        return json_add_number(object, field->key, *(const int32_t *)place);
    case CONFIG_U64:
        return json_add_number(object, field->key, (double)*(const uint64_t *)place);
    case CONFIG_I64:
        return json_add_number(object, field->key, (double)*(const int64_t *)place);
    case CONFIG_DOUBLE:
        return json_add_number(object, field->key, *(const double *)place);
    case CONFIG_TEXT:
        return json_add_string(object, field->key, *(const char *const *)place);
    default:
        return json_add_string(object, field->key, field->words[*(const int32_t *)place]);
    }
}

model_status config_fields_show(const struct config_field *fields, const void *options,
                                size_t struct_size, json_node *object, struct model_error *err)
{
    for (const struct config_field *field = fields; field->key != NULL; field++) {
        const char *place = (const char *)options + field->offset;
        if (field->offset + kind_bytes(field->kind) > struct_size ||
            (field->kind == CONFIG_TEXT && *(const char *const *)(const void *)place == NULL))
            continue;
        if (show(field, place, object) == NULL)
            return error_no_memory(err, "the configuration");
    }
    return MODEL_OK;
}
