/* mirror_pull_entries.c - see mirror_pull.h: repositories of another hub or a store, as they were when last
 * asked about. Each revision of a repository that was asked for is an entry; the one that was not used for
 * the longest time makes room. */
#include "mirror_pull.h"
#include "errors.h"
#include "mirror_hash.h"

#include <stdlib.h>
#include <string.h>

static void entry_destroy(struct entry *entry)
{
    mirror_snapshot_destroy(entry->repository.snapshot);
    free(entry->repository.id);
    free(entry->repository.folder);
    free(entry->asked_id);
    free(entry->revision);
    free(entry);
}

static void remove_entry(struct mirror_puller *puller, size_t i)
{
    entry_destroy(puller->entries[i]);
    puller->entries[i] = puller->entries[--puller->n_entries];
}

/* Makes room by the one that was not used for the longest time; false when all are in use. */
static bool make_room(struct mirror_puller *puller)
{
    size_t oldest = MIRROR_PULL_MAX_ENTRIES;
    if (puller->n_entries < MIRROR_PULL_MAX_ENTRIES)
        return true;
    for (size_t i = 0; i < puller->n_entries; i++)
        if (puller->entries[i]->question == NULL &&
            (oldest == MIRROR_PULL_MAX_ENTRIES ||
             puller->entries[i]->used_ms < puller->entries[oldest]->used_ms))
            oldest = i;
    if (oldest < MIRROR_PULL_MAX_ENTRIES)
        remove_entry(puller, oldest);
    return oldest < MIRROR_PULL_MAX_ENTRIES;
}

struct entry *mirror_pull_find_entry(struct mirror_puller *puller, const char *id,
                                     const char *revision)
{
    for (size_t i = 0; i < puller->n_entries; i++)
        if (strcmp(puller->entries[i]->asked_id, id) == 0 &&
            strcmp(puller->entries[i]->revision, revision) == 0)
            return puller->entries[i];
    struct entry *entry = make_room(puller) ? calloc(1, sizeof *entry) : NULL;
    if (entry == NULL)
        return NULL;
    entry->asked_id = strdup(id);
    entry->revision = strdup(revision);
    entry->repository.id = strdup(id);
    entry->repository.is_present = entry->repository.is_pulled = true;
    if (entry->asked_id == NULL || entry->revision == NULL || entry->repository.id == NULL) {
        entry_destroy(entry);
        return NULL;
    }
    puller->entries[puller->n_entries++] = entry;
    return entry;
}

static model_status add_file(const struct hub_file *from, struct mirror_file *file,
                             struct model_error *err)
{
    char pointer[MIRROR_POINTER_BYTES];
    file->path = strdup(from->path);
    if (file->path == NULL)
        return error_no_memory(err, "a list of files");
    file->stamp.size_bytes = from->size_bytes;
    file->is_lfs = from->digest.kind == HUB_DIGEST_SHA256;
    memcpy(file->etag, from->digest.hex, sizeof file->etag);
    if (!file->is_lfs) {
        memcpy(file->blob_id, file->etag, SHA1_HEX_BYTES - 1);
        return MODEL_OK;
    }
    file->pointer_bytes = mirror_pointer_text(file->etag, from->size_bytes, pointer);
    return mirror_name_blob(pointer, file->pointer_bytes, file->blob_id, err);
}

/* [a thread] */
model_status mirror_pull_make_snapshot(const struct pull_record *record,
                                       struct mirror_snapshot **ret, struct model_error *err)
{
    const struct hub_files *files = &record->files;
    struct mirror_snapshot *snapshot = calloc(1, sizeof *snapshot);
    struct mirror_file *made = calloc(files->n_files + 1, sizeof *made);
    if (snapshot == NULL || made == NULL) {
        free(snapshot);
        free(made);
        return error_no_memory(err, "a list of files");
    }
    model_status status = MODEL_OK;
    snapshot->files = made;
    memcpy(snapshot->commit, record->model.commit, sizeof snapshot->commit);
    for (size_t i = 0; status == MODEL_OK && i < files->n_files; i++) {
        status = add_file(&files->files[i], &made[i], err);
        snapshot->n_files++;
        snapshot->total_bytes += files->files[i].size_bytes;
    }
    if (status != MODEL_OK) {
        mirror_snapshot_destroy(snapshot);
        return status;
    }
    *ret = snapshot;
    return MODEL_OK;
}

void mirror_pull_remove_entry(struct mirror_puller *puller, const struct entry *entry)
{
    for (size_t i = 0; i < puller->n_entries; i++)
        if (puller->entries[i] == entry)
            remove_entry(puller, i);
}

void mirror_pull_remove_entries(struct mirror_puller *puller)
{
    while (puller->n_entries > 0)
        remove_entry(puller, puller->n_entries - 1);
}
