/* command_store.c - opening the store that the command line or the environment names. */
#include "commands.h"
#include "environment.h"
#include "store.h"

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
