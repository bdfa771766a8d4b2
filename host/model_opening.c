/* model_opening.c - see model_opening.h. Each layer refuses before the next one runs: the package's
 * files, the config, the weights, the plugin's note, the plugin's own checks. */
#include "model_opening.h"
#include "clock.h"
#include "cpu_budget.h"
#include "errors.h"
#include "host.h"
#include "model_accuracy.h"
#include "model_compiled.h"
#include "model_creating.h"
#include "model_describing.h"
#include "model_guard.h"
#include "model_prepared.h"
#include "model_trust.h"
#include "package_architectures.h"
#include "package_file.h"
#include "plugin_admission.h"
#include "plugin_copy.h"
#include "plugin_path.h"
#include "store_lease.h"
#include "worker_model.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Readers differ in which of two equal keys counts. */
static model_status check_keys(const json_node *node, const char *path, struct model_error *err)
{
    model_status status = json_check_unique_keys(node, path, err);
    for (const json_node *item = json_first(node); item != NULL && status == MODEL_OK;
         item = json_next(item))
        if (json_is_object(item) || json_is_array(item))
            status = check_keys(item, path, err); /* as deep as JSON_MAX_DEPTH */
    return status;
}

/* What chooses the plugin must not be overlooked because it is of another kind. */
static model_status check_names(const json_node *config, const char *path, struct model_error *err)
{
    const json_node *type = json_member(config, "model_type");
    const json_node *classes = json_member(config, "architectures");
    if (!json_is_null(type) && !json_is_string(type))
        return error_set(err, MODEL_CORRUPT, "%s: model_type is not a string", path);
    bool good = json_is_null(classes) || json_is_array(classes);
    for (const json_node *class = json_is_array(classes) ? json_first(classes) : NULL;
         class != NULL && good; class = json_next(class))
        good = json_is_string(class);
    if (!good)
        return error_set(err, MODEL_CORRUPT,
                         "%s: architectures is not a list of strings; want one such as "
                         "[\"BertForMaskedLM\"]",
                         path);
    return MODEL_OK;
}

static model_status parse_config(struct modelhost_model *model, const char *path,
                                 struct model_error *err)
{
    model_status status =
        json_parse(model->config_text, model->config_bytes, path, &model->config, err);
    if (status == MODEL_OK && !json_is_object(model->config))
        status = error_set(err, MODEL_CORRUPT, "%s: not a JSON object", path);
    if (status == MODEL_OK)
        status = check_keys(model->config, path, err);
    return status == MODEL_OK ? check_names(model->config, path, err) : status;
}

static model_status read_config(struct modelhost_model *model, struct model_error *err)
{
    char *path = path_join(model->package.backend_dir, "config.json");
    if (path == NULL)
        return error_no_memory(err, "a path");
    struct buffer text = BUFFER_INIT(PACKAGE_MAX_CONFIG_BYTES);
    model_status status = MODEL_OK;
    const struct archive *archive = model->package.archive;
    if (package_file_exists(archive, path))
        status = package_file_read(archive, path, PACKAGE_MAX_CONFIG_BYTES, &text, err);
    else if (archive == NULL && access(path, F_OK) == 0)
        status = error_set(err, MODEL_CORRUPT, "%s is not a regular file", path);
    else
        status =
            error_set(err, MODEL_CORRUPT,
                      "%s is missing; a model without a configuration has one that says {}", path);
    model->config_bytes = text.size;
    model->config_text = buffer_take(&text);
    if (status == MODEL_OK)
        status = model->config_text != NULL ? parse_config(model, path, err)
                                            : error_no_memory(err, path);
    free(path);
    return status;
}

static model_status guard_weights(struct modelhost_model *model, struct model_error *err)
{
    size_t n_files = weights_n_files(model->weights);
    model->guards = calloc(n_files > 0 ? n_files : 1, sizeof(void *));
    if (model->guards == NULL)
        return error_no_memory(err, "a model");
    for (size_t i = 0; i < n_files; i++) {
        const char *path = NULL;
        struct file_map map = weights_file(model->weights, i, &path);
        model_status status = page_guard_add(&map, &model->guards[i], err);
        if (status != MODEL_OK)
            return status;
        model->n_guards++;
    }
    return MODEL_OK;
}

