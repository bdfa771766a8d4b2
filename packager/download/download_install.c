/* download_install.c - the last step of a download (download.h): the manifest, the plugin, and making
 * the package visible.
 *
 * A package that has everything already is left as it is, unless a plugin can be added to it now or
 * the name it was asked by does not lead to it yet. A plugin that was installed by hand is carried
 * over when no other is found: downloading again must not take it away. */
#include "download.h"
#include "coreml_choice.h"
#include "coreml_config.h"
#include "errors.h"
#include "package.h"
#include "package_build.h"
#include "plugin_choice.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *now_utc(void)
{
    char text[32];
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        return NULL;
    return strdup(text);
}

static model_status name_manifest(const struct download *download, struct manifest *manifest,
                                  struct model_error *err)
{
    const char *from[] = {download->model.id, download->options->id, download->revision,
                          download->model.commit, hub_endpoint(download->hub)};
    char **to[] = {&manifest->id, &manifest->requested_id, &manifest->requested_revision,
                   &manifest->revision, &manifest->endpoint};
    for (size_t i = 0; i < sizeof to / sizeof to[0]; i++) {
        free(*to[i]);
        *to[i] = strdup(from[i]);
        if (*to[i] == NULL)
            return error_no_memory(err, "the package's manifest");
    }
    return MODEL_OK;
}

/* The manifest of what was planned. */
static model_status make_manifest(const struct download *download, struct manifest *manifest,
                                  struct model_error *err)
{
    model_status status = name_manifest(download, manifest, err);
    if (status == MODEL_OK && (manifest->created = now_utc()) == NULL)
        status = error_no_memory(err, "the package's manifest");
    for (size_t i = 0; i < download->plan.n_files && status == MODEL_OK; i++) {
        const struct plan_file *planned = &download->plan.files[i];
        status = manifest_add(manifest, planned->package_path, planned->file->path,
                              planned->file->size_bytes, planned->sha256, err);
    }
    return status;
}

/* Whether a file of an earlier download can go into the package that replaces its one. */
static bool is_usable(const struct download *download, const struct manifest_file *file)
{
    if (store_blob_is_good(download->store, file->sha256, file->size_bytes))
        return true;
    log_write(&download->options->hub.log, MODEL_LOG_WARN,
              "leaving out '%.200s', which the package had before: it is damaged in the store",
              file->path);
    return false;
}

/* Adds the plugin of the package that this one replaces, if its model is still served by it. */
static model_status carry_plugin_over(const struct download *download, struct manifest *manifest,
                                      const char *config, struct model_error *err)
{
    struct manifest old = {0};
    struct plugin_file plugin;
    char *dir = NULL, *blob = NULL;
    const struct manifest_file *file = NULL;
    model_status status =
        download_find_package(download->store, download->model.id, download->revision, &dir, err);
    if (status != MODEL_OK)
        return status;
    if (dir != NULL && manifest_read(dir, &old, NULL) == MODEL_OK)
        file = manifest_find(&old, coreml_plugin_path(manifest));
    if (file != NULL && is_usable(download, file) &&
        manifest_blob_path(download->store, &old, coreml_plugin_path(manifest), &blob, err) ==
            MODEL_OK &&
        plugin_check_usable(blob, &plugin, NULL) == MODEL_OK &&
        plugin_check_serves(&plugin, blob, config, NULL) == MODEL_OK)
        status = manifest_add(manifest, coreml_plugin_path(manifest), NULL, file->size_bytes,
                              file->sha256, err);
    manifest_finish(&old);
    free(blob);
    free(dir);
    return status;
}

/* Decides about the plugin: *ret_plugin to install, or one in the manifest already, or advice. */
static model_status settle_plugin(const struct download *download, struct manifest *manifest,
                                  char **ret_plugin, char **ret_advice, struct model_error *err)
{
    struct model_error reason = MODEL_ERROR_INIT;
    char *config = NULL;
    model_status status =
        manifest_blob_path(download->store, manifest, coreml_config_path(manifest), &config, err);
    if (status != MODEL_OK)
        return status;
    status = plugin_choose(config, download->options->plugin_path, download->model.id, ret_plugin,
                           ret_advice, &reason);
    if (status == MODEL_CORRUPT) {
        /* the files are what the hub has; that its config is broken is the author's affair */
        *ret_advice = plugin_choice_refused(config, coreml_config_path(manifest), &reason);
        status = *ret_advice != NULL ? MODEL_OK : error_no_memory(err, "the advice about plugins");
    } else if (status != MODEL_OK) {
        (void)error_set(err, status, "%s", reason.message);
    } else if (*ret_plugin == NULL && config != NULL &&
               manifest_find(manifest, coreml_plugin_path(manifest)) == NULL) {
        status = carry_plugin_over(download, manifest, config, err);
    }
    if (status == MODEL_OK && manifest_find(manifest, coreml_plugin_path(manifest)) != NULL) {
        free(*ret_advice);
        *ret_advice = NULL;
    }
    free(config);
    return status;
}

/* Whether "requested_id@revision" leads to dir. */
static bool is_known_as_asked(const struct download *download, const char *dir)
{
    char *found = NULL;
    bool known = download_find_package(download->store, download->options->id, download->revision,
                                       &found, NULL) == MODEL_OK &&
                 found != NULL && strcmp(found, dir) == 0;
    free(found);
    return known;
}

/* The package that has everything gets a plugin, or a further name. */
static model_status change_present(struct download *download, struct manifest *manifest,
                                   const char *plugin, bool gains_plugin, char **ret_dir,
                                   struct model_error *err)
{
    if (!gains_plugin)
        return store_install(download->store, manifest, ret_dir, err);
    model_status status = store_make_staging(download->store, &download->staging, err);
    if (status != MODEL_OK)
        return status;
    struct package_wish wish = {.plugin = plugin, .old_dir = download->present};
    return package_build(download->store, download->staging, manifest, &wish,
                         &download->options->hub.log, ret_dir, err);
}

