/* mirror_repository.c - when a repository's answer is known.
 *
 * A request to a repository waits while that repository is scanned. Questions about its content always
 * scan again (a scan of unchanged files only looks at them); files are answered from the last scan as
 * long as it is young and the file on disk is the one it saw. */
#include "mirror_private.h"
#include "errors.h"
#include "mirror_archive.h"
#include "mirror_scanner.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <uv.h>

#define FILES_YOUNG_MS   2000
#define MISSING_YOUNG_MS 100

struct mirror_wait {
    struct http_request *request;
    struct mirror_wait *next;
};

static void answer(struct mirror *mirror, struct mirror_repository *repository,
                   const struct mirror_route *route, struct http_request *request, bool is_fresh);

/* ---- waiting for a scan */

static void answer_waiting(struct mirror *mirror, struct mirror_repository *repository,
                           const struct mirror_scan *scan, struct http_request *request)
{
    struct mirror_route route;
    struct model_error err = MODEL_ERROR_INIT;
    if (scan->status == MODEL_NOT_FOUND) {
        mirror_reply_no_repository(request, repository->id);
        return;
    }
    if (scan->status != MODEL_OK) {
        mirror_reply_status(request, scan->status, &scan->err);
        return;
    }
    model_status status = mirror_route_parse(http_request_raw_path(request), &route, &err);
    if (status != MODEL_OK) {
        mirror_reply_status(request, status, &err);
        return;
    }
    answer(mirror, repository, &route, request, true);
    mirror_route_finish(&route);
}

struct scan_context {
    struct mirror *mirror;
    struct mirror_repository *repository;
};

static void on_scanned(struct mirror_scan *scan)
{
    struct scan_context *context = scan->context;
    struct mirror *mirror = context->mirror;
    struct mirror_repository *repository = context->repository;
    free(context);
    repository->is_scanning = false;
    if (scan->status == MODEL_OK) {
        mirror_snapshot_destroy(repository->snapshot);
        repository->snapshot = scan->snapshot;
        repository->scanned_ms = uv_now(mirror->loop);
        scan->snapshot = NULL;
    } else if (scan->status != MODEL_CANCELLED) {
        log_write(mirror->options.log, MODEL_LOG_WARN, "%s: %s", repository->id, scan->err.message);
    }
    struct mirror_wait *wait = repository->first_wait;
    repository->first_wait = NULL;
    repository->last_wait = &repository->first_wait;
    for (struct mirror_wait *next; wait != NULL; wait = next) {
        next = wait->next;
        answer_waiting(mirror, repository, scan, wait->request);
        free(wait);
    }
    mirror_scan_destroy(scan);
}

/* MODEL_OUT_OF_MEMORY, or a scan is under way. */
static model_status ensure_scan(struct mirror *mirror, struct mirror_repository *repository)
{
    if (repository->is_scanning)
        return MODEL_OK;
    struct scan_context *context = malloc(sizeof *context);
    if (context == NULL)
        return MODEL_OUT_OF_MEMORY;
    *context = (struct scan_context){mirror, repository};
    if (repository->snapshot == NULL)
        log_write(mirror->options.log, MODEL_LOG_INFO,
                  "%s: first request, its files are being hashed", repository->id);
    model_status status =
        mirror_scanner_order(mirror->scanner, mirror->catalog.root, repository->folder,
                             repository->snapshot, on_scanned, context);
    if (status != MODEL_OK)
        free(context);
    else
        repository->is_scanning = true;
    return status;
}

static void wait_for_scan(struct mirror *mirror, struct mirror_repository *repository,
                          struct http_request *request)
{
    struct mirror_wait *wait = mirror->is_closing ? NULL : malloc(sizeof *wait);
    if (wait == NULL || ensure_scan(mirror, repository) != MODEL_OK) {
        free(wait);
        mirror_reply_error(request, 503, NULL,
                           "the mirror cannot read the repository now; try again");
        return;
    }
    *wait = (struct mirror_wait){.request = request};
    *repository->last_wait = wait;
    repository->last_wait = &wait->next;
}

/* ---- answering */

static bool is_revision(const struct mirror_repository *repository, const char *revision)
{
    const struct mirror_snapshot *snapshot = repository->snapshot;
    return strcmp(revision, "main") == 0 || strcmp(revision, "HEAD") == 0 ||
           strcmp(revision, "refs/heads/main") == 0 ||
           strcasecmp(revision, snapshot->commit) == 0 ||
           (repository->archive != NULL &&
            mirror_archive_is_revision(repository->archive, revision));
}

/* `seen` is the repository as this request sees it. */
static void answer_file(struct mirror *mirror, struct mirror_repository *repository,
                        const struct mirror_repository *seen, const struct mirror_route *route,
                        struct http_request *request, bool is_fresh)
{
    char path[MIRROR_SHOWN_BYTES], revision[MIRROR_SHOWN_BYTES];
    if (mirror_reply_file(mirror, seen, route, request))
        return;
    bool is_known = mirror_snapshot_find(repository->snapshot, route->path) != NULL;
    uint64_t age_ms = uv_now(mirror->loop) - repository->scanned_ms;
    if (!is_fresh && (is_known || age_ms > MISSING_YOUNG_MS))
        wait_for_scan(mirror, repository, request);
    else if (is_known)
        mirror_reply_error(request, 503, NULL, "the file changes while it is read; try again");
    else
        mirror_reply_error(request, 404, "EntryNotFound",
                           "Entry not found: '%s' does not exist in %s at '%s'",
                           mirror_shown(route->path, path), repository->id,
                           mirror_shown(route->revision, revision));
}

/* From the snapshot; with is_fresh it was made for this request. */
static void answer(struct mirror *mirror, struct mirror_repository *repository,
                   const struct mirror_route *route, struct http_request *request, bool is_fresh)
{
    char revision[MIRROR_SHOWN_BYTES];
    struct mirror_repository seen = *repository;
    struct mirror_snapshot moved;
    if (mirror->faults != NULL && mirror_fault_move(mirror, route, repository->snapshot, &moved))
        seen.snapshot = &moved;
    if (!is_revision(&seen, route->revision) && !is_fresh)
        wait_for_scan(mirror, repository, request);
    else if (!is_revision(&seen, route->revision))
        mirror_reply_error(request, 404, "RevisionNotFound",
                           "Invalid rev id: '%s'; %s has 'main' and its commit %s",
                           mirror_shown(route->revision, revision), repository->id,
                           seen.snapshot->commit);
    else if (mirror_route_is_file(route))
        answer_file(mirror, repository, &seen, route, request, is_fresh);
    else
        mirror_reply_api(mirror, &seen, route, request);
}

void mirror_answer(struct mirror *mirror, struct mirror_repository *repository,
                   const struct mirror_route *route, struct http_request *request)
{
    uint64_t age_ms = uv_now(mirror->loop) - repository->scanned_ms;
    if (repository->archive != NULL)
        answer(mirror, repository, route, request, true);
    else if (repository->snapshot != NULL && mirror_route_is_file(route) &&
             age_ms <= FILES_YOUNG_MS && !repository->is_scanning)
        answer(mirror, repository, route, request, false);
    else
        wait_for_scan(mirror, repository, request);
}
