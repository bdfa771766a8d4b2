/* cmd_cache.c - `pkgmgr cache ls`. */
#include "commands.h"
#include "errors.h"
#include "human_text.h"
#include "printable_text.h"
#include "store_census.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT_BYTES (64u << 20)

const char help_cache[] =
    "usage: pkgmgr cache ls [OPTION]...\n\n"
    "Shows what takes how much room in the store: packages with what only they use (OWN) and what\n"
    "they share, when a host last used them, interrupted downloads, work in progress, weights that\n"
    "hosts have prepared, models that were compiled (Core ML), and what nothing uses ('pkgmgr gc'\n"
    "removes that).\n\n"
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --json         print it as JSON\n";

struct listing {
    const struct store *store;
    struct store_census census;
    struct store_list packages; /* what refs lead to them */
    uint64_t total_bytes, unused_bytes;
    size_t n_unused;
};

static model_status take(struct listing *listing, struct model_error *err)
{
    model_status status = store_census_take(listing->store, 0, NULL, NULL, &listing->census, err);
    if (status == MODEL_OK)
        status = store_list_packages(listing->store, &listing->packages, err);
    for (size_t i = 0; i < listing->census.list.n_blobs; i++)
        listing->total_bytes += listing->census.list.blobs[i].size_bytes;
    for (size_t i = 0; i < listing->census.n_parts; i++)
        listing->total_bytes += listing->census.parts[i].size_bytes;
    listing->unused_bytes = store_census_unused_bytes(&listing->census, &listing->n_unused);
    return status;
}

static const struct store_entry *entry_of(const struct listing *listing, const char *dir)
{
    for (size_t i = 0; i < listing->packages.n_entries; i++)
        if (strcmp(listing->packages.entries[i].dir, dir) == 0)
            return &listing->packages.entries[i];
    return NULL;
}

/* ---- JSON */

static void add_time(json_node *item, const char *key, int64_t at_s)
{
    char text[COMMAND_TIME_BYTES];
    const char *at = command_time(at_s, text);
    if (at != NULL)
        (void)json_add_string(item, key, at);
    else
        (void)json_add_null(item, key);
}

static void add_package(const struct listing *listing, const struct census_package *package,
                        json_node *item)
{
    const struct store_entry *entry = entry_of(listing, package->dir);
    (void)json_add_string(item, "id", package->id);
    (void)json_add_string(item, "revision", package->revision);
    json_node *refs = json_add_array(item, "refs");
    for (size_t i = 0; entry != NULL && i < entry->n_refs; i++)
        (void)json_add_string(refs, NULL, entry->refs[i]);
    (void)json_add_string(item, "path", package->dir);
    (void)json_add_string(item, "created", package->created);
    (void)json_add_number(item, "size", (double)package->size_bytes);
    (void)json_add_number(item, "own_size", (double)package->own_bytes);
    (void)json_add_number(item, "shared_size", (double)(package->size_bytes - package->own_bytes));
    add_time(item, "last_use", package->last_use_s);
    (void)json_add_bool(item, "in_use", package->is_in_use);
    (void)json_add_bool(item, "superseded", !package->is_named);
}

static void add_parts(const struct listing *listing, json_node *array, const char *folder)
{
    for (size_t i = 0; i < listing->census.n_parts; i++) {
        const struct census_part *part = &listing->census.parts[i];
        if (strncmp(part->name, folder, strlen(folder)) != 0)
            continue;
        json_node *item = json_add_object(array, NULL);
        (void)json_add_string(item, "name", part->name);
        (void)json_add_number(item, "size", (double)part->size_bytes);
        add_time(item, "written", part->changed_s);
        (void)json_add_bool(item, "in_use", part->is_in_use);
    }
}

