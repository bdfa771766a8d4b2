/* hub.h - a hub as its users see it: models with revisions, their files, and getting a file's bytes.
 *
 * One hub belongs to one thread at a time. Everything that comes from the server is bounded and
 * checked before it is handed up: ids and commits have their form, paths are safe names. */
#ifndef HUB_H
#define HUB_H

#include "hub_headers.h"
#include "hub_http.h"
#include "hub_url.h"
#include "log.h"

#define HUB_MAX_MODEL_BYTES  (16u << 20) /* of the answer about a model */
#define HUB_MAX_PAGE_BYTES   (32u << 20) /* of a page of its files: HUB_MAX_FILES fit on one */
#define HUB_MAX_JSON_VALUES  (1u << 20)  /* of either */
#define HUB_MAX_PAGES        1000u
#define HUB_MAX_FILES        100000u
#define HUB_MAX_REDIRECTS    10
#define HUB_MAX_ATTEMPTS     5
#define HUB_MAX_CONNECTS     3      /* attempts when nobody answers at all */
#define HUB_MAX_WAIT_MS      300000 /* that a server may ask for; more is an error at once */
#define HUB_STALL_TIMEOUT_MS 30000
#define HUB_TEXT_TIMEOUT_MS  120000 /* for the whole of an answer that is no file */
#define HUB_LIST_TIMEOUT_MS  600000 /* for all pages of a list, and the waits in between */
#define HUB_COMMIT_BYTES     41

/* Time, so that tests need not wait. sleep_ms may come back early; now_s is the date, in seconds since
 * 1970; now_ms never goes back. */
struct hub_clock {
    void (*sleep_ms)(void *context, int64_t ms);
    int64_t (*now_s)(void *context);
    int64_t (*now_ms)(void *context);
    void *context;
};

/* How to reach a hub. Pointers must live as long as the hub. */
struct hub_config {
    const char *endpoint;         /* NULL: the default */
    const char *endpoint_setting; /* what sets it, for advice; NULL: "HF_ENDPOINT, --endpoint" */
    const char *token; /* shown to the endpoint's own scheme, host and port only; NULL: none */
    int64_t stall_timeout_ms;     /* see struct hub_exchange; 0: HUB_STALL_TIMEOUT_MS */
    struct hub_http_options http; /* for libcurl's transport */
    struct log_sink log;          /* told about waiting and trying again */
    bool (*cancelled)(void *context);
    void *cancel_context;
    const struct hub_transport *transport; /* NULL: libcurl */
    const struct hub_clock *clock;         /* NULL: the system's */
};

struct hub;

model_status hub_create(const struct hub_config *config, struct hub **ret, struct model_error *err);
void hub_destroy(struct hub *hub);
const char *hub_endpoint(const struct hub *hub);

/* ---- models and files */

struct hub_model {
    char *id;                      /* canonical: a renamed or legacy name is resolved */
    char commit[HUB_COMMIT_BYTES]; /* what the revision means now */
};

/* Asks what `revision` of `id` is. The id is "ns/name" or "name". MODEL_NOT_FOUND: no such model or
 * revision; MODELHOST_UNAUTHORIZED: gated, private, or a wrong token; the sentence says what to do. */
model_status hub_find_model(struct hub *hub, const char *id, const char *revision,
                            struct hub_model *ret, struct model_error *err);
void hub_model_finish(struct hub_model *model);

struct hub_file {
    char *path; /* path_is_safe() */
    uint64_t size_bytes;
    struct hub_digest digest; /* of the content; kind NONE when the hub does not say */
};

struct hub_files {
    struct hub_file *files; /* (n_files), ordered by path, each once */
    size_t n_files;
};

/* The files of a commit, all pages. MODEL_CORRUPT: the listing breaks the rules. */
model_status hub_list_files(struct hub *hub, const struct hub_model *model, struct hub_files *ret,
                            struct model_error *err);
void hub_files_finish(struct hub_files *files);

/* ---- bytes */

/* Whoever takes the bytes of an answer. restart() is called before each attempt: what came before is
 * void. */
struct hub_receiver {
    model_status (*restart)(void *context, struct model_error *err);
    model_status (*write)(void *context, const void *data, size_t size_bytes,
                          struct model_error *err);
    void *context;
};

/* What an address stands for, to name it in errors. path NULL: the model as a whole. */
struct hub_subject {
    const char *id, *revision, *path;
};

struct hub_request {
    const char *url; /* of the hub, or one that it named */
    const struct hub_subject *subject;
    int64_t timeout_ms; /* for a whole answer; 0: none, as long as bytes come */
    /* Of a chain of requests where each answer names the next, such as pages: false at its start,
     * becomes true when a redirect or an address leaves the endpoint. NULL: a chain of its own. */
    bool *has_left;
};

/* GETs it: follows redirects by hand, shows the token to the endpoint only, and never again in this
 * chain once that was left; repeats what is worth repeating. On success *ret holds the answer (a 200),
 * and *ret_digest (may be NULL) the content's digest if the hub's own headers gave one. */
model_status hub_get(struct hub *hub, const struct hub_request *request,
                     const struct hub_receiver *receiver, struct hub_response *ret,
                     struct hub_digest *ret_digest, struct model_error *err);

/* The address of one file of a commit, to be freed. */
model_status hub_file_url(const struct hub *hub, const struct hub_model *model, const char *path,
                          char **ret, struct model_error *err);

/* GETs one file of a commit. */
model_status hub_get_file(struct hub *hub, const struct hub_model *model, const char *path,
                          const struct hub_receiver *receiver, struct hub_digest *ret_digest,
                          struct model_error *err);

/* MODEL_INVALID_ARGUMENT for what cannot stand in a header; the sentence does not show it. */
model_status hub_check_token(const char *token, struct model_error *err);

/* The sentence and status for an answer other than 200 (hub_errors.c). had_token: one was shown;
 * wait_ms: what the server asks for, -1 when it does not. */
model_status hub_explain(const struct hub_response *response, const char *endpoint,
                         const struct hub_subject *subject, bool had_token, int64_t wait_ms,
                         struct model_error *err);

#endif
