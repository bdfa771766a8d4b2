/* command_hub.c - see command_hub.h. */
#include "command_hub.h"
#include "commands.h"
#include "errors.h"
#include "hub_answers.h"
#include "hub_cache.h"

#include <stdlib.h>

model_status command_hub_token(const char *token, const char *token_file,
                               struct hub_environment *environment, struct model_error *err)
{
    if (token != NULL && token_file != NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "--token and --token-file are one too many");
    if (token_file != NULL)
        return hub_environment_take_token(environment, token_file, err);
    if (token == NULL)
        return environment->offline ? MODEL_OK : hub_environment_read_token(environment, err);
    if (token[0] == '\0')
        return MODEL_OK; /* --token '': none */
    model_status status = hub_check_token(token, err);
    if (status != MODEL_OK)
        error_prefix(err, "--token");
    return status;
}

static model_status read_environment(struct command_hub *hub, struct model_error *err)
{
    struct download_options *options = &hub->options;
    char *normal = NULL;
    model_status status = hub_environment_read(&hub->environment, err);
    if (status == MODEL_OK)
        status = command_hub_token(options->hub.token, hub->token_file, &hub->environment, err);
    if (options->hub.endpoint == NULL)
        options->hub.endpoint = hub->environment.endpoint;
    if (status == MODEL_OK)
        status = hub_endpoint_normalize(options->hub.endpoint, &normal, err);
    free(normal);
    return status == MODEL_OK ? hub_cache_dir(&hub->cache_dir, err) : status;
}

void command_hub_talk(const struct command_talk *talk, int32_t usual, struct progress_view *view,
                      struct download_options *options)
{
    progress_view_init(view, talk->quiet);
    if (talk->json)
        progress_view_use_events(view);
    options->hub.log = (struct log_sink){
        .level = talk->quiet     ? MODEL_LOG_ERROR
                 : talk->verbose ? MODEL_LOG_DEBUG
                                 : usual,
        .write = progress_view_log,
        .context = view,
    };
    options->hub.http.log = options->hub.log;
    options->hub.cancelled = command_interrupted;
    options->progress = progress_view_update;
    options->observer = view;
}

int command_hub_begin(const char *command, const struct command_talk *talk, struct command_hub *hub)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct download_options *options = &hub->options;
    model_status status = read_environment(hub, &err);
    if (status != MODEL_OK)
        return status == MODEL_INVALID_ARGUMENT ? command_usage(command, "%s", err.message)
                                                : command_fail(status, &err);
    if (options->hub.token == NULL)
        options->hub.token = hub->environment.token;
    else if (options->hub.token[0] == '\0')
        options->hub.token = NULL; /* --token '': none */
    if (options->store_dir == NULL)
        options->store_dir = hub->environment.store_dir;
    if (options->plugin_path == NULL)
        options->plugin_path = hub->environment.plugin_path;
    options->hub_cache_dir = hub->cache_dir;
    options->offline = hub->environment.offline;
    options->hub.stall_timeout_ms = hub->environment.stall_timeout_ms;
    if (options->hub.http.ca_file == NULL)
        options->hub.http.ca_file = hub->environment.ca_file;
    command_hub_talk(talk, MODEL_LOG_WARN, &hub->view, options);
    command_catch_interrupts();
    return 0;
}

void command_hub_end(struct command_hub *hub)
{
    hub_environment_finish(&hub->environment);
    free(hub->cache_dir);
    hub->cache_dir = NULL;
}
