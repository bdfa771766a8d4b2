/* measured_model.c - see cmd_measure.h. Covered by tests/system/test_bench.sh. */
#include "clock.h"
#include "cmd_measure.h"
#include "cpu_budget.h"
#include "errors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOT_SET UINT32_MAX /* more than either may be */

/* What is measured is one call at a time. */
static bool leaves_lanes(const struct measured_package *measured,
                         const struct modelhost_options *host)
{
    if (host->threads != NOT_SET)
        return command_usage(measured->command, "--set threads does not go here: give --threads") ==
               0;
    return host->lanes == NOT_SET ||
           command_usage(measured->command, "--set lanes does not go here: one lane is measured, "
                                            "with the threads of --threads") == 0;
}

bool measured_check(const struct measured_package *measured)
{
    struct modelhost_options host = MODELHOST_OPTIONS_INIT;
    struct modelhost_load_options model = MODELHOST_LOAD_OPTIONS_INIT;
    const uint32_t cpus = cpu_budget();
    host.lanes = host.threads = NOT_SET;
    if (measured->threads > cpus)
        return command_usage(measured->command,
                             "--threads is %lld, this process may use %u CPU%s: want 1 to %u",
                             (long long)measured->threads, cpus, cpus == 1 ? "" : "s", cpus) == 0;
    return command_loading(measured->command, &measured->loading, NULL) &&
           command_set_options(measured->command, &measured->assignments, &host, &model) &&
           leaves_lanes(measured, &host);
}

static void take_options(const struct measured_package *measured, struct modelhost_options *host,
                         struct modelhost_load_options *model)
{
    model->accelerator_start = MODELHOST_ACCELERATOR_WAIT; /* what is measured is one backend */
    (void)command_set_options(measured->command, &measured->assignments, host, model);
    (void)command_log(measured->command, NULL, host); /* both were checked */
    host->log_level = MODEL_LOG_ERROR;
    if (measured->places.store_dir != NULL)
        host->store_dir = measured->places.store_dir;
    if (measured->places.plugin_path != NULL)
        host->plugin_path = measured->places.plugin_path;
    host->lanes = 1;
    host->threads = measured->threads > 0 ? (uint32_t)measured->threads : 1;
    host->result_cache_bytes = 0; /* each call is computed */
    if (measured->backend != NULL)
        model->backend = measured->backend;
    (void)command_loading(measured->command, &measured->loading, model);
}

model_status measured_open(const struct measured_package *measured,
                           void (*change)(void *context, struct modelhost_load_options *options),
                           void *context, struct measured_model *ret, struct model_error *err)
{
    struct modelhost_options host = MODELHOST_OPTIONS_INIT;
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    struct measured_model opened = {.load_ns = 0};
    take_options(measured, &host, &load);
    if (change != NULL)
        change(context, &load);
    model_status status = command_load_secret(&measured->loading, &load, err);
    if (status == MODEL_OK)
        status = modelhost_create(&host, &opened.host, err);
    const int64_t start_ns = clock_now_ns();
    if (status == MODEL_OK)
        status = modelhost_load_with(opened.host, measured->package, &load, &opened.model, err);
    opened.load_ns = clock_now_ns() - start_ns;
    if (status == MODEL_OK)
        *ret = opened;
    else
        measured_close(&opened);
    return status;
}

void measured_close(struct measured_model *model)
{
    modelhost_release(model->model);
    modelhost_destroy(model->host);
    *model = (struct measured_model){NULL, NULL, 0};
}

static void print_member(const char *object, const json_node *member)
{
    char name[96], value[400];
    const double number = json_number_or(member, 0);
    (void)snprintf(name, sizeof name, "%s%s%s", object, object[0] != '\0' ? "." : "",
                   json_key(member));
    if (json_is_string(member))
        (void)snprintf(value, sizeof value, "%s", json_string_or(member, ""));
    else if (json_is_bool(member))
        (void)snprintf(value, sizeof value, "%s", json_bool_or(member, false) ? "yes" : "no");
    else if (floor(number) == number)
        (void)snprintf(value, sizeof value, "%.0f", number);
    else
        (void)snprintf(value, sizeof value, fabs(number) < 10 ? "%.6g" : "%.1f", number);
    printf("%-24s %s\n", name, value);
}

static void print_object(const char *name, const json_node *object)
{
    for (const json_node *member = json_first(object); member != NULL; member = json_next(member)) {
        if (json_is_object(member))
            print_object(json_key(member), member); /* one level */
        else if (!json_is_null(member) && !json_is_array(member))
            print_member(name, member);
    }
}

model_status measured_print(const json_node *root, bool as_json, struct model_error *err)
{
    if (!as_json) {
        print_object("", root);
        return command_flush(err);
    }
    char *text = json_print(root, true);
    model_status status =
        text != NULL ? command_print(text, err) : error_no_memory(err, "the answer");
    free(text);
    return status;
}
