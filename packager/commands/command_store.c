/* command_store.c - the store that the command line or the environment names, and words for packages. */
#include "commands.h"
#include "environment.h"
#include "errors.h"
#include "package_locate.h"

#include <stdlib.h>

model_status command_open_store(const char *dir, int create, struct store **ret,
                                struct model_error *err)
{
    char *usual = NULL;
    model_status status = dir != NULL ? MODEL_OK : environment_store_dir(&usual, err);
    if (status == MODEL_OK)
        status = store_open(dir != NULL ? dir : usual, create, ret, err);
    free(usual);
    return status;
}

model_status command_look_into_store(const char *dir, struct store **ret, struct model_error *err)
{
    struct store *store = NULL;
    model_status status = command_open_store(dir, 0, &store, err);
    if (status == MODEL_NOT_FOUND)
        status = MODEL_OK;
    if (status == MODEL_OK)
        *ret = store;
    return status;
}

bool command_read_showing(int argc, char **argv, struct command_showing *ret)
{
    const struct command_option table[] = {
        {"store", .text = &ret->store_dir}, {"json", .flag = &ret->json}, {.name = NULL}};
    return command_read_options(argc, argv, table);
}

int command_check_package(const char *command, const char *word)
{
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = package_check_word(word, &err);
    if (status == MODEL_INVALID_ARGUMENT)
        return command_usage(command, "%s", err.message);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
