/* mirror_pull.h - what the parts of pulling share: mirror_pull.c (answers and its life), mirror_pull_entries.c
 * (what is known of repositories), mirror_pull_jobs.c (what threads do, and who waits for it). Everything
 * belongs to the loop's thread but where a thread is named. */
#ifndef MIRROR_PULL_H
#define MIRROR_PULL_H

#include "mirror_private.h"
#include "mirror_scanner.h"
#include "pull.h"

#define MIRROR_PULL_MAX_ENTRIES 1000

struct wait;

/* What a thread does for those who wait. */
struct job {
    struct mirror *mirror;
    struct entry *entry; /* a question; NULL: a file */
    struct pull_record record;
    struct hub_model model; /* of a file */
    struct hub_file file;
    char *revision; /* as it was asked for, of a file */
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
    struct entry *entries[MIRROR_PULL_MAX_ENTRIES]; /* (n_entries) */
    size_t n_entries;
    struct job *files;
    void (*on_closed)(void *context);
    void *on_closed_context;
};

/* mirror_pull_entries.c: the entry of a name and revision as they were asked for, made if need be; NULL:
 * no memory, or too many are in use. */
struct entry *mirror_pull_find_entry(struct mirror_puller *puller, const char *id,
                                     const char *revision);
void mirror_pull_remove_entry(struct mirror_puller *puller, const struct entry *entry);
void mirror_pull_remove_entries(struct mirror_puller *puller);
/* [a thread] */
model_status mirror_pull_make_snapshot(const struct pull_record *record,
                                       struct mirror_snapshot **ret, struct model_error *err);

/* mirror_pull_jobs.c: the request is answered again when the question has an answer, or the file is here;
 * or it is told why not. */
void mirror_pull_wait_for_answer(struct mirror *mirror, struct entry *entry,
                                 struct http_request *request);
void mirror_pull_wait_for_file(struct mirror *mirror, const struct entry *entry,
                               const struct mirror_file *file, struct http_request *request);
void mirror_pull_reply_busy(struct http_request *request);

/* mirror_pull.c: with is_fresh something was found or fetched for this request. */
void mirror_pull_reply(struct mirror *mirror, const struct mirror_route *route,
                       struct http_request *request, bool is_fresh);

#endif
