/* api_download.c - modelhost_download() of the public API: the packager for applications.
 * [any-thread]: nothing is shared between two downloads but the store, which is made for that. */
#include "download.h"
#include "environment.h"
#include "errors.h"
#include "hub_environment.h"
#include "transfer.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PATTERNS 1000

struct observer {
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    void *context;
    int32_t (*cancelled)(void *context);
    void *cancel_context;
};

static bool forward_cancelled(void *context)
{
    const struct observer *observer = context;
    return observer->cancelled(observer->cancel_context) != 0;
}

static void forward_progress(void *context, const struct download_plan *plan, size_t file_index,
                             uint64_t done_bytes)
{
    const struct observer *observer = context;
    (void)file_index;
    observer->progress(observer->context, done_bytes, plan->fetch_bytes);
}

/* What the caller left open comes from the environment where NULL stands for it. */
static model_status fill_defaults(const struct modelhost_download_options *given,
                                  struct hub_environment *environment, struct model_error *err)
{
    model_status status = MODEL_OK;
    if (given == NULL) {
        status = hub_environment_read(environment, err);
        return status == MODEL_OK && !environment->offline
                   ? hub_environment_read_token(environment, err)
                   : status;
    }
    if (given->store_dir == NULL)
        status = environment_store_dir(&environment->store_dir, err);
    if (status == MODEL_OK && given->plugin_path == NULL)
        status = environment_plugin_path(&environment->plugin_path, err);
    return status;
}

/* Fields that a caller who was built with an earlier header does not have. */
static void take_appended(const struct modelhost_download_options *given,
                          struct download_options *options, struct observer *observer)
{
    if (!MODEL_HAS(struct modelhost_download_options, given, cancel_context))
        return;
    options->rules = (struct selection_rules){.includes = given->includes,
                                              .n_includes = (size_t)given->n_includes,
                                              .excludes = given->excludes,
                                              .n_excludes = (size_t)given->n_excludes};
    options->hub.http.ca_file = given->ca_file;
    options->hub.http.limit_bytes_per_s = given->limit_bytes_per_s;
    options->max_workers = given->max_workers;
    options->max_connections = given->max_connections;
    observer->cancelled = given->cancelled;
    observer->cancel_context = given->cancel_context;
    if (given->cancelled != NULL) {
        options->hub.cancelled = forward_cancelled;
        options->hub.cancel_context = observer;
    }
}

static model_status check_list(const char *name, const char *const *patterns, uint64_t n,
                               struct model_error *err)
{
    if (n > MAX_PATTERNS || (n > 0 && patterns == NULL))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "modelhost_download: options.%s has %llu patterns, want up to %d", name,
                         patterns == NULL ? 0 : (unsigned long long)n, MAX_PATTERNS);
    for (uint64_t i = 0; i < n; i++)
        if (patterns[i] == NULL)
            return error_set(err, MODEL_INVALID_ARGUMENT,
                             "modelhost_download: pattern %llu of options.%s is NULL",
                             (unsigned long long)i, name);
    return MODEL_OK;
}

static model_status check_given(const struct modelhost_download_options *given,
                                struct model_error *err)
{
    if (!MODEL_HAS(struct modelhost_download_options, given, force))
        return error_set(
            err, MODEL_INVALID_ARGUMENT,
            "modelhost_download: options.struct_size is %zu, want %zu; start them with "
            "MODELHOST_DOWNLOAD_OPTIONS_INIT",
            given->struct_size, sizeof *given);
    if (!MODEL_HAS(struct modelhost_download_options, given, cancel_context))
        return MODEL_OK;
    if (given->max_workers > TRANSFER_MAX_WORKERS ||
        given->max_connections > TRANSFER_MAX_CONNECTIONS)
        return error_set(
            err, MODEL_INVALID_ARGUMENT,
            "modelhost_download: %u workers and %u connections for a file, want up to %d and %d",
            given->max_workers, given->max_connections, TRANSFER_MAX_WORKERS,
            TRANSFER_MAX_CONNECTIONS);
    model_status status = check_list("includes", given->includes, given->n_includes, err);
    return status == MODEL_OK ? check_list("excludes", given->excludes, given->n_excludes, err)
                              : status;
}

static void take_given(const struct modelhost_download_options *given,
                       struct download_options *options, struct observer *observer)
{
    if (given->store_dir != NULL)
        options->store_dir = given->store_dir;
    if (given->plugin_path != NULL)
        options->plugin_path = given->plugin_path;
    options->hub.endpoint = given->endpoint;
    options->hub.token = given->token;
    options->revision = given->revision;
    options->offline = given->offline != 0;
    options->force = given->force != 0;
    if (MODEL_HAS(struct modelhost_download_options, given, progress_context)) {
        observer->progress = given->progress;
        observer->context = given->progress_context;
    }
    take_appended(given, options, observer);
    if (observer->progress != NULL) {
        options->progress = forward_progress;
        options->observer = observer;
    }
}

MODELHOST_API model_status modelhost_download(const char *id,
                                              const struct modelhost_download_options *options,
                                              struct model_error *err)
{
    struct hub_environment environment = {0};
    struct download_result result = {0};
    struct observer observer = {0};
    char *name = NULL, *revision = NULL;
    if (id == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "modelhost_download: id is NULL");
    model_status status = options != NULL ? check_given(options, err) : MODEL_OK;
    if (status == MODEL_OK)
        status = store_split_name(id, &name, &revision, err);
    if (status == MODEL_OK)
        status = fill_defaults(options, &environment, err);
    if (status != MODEL_OK)
        goto end;
    struct download_options wanted = {
        .id = name,
        .store_dir = environment.store_dir,
        .plugin_path = environment.plugin_path,
        .hub.endpoint = environment.endpoint,
        .hub.token = environment.token,
        .hub.http.ca_file = environment.ca_file,
        .hub.stall_timeout_ms = environment.stall_timeout_ms,
        .offline = environment.offline,
    };
    if (options != NULL)
        take_given(options, &wanted, &observer);
    if (revision != NULL && wanted.revision != NULL) {
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "two revisions of '%s': '%s' in the name and '%s' in the options", name,
                           revision, wanted.revision);
        goto end;
    }
    if (revision != NULL)
        wanted.revision = revision;
    struct model_error own = MODEL_ERROR_INIT; /* is read, too; the caller's may be shorter */
    status = download_run(&wanted, &result, &own);
    if (status != MODEL_OK)
        (void)error_set(err, status, "%s", own.message);
end:
    download_result_finish(&result);
    hub_environment_finish(&environment);
    free(name);
    free(revision);
    return status;
}
