/* store_leases.c - judging the leases that processes have left; see store_lease.h. What stands in them is
 * anyone's who may write to the store: a wrong one can keep garbage, and cannot make anything be removed
 * that is in use, for a package in use is also named by refs or by time. [any-thread] */
#include "errors.h"
#include "json_view.h"
#include "lease_process.h"
#include "store_lease.h"
#include "store_folder.h"
#include "store_paths.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_LEASE_BYTES 8192
#define MAX_VALUES      64

/* ---- one */

static bool copy_member(const json_node *root, const char *key, char **ret)
{
    const char *value = json_string_or(json_member(root, key), NULL);
    *ret = value != NULL ? text_format("%s", value) : NULL;
    return *ret != NULL;
}

model_status store_lease_parse(const char *text, size_t size_bytes, struct store_lease_record *ret,
                               struct model_error *err)
{
    json_node *root = NULL;
    struct store_lease_record record = {0};
    int64_t version = 0;
    model_status status = json_parse_limited(text, size_bytes, MAX_VALUES, "a lease", &root, err);
    if (status != MODEL_OK)
        return status;
    const char *kind = json_string_or(json_member(root, "kind"), "");
    record.kind = strcmp(kind, "writer") == 0   ? STORE_LEASE_WRITER
                  : strcmp(kind, "reader") == 0 ? STORE_LEASE_READER
                                                : 0;
    bool good = json_integer(json_member(root, "format_version"), 1, 1, &version) &&
                record.kind != 0 && copy_member(root, "subject", &record.subject) &&
                path_is_safe(record.subject) && copy_member(root, "machine", &record.machine) &&
                copy_member(root, "host", &record.host) &&
                copy_member(root, "started", &record.started) &&
                json_integer(json_member(root, "pid"), 1, INT32_MAX, &record.pid);
    json_free(root);
    if (!good) {
        store_lease_record_finish(&record);
        return error_set(err, MODEL_CORRUPT, "not a lease of this version");
    }
    *ret = record;
    return MODEL_OK;
}

void store_lease_record_finish(struct store_lease_record *record)
{
    free(record->subject);
    free(record->machine);
    free(record->host);
    free(record->started);
    free(record->path);
    *record = (struct store_lease_record){0};
}

bool store_lease_is_alive(const struct store_lease_record *record, int64_t now_s,
                          const struct store_witness *witness)
{
    char text[32];
    if (record->machine == NULL || strcmp(record->machine, witness->machine) != 0)
        return now_s - record->renewed_s <= STORE_LEASE_STALE_S;
    const char *started = witness->started(witness->context, record->pid, text);
    if (started == NULL)
        return false;
    return started[0] == '\0' || record->started[0] == '\0' ||
           strcmp(started, record->started) == 0;
}

/* ---- all */

static model_status read_one(const char *folder, const char *name, struct store_lease_record *ret,
                             bool *ret_found, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_LEASE_BYTES);
    struct store_lease_record record = {0};
    struct stat info;
    char *path = path_join(folder, name);
    if (path == NULL)
        return error_no_memory(err, "the leases of the store");
    *ret_found = lstat(path, &info) == 0 && S_ISREG(info.st_mode);
    if (*ret_found && file_read(path, MAX_LEASE_BYTES, &text, NULL) == MODEL_OK)
        (void)store_lease_parse(text.data != NULL ? text.data : "", text.size, &record, NULL);
    buffer_finish(&text);
    if (!*ret_found) {
        free(path);
        return MODEL_OK;
    }
    record.path = path;
    record.renewed_s = (int64_t)info.st_mtime;
    *ret = record;
    return MODEL_OK;
}

model_status store_leases_read(const struct store *store, int64_t now_s,
                               const struct store_witness *witness, struct store_leases *ret,
                               struct model_error *err)
{
    char machine[LEASE_MACHINE_BYTES];
    struct store_witness own = {lease_machine(machine), lease_process_started, NULL};
    struct store_leases leases = {0};
    struct dir_list list = {0};
    char *folder = path_join(store->dir, "leases");
    if (folder == NULL)
        return error_no_memory(err, "the leases of the store");
    model_status status = store_folder_read(store, "leases", &list, err);
    if (status == MODEL_NOT_FOUND)
        status = MODEL_OK;
    leases.records = calloc(list.n_names + 1, sizeof *leases.records);
    if (status == MODEL_OK && leases.records == NULL)
        status = error_no_memory(err, "the leases of the store");
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        struct store_lease_record *record = &leases.records[leases.n_records];
        bool found = false;
        if (!store_name_is_lease(list.names[i]))
            continue;
        status = read_one(folder, list.names[i], record, &found, err);
        if (status != MODEL_OK || !found)
            continue;
        record->is_alive = store_lease_is_alive(record, now_s, witness != NULL ? witness : &own);
        leases.n_records++;
    }
    dir_list_finish(&list);
    free(folder);
    if (status == MODEL_OK)
        *ret = leases;
    else
        store_leases_finish(&leases);
    return status;
}

void store_leases_finish(struct store_leases *leases)
{
    for (size_t i = 0; i < leases->n_records; i++)
        store_lease_record_finish(&leases->records[i]);
    free(leases->records);
    *leases = (struct store_leases){0};
}

const struct store_lease_record *store_leases_holder(const struct store_leases *leases,
                                                     const char *subject)
{
    for (size_t i = 0; i < leases->n_records; i++) {
        const struct store_lease_record *record = &leases->records[i];
        if (record->is_alive && record->subject != NULL && strcmp(record->subject, subject) == 0)
            return record;
    }
    return NULL;
}

bool store_leases_hold(const struct store_leases *leases, const char *subject)
{
    return store_leases_holder(leases, subject) != NULL;
}

size_t store_leases_count(const struct store_leases *leases, enum store_lease_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < leases->n_records; i++)
        n += leases->records[i].is_alive && leases->records[i].kind == kind;
    return n;
}

/* ---- times */

int64_t store_disk_time(const struct store *store)
{
    struct stat info;
    char *path = text_format("%s/tmp/.time.XXXXXX", store->dir);
    const bool is_ours = store_folder_check(store, "tmp", NULL) == MODEL_OK;
    int fd = path != NULL && is_ours ? mkstemp(path) : -1;
    int64_t now_s = fd >= 0 && fstat(fd, &info) == 0 ? (int64_t)info.st_mtime : (int64_t)time(NULL);
    if (fd >= 0) {
        (void)close(fd);
        (void)unlink(path);
    }
    free(path);
    return now_s;
}

int64_t store_last_use(const struct store *store, const char *target)
{
    struct stat info;
    char *path = text_format("%s/used/%s", store->dir, target);
    int64_t at_s = path != NULL && lstat(path, &info) == 0 ? (int64_t)info.st_mtime : 0;
    free(path);
    return at_s;
}
