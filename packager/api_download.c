/* api_download.c - modelhost_download() of the public API: the packager for applications.
 * [any-thread]: nothing is shared between two downloads but the store, which is made for that. */
#include "download.h"
#include "environment.h"
#include "errors.h"
#include "hub_environment.h"

#include <stdlib.h>
#include <string.h>

struct observer {
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    void *context;
};

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
    if (options != NULL && !MODEL_HAS(struct modelhost_download_options, options, force))
        return error_set(
            err, MODEL_INVALID_ARGUMENT,
            "modelhost_download: options.struct_size is %zu, want %zu; start them with "
            "MODELHOST_DOWNLOAD_OPTIONS_INIT",
            options->struct_size, sizeof *options);
    model_status status = store_split_name(id, &name, &revision, err);
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
