/* mirror_pull_jobs.c - see mirror_pull.h: what is asked and fetched on threads, and the requests that wait
 * for it. A question that is under way is asked once, however many wait for it, and so is a file fetched
 * once. */
#include "mirror_pull.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

struct wait {
    struct http_request *request;
    struct wait *next;
};

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
        scan->status = mirror_pull_make_snapshot(&job->record, &scan->snapshot, &scan->err);
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
    mirror_pull_reply(mirror, &route, request, true);
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
    struct entry *entry = job->entry;
    entry->question = NULL;
    log_failure(mirror, entry->asked_id, scan);
    if (scan->status == MODEL_OK) {
        take_answer(mirror, entry, job, scan);
    } else {
        mirror_pull_remove_entry(mirror->puller, entry);
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

void mirror_pull_reply_busy(struct http_request *request)
{
    mirror_reply_error(request, 503, NULL, "the mirror can fetch nothing more now; try again");
}

static void join(struct job *job, struct wait *wait)
{
    *job->last_wait = wait;
    job->last_wait = &wait->next;
}

void mirror_pull_wait_for_answer(struct mirror *mirror, struct entry *entry,
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
        mirror_pull_reply_busy(request);
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

void mirror_pull_wait_for_file(struct mirror *mirror, const struct entry *entry,
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
        mirror_pull_reply_busy(request);
        return;
    }
    wait->request = request;
    join(job, wait);
}
