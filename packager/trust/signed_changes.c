/* signed_changes.c - see signed_changes.h. Both manifests are ordered by path: one walk goes through them. */
#include "signed_changes.h"
#include "buffer.h"
#include "errors.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAMED      3
#define MAX_TEXT_BYTES 1200

static const char *const kind_names[] = {
    [SIGNED_CHANGED] = "changed",
    [SIGNED_ADDED] = "added",
    [SIGNED_REMOVED] = "removed",
};

const char *signed_change_name(enum signed_change_kind kind)
{
    return kind_names[kind];
}

model_status signed_changes_add(struct signed_changes *changes, enum signed_change_kind kind,
                                const char *path, struct model_error *err)
{
    struct signed_change *larger =
        realloc(changes->changes, (changes->n_changes + 1) * sizeof *larger);
    if (larger == NULL)
        return error_no_memory(err, "a list of files");
    changes->changes = larger;
    char *copy = strdup(path);
    if (copy == NULL)
        return error_no_memory(err, "a list of files");
    larger[changes->n_changes++] = (struct signed_change){kind, copy};
    return MODEL_OK;
}

static bool is_same(const struct manifest_file *a, const struct manifest_file *b)
{
    return a->size_bytes == b->size_bytes && strcmp(a->sha256, b->sha256) == 0;
}

model_status signed_changes_find(const struct manifest *before, const struct manifest *now,
                                 struct signed_changes *ret, struct model_error *err)
{
    struct signed_changes changes = {0};
    model_status status = MODEL_OK;
    for (size_t i = 0, j = 0; status == MODEL_OK && (i < before->n_files || j < now->n_files);) {
        const struct manifest_file *was = i < before->n_files ? &before->files[i] : NULL;
        const struct manifest_file *is = j < now->n_files ? &now->files[j] : NULL;
        const int order = was == NULL ? 1 : is == NULL ? -1 : strcmp(was->path, is->path);
        if (order < 0)
            status = signed_changes_add(&changes, SIGNED_REMOVED, was->path, err);
        else if (order > 0)
            status = signed_changes_add(&changes, SIGNED_ADDED, is->path, err);
        else if (!is_same(was, is))
            status = signed_changes_add(&changes, SIGNED_CHANGED, is->path, err);
        i += order <= 0;
        j += order >= 0;
    }
    if (status == MODEL_OK)
        *ret = changes;
    else
        signed_changes_finish(&changes);
    return status;
}

char *signed_changes_text(const struct signed_changes *changes)
{
    struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
    model_status status = MODEL_OK;
    for (size_t i = 0; i < changes->n_changes && i < MAX_NAMED && status == MODEL_OK; i++)
        status = buffer_printf(&text, "%s'%.200s' was %s", i > 0 ? ", " : "",
                               changes->changes[i].path, kind_names[changes->changes[i].kind]);
    if (status == MODEL_OK && changes->n_changes > MAX_NAMED)
        status = buffer_printf(&text, " and %zu more", changes->n_changes - MAX_NAMED);
    char *taken = status == MODEL_OK ? buffer_take(&text) : NULL;
    buffer_finish(&text);
    return taken;
}

void signed_changes_finish(struct signed_changes *changes)
{
    for (size_t i = 0; i < changes->n_changes; i++)
        free(changes->changes[i].path);
    free(changes->changes);
    *changes = (struct signed_changes){0};
}
