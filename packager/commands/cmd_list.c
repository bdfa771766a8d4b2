/* cmd_list.c - `pkgmgr list`. */
#include "buffer.h"
#include "commands.h"
#include "environment.h"
#include "errors.h"
#include "human_text.h"
#include "json_view.h"
#include "package.h"
#include "store.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char help_list[] =
    "usage: pkgmgr list [OPTION]...\n\n"
    "Shows the packages of the store. REVISION is what leads to the package now: branches and tags\n"
    "it was asked by; '-' when only the commit does.\n\n"
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --json         print them as JSON\n";

#define MAX_TEXT_BYTES (64u << 20)

static char *list_as_json(const struct store_list *list, const struct store_list *broken)
{
    json_node *root = json_new_array();
    for (size_t i = 0; i < list->n_entries; i++) {
        const struct store_entry *entry = &list->entries[i];
        json_node *item = json_add_object(root, NULL);
        (void)json_add_string(item, "id", entry->id);
        (void)json_add_string(item, "revision", entry->revision);
        (void)json_add_string(item, "requested_revision", entry->requested_revision);
        json_node *refs = json_add_array(item, "refs");
        for (size_t j = 0; j < entry->n_refs; j++)
            (void)json_add_string(refs, NULL, entry->refs[j]);
        (void)json_add_string(item, "path", entry->dir);
        (void)json_add_string(item, "created", entry->created);
        (void)json_add_number(item, "size", (double)entry->size_bytes);
        (void)json_add_bool(item, "has_plugin", entry->has_plugin != 0);
    }
    for (size_t i = 0; i < broken->n_entries; i++) {
        json_node *item = json_add_object(root, NULL);
        (void)json_add_string(item, "id", broken->entries[i].id);
        (void)json_add_string(item, "path", broken->entries[i].dir);
        (void)json_add_bool(item, "broken", true);
    }
    char *text = root != NULL ? command_json_text(root) : NULL;
    json_free(root);
    return text;
}

/* "main", "main,v1", "-": what finds the package now; cut to the column. */
static void name_refs(const struct store_entry *entry, char *ret, size_t size_bytes)
{
    size_t used = 0;
    (void)snprintf(ret, size_bytes, "-");
    for (size_t i = 0; i < entry->n_refs && used + 1 < size_bytes; i++) {
        int n = snprintf(ret + used, size_bytes - used, "%s%s", i > 0 ? "," : "", entry->refs[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

static int widest_id(const struct store_list *list, int width)
{
    for (size_t i = 0; i < list->n_entries; i++)
        if ((int)strlen(list->entries[i].id) > width)
            width = (int)strlen(list->entries[i].id);
    return width;
}

static char *list_as_table(const struct store_list *list, const struct store_list *broken)
{
    struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
    char size[HUMAN_TEXT_BYTES];
    const int width = widest_id(broken, widest_id(list, 2));
    if (list->n_entries + broken->n_entries > 0)
        (void)buffer_printf(&text, "%-*s  %-12s  %-12s  %8s  %s\n", width, "ID", "REVISION",
                            "COMMIT", "SIZE", "PLUGIN");
    for (size_t i = 0; i < list->n_entries; i++) {
        const struct store_entry *entry = &list->entries[i];
        char refs[64];
        name_refs(entry, refs, sizeof refs);
        (void)buffer_printf(&text, "%-*s  %-12.12s  %-12.12s  %8s  %s\n", width, entry->id, refs,
                            entry->revision, human_size(entry->size_bytes, size),
                            entry->has_plugin ? "yes" : "no");
    }
    for (size_t i = 0; i < broken->n_entries; i++)
        (void)buffer_printf(&text, "%-*s  %-12s  %-12s  %8s  %s\n", width, broken->entries[i].id,
                            "-", "broken", "-", "-");
    char *table = buffer_take(&text);
    buffer_finish(&text);
    return table;
}

/* What is wrong with each, and what to do. */
static void say_broken(const struct store_list *broken)
{
    for (size_t i = 0; i < broken->n_entries; i++) {
        const struct store_entry *entry = &broken->entries[i];
        struct manifest manifest = {0};
        struct model_error why = MODEL_ERROR_INIT;
        model_status status = manifest_read(entry->dir, &manifest, &why);
        package_advise_broken(entry->dir, status, &why);
        if (status != MODEL_OK)
            command_note("%s", why.message);
        manifest_finish(&manifest);
    }
}

/* The table of an empty list is nothing at all, so that stderr says what that means. */
static void say_empty(const struct store *store, const struct model_error *absent)
{
    if (store == NULL)
        command_note("%s", absent->message);
    else
        fprintf(stderr, "pkgmgr: no packages in the store %s; `pkgmgr download ID` gets one\n",
                store_dir(store));
}

static model_status list_store(const char *dir, bool as_json, struct model_error *err)
{
    struct store *store = NULL;
    struct store_list list = {0}, broken = {0};
    struct model_error absent = MODEL_ERROR_INIT;
    char *usual = NULL;
    model_status status = dir != NULL ? MODEL_OK : environment_store_dir(&usual, err);
    if (status != MODEL_OK)
        return status; /* which store is meant is not known: no empty one */
    status = store_open(dir != NULL ? dir : usual, 0, &store, &absent);
    free(usual);
    if (status != MODEL_OK)
        (void)error_set(err, status, "%s", absent.message);
    if (status == MODEL_NOT_FOUND && dir == NULL)
        status = MODEL_OK; /* nothing was downloaded yet: an empty list */
    if (status == MODEL_OK && store != NULL)
        status = store_list_packages(store, &list, err);
    if (status == MODEL_OK && store != NULL)
        status = store_list_broken(store, &broken, err);
    if (status == MODEL_OK && list.n_entries + broken.n_entries == 0 && !as_json)
        say_empty(store, &absent);
    if (status == MODEL_OK) {
        char *text = as_json ? list_as_json(&list, &broken) : list_as_table(&list, &broken);
        status = text != NULL ? command_print(text, err) : error_no_memory(err, "the list");
        free(text);
    }
    say_broken(&broken);
    store_list_finish(&broken);
    store_list_finish(&list);
    store_close(store);
    return status;
}

int cmd_list(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct command_showing showing = {.json = false};
    if (!command_read_showing(argc, argv, &showing))
        return COMMAND_USAGE;
    if (optind != argc)
        return command_usage("list", "takes no argument, but got '%s'", argv[optind]);
    model_status status = list_store(showing.store_dir, showing.json, &err);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
