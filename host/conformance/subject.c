/* subject.c - see subject.h. */
#include "subject.h"
#include "check_record.h"
#include "errors.h"
#include "files.h"
#include "package_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The plugin's last line, for reasons. */
static void keep_line(void *context, int32_t level, const char *message)
{
    struct subject *subject = context;
    (void)level;
    (void)snprintf(subject->last_line, sizeof subject->last_line, "%s", message);
}

/* A package, an author's folder, either of them in one file, or a folder as it came from a hub, with config.json in it. */
static model_status find_backend(struct subject *subject, const struct subject_options *options,
                                 struct model_error *err)
{
    const char *folder = options->package;
    const struct archive_access access = {
        .level = ARCHIVE_CHECKSUM, .secret = options->secret, .contents = options->contents};
    char *inside = path_join(folder, "backends/cpu");
    char *config = inside != NULL ? path_join(inside, "config.json") : NULL;
    char *plain = path_join(folder, "config.json");
    struct package package = {0};
    model_status status = config != NULL && plain != NULL
                              ? package_open_with(folder, NULL, &access, &package, err)
                              : error_no_memory(err, "a path");
    const bool is_other = status == MODEL_NOT_FOUND && path_is_dir(folder);
    if (status == MODEL_OK) {
        subject->backend_dir = text_format("%s", package.backend_dir);
        subject->package = package;
    } else if (is_other && path_is_file(config)) {
        subject->backend_dir = realpath(inside, NULL);
        status = MODEL_OK;
    } else if (is_other && path_is_file(plain)) {
        subject->backend_dir = realpath(folder, NULL);
        status = MODEL_OK;
    } else if (is_other) {
        status =
            error_set(err, MODEL_NOT_FOUND,
                      "%s is no package: no config.json in it, nor in its backends/cpu", folder);
    }
    subject->package_dir = realpath(folder, NULL);
    if (status == MODEL_OK && (subject->backend_dir == NULL || subject->package_dir == NULL))
        status = error_no_memory(err, "a path");
    free(inside);
    free(config);
    free(plain);
    return status;
}

static model_status read_config(struct subject *subject, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(PACKAGE_MAX_CONFIG_BYTES);
    char *path = path_join(subject->backend_dir, "config.json");
    model_status status = path != NULL ? package_file_read(subject->package.archive, path,
                                                           PACKAGE_MAX_CONFIG_BYTES, &text, err)
                                       : error_no_memory(err, "a path");
    if (status == MODEL_NOT_FOUND)
        status =
            error_set(err, MODEL_CORRUPT,
                      "%s is missing; a model without a configuration has one that says {}", path);
    if (status == MODEL_OK)
        status =
            json_parse(text.data != NULL ? text.data : "", text.size, path, &subject->config, err);
    if (status == MODEL_OK && !json_is_object(subject->config))
        status = error_set(err, MODEL_CORRUPT, "%s: not a JSON object", path);
    if (status == MODEL_OK && (subject->config_text = buffer_take(&text)) == NULL)
        status = error_no_memory(err, path);
    buffer_finish(&text);
    free(path);
    return status;
}

static model_status open_package(struct subject *subject, const struct subject_options *options,
                                 struct model_error *err)
{
    model_status status = find_backend(subject, options, err);
    if (status == MODEL_OK)
        status = read_config(subject, err);
    if (status == MODEL_OK) {
        status = weights_open_from(subject->package.archive, subject->backend_dir, false,
                                   &subject->weights, err);
        if (status == MODEL_NOT_FOUND) /* not every architecture has some */
            status = MODEL_OK;
    }
    subject->has_package = status == MODEL_OK;
    if (subject->package.dir != NULL)
        package_advise(&subject->package, status, err);
    return status;
}

/* config.json says the first architecture of the note and nothing else; there are no weights. */
static model_status make_empty_package(struct subject *subject, struct model_error *err)
{
    const int n = (int)strcspn(subject->file.architectures, ",");
    json_node *config = json_new_object();
    char *architecture = text_format("%.*s", n, subject->file.architectures);
    (void)json_add_string(config, "model_type", architecture != NULL ? architecture : "");
    subject->config = config;
    subject->config_text = json_print(config, false);
    subject->package_dir = text_format("/");
    subject->backend_dir = text_format("/");
    free(architecture);
    return subject->config_text != NULL && subject->package_dir != NULL &&
                   subject->backend_dir != NULL
               ? MODEL_OK
               : error_no_memory(err, "a package");
}

model_status subject_open(const struct subject_options *options, struct subject *ret,
                          struct model_error *err)
{
    *ret = (struct subject){.plugin_path = options->plugin,
                            .record_fd = options->record_fd,
                            .threads = options->threads > 0 ? options->threads : 1};
    ret->log = (struct log_sink){.level = MODEL_LOG_DEBUG, .write = keep_line, .context = ret};
    model_status status = plugin_file_read(options->plugin, &ret->file, err);
    if (status == MODEL_OK)
        status = options->package != NULL ? open_package(ret, options, err)
                                          : make_empty_package(ret, err);
    if (status != MODEL_OK)
        subject_finish(ret);
    return status;
}

model_status subject_open_plugin(struct subject *subject, struct model_error *err)
{
    if (subject->is_open)
        return MODEL_OK;
    subject_enter(subject, "dlopen()");
    model_status status =
        plugin_handle_open(subject->plugin_path, &subject->log, &subject->plugin, err);
    subject_enter(subject, "");
    subject->is_open = status == MODEL_OK;
    return status;
}

void subject_enter(const struct subject *subject, const char *function)
{
    if (subject->record_fd >= 0)
        check_record_write(subject->record_fd, 'P', function);
}

void subject_finish(struct subject *subject)
{
    weights_destroy(subject->weights);
    json_free(subject->config);
    free(subject->config_text);
    free(subject->package_dir);
    free(subject->backend_dir);
    package_finish(&subject->package);
    *subject = (struct subject){.plugin_path = NULL};
}
