/* mirror_paths.c - the body of a paths-info request; see mirror_answers.h. Python's client sends a form,
 * JavaScript's JSON. */
#include "errors.h"
#include "http_text.h"
#include "json_view.h"
#include "mirror_answers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_PATHS 1000

bool mirror_is_true(const char *text)
{
    return text != NULL && (strcmp(text, "1") == 0 || strcasecmp(text, "true") == 0 ||
                            strcasecmp(text, "on") == 0 || strcasecmp(text, "yes") == 0);
}

/* Takes the path over. */
static model_status append(struct mirror_paths *paths, char *path, struct model_error *err)
{
    char **grown = path != NULL && paths->n < MAX_PATHS
                       ? realloc(paths->paths, (paths->n + 1) * sizeof(char *))
                       : NULL;
    if (grown == NULL) {
        free(path);
        return paths->n < MAX_PATHS
                   ? error_no_memory(err, "a list of paths")
                   : error_set(err, MODEL_INVALID_ARGUMENT, "more than %d paths", MAX_PATHS);
    }
    paths->paths = grown;
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] == '/')
        path[--length] = '\0';
    paths->paths[paths->n++] = path;
    return MODEL_OK;
}

static model_status parse_form(const char *body, struct mirror_paths *paths,
                               struct model_error *err)
{
    struct http_pair pair;
    model_status status = MODEL_OK;
    while (status == MODEL_OK && (body = http_query_next(body, &pair)) != NULL) {
        char *value = NULL;
        bool is_path = pair.name_bytes == 5 && memcmp(pair.name, "paths", 5) == 0;
        bool is_expand = pair.name_bytes == 6 && memcmp(pair.name, "expand", 6) == 0;
        if (!is_path && !is_expand)
            continue;
        status = http_percent_decode(pair.value, pair.value_bytes, true, &value, err);
        if (status == MODEL_OK && is_path)
            status = append(paths, value, err);
        else if (status == MODEL_OK) {
            paths->is_expanded = mirror_is_true(value);
            free(value);
        }
    }
    return status;
}

static model_status parse_json(const char *body, size_t size_bytes, struct mirror_paths *paths,
                               struct model_error *err)
{
    json_node *root = NULL;
    model_status status = json_parse(body, size_bytes, "the request's body", &root, err);
    if (status != MODEL_OK)
        return error_set(err, MODEL_INVALID_ARGUMENT, "the request's body is not valid JSON");
    const json_node *list = json_member(root, "paths");
    if (!json_is_array(list) && !json_is_string(list))
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "the request's body has no list 'paths': want {\"paths\": [\"FILE\"]}");
    if (status == MODEL_OK && json_is_string(list))
        status = append(paths, strdup(json_string_or(list, "")), err);
    for (const json_node *item = json_is_array(list) ? json_first(list) : NULL;
         status == MODEL_OK && item != NULL; item = json_next(item))
        status = json_is_string(item)
                     ? append(paths, strdup(json_string_or(item, "")), err)
                     : error_set(err, MODEL_INVALID_ARGUMENT, "an item of 'paths' is not a text");
    paths->is_expanded = json_bool_or(json_member(root, "expand"), false);
    json_free(root);
    return status;
}

model_status mirror_paths_parse(const char *content_type, const char *body, size_t size_bytes,
                                struct mirror_paths *ret, struct model_error *err)
{
    struct mirror_paths paths = {0};
    bool is_json = content_type != NULL ? strncasecmp(content_type, "application/json", 16) == 0
                                        : body[0] == '{';
    model_status status =
        is_json ? parse_json(body, size_bytes, &paths, err) : parse_form(body, &paths, err);
    if (status != MODEL_OK) {
        mirror_paths_finish(&paths);
        return status;
    }
    *ret = paths;
    return MODEL_OK;
}

void mirror_paths_finish(struct mirror_paths *paths)
{
    for (size_t i = 0; i < paths->n; i++)
        free(paths->paths[i]);
    free(paths->paths);
    *paths = (struct mirror_paths){0};
}
