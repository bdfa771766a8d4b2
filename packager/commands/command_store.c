/* command_store.c - the store that the command line or the environment names, and words for packages. */
#include "commands.h"
#include "environment.h"
#include "errors.h"
#include "package_locate.h"
#include "papers_lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void tell(void *unused, const char *sentence)
{
    (void)unused;
    command_warn("%s", sentence);
}

const struct papers_wait *command_wait(void)
{
    static const struct papers_wait wait = {.is_cancelled = command_interrupted, .notice = tell};
    return &wait;
}

model_status command_open_store(const char *dir, int create, struct store **ret,
                                struct model_error *err)
{
    char *usual = NULL;
    model_status status = dir != NULL ? MODEL_OK : environment_store_dir(&usual, err);
    if (status == MODEL_OK)
        status = store_open(dir != NULL ? dir : usual, create, ret, err);
    if (status == MODEL_OK)
        store_set_wait(*ret, command_wait());
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

void command_advise_store(const struct store *store, struct model_error *err)
{
    static const struct {
        int cause;
        const char *advice;
    } rows[] = {
        {EROFS, "it is mounted read-only: do this where it may be written to, or name another with "
                "--store"},
        {EACCES, "do this as the user whose store it is, or name another with --store"},
        {EPERM, "do this as the user whose store it is, or name another with --store"},
        {ENOSPC, "'pkgmgr gc' frees what nothing uses; or choose another disk with --store"},
        {EDQUOT, "'pkgmgr gc' frees what nothing uses; or choose another disk with --store"},
    };
    const int cause = strstr(err->message, store_dir(store)) != NULL ? error_cause(err) : 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].cause == cause) {
            error_advise(err, "%s", rows[i].advice);
            return;
        }
}

void command_advise_room(struct model_error *err)
{
    const int cause = error_cause(err);
    if (cause == ENOSPC || cause == EDQUOT)
        error_advise(err, "free some space, or choose a place on another disk");
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