static model_status open_weights(struct modelhost_model *model, struct model_error *err)
{
    model_status status = weight_loading_check_package(&model->package, &model->load, err);
    if (status != MODEL_OK)
        return status;
    status = weights_open_from(model->package.archive, model->package.backend_dir,
                               model->load.loading == MODELHOST_LAZY, &model->weights, err);
    if (status == MODEL_NOT_FOUND) {
        /* Not every architecture has weights; one that has will miss them. */
        log_write(model->log, MODEL_LOG_INFO, "%s", err->message);
        model->no_weights = text_format("%s", err->message);
        return model->no_weights != NULL
                   ? weight_loading_init(&model->loading, NULL, &model->load, model->log, err)
                   : error_no_memory(err, "a model");
    }
    if (status == MODEL_OK && weights_has_both(model->package.archive, model->package.backend_dir))
        log_write(model->log, MODEL_LOG_WARN,
                  "%s has both %s and " WEIGHTS_SINGLE_NAME
                  ".index.json: the single file is taken, the shards are not read; remove one",
                  model->package.backend_dir, WEIGHTS_SINGLE_NAME);
    if (status == MODEL_OK)
        status = guard_weights(model, err);
    return status == MODEL_OK
               ? weight_loading_init(&model->loading, model->weights, &model->load, model->log, err)
               : status;
}

static model_status take_own_plugin(struct modelhost_model *model, struct model_error *err)
{
    const struct package *package = &model->package;
    model->plugin_path = text_format("%s", package->plugin);
    if (model->plugin_path == NULL)
        return error_no_memory(err, "a path");
    return package->manifest_sha256[0] != '\0'
               ? plugin_copy_check_signed(package->plugin, package->plugin_name, err)
               : MODEL_OK;
}

/* The package's own plugin, or the first on the plugin path that serves the architecture. */
static model_status choose_plugin(struct modelhost_model *model, const char *plugin_path,
                                  struct model_error *err)
{
    if (model->package.plugin != NULL)
        return take_own_plugin(model, err);
    if (model->package.manifest_sha256[0] != '\0')
        return error_set(
            err, MODELHOST_UNTRUSTED,
            "%s has no plugin that its signature covers, and one from elsewhere is not "
            "opened with require_signature; install it, then sign the package",
            model->package.dir);
    char *config_path = path_join(model->package.backend_dir, "config.json");
    struct package_architectures architectures = {0};
    model_status status =
        config_path != NULL
            ? package_architectures_read(model->package.archive, config_path, &architectures, err)
            : error_no_memory(err, "a path");
    if (status == MODEL_OK)
        status = plugin_path_find(plugin_path, (const char *const *)architectures.names,
                                  architectures.n_names, &model->plugin_path, err);
    if (status != MODEL_OK) {
        error_prefix(err, "%s has no plugin of its own (install one: pkgmgr install PKG PLUGIN%s)",
                     model->package.dir, PLUGIN_SUFFIX);
    }
    free(config_path);
    package_architectures_finish(&architectures);
    return status;
}

/* Who may come in: whom the source wants (a worker's host has admitted it), who is not in quarantine and has the
 * report that the host wants. */
struct admission {
    const struct modelhost *host;
    const struct model_parts *wanted; /* NULL: nobody in particular */
};

static model_status admit(void *context, const char *path, const char *sha256,
                          struct model_error *err)
{
    const struct admission *admission = context;
    model_status status = admission->wanted != NULL
                              ? model_parts_check_plugin(admission->wanted, sha256, path, err)
                              : MODEL_OK;
    return status == MODEL_OK ? plugin_admission_check_digest(admission->host->store_dir, path,
                                                              sha256, admission->host->load_policy,
                                                              (int64_t)time(NULL), err)
                              : status;
}

