/* hub_environment.c - see hub_environment.h. */
#include "hub_environment.h"
#include "environment.h"
#include "errors.h"
#include "files.h"
#include "hub.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TOKEN_FILE_BYTES 16384
#define MAX_TIMEOUT_S        86400
#define BLANKS               " \t\r\n\v\f"

static char *copy_or_null(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

/* Where the hub's own client keeps the token: the first variable that is set decides. */
static const struct {
    const char *variable, *below;
} token_places[] = {
    {"HF_TOKEN_PATH", ""},
    {"HF_HOME", "/token"},
    {"XDG_CACHE_HOME", "/huggingface/token"},
    {"HOME", "/.cache/huggingface/token"},
};
#define N_TOKEN_PLACES (sizeof token_places / sizeof token_places[0])

model_status hub_token_read(const char *path, char **ret, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_TOKEN_FILE_BYTES);
    model_status status = file_read(path, MAX_TOKEN_FILE_BYTES, &text, err);
    if (status != MODEL_OK) {
        buffer_finish(&text);
        return status;
    }
    const char *line = text.data != NULL ? text.data : "";
    line += strspn(line, BLANKS);
    size_t n = strcspn(line, BLANKS);
    char *token = n > 0 ? strndup(line, n) : NULL;
    buffer_finish(&text);
    if (n > 0 && token == NULL)
        return error_no_memory(err, "the token");
    *ret = token;
    return MODEL_OK;
}

model_status hub_environment_take_token(struct hub_environment *environment, const char *path,
                                        struct model_error *err)
{
    char *token = NULL;
    model_status status = hub_token_read(path, &token, err);
    if (status == MODEL_OK && token == NULL)
        status =
            error_set(err, MODEL_INVALID_ARGUMENT, "%.300s has no token in its first line", path);
    else if (status == MODEL_OK && (status = hub_check_token(token, err)) != MODEL_OK)
        error_prefix(err, "%.300s", path);
    if (status != MODEL_OK) {
        free(token);
        return status;
    }
    free(environment->token);
    environment->token = token;
    return MODEL_OK;
}

static model_status read_token_file(char **ret, struct model_error *err)
{
    struct model_error cause = MODEL_ERROR_INIT;
    char *token = NULL;
    size_t i = 0;
    while (i < N_TOKEN_PLACES && environment_value(token_places[i].variable) == NULL)
        i++;
    if (i == N_TOKEN_PLACES)
        return MODEL_OK;
    const char *variable = token_places[i].variable;
    char *path = text_format("%s%s", environment_value(variable), token_places[i].below);
    if (path == NULL)
        return error_no_memory(err, "a path");
    model_status status = hub_token_read(path, &token, &cause);
    if (status == MODEL_OK && token != NULL) {
        status = hub_check_token(token, &cause);
        if (status != MODEL_OK)
            error_prefix(&cause, "%.300s", path);
    }
    free(path);
    if (status == MODEL_OK) {
        *ret = token;
        return MODEL_OK;
    }
    free(token);
    if (status == MODEL_NOT_FOUND)
        return MODEL_OK;
    return error_set(err, status,
                     "%.500s; this is the token file by %s: name another with HF_TOKEN_PATH, or "
                     "give the token with HF_TOKEN or --token ('--token \"\"' for none)",
                     cause.message, variable);
}

model_status hub_environment_read_token(struct hub_environment *environment,
                                        struct model_error *err)
{
    const char *value = environment_value("HF_TOKEN");
    char *token = NULL;
    size_t n = 0;
    if (value != NULL) {
        value += strspn(value, BLANKS);
        n = strlen(value);
        while (n > 0 && strchr(BLANKS, value[n - 1]) != NULL)
            n--;
    }
    if (n == 0)
        return read_token_file(&environment->token, err);
    token = strndup(value, n);
    if (token == NULL)
        return error_no_memory(err, "the token");
    model_status status = hub_check_token(token, err);
    if (status != MODEL_OK) {
        error_prefix(err, "HF_TOKEN");
        free(token);
        return status;
    }
    environment->token = token;
    return MODEL_OK;
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
                         "HF_HUB_DOWNLOAD_TIMEOUT is '%.40s', want seconds, more than 0 and at "
                         "most %d",
                         text, MAX_TIMEOUT_S);
    *ret_ms = (int64_t)(seconds * 1000);
    return MODEL_OK;
}

model_status hub_environment_read(struct hub_environment *ret, struct model_error *err)
{
    struct hub_environment environment = {.offline = environment_flag("HF_HUB_OFFLINE")};
    const char *endpoint = environment_value("HF_ENDPOINT");
    model_status status = read_timeout(&environment.stall_timeout_ms, err);
    environment.endpoint = copy_or_null(endpoint);
    const char *ca_file = environment_value("SSL_CERT_FILE");
    environment.ca_file = copy_or_null(ca_file);
    if (status == MODEL_OK && ((endpoint != NULL && environment.endpoint == NULL) ||
                               (ca_file != NULL && environment.ca_file == NULL)))
        status = error_no_memory(err, "the environment's settings");
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
    free(environment->ca_file);
    free(environment->store_dir);
    free(environment->plugin_path);
    *environment = (struct hub_environment){0};
}