static json_node *as_json(const struct listing *listing)
{
    json_node *root = json_new_object();
    (void)json_add_string(root, "store", store_dir(listing->store));
    (void)json_add_number(root, "size", (double)listing->total_bytes);
    json_node *packages = json_add_array(root, "packages");
    for (size_t i = 0; i < listing->census.n_packages; i++)
        add_package(listing, &listing->census.packages[i], json_add_object(packages, NULL));
    add_parts(listing, json_add_array(root, "partial"), "partial/");
    add_parts(listing, json_add_array(root, "in_progress"), "tmp/");
    add_parts(listing, json_add_array(root, "prepared"), "prepared/");
    add_parts(listing, json_add_array(root, "compiled"), "compiled/");
    json_node *unused = json_add_object(root, "unused");
    (void)json_add_number(unused, "files", (double)listing->n_unused);
    (void)json_add_number(unused, "size", (double)listing->unused_bytes);
    if (listing->census.unknown != NULL)
        (void)json_add_string(root, "warning", listing->census.unknown);
    return root;
}

/* ---- for people */

static void add_row(const struct listing *listing, const struct census_package *package, int width,
                    struct buffer *text)
{
    char size[HUMAN_TEXT_BYTES], own[HUMAN_TEXT_BYTES], at[COMMAND_TIME_BYTES];
    const struct store_entry *entry = entry_of(listing, package->dir);
    const char *ref = entry != NULL && entry->n_refs > 0 ? entry->refs[0] : "-";
    const char *used = command_time(package->last_use_s, at);
    (void)buffer_printf(text, "%-*s  %-12.12s  %-12.12s  %8s  %8s  %s\n", width, package->id,
                        package->is_named ? ref : "superseded", package->revision,
                        human_size(package->size_bytes, size), human_size(package->own_bytes, own),
                        package->is_in_use ? "in use"
                        : used != NULL     ? used
                                           : "never");
}

static model_status print_table(const struct listing *listing, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
    char size[HUMAN_TEXT_BYTES], shown[PRINTABLE_TEXT_BYTES];
    int width = 2;
    const struct store_census *census = &listing->census;
    for (size_t i = 0; i < census->n_packages; i++)
        if ((int)strlen(census->packages[i].id) > width)
            width = (int)strlen(census->packages[i].id);
    if (census->n_packages > 0)
        (void)buffer_printf(&text, "%-*s  %-12s  %-12s  %8s  %8s  %s\n", width, "ID", "REVISION",
                            "COMMIT", "SIZE", "OWN", "LAST USE");
    for (size_t i = 0; i < census->n_packages; i++)
        add_row(listing, &census->packages[i], width, &text);
    for (size_t i = 0; i < census->n_parts; i++)
        (void)buffer_printf(&text, "%s  %s%s\n", printable_line(census->parts[i].name, shown),
                            human_size(census->parts[i].size_bytes, size),
                            census->parts[i].is_in_use ? "  in use" : "");
    if (listing->n_unused > 0 && census->unknown == NULL)
        (void)buffer_printf(&text, "used by no package: %zu files, %s; `pkgmgr gc` removes them\n",
                            listing->n_unused, human_size(listing->unused_bytes, size));
    (void)buffer_printf(&text, "%s in all\n", human_size(listing->total_bytes, size));
    model_status status = command_print_text(&text, err);
    buffer_finish(&text);
    return status;
}

int cmd_cache(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct store *store = NULL;
    struct listing listing = {0};
    struct command_showing showing = {.json = false};
    if (!command_read_showing(argc, argv, &showing))
        return COMMAND_USAGE;
    if (argc - optind != 1 || strcmp(argv[optind], "ls") != 0)
        return command_usage("cache", "want 'ls'");
    model_status status = command_open_store(showing.store_dir, 0, &store, &err);
    listing.store = store;
    if (status == MODEL_OK)
        status = take(&listing, &err);
    if (status == MODEL_OK && showing.json) {
        json_node *root = as_json(&listing);
        status = command_print_json(root, &err);
        json_free(root);
    } else if (status == MODEL_OK) {
        if (listing.census.unknown != NULL)
            command_warn("%s", listing.census.unknown);
        status = print_table(&listing, &err);
    }
    store_list_finish(&listing.packages);
    store_census_finish(&listing.census);
    store_close(store);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
