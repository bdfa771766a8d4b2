/* cmd_rm.c - `pkgmgr rm`. */
#include "commands.h"
#include "errors.h"
#include "human_text.h"
#include "json_view.h"
#include "package_locate.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

const char help_rm[] =
    "usage: pkgmgr rm PKG... [OPTION]...\n\n"
    "Removes packages from the store, and the files that no other package uses. PKG is a name in\n"
    "the store, which means all its versions, a name with @REVISION, which means that one, or the\n"
    "folder of a package of the store. A package that a running modelhost has open stays (exit\n"
    "code 10).\n\n"
    "  --force        remove it all the same; its host answers what it has loaded, and no more\n"
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --json         print what was removed as a JSON array\n"
    "  -q, --quiet    say nothing but errors\n";

struct removal {
    const struct store *store;
    json_node *removed; /* with --json, else NULL */
    bool quiet, even_in_use;
};

static model_status remove_package(const struct removal *removal, const char *word,
                                   uint64_t *ret_bytes, char **ret_note, struct model_error *err)
{
    struct package_place place = {0};
    if (!package_is_folder(word))
        return store_remove(removal->store, word, removal->even_in_use, ret_bytes, ret_note, err);
    model_status status = package_locate(removal->store, word, &place, err);
    if (status == MODEL_OK)
        status = store_remove_dir(removal->store, place.dir, removal->even_in_use, ret_bytes,
                                  ret_note, err);
    package_place_finish(&place);
    return status;
}

static model_status remove_one(const struct removal *removal, const char *name,
                               struct model_error *err)
{
    char size[HUMAN_TEXT_BYTES];
    uint64_t freed_bytes = 0;
    char *note = NULL;
    model_status status = remove_package(removal, name, &freed_bytes, &note, err);
    if (status == MODEL_OK && removal->removed == NULL && !removal->quiet)
        fprintf(stderr, "removed %s, %s freed\n", name, human_size(freed_bytes, size));
    if (note != NULL)
        command_note("%s", note);
    free(note);
    if (removal->removed == NULL)
        return status;
    json_node *item = json_add_object(removal->removed, NULL);
    (void)json_add_string(item, "name", name);
    (void)json_add_bool(item, "removed", status == MODEL_OK);
    if (status == MODEL_OK)
        (void)json_add_number(item, "freed_bytes", (double)freed_bytes);
    else
        (void)json_add_string(item, "error", err->message);
    return status;
}

/* Removes one after the other; goes on after one that is not there, and returns the first failure. */
static int remove_all(const struct removal *removal, char **names, int n_names)
{
    int code = 0;
    for (int i = 0; i < n_names; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        model_status status = remove_one(removal, names[i], &err);
        if (status != MODEL_OK) {
            command_advise_store(removal->store, &err);
            int failed = command_fail(status, &err);
            code = code == 0 ? failed : code;
        }
    }
    return code;
}

static model_status print_removed(const json_node *removed, struct model_error *err)
{
    char *text = command_json_text(removed);
    model_status status =
        text != NULL ? command_print(text, err) : error_no_memory(err, "the result");
    free(text);
    return status;
}

int cmd_rm(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct store *store = NULL;
    struct removal removal = {0};
    const char *store_dir = NULL;
    bool as_json = false;
    const struct command_option options[] = {{"store", .text = &store_dir},
                                             {"force", .flag = &removal.even_in_use},
                                             {"json", .flag = &as_json},
                                             {"quiet", .flag = &removal.quiet, .letter = 'q'},
                                             {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
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
    removal.store = store;
    removal.removed = as_json ? json_new_array() : NULL;
    int code = remove_all(&removal, argv + optind, argc - optind);
    if (as_json)
        status = print_removed(removal.removed, &err);
    json_free(removal.removed);
    store_close(store);
    return status == MODEL_OK ? code : command_fail(status, &err);
}
