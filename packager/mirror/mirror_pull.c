/* mirror_pull.c - repositories of a store or of another hub: found and fetched on threads, answered when
 * they are here; see mirror_private.h and mirror_pull.h.
 *
 * What a commit is never changes, what a branch is grows old. */
#include "mirror_pull.h"
#include "errors.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#define BRANCH_YOUNG_MS 5000

char *mirror_pull_path(const struct mirror *mirror, const struct mirror_file *file)
{
    return pull_path(&mirror->puller->pull, file->etag, file->stamp.size_bytes);
}

static void answer_file(struct mirror *mirror, struct entry *entry,
                        const struct mirror_route *route, struct http_request *request)
{
    char path[MIRROR_SHOWN_BYTES], revision[MIRROR_SHOWN_BYTES];
    const struct mirror_file *file = mirror_snapshot_find(entry->repository.snapshot, route->path);
    if (file == NULL) {
        mirror_reply_error(request, 404, "EntryNotFound",
                           "Entry not found: '%s' does not exist in %s at '%s'",
                           mirror_shown(route->path, path), entry->repository.id,
                           mirror_shown(route->revision, revision));
        return;
    }
    char *place = mirror_pull_path(mirror, file);
    bool is_here = place != NULL || (route->kind == MIRROR_RAW && file->is_lfs);
    free(place);
    if (is_here && mirror_reply_file(mirror, &entry->repository, route, request))
        return;
    if (strcmp(http_request_method(request), "HEAD") == 0)
        mirror_reply_file_head(mirror, &entry->repository, route, file, request);
    else
        mirror_pull_wait_for_file(mirror, entry, file, request);
}

static bool is_young(const struct mirror *mirror, const struct entry *entry)
{
    if (entry->repository.snapshot == NULL)
        return false;
    return (hub_is_hex(entry->revision, 40) && mirror->options.upstream != NULL) ||
           uv_now(mirror->loop) - entry->repository.scanned_ms <= BRANCH_YOUNG_MS;
}

void mirror_pull_reply(struct mirror *mirror, const struct mirror_route *route,
                       struct http_request *request, bool is_fresh)
{
    struct entry *entry = mirror_pull_find_entry(mirror->puller, route->id, route->revision);
    if (entry == NULL) {
        mirror_pull_reply_busy(request);
        return;
    }
    entry->used_ms = uv_now(mirror->loop);
    if (entry->repository.snapshot == NULL || (!is_fresh && !is_young(mirror, entry)))
        mirror_pull_wait_for_answer(mirror, entry, request);
    else if (strcmp(entry->repository.id, route->id) != 0)
        mirror_redirect(request, route, entry->repository.id);
    else if (mirror_route_is_file(route))
        answer_file(mirror, entry, route, request);
    else
        mirror_reply_api(mirror, &entry->repository, route, request);
}

void mirror_pull_answer(struct mirror *mirror, const struct mirror_route *route,
                        struct http_request *request)
{
    mirror_pull_reply(mirror, route, request, false);
}

/* ---- its life */

model_status mirror_puller_create(struct mirror *mirror, struct model_error *err)
{
    const struct mirror_options *options = &mirror->options;
    struct mirror_puller *puller = calloc(1, sizeof *puller);
    if (puller == NULL)
        return error_no_memory(err, "the mirror");
    model_status status = MODEL_OK;
    if (options->upstream != NULL)
        status = pull_cache_create(mirror->catalog.root, &puller->cache, err);
    puller->pull = (struct pull){.endpoint = options->upstream,
                                 .token = options->upstream_token,
                                 .cache = puller->cache,
                                 .store = mirror->store,
                                 .log = options->log,
                                 .stall_timeout_ms = options->upstream_timeout_ms};
    if (status == MODEL_OK)
        status = mirror_scanner_create(mirror->loop, options->log, &puller->threads, err);
    if (status != MODEL_OK) {
        pull_cache_destroy(puller->cache);
        free(puller);
        return status;
    }
    mirror->puller = puller;
    return MODEL_OK;
}

static void free_puller(void *context)
{
    struct mirror_puller *puller = context;
    void (*on_closed)(void *) = puller->on_closed;
    void *on_closed_context = puller->on_closed_context;
    mirror_pull_remove_entries(puller);
    pull_cache_destroy(puller->cache);
    free(puller);
    if (on_closed != NULL)
        on_closed(on_closed_context);
}

void mirror_puller_close(struct mirror_puller *puller, void (*on_closed)(void *context),
                         void *context)
{
    if (puller == NULL) {
        if (on_closed != NULL)
            on_closed(context);
        return;
    }
    puller->on_closed = on_closed;
    puller->on_closed_context = context;
    mirror_scanner_close(puller->threads, free_puller, puller);
}