static model_status open_plugin(struct modelhost_model *model, const struct model_parts *wanted,
                                struct model_error *err)
{
    struct admission admission = {model->host, wanted};
    const bool asks =
        wanted != NULL || plugin_admission_asks(model->host->store_dir, model->host->load_policy);
    const struct plugin_gate gate = {asks ? admit : NULL, &admission, model->host->barrier,
                                     model->host->load_policy == MODELHOST_LOAD_CONFORMANT, true};
    return plugin_handle_open_if(model->plugin_path, model->log, &gate, &model->plugin, err);
}

/* Whether config.json and the weights are those that are wanted. */
static model_status check_files(const struct modelhost_model *model,
                                const struct model_parts *wanted, struct model_error *err)
{
    char files[SHA256_HEX_BYTES];
    if (wanted == NULL)
        return MODEL_OK;
    model_status status =
        model_parts_of_files(model->config_text, model->config_bytes, model->package.backend_dir,
                             model->package.archive, model->weights, files, err);
    return status == MODEL_OK
               ? model_parts_check_files(wanted, files, model->package.backend_dir, err)
               : status;
}

/* The plugin may have read other files than those that name what is kept: nothing of them is kept then, and nothing
 * may have been taken. */
static model_status keep_prepared(struct modelhost_model *model, const struct model_parts *wanted,
                                  struct model_error *err)
{
    const struct packed_blobs *blobs = &model->services.packed;
    if (loaded_model_is_of_its_files(model))
        model_prepared_made(model);
    else if (wanted != NULL || blobs->n_made < blobs->n_blobs)
        return error_set(err, MODEL_CORRUPT,
                         "files in %s were replaced or written over while the model was loaded; "
                         "load it again",
                         model->package.backend_dir);
    return MODEL_OK;
}

/* In this process: its code, and its weights. */
static model_status open_here(struct modelhost_model *model, const struct model_source *source,
                              const char *name, struct model_error *err)
{
    const uint32_t threads = model->host->threads;
    model_status status = open_weights(model, err);
    if (status == MODEL_OK)
        status = check_files(model, source->parts, err);
    if (status == MODEL_OK)
        status = choose_plugin(model, model->host->plugin_path, err);
    if (status == MODEL_OK) {
        status = open_plugin(model, source->parts, err);
        if (status != MODEL_OK && model->package.archive != NULL &&
            !package_name_plugin(&model->package, err))
            error_prefix(err, "%s", loaded_model_plugin_name(model));
    }
    if (status == MODEL_OK && source->parts == NULL) /* else the host has chosen */
        status = model_accuracy_choose(model, model->weights, model->plugin.sha256, err);
    if (status == MODEL_OK)
        status = services_init(&model->services, model->log, name, model->config, model->weights,
                               threads, err);
    if (status != MODEL_OK)
        return status;
    status = model_compiled_offer(model, source->compiled, err);
    if (status != MODEL_OK)
        return status;
    const struct mapped_source files = {model->package.archive, model->package.dir,
                                        model->package.backend_dir,
                                        model->load.memory_budget_bytes};
    mapped_files_init(&model->services.files, &files);
    model->services.loading = &model->loading;
    model->services.counters = metrics_plugin_counters(model->metrics.series);
    status = model_creating_run(model, threads, source->prepared, err);
    mapped_files_close(&model->services.files);
    if (model->loading.status != MODEL_OK) /* the plugin knows less of it */
        return error_set(err, model->loading.status, "%s", model->loading.err.message);
    if (status == MODEL_OK)
        status = weight_loading_check(&model->loading, model->model->description, err);
    /* A file that was cut short explains whatever the plugin says of it. */
    const model_status damaged = loaded_model_check_files(model, err);
    status = damaged != MODEL_OK ? damaged : status;
    return status == MODEL_OK ? keep_prepared(model, source->parts, err) : status;
}

