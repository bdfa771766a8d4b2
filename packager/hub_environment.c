/* hub_environment.c - see hub_environment.h. */
#include "hub_environment.h"
#include "environment.h"
#include "errors.h"
#include "files.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TOKEN_FILE_BYTES 16384
#define MAX_TIMEOUT_S        86400

static char *copy_or_null(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

/* HF_TOKEN_PATH, $HF_HOME/token or ~/.cache/huggingface/token; NULL in *ret without a home. */
static model_status token_path(char **ret, struct model_error *err)
{
    const char *path = environment_value("HF_TOKEN_PATH");
    const char *hf_home = environment_value("HF_HOME");
    const char *cache = environment_value("XDG_CACHE_HOME");
    const char *home = environment_value("HOME");
    char *text = path != NULL      ? strdup(path)
                 : hf_home != NULL ? text_format("%s/token", hf_home)
                 : cache != NULL   ? text_format("%s/huggingface/token", cache)
                 : home != NULL    ? text_format("%s/.cache/huggingface/token", home)
                                   : NULL;
    if (text == NULL && (path != NULL || hf_home != NULL || cache != NULL || home != NULL))
        return error_no_memory(err, "a path");
    *ret = text;
    return MODEL_OK;
}

model_status hub_token_read(const char *path, char **ret, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_TOKEN_FILE_BYTES);
    model_status status = file_read(path, MAX_TOKEN_FILE_BYTES, &text, err);
    if (status != MODEL_OK) {
        buffer_finish(&text);
        return status;
    }
    const char *line = text.data != NULL ? text.data : "";
    line += strspn(line, " \t\r\n");
    size_t n = strcspn(line, " \t\r\n");
    char *token = n > 0 ? strndup(line, n) : NULL;
    buffer_finish(&text);
    if (n > 0 && token == NULL)
        return error_no_memory(err, "the token");
    *ret = token;
    return MODEL_OK;
}

static model_status read_token(char **ret, struct model_error *err)
{
    const char *value = environment_value("HF_TOKEN");
    char *path = NULL;
    if (value != NULL) {
        *ret = copy_or_null(value);
        return *ret != NULL ? MODEL_OK : error_no_memory(err, "the token");
    }
    model_status status = token_path(&path, err);
    if (status == MODEL_OK && path != NULL)
        status = hub_token_read(path, ret, err);
    free(path);
    return status == MODEL_NOT_FOUND ? MODEL_OK : status;
}

static model_status read_timeout(int64_t *ret_ms, struct model_error *err)
{
    const char *text = environment_value("HF_HUB_DOWNLOAD_TIMEOUT");
    char *end = NULL;
    if (text == NULL)
        return MODEL_OK;
    double seconds = strtod(text, &end);
    if (*end != '\0' || !(seconds > 0) || seconds > MAX_TIMEOUT_S)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "HF_HUB_DOWNLOAD_TIMEOUT is '%.40s', want seconds between 0 and %d", text,
                         MAX_TIMEOUT_S);
    *ret_ms = (int64_t)(seconds * 1000);
    return MODEL_OK;
}

model_status hub_environment_read(struct hub_environment *ret, struct model_error *err)
{
    struct hub_environment environment = {.offline = environment_flag("HF_HUB_OFFLINE")};
    const char *endpoint = environment_value("HF_ENDPOINT");
    model_status status = read_timeout(&environment.stall_timeout_ms, err);
    environment.endpoint = copy_or_null(endpoint);
    if (status == MODEL_OK && endpoint != NULL && environment.endpoint == NULL)
        status = error_no_memory(err, "the endpoint");
    if (status == MODEL_OK)
        status = read_token(&environment.token, err);
    if (status == MODEL_OK)
        status = environment_store_dir(&environment.store_dir, err);
    if (status == MODEL_OK)
        status = environment_plugin_path(&environment.plugin_path, err);
    if (status == MODEL_OK)
        *ret = environment;
    else
        hub_environment_finish(&environment);
    return status;
}

void hub_environment_finish(struct hub_environment *environment)
{
    free(environment->endpoint);
    free(environment->token);
    free(environment->store_dir);
    free(environment->plugin_path);
    *environment = (struct hub_environment){0};
}
