/* mirror_pull.c - repositories of a store or of another hub: found and fetched on threads, answered when
 * they are here; see mirror_private.h.
 *
 * Each revision of a repository that was asked for is an entry. What a commit is never changes, what a
 * branch is grows old. A question that is under way is asked once, however many wait for it, and so is
 * a file fetched once. */
#include "mirror_private.h"
#include "errors.h"
#include "mirror_hash.h"
#include "mirror_scanner.h"
#include "pull.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#define BRANCH_YOUNG_MS 5000
#define MAX_ENTRIES     1000

struct wait {
    struct http_request *request;
    struct wait *next;
};

/* What a thread does for those who wait. */
struct job {
    struct mirror *mirror;
    struct entry *entry; /* a question; NULL: a file */
    struct pull_record record;
    struct hub_model model; /* of a file */
    struct hub_file file;
    struct wait *first_wait, **last_wait;
    struct job *next; /* of files under way */
};

struct entry {
    struct mirror_repository repository; /* id is the hub's own */
    char *asked_id, *revision;
    struct job *question; /* under way */
    uint64_t used_ms;
};

struct mirror_puller {
    struct pull pull;
    struct pull_cache *cache;
    struct mirror_scanner *threads;
    struct entry *entries[MAX_ENTRIES]; /* (n_entries) */
    size_t n_entries;
    struct job *files;
    void (*on_closed)(void *context);
    void *on_closed_context;
};

static void answer(struct mirror *mirror, const struct mirror_route *route,
                   struct http_request *request, bool is_fresh);

/* ---- entries */

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
    size_t oldest = MAX_ENTRIES;
    if (puller->n_entries < MAX_ENTRIES)
        return true;
    for (size_t i = 0; i < puller->n_entries; i++)
        if (puller->entries[i]->question == NULL &&
            (oldest == MAX_ENTRIES ||
             puller->entries[i]->used_ms < puller->entries[oldest]->used_ms))
            oldest = i;
    if (oldest < MAX_ENTRIES)
        remove_entry(puller, oldest);
    return oldest < MAX_ENTRIES;
}

static struct entry *find_entry(struct mirror_puller *puller, const char *id, const char *revision)
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
static model_status make_snapshot(const struct pull_record *record, struct mirror_snapshot **ret,
                                  struct model_error *err)
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

/* ---- jobs */

static void job_destroy(struct job *job)
{
    pull_record_finish(&job->record);
    hub_model_finish(&job->model);
    free(job->file.path);
    free(job);
}

static struct job *job_create(struct mirror *mirror)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->mirror = mirror;
    job->last_wait = &job->first_wait;
    return job;
}

static void run_question(struct mirror_scan *scan, const atomic_bool *stop)
{
    struct job *job = scan->context;
    struct entry *entry = job->entry; /* what is read of it does not change while it is asked */
    scan->status = pull_find(&job->mirror->puller->pull, entry->asked_id, entry->revision, stop,
                             &job->record, &scan->err);
    if (scan->status == MODEL_OK)
        scan->status = make_snapshot(&job->record, &scan->snapshot, &scan->err);
}

static void run_fetch(struct mirror_scan *scan, const atomic_bool *stop)
{
    struct job *job = scan->context;
    scan->status =
        pull_fetch(&job->mirror->puller->pull, &job->model, &job->file, stop, NULL, &scan->err);
}

/* What another hub said, in our words. */
static void reply_failure(struct http_request *request, const struct mirror_scan *scan)
{
    static const struct {
        model_status status;
        int http;
        const char *code;
    } rows[] = {
        {MODEL_NOT_FOUND, 404, "RepoNotFound"},
        {MODELHOST_UNAUTHORIZED, 403, "GatedRepo"},
        {MODELHOST_RATE_LIMITED, 429, NULL},
        {MODELHOST_NETWORK, 502, NULL},
        {MODEL_CORRUPT, 502, NULL},
        {MODEL_INVALID_ARGUMENT, 404, "RepoNotFound"},
        {MODEL_CANCELLED, 503, NULL},
    };
    char shown[MIRROR_SHOWN_BYTES];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (scan->status == rows[i].status) {
            mirror_reply_error(request, rows[i].http, rows[i].code, "%s",
                               mirror_shown(scan->err.message, shown));
            return;
        }
    mirror_reply_error(request, 500, NULL, "the mirror cannot keep the file; its log says why");
}

static void answer_again(struct mirror *mirror, struct http_request *request)
{
    struct mirror_route route;
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = mirror_route_parse(http_request_raw_path(request), &route, &err);
    if (status != MODEL_OK) {
        mirror_reply_status(request, status, &err);
        return;
    }
    answer(mirror, &route, request, true);
    mirror_route_finish(&route);
}

static void answer_waiting(struct mirror *mirror, struct wait *wait, const struct mirror_scan *scan)
{
    for (struct wait *next; wait != NULL; wait = next) {
        next = wait->next;
        if (scan->status == MODEL_OK)
            answer_again(mirror, wait->request);
        else
            reply_failure(wait->request, scan);
        free(wait);
    }
}

static void log_failure(const struct mirror *mirror, const char *id, const struct mirror_scan *scan)
{
    if (scan->status != MODEL_OK && scan->status != MODEL_CANCELLED &&
        scan->status != MODEL_NOT_FOUND)
        log_write(mirror->options.log, MODEL_LOG_WARN, "%s: %s", id, scan->err.message);
}

