/* quarantine.c - see quarantine.h. */
#include "quarantine.h"
#include "conformance_report.h"
#include "errors.h"
#include "files.h"
#include "json_view.h"
#include "utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ENTRY_BYTES  ((size_t)16 << 10)
#define MAX_ENTRY_VALUES 32

static char *entry_path(const char *store_dir, const char *sha256)
{
    return text_format("%s/quarantine/%s.json", store_dir, sha256);
}

/* MODEL_IO when what should be the folder is something else: "not found" of an entry then says nothing. Only
 * a folder that is not there, in a store or without one, holds none. */
static model_status check_folder(const char *store_dir, struct model_error *err)
{
    struct stat status;
    char *dir = path_join(store_dir, "quarantine");
    if (dir == NULL)
        return error_no_memory(err, "a path");
    model_status result = MODEL_OK;
    if (stat(dir, &status) == 0 ? !S_ISDIR(status.st_mode) : errno != ENOENT)
        result = error_set(err, MODEL_IO,
                           "%s should be the folder of plugins in quarantine, and is none; remove "
                           "it when you know that none should be there",
                           dir);
    free(dir);
    return result;
}

char *quarantine_print(const struct quarantine_entry *entry)
{
    json_node *root = json_new_object();
    (void)json_add_number(root, "format_version", QUARANTINE_FORMAT_VERSION);
    (void)json_add_string(root, "sha256", entry->sha256);
    (void)json_add_string(root, "plugin", entry->plugin);
    (void)json_add_string(root, "path", entry->path);
    (void)json_add_string(root, "reason", entry->reason);
    (void)json_add_number(root, "since_s", (double)entry->since_s);
    (void)json_add_number(root, "expires_s", (double)entry->expires_s);
    char *text = json_print(root, true);
    json_free(root);
    return text;
}

static bool take_string(const json_node *root, const char *key, char *ret, size_t ret_bytes)
{
    const char *text = json_string_or(json_member(root, key), NULL);
    if (text == NULL || strlen(text) >= ret_bytes)
        return false;
    memcpy(ret, text, strlen(text) + 1);
    return true;
}

model_status quarantine_parse(const char *text, size_t size_bytes, const char *what,
                              struct quarantine_entry *ret, struct model_error *err)
{
    json_node *root = NULL;
    struct quarantine_entry entry = {.is_broken = false};
    int64_t version = 0;
    const int64_t max_s = (int64_t)1 << 40;
    model_status status = json_parse_limited(text, size_bytes, MAX_ENTRY_VALUES, what, &root, err);
    if (status == MODEL_OK &&
        (!json_integer(json_member(root, "format_version"), QUARANTINE_FORMAT_VERSION,
                       QUARANTINE_FORMAT_VERSION, &version) ||
         !take_string(root, "sha256", entry.sha256, sizeof entry.sha256) ||
         !is_sha256(entry.sha256) ||
         !take_string(root, "plugin", entry.plugin, sizeof entry.plugin) ||
         !take_string(root, "path", entry.path, sizeof entry.path) ||
         !take_string(root, "reason", entry.reason, sizeof entry.reason) ||
         !json_integer(json_member(root, "since_s"), 0, max_s, &entry.since_s) ||
         !json_integer(json_member(root, "expires_s"), 0, max_s, &entry.expires_s)))
        status = error_set(err, MODEL_CORRUPT, "%s is no quarantine entry of format %d", what,
                           QUARANTINE_FORMAT_VERSION);
    json_free(root);
    if (status == MODEL_OK)
        *ret = entry;
    return status;
}

/* Texts come from plugins and paths: JSON is UTF-8. */
static void cut_to_utf8(char *text)
{
    text[utf8_valid_prefix(text, strlen(text))] = '\0';
}

model_status quarantine_add(const char *store_dir, const struct quarantine_entry *entry,
                            struct model_error *err)
{
    struct quarantine_entry clean = *entry;
    if (!is_sha256(entry->sha256))
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%.70s' is no SHA-256", entry->sha256);
    cut_to_utf8(clean.plugin);
    cut_to_utf8(clean.path);
    cut_to_utf8(clean.reason);
    char *dir = path_join(store_dir, "quarantine");
    char *path = entry_path(store_dir, entry->sha256);
    char *text = quarantine_print(&clean);
    model_status status = dir == NULL || path == NULL || text == NULL
                              ? error_no_memory(err, "a quarantine entry")
                              : dir_make_all(dir, err);
    if (status == MODEL_OK)
        status = file_write_atomic(path, text, strlen(text), err);
    free(dir);
    free(path);
    free(text);
    return status;
}

