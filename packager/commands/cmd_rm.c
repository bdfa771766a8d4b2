/* cmd_rm.c - `pkgmgr rm`. */
#include "commands.h"
#include "errors.h"
#include "human_text.h"
#include "store.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

const char help_rm[] =
    "usage: pkgmgr rm PKG... [OPTION]...\n\n"
    "Removes packages from the store, and the files that no other package uses. PKG is a name in\n"
    "the store, with @REVISION if wanted.\n\n"
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  -q, --quiet    say nothing but errors\n";

/* Removes one after the other; goes on after one that is not there, and returns the first failure. */
static int remove_all(const struct store *store, char **names, int n_names, bool quiet)
{
    int code = 0;
    for (int i = 0; i < n_names; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        char size[HUMAN_TEXT_BYTES];
        uint64_t freed_bytes = 0;
        char *note = NULL;
        model_status status = store_remove(store, names[i], &freed_bytes, &note, &err);
        if (status == MODEL_OK && !quiet)
            fprintf(stderr, "removed %s, %s freed\n", names[i], human_size(freed_bytes, size));
        if (note != NULL)
            fprintf(stderr, "pkgmgr: %s\n", note);
        free(note);
        if (status != MODEL_OK) {
            int failed = command_fail(status, &err);
            code = code == 0 ? failed : code;
        }
    }
    return code;
}

int cmd_rm(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct store *store = NULL;
    const char *store_dir = NULL;
    bool quiet = false;
    const struct command_option options[] = {
        {"store", .text = &store_dir}, {"quiet", .flag = &quiet, .letter = 'q'}, {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    if (optind == argc)
        return command_usage("rm", "which packages? want PKG...");
    model_status status = command_open_store(store_dir, 0, &store, &err);
    if (status != MODEL_OK)
        return command_fail(status, &err);
    int code = remove_all(store, argv + optind, argc - optind, quiet);
    store_close(store);
    return code;
}
