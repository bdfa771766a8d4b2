/* load_options.c - see load_options.h. */
#include "load_options.h"
#include "clock.h"
#include "crash_quarantine.h"
#include "errors.h"

#include <string.h>

#define WINDOW_NS           (60 * NS_PER_S)
#define DEFAULT_WINDOW      200
#define DEFAULT_MIN_CALLS   20
#define DEFAULT_RATE        0.95
#define DEFAULT_COOLDOWN_MS 5000
#define MAX_COOLDOWNS       60
#define MAX_OPTION_MS       (24 * 3600 * INT64_C(1000))
#define MAX_PROBES          2
#define GOOD_PROBES         5
#define MAX_CACHED_TEXTS    1024
#define MAX_PREFILL_TOKENS  (1 << 20)

#define DEFAULT_DEMOTE_AFTER       3
#define DEFAULT_DEMOTION_WINDOW_MS 600000
#define DEFAULT_DEMOTION_MS        1800000

static model_status check_number(const char *name, int64_t value, int64_t max,
                                 struct model_error *err)
{
    return value >= 0 && value <= max
               ? MODEL_OK
               : error_set(err, MODEL_INVALID_ARGUMENT, "%s is %lld, want 0 to %lld", name,
                           (long long)value, (long long)max);
}

model_status load_options_policy(const struct modelhost_load_options *options,
                                 struct breaker_policy *ret, struct model_error *err)
{
    const uint32_t window = options->breaker_window > 0 ? options->breaker_window : DEFAULT_WINDOW;
    const uint32_t usual = window < DEFAULT_MIN_CALLS ? window : DEFAULT_MIN_CALLS;
    const double rate =
        options->breaker_success_rate == 0 ? DEFAULT_RATE : options->breaker_success_rate;
    model_status status = check_number("breaker_window", window, BREAKER_MAX_WINDOW, err);
    if (status == MODEL_OK)
        status = check_number("breaker_min_calls", options->breaker_min_calls, window, err);
    if (status == MODEL_OK)
        status = check_number("sla_ms", options->sla_ms, MAX_OPTION_MS, err);
    if (status == MODEL_OK)
        status =
            check_number("breaker_cooldown_ms", options->breaker_cooldown_ms, MAX_OPTION_MS, err);
    if (status == MODEL_OK && !(rate <= 1))
        status =
            error_set(err, MODEL_INVALID_ARGUMENT, "breaker_success_rate is %g, want 0 to 1", rate);
    if (status != MODEL_OK)
        return status;
    const int64_t cooldown_ms =
        options->breaker_cooldown_ms > 0 ? options->breaker_cooldown_ms : DEFAULT_COOLDOWN_MS;
    *ret = (struct breaker_policy){
        .window_calls = window,
        .window_ns = WINDOW_NS,
        .min_calls = options->breaker_min_calls > 0 ? options->breaker_min_calls : usual,
        .success_rate = rate > 0 ? rate : 0,
        .sla_ns = options->sla_ms * NS_PER_MS,
        .cooldown_ns = cooldown_ms * NS_PER_MS,
        .max_cooldown_ns = cooldown_ms * MAX_COOLDOWNS * NS_PER_MS,
        .max_probes = MAX_PROBES,
        .good_probes = GOOD_PROBES};
    return MODEL_OK;
}

model_status load_options_demotion(const struct modelhost_load_options *options,
                                   struct demotion_policy *ret, struct model_error *err)
{
    const int32_t after = options->demote_after_openings;
    const int64_t window_ms = options->demotion_window_ms, demotion_ms = options->demotion_ms;
    model_status status =
        check_number("demote_after_openings", after < 0 ? 0 : after, DEMOTION_MAX_OPENINGS, err);
    if (status == MODEL_OK)
        status = check_number("demotion_window_ms", window_ms, MAX_OPTION_MS, err);
    if (status == MODEL_OK)
        status = check_number("demotion_ms", demotion_ms, 7 * MAX_OPTION_MS, err);
    if (status == MODEL_OK)
        status = check_number("accelerator_start", options->accelerator_start,
                              MODELHOST_ACCELERATOR_BACKGROUND, err);
    if (status != MODEL_OK)
        return status;
    *ret = (struct demotion_policy){
        .n_openings = after < 0    ? 0
                      : after == 0 ? DEFAULT_DEMOTE_AFTER
                                   : (uint32_t)after,
        .window_ns = (window_ms > 0 ? window_ms : DEFAULT_DEMOTION_WINDOW_MS) * NS_PER_MS,
        .duration_ns = (demotion_ms > 0 ? demotion_ms : DEFAULT_DEMOTION_MS) * NS_PER_MS};
    return MODEL_OK;
}

model_status load_options_check_quarantine(const struct modelhost_load_options *options,
                                           struct model_error *err)
{
    model_status status = check_number(
        "quarantine_after_crashes", options->quarantine_after_crashes, CRASH_QUARANTINE_MAX, err);
    if (status == MODEL_OK)
        status =
            check_number("quarantine_window_ms", options->quarantine_window_ms, MAX_OPTION_MS, err);
    if (status == MODEL_OK)
        status = check_number("quarantine_ms", options->quarantine_ms, 7 * MAX_OPTION_MS, err);
    if (status == MODEL_OK)
        status = check_number("timeout_ms", options->timeout_ms, MAX_OPTION_MS, err);
    return status;
}

model_status load_options_check_generation(const struct modelhost_load_options *options,
                                           struct model_error *err)
{
    model_status status =
        check_number("speculation", options->speculation, MODELHOST_SPECULATION_PROMPT, err);
    if (status == MODEL_OK && options->prefix_cache > 0)
        status = check_number("prefix_cache", options->prefix_cache, MAX_CACHED_TEXTS, err);
    if (status == MODEL_OK)
        status = check_number("prefill_chunk", options->prefill_chunk, MAX_PREFILL_TOKENS, err);
    return status;
}

model_status load_options_secret(const struct modelhost_load_options *options,
                                 struct archive_secret **ret, struct model_error *err)
{
    const int n = (options->passphrase_file != NULL) + (options->key_file != NULL) +
                  (options->passphrase != NULL) + (options->key != NULL);
    if (n > 1)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "want one of passphrase_file, key_file, passphrase and key, not %d", n);
    if (options->passphrase_file != NULL)
        return archive_secret_read_file(ARCHIVE_KEY_OF_PASSPHRASE, options->passphrase_file, ret,
                                        err);
    if (options->key_file != NULL)
        return archive_secret_read_file(ARCHIVE_KEY_OF_FILE, options->key_file, ret, err);
    if (options->passphrase != NULL)
        return archive_secret_create(ARCHIVE_KEY_OF_PASSPHRASE, options->passphrase,
                                     (size_t)options->passphrase_bytes, ret, err);
    if (options->key != NULL)
        return archive_secret_create(ARCHIVE_KEY_OF_FILE, options->key, CIPHER_KEY_BYTES, ret, err);
    *ret = NULL;
    return MODEL_OK;
}

struct modelhost_load_options load_options_complete(const struct modelhost_load_options *options)
{
    struct modelhost_load_options known = MODELHOST_LOAD_OPTIONS_INIT;
    if (options != NULL)
        memcpy(&known, options,
               options->struct_size < sizeof known ? options->struct_size : sizeof known);
    known.struct_size = sizeof known;
    return known;
}
