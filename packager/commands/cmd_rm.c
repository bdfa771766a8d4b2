/* cmd_rm.c - `pkgmgr rm`. */
#include "commands.h"
#include "errors.h"
#include "human_text.h"
#include "package_locate.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

const char help_rm[] =
    "usage: pkgmgr rm PKG... [OPTION]...\n\n"
    "Removes packages from the store, and the files that no other package uses. PKG is a name in\n"
    "the store, which means all its versions, a name with @REVISION, which means that one, or the\n"
    "folder of a package of the store.\n\n"
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  -q, --quiet    say nothing but errors\n";

enum { OPT_STORE = 256 };

static const struct option long_options[] = {
    {"store", required_argument, NULL, OPT_STORE},
    {"quiet", no_argument, NULL, 'q'},
    {NULL, 0, NULL, 0},
};

static model_status remove_package(const struct store *store, const char *word, uint64_t *ret_bytes,
                                   char **ret_note, struct model_error *err)
{
    struct package_place place = {0};
    if (!package_is_folder(word))
        return store_remove(store, word, ret_bytes, ret_note, err);
    model_status status = package_locate(store, word, &place, err);
    if (status == MODEL_OK)
        status = store_remove_dir(store, place.dir, ret_bytes, ret_note, err);
    package_place_finish(&place);
    return status;
}

/* Removes one after the other; goes on after one that is not there, and returns the first failure. */
static int remove_all(const struct store *store, char **names, int n_names, bool quiet)
{
    int code = 0;
    for (int i = 0; i < n_names; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        char size[HUMAN_TEXT_BYTES];
        uint64_t freed_bytes = 0;
        char *note = NULL;
        model_status status = remove_package(store, names[i], &freed_bytes, &note, &err);
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
    int option;
    while ((option = command_next_option(argc, argv, ":q", long_options)) != -1) {
        if (option == OPT_STORE)
            store_dir = optarg;
        else if (option == 'q')
            quiet = true;
        else
            return COMMAND_USAGE;
    }
    if (optind == argc)
        return command_usage("rm", "which packages? want PKG...");
    for (int i = optind; i < argc; i++) {
        int wrong = command_check_package("rm", argv[i]);
        if (wrong != 0)
            return wrong;
    }
    model_status status = command_open_store(store_dir, 0, &store, &err);
    if (status != MODEL_OK)
        return command_fail(status, &err);
    int code = remove_all(store, argv + optind, argc - optind, quiet);
    store_close(store);
    return code;
}