/* Reads one, whatever its expiry; a broken one becomes an entry that never expires. */
static model_status read_entry(const char *store_dir, const char *sha256,
                               struct quarantine_entry *ret, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_ENTRY_BYTES);
    struct model_error why = MODEL_ERROR_INIT;
    char *path = entry_path(store_dir, sha256);
    if (path == NULL)
        return error_no_memory(err, "a path");
    model_status status = file_read(path, MAX_ENTRY_BYTES, &text, &why);
    if (status == MODEL_OK)
        status = quarantine_parse(text.data != NULL ? text.data : "", text.size, path, ret, &why);
    if (status == MODEL_OK && strcmp(ret->sha256, sha256) != 0)
        status = error_set(&why, MODEL_CORRUPT, "%s is the entry of another plugin", path);
    if (status == MODEL_NOT_FOUND || status == MODEL_OUT_OF_MEMORY) {
        (void)error_set(err, status, "%s", why.message);
    } else if (status != MODEL_OK) {
        *ret = (struct quarantine_entry){.is_broken = true};
        (void)snprintf(ret->sha256, sizeof ret->sha256, "%s", sha256);
        (void)snprintf(ret->reason, sizeof ret->reason, "its entry cannot be read: %.450s",
                       why.message);
        status = MODEL_OK;
    }
    buffer_finish(&text);
    free(path);
    return status;
}

model_status quarantine_find(const char *store_dir, const char *sha256, int64_t now_s,
                             struct quarantine_entry *ret, struct model_error *err)
{
    struct quarantine_entry entry;
    model_status status = check_folder(store_dir, err);
    if (status == MODEL_OK)
        status = read_entry(store_dir, sha256, &entry, err);
    if (status == MODEL_OK && entry.expires_s != 0 && entry.expires_s <= now_s)
        status = error_set(err, MODEL_NOT_FOUND, "the quarantine of %.12s... has expired", sha256);
    if (status == MODEL_OK)
        *ret = entry;
    return status;
}

/* The digest in an entry's file name, or false. */
static bool digest_of_name(const char *name, char ret[SHA256_HEX_BYTES])
{
    const size_t n = SHA256_HEX_BYTES - 1;
    if (strlen(name) != n + strlen(".json") || strcmp(name + n, ".json") != 0)
        return false;
    memcpy(ret, name, n);
    ret[n] = '\0';
    return is_sha256(ret);
}

model_status quarantine_list(const char *store_dir, struct quarantine_list *ret,
                             struct model_error *err)
{
    struct dir_list names = {.n_names = 0};
    struct quarantine_list list = {.n_entries = 0};
    char *dir = path_join(store_dir, "quarantine");
    model_status status = dir != NULL ? dir_read(dir, &names, err) : error_no_memory(err, "a path");
    free(dir);
    if (status == MODEL_NOT_FOUND)
        status = check_folder(store_dir, err);
    if (status == MODEL_OK && names.n_names > 0 &&
        (list.entries = calloc(names.n_names, sizeof *list.entries)) == NULL)
        status = error_no_memory(err, "the quarantine");
    for (size_t i = 0; i < names.n_names && status == MODEL_OK; i++) {
        char sha256[SHA256_HEX_BYTES];
        if (!digest_of_name(names.names[i], sha256))
            continue;
        status = read_entry(store_dir, sha256, &list.entries[list.n_entries], err);
        if (status == MODEL_OK)
            list.n_entries++;
        else if (status == MODEL_NOT_FOUND) /* cleared meanwhile */
            status = MODEL_OK;
    }
    dir_list_finish(&names);
    if (status == MODEL_OK)
        *ret = list;
    else
        quarantine_list_finish(&list);
    return status;
}

void quarantine_list_finish(struct quarantine_list *list)
{
    free(list->entries);
    *list = (struct quarantine_list){.n_entries = 0};
}

bool quarantine_is_used(const char *store_dir)
{
    struct dir_list names = {.n_names = 0};
    char *dir = path_join(store_dir, "quarantine");
    /* What cannot be looked at may hold one. */
    const model_status status = dir != NULL ? dir_read(dir, &names, NULL) : MODEL_OUT_OF_MEMORY;
    const bool used = status == MODEL_OK
                          ? names.n_names > 0
                          : status != MODEL_NOT_FOUND || check_folder(store_dir, NULL) != MODEL_OK;
    dir_list_finish(&names);
    free(dir);
    return used;
}

model_status quarantine_clear(const char *store_dir, const char *sha256, struct model_error *err)
{
    char *path = entry_path(store_dir, sha256);
    model_status status = MODEL_OK;
    if (path == NULL)
        status = error_no_memory(err, "a path");
    else if (unlink(path) != 0)
        status =
            errno == ENOENT
                ? error_set(err, MODEL_NOT_FOUND,
                            "%.12s... is not in quarantine; see modelhost quarantine list", sha256)
                : error_set_errno(err, errno, "cannot remove %s", path);
    free(path);
    return status;
}
