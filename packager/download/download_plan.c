/* download_plan.c - see download_plan.h. */
#include "download_plan.h"
#include "case_twins.h"
#include "errors.h"
#include "human_text.h"
#include "package.h"
#include "size.h"
#include "string_map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

static model_status plan_file(const struct hub_file *file, const struct store *store, bool force,
                              struct plan_file *ret, struct model_error *err)
{
    struct plan_file planned = {.file = file, .package_path = package_path_of(file->path)};
    if (planned.package_path == NULL)
        return error_no_memory(err, "the download's plan");
    if (file->digest.kind == HUB_DIGEST_SHA256) {
        memcpy(planned.sha256, file->digest.hex, sizeof planned.sha256);
        planned.in_store =
            !force && store != NULL && store_has_blob(store, planned.sha256, file->size_bytes) != 0;
    }
    *ret = planned;
    return MODEL_OK;
}

/* Two files of a repository must not become one file of the package. */
static model_status check_collisions(const struct download_plan *plan, struct model_error *err)
{
    struct string_map paths = {0};
    model_status status = string_map_init(&paths, plan->n_files);
    for (size_t i = 0; i < plan->n_files && status == MODEL_OK; i++) {
        const char *path = plan->files[i].package_path;
        status = string_map_add(&paths, path, strlen(path), (uint32_t)i);
        if (status == MODEL_INVALID_ARGUMENT)
            status = error_set(
                err, MODEL_CORRUPT,
                "two files of the repository would both become '%s' of the package; leave "
                "one out with --exclude",
                path);
    }
    string_map_finish(&paths);
    return status;
}

static const char *path_at(const void *plan, size_t i)
{
    return ((const struct download_plan *)plan)->files[i].package_path;
}

bool download_plan_find_twins(const struct download_plan *plan, size_t *ret_first,
                              size_t *ret_second)
{
    return case_twins_find(path_at, plan, plan->n_files, ret_first, ret_second);
}

model_status download_plan_make(const struct hub_files *files, const enum file_verdict *verdicts,
                                const struct store *store, bool force, struct download_plan *ret,
                                struct model_error *err)
{
    struct download_plan plan = {0};
    model_status status = MODEL_OK;
    plan.files = calloc(files->n_files > 0 ? files->n_files : 1, sizeof *plan.files);
    if (plan.files == NULL)
        return error_no_memory(err, "the download's plan");
    for (size_t i = 0; i < files->n_files && status == MODEL_OK; i++) {
        if (verdicts[i] != FILE_TAKEN)
            continue;
        struct plan_file *planned = &plan.files[plan.n_files];
        status = plan_file(&files->files[i], store, force, planned, err);
        if (status != MODEL_OK)
            break;
        plan.n_files++;
        uint64_t fetch = planned->in_store ? 0 : planned->file->size_bytes;
        if (!size_add(plan.total_bytes, planned->file->size_bytes, &plan.total_bytes) ||
            !size_add(plan.fetch_bytes, fetch, &plan.fetch_bytes))
            status =
                error_set(err, MODEL_CORRUPT, "the sizes of the files are too large to add up");
    }
    if (status == MODEL_OK)
        status = check_collisions(&plan, err);
    if (status == MODEL_OK)
        *ret = plan;
    else
        download_plan_finish(&plan);
    return status;
}

void download_plan_finish(struct download_plan *plan)
{
    for (size_t i = 0; i < plan->n_files; i++)
        free(plan->files[i].package_path);
    free(plan->files);
    *plan = (struct download_plan){0};
}

bool download_plan_satisfied_by(const struct download_plan *plan, const struct manifest *manifest)
{
    for (size_t i = 0; i < plan->n_files; i++) {
        const struct plan_file *planned = &plan->files[i];
        const struct manifest_file *have = manifest_find(manifest, planned->package_path);
        if (have == NULL || have->size_bytes != planned->file->size_bytes ||
            (planned->sha256[0] != '\0' && strcmp(have->sha256, planned->sha256) != 0))
            return false;
    }
    return true;
}

model_status download_plan_check_room(const struct download_plan *plan, uint64_t have_bytes,
                                      const char *dir, struct model_error *err)
{
    struct statvfs disk;
    uint64_t free_bytes;
    if (statvfs(dir, &disk) != 0 || !size_multiply(disk.f_bavail, disk.f_frsize, &free_bytes))
        return MODEL_OK; /* not known: writing will tell */
    uint64_t want_bytes = plan->fetch_bytes > have_bytes ? plan->fetch_bytes - have_bytes : 0;
    if (want_bytes <= free_bytes)
        return MODEL_OK;
    char want[HUMAN_TEXT_BYTES], have[HUMAN_TEXT_BYTES];
    return error_set(err, MODEL_IO,
                     "no space left for the download: it takes %s and the disk of '%.300s' has %s; "
                     "free some, or choose another disk with --store DIR",
                     human_size(want_bytes, want), dir, human_size(free_bytes, have));
}
