/* command_host.c - see modelhost_commands.h: what the subcommands share. */
#include "config_assignment.h"
#include "environment.h"
#include "errors.h"
#include "files.h"
#include "modelhost_commands.h"
#include "package_locate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINE_BYTES (16u << 20)

model_status command_find_package(const struct command_places *places, const char *name,
                                  char **ret_dir, struct model_error *err)
{
    char *dir = NULL;
    struct store *store = NULL;
    struct package_place place = {0};
    model_status status = MODEL_OK;
    if (places->store_dir != NULL)
        dir = text_format("%s", places->store_dir);
    else
        status = environment_store_dir(&dir, err);
    if (status == MODEL_OK && dir == NULL)
        status = error_no_memory(err, "a path");
    if (status == MODEL_OK)
        status = store_open(dir, 0, &store, err);
    if (status == MODEL_OK || status == MODEL_NOT_FOUND)
        status = package_locate(store, name, &place, err);
    if (status == MODEL_OK)
        *ret_dir = place.dir;
    store_close(store);
    free(dir);
    return status;
}

model_status command_plugin_path(const struct command_places *places, char **ret,
                                 struct model_error *err)
{
    if (places->plugin_path == NULL)
        return environment_plugin_path(ret, err);
    *ret = text_format("%s", places->plugin_path);
    return *ret != NULL ? MODEL_OK : error_no_memory(err, "a path");
}

const char *command_next_line(size_t *ret_bytes, model_status *ret_status, struct model_error *err)
{
    static struct buffer line = BUFFER_INIT(MAX_LINE_BYTES); /* kept for the life of the process */
    buffer_clear(&line);
    int c = EOF;
    while ((c = getc(stdin)) != EOF && c != '\n') {
        char byte = (char)c;
        if (buffer_append(&line, &byte, 1) != MODEL_OK) {
            *ret_status =
                error_set(err, MODEL_INVALID_ARGUMENT,
                          "standard input: a line is longer than %u bytes", MAX_LINE_BYTES);
            return NULL;
        }
    }
    if (ferror(stdin)) {
        *ret_status = error_set_errno(err, errno, "cannot read standard input");
        return NULL;
    }
    if (c == EOF && line.size == 0)
        return NULL;
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.data[--line.size] = '\0';
    *ret_bytes = line.size;
    return line.data != NULL ? line.data : "";
}

bool command_set_options(const char *command, const struct command_list *assignments,
                         struct modelhost_options *host, struct modelhost_load_options *model)
{
    for (size_t i = 0; i < assignments->n_values; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        if (config_assignment_apply(assignments->values[i], host, model, &err) != MODEL_OK)
            return command_usage(command, "--set %s: %s", assignments->values[i], err.message) == 0;
    }
    return true;
}

bool command_set_policy(const char *command, const char *policy, struct modelhost_options *host)
{
    const bool is_conformant = policy != NULL && strcmp(policy, "conformant") == 0;
    if (policy != NULL && !is_conformant && strcmp(policy, "any") != 0)
        return command_usage(command, "--load-policy is '%s', want any or conformant", policy) == 0;
    if (policy != NULL)
        host->load_policy = is_conformant ? MODELHOST_LOAD_CONFORMANT : MODELHOST_LOAD_ANY;
    return true;
}