static void take_answer(struct mirror *mirror, struct entry *entry, struct job *job,
                        struct mirror_scan *scan)
{
    mirror_snapshot_destroy(entry->repository.snapshot);
    free(entry->repository.id);
    entry->repository.snapshot = scan->snapshot;
    entry->repository.id = job->record.model.id;
    entry->repository.scanned_ms = uv_now(mirror->loop);
    scan->snapshot = NULL;
    job->record.model.id = NULL;
}

static void on_answered(struct mirror_scan *scan)
{
    struct job *job = scan->context;
    struct mirror *mirror = job->mirror;
    struct mirror_puller *puller = mirror->puller;
    struct entry *entry = job->entry;
    entry->question = NULL;
    log_failure(mirror, entry->asked_id, scan);
    if (scan->status == MODEL_OK) {
        take_answer(mirror, entry, job, scan);
    } else {
        for (size_t i = 0; i < puller->n_entries; i++)
            if (puller->entries[i] == entry)
                remove_entry(puller, i);
    }
    answer_waiting(mirror, job->first_wait, scan);
    job_destroy(job);
    mirror_scan_destroy(scan);
}

static void on_fetched(struct mirror_scan *scan)
{
    struct job *job = scan->context, **at = &job->mirror->puller->files;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    log_failure(job->mirror, job->model.id, scan);
    answer_waiting(job->mirror, job->first_wait, scan);
    job_destroy(job);
    mirror_scan_destroy(scan);
}

/* ---- waiting */

static void reply_busy(struct http_request *request)
{
    mirror_reply_error(request, 503, NULL, "the mirror can fetch nothing more now; try again");
}

static void join(struct job *job, struct wait *wait)
{
    *job->last_wait = wait;
    job->last_wait = &wait->next;
}

static void wait_for_answer(struct mirror *mirror, struct entry *entry,
                            struct http_request *request)
{
    struct wait *wait = mirror->is_closing ? NULL : calloc(1, sizeof *wait);
    struct job *job = entry->question != NULL ? entry->question : job_create(mirror);
    bool is_ready = wait != NULL && job != NULL;
    if (is_ready && entry->question == NULL) {
        job->entry = entry;
        is_ready = mirror_scanner_order_work(mirror->puller->threads, run_question, on_answered,
                                             job) == MODEL_OK;
    }
    if (!is_ready) {
        free(wait);
        if (job != entry->question)
            free(job);
        reply_busy(request);
        return;
    }
    entry->question = job;
    wait->request = request;
    join(job, wait);
}

static struct job *start_fetch(struct mirror *mirror, const struct entry *entry,
                               const struct mirror_file *file)
{
    struct mirror_puller *puller = mirror->puller;
    struct job *job = job_create(mirror);
    if (job == NULL)
        return NULL;
    job->model.id = strdup(entry->repository.id);
    memcpy(job->model.commit, entry->repository.snapshot->commit, sizeof job->model.commit);
    job->file = (struct hub_file){.path = strdup(file->path), .size_bytes = file->stamp.size_bytes};
    job->file.digest = hub_digest_read(file->etag);
    if (job->model.id == NULL || job->file.path == NULL ||
        mirror_scanner_order_work(puller->threads, run_fetch, on_fetched, job) != MODEL_OK) {
        job_destroy(job);
        return NULL;
    }
    job->next = puller->files;
    puller->files = job;
    return job;
}

static void wait_for_file(struct mirror *mirror, const struct entry *entry,
                          const struct mirror_file *file, struct http_request *request)
{
    struct wait *wait = mirror->is_closing ? NULL : calloc(1, sizeof *wait);
    struct job *job = mirror->puller->files;
    while (job != NULL && strcmp(job->file.digest.hex, file->etag) != 0)
        job = job->next;
    if (job == NULL && wait != NULL)
        job = start_fetch(mirror, entry, file);
    if (wait == NULL || job == NULL) {
        free(wait);
        reply_busy(request);
        return;
    }
    wait->request = request;
    join(job, wait);
}

/* ---- answering */

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
    else if (is_here)
        mirror_reply_error(request, 503, NULL, "the file vanished; try again");
    else
        wait_for_file(mirror, entry, file, request);
}

static bool is_young(const struct mirror *mirror, const struct entry *entry)
{
    if (entry->repository.snapshot == NULL)
        return false;
    return (hub_is_hex(entry->revision, 40) && mirror->options.upstream != NULL) ||
           uv_now(mirror->loop) - entry->repository.scanned_ms <= BRANCH_YOUNG_MS;
}

/* With is_fresh something was found or fetched for this request. */
static void answer(struct mirror *mirror, const struct mirror_route *route,
                   struct http_request *request, bool is_fresh)
{
    struct entry *entry = find_entry(mirror->puller, route->id, route->revision);
    if (entry == NULL) {
        reply_busy(request);
        return;
    }
    entry->used_ms = uv_now(mirror->loop);
    if (entry->repository.snapshot == NULL || (!is_fresh && !is_young(mirror, entry)))
        wait_for_answer(mirror, entry, request);
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
    answer(mirror, route, request, false);
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
    while (puller->n_entries > 0)
        remove_entry(puller, puller->n_entries - 1);
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