/* The package that has everything: nothing to do, or the same with a plugin or under another name. In a
 * store that may only be read it is as good without. */
static model_status install_present(struct download *download, char **ret_dir, char **ret_advice,
                                    struct model_error *err)
{
    struct manifest manifest = {0};
    char *plugin = NULL, *dir = NULL;
    model_status status = manifest_read(download->present, &manifest, err);
    if (status == MODEL_OK)
        status = name_manifest(download, &manifest, err);
    /* what is signed stays as it is */
    bool had_plugin =
        status == MODEL_OK && (manifest_find(&manifest, coreml_plugin_path(&manifest)) != NULL ||
                               store_package_is_signed(download->present));
    if (status == MODEL_OK && !had_plugin)
        status = settle_plugin(download, &manifest, &plugin, ret_advice, err);
    bool has_plugin =
        plugin != NULL || had_plugin ||
        (status == MODEL_OK && manifest_find(&manifest, coreml_plugin_path(&manifest)) != NULL);
    bool changes = has_plugin != had_plugin || !is_known_as_asked(download, download->present);
    if (status == MODEL_OK && changes && !store_is_writable(download->store)) {
        log_write(&download->options->hub.log, MODEL_LOG_WARN,
                  "the store %.300s may not be written to: the package is left without %s",
                  store_dir(download->store),
                  has_plugin != had_plugin ? "the plugin that was found for it"
                                           : "the name it was asked by");
        changes = false;
    }
    if (status == MODEL_OK && changes)
        status = change_present(download, &manifest, plugin, has_plugin != had_plugin, &dir, err);
    else if (status == MODEL_OK && (dir = strdup(download->present)) == NULL)
        status = error_no_memory(err, "the result");
    manifest_finish(&manifest);
    free(plugin);
    if (status == MODEL_OK)
        *ret_dir = dir;
    return status;
}

/* Adds what an earlier download of the same commit brought and this one does not: with --include a
 * package grows, it does not lose the rest. */
static model_status keep_other_files(const struct download *download, const char *old_dir,
                                     struct manifest *manifest, struct model_error *err)
{
    struct manifest old = {0};
    model_status status = MODEL_OK;
    const bool is_known =
        manifest_read(old_dir, &old, NULL) == MODEL_OK &&
        manifest_names_folder(&old, old_dir); /* a broken one has nothing to keep */
    for (size_t i = 0; i < old.n_files && is_known && status == MODEL_OK; i++) {
        const struct manifest_file *file = &old.files[i];
        if (file->source != NULL && manifest_find(manifest, file->path) == NULL &&
            is_usable(download, file))
            status = manifest_add(manifest, file->path, file->source, file->size_bytes,
                                  file->sha256, err);
    }
    manifest_finish(&old);
    return status;
}

/* What was asked for is what there is: the rest may follow with another download. */
static void warn_of_missing_weights(const struct download *download,
                                    const struct manifest *manifest)
{
    struct model_error missing = MODEL_ERROR_INIT;
    if (coreml_choice_check(download->store, manifest, &missing) != MODEL_OK)
        log_write(&download->options->hub.log, MODEL_LOG_WARN, "%s", missing.message);
}

static model_status install_new(struct download *download, char **ret_dir, char **ret_advice,
                                struct model_error *err)
{
    struct manifest manifest = {0};
    char *plugin = NULL, *old_dir = NULL;
    model_status status = make_manifest(download, &manifest, err);
    if (status == MODEL_OK)
        status = download_find_package(download->store, download->model.id, download->model.commit,
                                       &old_dir, err);
    if (status == MODEL_OK && old_dir != NULL)
        status = keep_other_files(download, old_dir, &manifest, err);
    if (status == MODEL_OK)
        status = coreml_config_add(download->store, download->staging, &manifest, err);
    if (status == MODEL_OK)
        warn_of_missing_weights(download, &manifest);
    if (status == MODEL_OK)
        status = settle_plugin(download, &manifest, &plugin, ret_advice, err);
    const struct selection_rules *rules = &download->options->rules;
    struct package_wish wish = {.plugin = plugin,
                                .old_dir = old_dir,
                                .must_open = rules->n_includes + rules->n_excludes == 0};
    if (status == MODEL_OK)
        status = package_build(download->store, download->staging, &manifest, &wish,
                               &download->options->hub.log, ret_dir, err);
    manifest_finish(&manifest);
    free(plugin);
    free(old_dir);
    return status;
}

model_status download_install(struct download *download, struct download_result *ret,
                              struct model_error *err)
{
    struct download_result result = {0};
    const struct download_plan *plan = &download->plan;
    model_status status = download->present != NULL
                              ? install_present(download, &result.dir, &result.plugin_advice, err)
                              : install_new(download, &result.dir, &result.plugin_advice, err);
    if (status != MODEL_OK)
        goto fail;
    result.downloaded_bytes = download->present != NULL ? 0 : plan->fetch_bytes;
    for (size_t i = 0; i < plan->n_files && result.downloaded_bytes > 0; i++)
        result.downloaded_bytes -= plan->files[i].here_bytes;
    result.reused_bytes = plan->total_bytes - result.downloaded_bytes;
    result.id = strdup(download->model.id);
    result.revision = strdup(download->model.commit);
    if (result.id == NULL || result.revision == NULL) {
        status = error_no_memory(err, "the result");
        goto fail;
    }
    *ret = result;
    return MODEL_OK;
fail:
    download_result_finish(&result);
    return status;
}
