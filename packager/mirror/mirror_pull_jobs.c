/* mirror_pull_jobs.c - see mirror_pull.h: what is asked and fetched on threads, and the requests that wait
 * for it. A question that is under way is asked once, however many wait for it, and so is a file fetched
 * once. */
#include "mirror_pull.h"
#include "errors.h"
#include "pull_fill.h"
#include "pull_trim.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

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
    free(job->revision);
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

/* What went wrong with another hub, for a client: what to set and to check is the affair of whoever runs
 * this mirror, and stands in the log. */
static const struct outcome_row {
    model_status status;
    int http;
    const char *code, *sentence;
} outcomes[] = {
    {MODEL_NOT_FOUND, 404, "RepoNotFound",
     "Repository not found: neither this mirror nor the hub behind it has it in this revision"},
    {MODEL_INVALID_ARGUMENT, 404, "RepoNotFound",
     "Repository not found: the hub behind this mirror has no such name"},
    {MODELHOST_UNAUTHORIZED, 403, "GatedRepo",
     "the hub behind this mirror does not let the mirror read it; ask whoever runs the mirror"},
    {MODELHOST_RATE_LIMITED, 429, NULL,
     "the hub behind this mirror wants fewer requests; try again later"},
    {MODELHOST_NETWORK, 502, NULL, "the hub behind this mirror cannot be reached; try again later"},
    {MODEL_CORRUPT, 502, NULL,
     "the hub behind this mirror sent wrong bytes, which were not kept; try again later"},
    {MODEL_CANCELLED, 503, NULL, "the mirror is ending; try again later"},
};

static void reply_failure(struct http_request *request, const struct mirror_scan *scan)
{
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++)
        if (scan->status == outcomes[i].status) {
            mirror_reply_error(request, outcomes[i].http, outcomes[i].code, "%s",
                               outcomes[i].sentence);
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
        log_write(mirror->options.log, MODEL_LOG_WARN, "%s: %s%s", id, scan->err.message,
                  scan->status == MODELHOST_UNAUTHORIZED
                      ? " (a mirror's token for it is in --upstream-token-file)"
                      : "");
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

/* ---- after a file has come */

/* A bound that is passed, or a package that cannot be made, is no client's affair: the log says it. */
static void run_tidy(struct mirror_scan *scan, const atomic_bool *stop)
{
    struct job *job = scan->context;
    const struct mirror_options *options = &job->mirror->options;
    const struct pull *pull = &job->mirror->puller->pull;
    uint64_t removed_bytes = 0;
    bool is_filled = false;
    scan->status = pull_fill_store(pull, job->model.id, job->revision, job->model.commit, stop,
                                   &is_filled, &scan->err);
    if (is_filled)
        log_write(options->log, MODEL_LOG_INFO, "%s@%s is a package of the store now",
                  job->model.id, job->revision);
    if (scan->status == MODEL_OK && options->upstream_keep_bytes > 0)
        scan->status = pull_trim(pull->cache, options->upstream_keep_bytes, time(NULL),
                                 &removed_bytes, &scan->err);
    if (removed_bytes > 0)
        log_write(options->log, MODEL_LOG_INFO, "%llu bytes that were not used for long are gone",
                  (unsigned long long)removed_bytes);
}

static void on_tidied(struct mirror_scan *scan)
{
    struct job *job = scan->context;
    log_failure(job->mirror, job->model.id, scan);
    job_destroy(job);
    mirror_scan_destroy(scan);
}

/* Goes on with the job of a file, when no other of its commit is under way. */
static void tidy(struct job *job)
{
    const struct mirror *mirror = job->mirror;
    const struct job *other = mirror->puller->files;
    while (other != NULL && strcmp(other->model.commit, job->model.commit) != 0)
        other = other->next;
    if (other != NULL || mirror->is_closing ||
        mirror_scanner_order_work(mirror->puller->threads, run_tidy, on_tidied, job) != MODEL_OK)
        job_destroy(job);
}

static void on_fetched(struct mirror_scan *scan)
{
    struct job *job = scan->context, **at = &job->mirror->puller->files;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    log_failure(job->mirror, job->model.id, scan);
    answer_waiting(job->mirror, job->first_wait, scan);
    if (scan->status == MODEL_OK)
        tidy(job);
    else
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

/* Clients ask what a branch is and take files of the commit: the branch is the name for people. */
static const char *branch_of(const struct mirror_puller *puller, const struct entry *entry)
{
    const char *branch = entry->revision;
    for (size_t i = 0; hub_is_hex(branch, 40) && i < puller->n_entries; i++) {
        const struct entry *other = puller->entries[i];
        if (other->repository.snapshot != NULL &&
            strcmp(other->repository.id, entry->repository.id) == 0 &&
            strcmp(other->repository.snapshot->commit, entry->repository.snapshot->commit) == 0)
            branch = other->revision;
    }
    return strcmp(branch, "HEAD") == 0 ? "main" : branch;
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
    job->revision = strdup(branch_of(puller, entry));
    if (job->model.id == NULL || job->file.path == NULL || job->revision == NULL ||
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