static model_status start_workers(struct modelhost_model *model, const struct model_source *source,
                                  const char *name, const char *plugin_path, uint32_t threads,
                                  struct model_error *err)
{
    const int64_t grace_ms = model->load.kill_grace_ms;
    struct worker_guard guard;
    model_status status = model_guard_init(model, &guard, err);
    if (status != MODEL_OK)
        return status;
    char *plugin = text_format("'%s' %s", model->plugin.file.name, model->plugin.file.version);
    const struct worker_model_options options = {
        .command = model->host->worker_path,
        .model_name = name,
        .package_dir = model->package.dir,
        .backend = model->package.backend,
        .plugin_path = plugin_path,
        .n_processes = model->load.workers,
        .lanes = model->lanes,
        .threads = threads,
        .kill_grace_ns = (grace_ms > 0 ? grace_ms : WORKER_KILL_GRACE_MS) * NS_PER_MS,
        .memory_bytes = model->load.worker_memory_bytes,
        .loading = model->load.loading,
        .verification = model->load.verification,
        .memory_budget_bytes = model->load.memory_budget_bytes,
        .dtype = model->load.dtype,
        .prepared = model->prepared_share,
        .compiled = &model->services.compiled,
        .load_ns = model->load.load_timeout_ms * NS_PER_MS,
        .plugin = plugin,
        .parts = model->parts,
        .contents = &model->contents,
        .can_spin = cpu_budget() > 1,
        .log = model->log,
        .metrics = model->metrics.series,
        .guard = guard,
        .cancelled = source->cancelled,
    };
    status = plugin != NULL ? worker_model_create(&options, &model->model, err)
                            : error_no_memory(err, "a model");
    free(plugin);
    return status;
}

/* What the processes have to find: the plugin that is admitted here, config.json as it was read here, and these
 * weights. Weights that cannot be opened are the processes' to tell. */
static model_status take_parts(struct modelhost_model *model, struct model_error *err)
{
    struct weights *weights = NULL;
    uint64_t size_bytes = 0;
    struct admission admission = {model->host, NULL};
    model_status status =
        digest_file_sha256(model->plugin_path, model->parts.plugin, &size_bytes, err);
    if (status == MODEL_OK)
        status = admit(&admission, model->plugin_path, model->parts.plugin, err);
    memcpy(model->parts.manifest, model->package.manifest_sha256, SHA256_HEX_BYTES);
    if (status == MODEL_OK && model->host->load_policy == MODELHOST_LOAD_CONFORMANT)
        status = plugin_copy_check(model->plugin_path, err);
    if (status != MODEL_OK)
        return status;
    if (model->package.archive == NULL)
        (void)weights_open(model->package.backend_dir, &weights, NULL);
    status =
        model_parts_of_files(model->config_text, model->config_bytes, model->package.backend_dir,
                             model->package.archive, weights, model->parts.files, err);
    if (status == MODEL_OK)
        status = model_accuracy_choose(model, weights, model->parts.plugin, err);
    if (status == MODEL_OK)
        model_prepared_share(model, weights);
    weights_destroy(weights);
    return status;
}

/* The processes open the package by themselves, with these same steps; what fails there has its whole
 * sentence already. */
static model_status open_in_workers(struct modelhost_model *model,
                                    const struct model_source *source, const char *name,
                                    const char *plugin_path, uint32_t threads,
                                    struct model_error *err)
{
    model_status status =
        services_init(&model->services, model->log, name, model->config, NULL, threads, err);
    if (status == MODEL_OK)
        status = choose_plugin(model, plugin_path, err);
    if (status == MODEL_OK)
        status = take_parts(model, err);
    if (status == MODEL_OK)
        status = package_share_backend(&model->package, &model->contents, err);
    if (status == MODEL_OK)
        status = plugin_file_read(model->plugin_path, &model->plugin.file, err);
    if (status == MODEL_OK)
        status = plugin_file_check(&model->plugin.file, model->plugin_path, err);
    if (status == MODEL_OK)
        status = model_compiled_offer(model, NULL, err);
    err->message[0] = status == MODEL_OK ? '\0' : err->message[0];
    if (status == MODEL_OK)
        status = start_workers(model, source, name, plugin_path, threads, err);
    if (status == MODEL_OK)
        (void)device_plan_read(model->model, &model->plan);
    if (status == MODEL_OK)
        status = model_creating_instance(model, &model->idle[0], err);
    model->n_idle = status == MODEL_OK ? 1 : 0;
    return status;
}

