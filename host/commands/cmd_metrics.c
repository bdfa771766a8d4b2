/* cmd_metrics.c - `modelhost metrics`: what a host counts and measures, as text for a Prometheus server. */
#include "environment.h"
#include "errors.h"
#include "files.h"
#include "modelhost_commands.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

const char cmd_metrics_help[] =
    "usage: modelhost metrics [PKG] [OPTION]...\n\n"
    "Prints the metrics of a new host, of one that has opened PKG if that is given: names, meanings\n"
    "and labels, and what the model takes. `modelhost run --metrics FILE` has those of a run.\n\n"
    "  --config FILE        options of the host and its models (see modelhost config keys)\n"
    "  --log-format FORMAT  text or json: how log lines on standard error look (default text)\n"
    "  --store DIR          default: MODELHOST_STORE, or ~/.cache/modelhost\n"
    "  --plugin-path DIRS   where to look when the package brings no plugin\n";

model_status command_write_metrics(struct modelhost *host, const char *path,
                                   struct model_error *err)
{
    struct modelhost_metrics *metrics = NULL;
    model_status status = modelhost_metrics_read(host, &metrics, err);
    if (status != MODEL_OK)
        return status;
    const char *text = modelhost_metrics_text(metrics);
    if (path == NULL)
        status = command_print(text, err);
    else if (strcmp(path, "-") == 0)
        fputs(text, stderr);
    else
        status = file_write_atomic(path, text, strlen(text), err);
    modelhost_metrics_destroy(metrics);
    return status;
}

static model_status print_metrics(struct modelhost_options *options, const char *package,
                                  const struct modelhost_load_options *load_options,
                                  struct model_error *err)
{
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    model_status status = modelhost_create(options, &host, err);
    if (status == MODEL_OK && package != NULL)
        status = modelhost_load_with(host, package, load_options, &model, err);
    if (status == MODEL_OK)
        status = command_write_metrics(host, NULL, err);
    modelhost_release(model);
    modelhost_destroy(host);
    return status;
}

int cmd_metrics(int argc, char **argv)
{
    struct command_places places = {0};
    const char *log_format = NULL, *config_path = NULL;
    const struct command_option table[] = {{"config", .text = &config_path},
                                           {"log-format", .text = &log_format},
                                           {"store", .text = &places.store_dir},
                                           {"plugin-path", .text = &places.plugin_path},
                                           {.name = NULL}};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost_load_options load_options = MODELHOST_LOAD_OPTIONS_INIT;
    struct modelhost_config *config = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    load_options.accelerator_start = MODELHOST_ACCELERATOR_WAIT; /* what is counted is its load */
    if (!command_read_options(argc, argv, table))
        return COMMAND_USAGE;
    if (argc - optind > 1)
        return command_usage(argv[0], "wants one package at most, got %d", argc - optind);
    const char *package = argv[optind]; /* NULL behind the last */
    model_status status =
        config_path != NULL ? modelhost_config_read(config_path, &config, &err) : MODEL_OK;
    if (config != NULL) {
        modelhost_config_host(config, &options);
        modelhost_config_model(config, package != NULL ? package : "", &load_options);
    }
    if (environment_demand("MODELHOST_REQUIRE_SIGNATURE"))
        load_options.require_signature = 1;
    if (places.store_dir != NULL)
        options.store_dir = places.store_dir;
    if (places.plugin_path != NULL)
        options.plugin_path = places.plugin_path;
    const bool has_log = command_log(argv[0], log_format, &options);
    if (status == MODEL_OK && has_log)
        status = print_metrics(&options, package, &load_options, &err);
    modelhost_config_destroy(config);
    if (!has_log)
        return COMMAND_USAGE;
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