static model_status take_name(struct modelhost_model *model, struct model_error *err)
{
    const char *wanted = model->load.name != NULL ? model->load.name : loaded_model_name(model);
    model_status status = model_names_take(&model->host->metrics.names, wanted, model->package.dir,
                                           &model->name, err);
    if (status == MODEL_OK && strcmp(model->name, wanted) != 0)
        log_write(model->log, MODEL_LOG_INFO,
                  "%s is called '%s' here, because another package is '%.200s'", model->package.dir,
                  model->name, wanted);
    return status;
}

/* A package's own plugin is taken whatever config.json says: whoever put it there may know better, or have forgotten it. */
static void warn_of_architecture(const struct modelhost_model *model)
{
    const struct plugin_file *plugin = &model->plugin.file;
    const char *type = json_string_or(json_member(model->config, "model_type"), NULL);
    if (model->package.plugin == NULL || type == NULL || plugin_file_serves(plugin, type))
        return;
    for (const json_node *class = json_first(json_member(model->config, "architectures"));
         class != NULL; class = json_next(class))
        if (plugin_file_serves(plugin, json_string_or(class, "")))
            return;
    log_write(model->log, MODEL_LOG_WARN,
              "%s/config.json: model_type is '%.100s', and the package's own plugin serves '%s': "
              "correct that, or take the plugin away",
              model->package.backend_dir, type, plugin->architectures);
}

static model_status open_parts(struct modelhost_model *model, const struct model_source *source,
                               struct model_error *err)
{
    int64_t start_ns = clock_now_ns();
    const char *plugin_path = model->host->plugin_path;
    const uint32_t threads = model->host->threads;
    /* A worker verifies what it opens itself. */
    const enum archive_level level = model->load.isolation == MODELHOST_WORKER
                                         ? ARCHIVE_CHECKSUM
                                         : (enum archive_level)model->load.verification;
    const struct archive_access access = {
        .level = level, .secret = source->secret, .contents = source->contents};
    model_status status = model_trust_open(source->package_dir, source->backend, &model->load,
                                           source->parts, &access, &model->package, err);
    if (status != MODEL_OK)
        return status;
    /* a store that may only be read keeps none */
    (void)store_lease_package(model->package.dir, &model->lease, NULL);
    status = take_name(model, err);
    if (status != MODEL_OK)
        return status;
    const char *name = loaded_model_name(model);
    model_metrics_name(&model->metrics, name, model->package.backend);
    if (!model->package.has_manifest && model->load.isolation != MODELHOST_WORKER)
        log_write(model->log, MODEL_LOG_WARN,
                  "%s has no metadata.json: its files are used as they are, unverified",
                  model->package.dir);
    loaded_model_note_files(model);
    status = read_config(model, err);
    if (status == MODEL_OK)
        status = model->load.isolation == MODELHOST_WORKER
                     ? open_in_workers(model, source, name, plugin_path, threads, err)
                     : open_here(model, source, name, err);
    if (status == MODEL_OK)
        status = model_describing_start(model, err);
    model->load_ns = clock_now_ns() - start_ns;
    if (status == MODEL_OK) {
        err->message[0] = '\0';
        if (model->load.isolation != MODELHOST_WORKER) /* whose processes say it */
            warn_of_architecture(model);
        const struct log_subject before = log_set_subject((struct log_subject){name, 0});
        log_write(model->log, MODEL_LOG_INFO, "loaded in %lld ms with plugin %s %s (%s)",
                  (long long)(model->load_ns / NS_PER_MS), model->plugin.file.name,
                  model->plugin.file.version, loaded_model_plugin_name(model));
        (void)log_set_subject(before);
    }
    return status;
}

model_status model_opening_open(struct modelhost_model *model, const struct model_source *source,
                                struct model_error *err)
{
    struct model_error local = MODEL_ERROR_INIT;
    err = err != NULL ? err : &local;
    model_status status = open_parts(model, source, err);
    if (status != MODEL_OK && model->package.dir != NULL) {
        (void)package_name_plugin(&model->package, err);
        package_advise(&model->package, status, err);
    }
    return status;
}
