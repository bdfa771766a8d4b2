/* mirror.c - see mirror.h: the mirror's life, who may ask for what, and under which name. */
#include "mirror_private.h"
#include "errors.h"
#include "files.h"
#include "http_text.h"
#include "mirror_access_log.h"
#include "mirror_archive.h"
#include "mirror_answers.h"
#include "mirror_fault.h"
#include "mirror_scanner.h"
#include "mirror_tokens.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <uv.h>

#define REFRESH_AFTER_MS 1000 /* an unknown name makes the folder be read again, this often */
#define LIST_LIMIT       10000

/* ---- who may ask */

/* The bearer token of the request, NULL without one. */
static const char *bearer(const struct http_request *request)
{
    const char *value = http_request_header(request, "Authorization");
    if (value == NULL || strncasecmp(value, "Bearer ", 7) != 0)
        return NULL;
    value += 7 + strspn(value + 7, " ");
    return *value != '\0' ? value : NULL;
}

/* NULL: no token, or an unknown one. */
static const struct mirror_token *token_of(const struct mirror *mirror,
                                           const struct http_request *request)
{
    const char *token = bearer(request);
    return token != NULL ? mirror_tokens_find(mirror->options.tokens, token) : NULL;
}

/* A wrong token is refused also where none is needed: its owner wants to know. */
static bool may_ask(const struct mirror *mirror, const struct http_request *request)
{
    if (mirror_tokens_count(mirror->options.tokens) == 0 ||
        (mirror->options.is_open && bearer(request) == NULL))
        return true;
    return token_of(mirror, request) != NULL;
}

/* Without a list of tokens, any opens what is gated. */
static bool may_read(const struct mirror *mirror, const struct http_request *request,
                     const char *id)
{
    if (!mirror_catalog_is_gated(&mirror->catalog, id))
        return true;
    if (mirror_tokens_count(mirror->options.tokens) == 0)
        return bearer(request) != NULL;
    const struct mirror_token *token = token_of(mirror, request);
    return token != NULL && mirror_token_opens(token, id);
}

void mirror_finished(void *context, const struct http_request *request,
                     const struct http_outcome *outcome)
{
    const struct mirror *mirror = context;
    if (mirror->options.access_log == NULL)
        return;
    const struct mirror_token *token = token_of(mirror, request);
    mirror_access_log_write(mirror->options.access_log, request,
                            token != NULL ? mirror_token_name(token) : NULL, outcome);
}

/* Without a code clients take a 401 for a repository that is not there. A wrong token has none: of "GatedRepo" they
 * would say that its owner has not been let in. */
static void reply_unauthorized(struct http_request *request)
{
    const bool has_token = bearer(request) != NULL;
    http_reply_header(request, "WWW-Authenticate", "Bearer realm=\"mirror\"");
    mirror_reply_error(request, 401, has_token ? NULL : "GatedRepo",
                       has_token ? "this mirror does not know the token"
                                 : "this mirror wants a token: set HF_TOKEN");
}

/* ---- repositories */

void mirror_redirect(struct http_request *request, const struct mirror_route *route, const char *id)
{
    const char *raw_path = http_request_raw_path(request), *query = http_request_query(request);
    struct buffer location = BUFFER_INIT(32768);
    model_status status = buffer_append(&location, raw_path, route->id_at);
    if (status == MODEL_OK)
        status = http_percent_encode(id, &location);
    if (status == MODEL_OK)
        status = buffer_append_text(&location, raw_path + route->id_at + route->id_bytes);
    if (status == MODEL_OK && query != NULL)
        status = buffer_printf(&location, "?%s", query);
    if (status == MODEL_OK) {
        http_reply_header(request, "Location", location.data);
        http_reply_text(request, 307, "text/plain; charset=utf-8",
                        "the repository has another name\n");
    } else {
        mirror_reply_error(request, 503, NULL, "out of memory; try again");
    }
    buffer_finish(&location);
}

/* With another hub behind this one, a name that only resembles one of ours is that hub's. */
static struct mirror_repository *look_up(const struct mirror *mirror, const char *id)
{
    return mirror->options.upstream != NULL ? mirror_catalog_find_named(&mirror->catalog, id)
                                            : mirror_catalog_find(&mirror->catalog, id);
}

static struct mirror_repository *find(struct mirror *mirror, const char *id)
{
    struct mirror_repository *found = look_up(mirror, id);
    uint64_t now_ms = uv_now(mirror->loop);
    if ((found == NULL || strcmp(found->id, id) != 0) &&
        now_ms - mirror->refreshed_ms > REFRESH_AFTER_MS) {
        mirror->refreshed_ms = now_ms;
        (void)mirror_catalog_refresh(&mirror->catalog, NULL);
        found = look_up(mirror, id);
    }
    return found;
}

static void handle_repository(struct mirror *mirror, const struct mirror_route *route,
                              struct http_request *request)
{
    struct mirror_repository *repository = find(mirror, route->id);
    if (repository == NULL && mirror->options.upstream == NULL)
        mirror_reply_no_repository(request, route->id);
    else if (repository != NULL && strcmp(repository->id, route->id) != 0)
        mirror_redirect(request, route, repository->id);
    else if (mirror_route_is_file(route) && !may_read(mirror, request, route->id))
        mirror_reply_error(request, 403, "GatedRepo",
                           "Access to model %s is restricted: give a token that may read it",
                           route->id);
    else if (repository == NULL || mirror->store != NULL)
        mirror_pull_answer(mirror, route, request);
    else
        mirror_answer(mirror, repository, route, request);
}

/* ---- requests */

static void reply_index(const struct mirror *mirror, struct http_request *request)
{
    struct buffer text = BUFFER_INIT(1u << 24);
    model_status status = buffer_append_text(&text, "A mirror of models. Set HF_ENDPOINT to this "
                                                    "address; /api/models lists them:\n\n");
    for (size_t i = 0; status == MODEL_OK && i < mirror->catalog.n_repositories; i++)
        if (mirror->catalog.repositories[i]->is_present)
            status = buffer_printf(&text, "%s\n", mirror->catalog.repositories[i]->id);
    if (status == MODEL_OK)
        http_reply(request, 200, "text/plain; charset=utf-8", text.data, text.size);
    else
        mirror_reply_error(request, 503, NULL, "out of memory; try again");
    buffer_finish(&text);
}

static void reply_list(struct mirror *mirror, struct http_request *request)
{
    char *search = NULL, *author = NULL, *limit = NULL;
    const char *query = http_request_query(request);
    (void)http_query_value(query, "search", &search, NULL);
    (void)http_query_value(query, "author", &author, NULL);
    (void)http_query_value(query, "limit", &limit, NULL);
    unsigned long n = limit != NULL ? strtoul(limit, NULL, 10) : LIST_LIMIT;
    mirror_reply_json(request, mirror_answer_list(&mirror->catalog, search, author,
                                                  n > 0 && n < LIST_LIMIT ? n : LIST_LIMIT));
    free(search);
    free(author);
    free(limit);
}

static void reply_whoami(const struct mirror *mirror, struct http_request *request)
{
    const struct mirror_token *token = token_of(mirror, request);
    mirror_reply_json(request,
                      mirror_answer_whoami(token != NULL ? mirror_token_name(token) : "mirror"));
}

static bool method_is_known(const struct http_request *request, const struct mirror_route *route)
{
    const char *method = http_request_method(request);
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
           (strcmp(method, "POST") == 0 && route->kind == MIRROR_PATHS_INFO);
}

static void dispatch(struct mirror *mirror, const struct mirror_route *route,
                     struct http_request *request)
{
    if (!method_is_known(request, route))
        mirror_reply_no_method(request, route->kind == MIRROR_PATHS_INFO ? "POST" : "GET, HEAD");
    else if (route->kind == MIRROR_CDN)
        mirror_reply_error(request, 404, NULL, "this is not the content network");
    else if (!may_ask(mirror, request))
        reply_unauthorized(request);
    else if (route->kind == MIRROR_WHOAMI && bearer(request) == NULL)
        reply_unauthorized(request);
    else if (route->kind == MIRROR_WHOAMI)
        reply_whoami(mirror, request);
    else if (route->kind == MIRROR_INDEX)
        reply_index(mirror, request);
    else if (route->kind == MIRROR_LIST)
        reply_list(mirror, request);
    else
        handle_repository(mirror, route, request);
}

void mirror_handle(void *context, struct http_request *request)
{
    struct mirror *mirror = context;
    struct mirror_route route;
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = mirror_route_parse(http_request_raw_path(request), &route, &err);
    if (status != MODEL_OK) {
        mirror_reply_status(request, status, &err);
        return;
    }
    if (mirror->faults == NULL || !mirror_fault_request(mirror, &route, request))
        dispatch(mirror, &route, request);
    mirror_route_finish(&route);
}

/* ---- its life */

/* What fill() made. */
static void destroy(struct mirror *mirror)
{
    for (size_t i = 0; i < mirror->catalog.n_repositories; i++)
        mirror_snapshot_destroy(mirror->catalog.repositories[i]->snapshot);
    mirror_catalog_finish(&mirror->catalog);
    mirror_faults_destroy(mirror->faults);
    mirror_archive_close(mirror->archive);
    store_close(mirror->store);
    free(mirror);
}

static void free_mirror(void *context)
{
    struct mirror *mirror = context;
    void (*on_closed)(void *) = mirror->on_closed;
    void *on_closed_context = mirror->on_closed_context;
    destroy(mirror);
    if (on_closed != NULL)
        on_closed(on_closed_context);
}

static void close_scanner(void *context)
{
    struct mirror *mirror = context;
    mirror_scanner_close(mirror->scanner, free_mirror, mirror);
}

void mirror_close(struct mirror *mirror, void (*on_closed)(void *context), void *context)
{
    mirror->is_closing = true;
    mirror->on_closed = on_closed;
    mirror->on_closed_context = context;
    mirror_puller_close(mirror->puller, close_scanner, mirror);
}

/* A store is told by its folders. */
static model_status open_store(struct mirror *mirror, struct model_error *err)
{
    char *blobs = path_join(mirror->options.folder, "blobs/sha256");
    char *packages = path_join(mirror->options.folder, "packages");
    bool is_store =
        blobs != NULL && packages != NULL && path_is_dir(blobs) && path_is_dir(packages);
    model_status status =
        blobs != NULL && packages != NULL ? MODEL_OK : error_no_memory(err, "a path");
    free(blobs);
    free(packages);
    return is_store ? store_open(mirror->options.folder, 0, &mirror->store, err) : status;
}

static model_status open_folder(struct mirror *mirror, struct model_error *err)
{
    const struct mirror_options *options = &mirror->options;
    model_status status = open_store(mirror, err);
    if (status == MODEL_OK)
        status = mirror_catalog_init(options->folder, mirror->store, options->aliases,
                                     options->n_aliases, options->log, &mirror->catalog, err);
    if (status == MODEL_NOT_FOUND)
        error_advise(err, "give the folder that holds OWNER/NAME/... or NAME/...");
    return status;
}

/* The catalog of an archive has one repository. */
static model_status open_archive(struct mirror *mirror, struct model_error *err)
{
    const struct mirror_options *options = &mirror->options;
    if (options->upstream != NULL)
        return error_set(
            err, MODEL_INVALID_ARGUMENT,
            "cannot keep what comes from %.300s in %.300s: it is a file; give a folder",
            options->upstream, options->folder);
    model_status status = mirror_archive_open(options->folder, &mirror->archive, err);
    if (status == MODEL_OK)
        status = mirror_catalog_init_file(options->folder, mirror_archive_id(mirror->archive),
                                          options->aliases, options->n_aliases, options->log,
                                          &mirror->catalog, err);
    if (status != MODEL_OK)
        return status;
    struct mirror_repository *repository = mirror->catalog.repositories[0];
    repository->archive = mirror->archive;
    return mirror_archive_snapshot(mirror->archive, &repository->snapshot, err);
}

/* All that needs no loop. */
static model_status fill(struct mirror *mirror, struct model_error *err)
{
    const struct mirror_options *options = &mirror->options;
    model_status status =
        path_is_file(options->folder) ? open_archive(mirror, err) : open_folder(mirror, err);
    if (status != MODEL_OK)
        return status;
    mirror->catalog.gated = options->gated;
    mirror->catalog.n_gated = options->n_gated;
    if (options->upstream == NULL)
        status = mirror_catalog_check_names(&mirror->catalog, err);
    if (status == MODEL_OK && options->n_faults > 0)
        status = mirror_faults_create(options->faults, options->n_faults, &mirror->faults, err);
    return status;
}

model_status mirror_create(uv_loop_t *loop, const struct mirror_options *options,
                           struct mirror **ret, struct model_error *err)
{
    struct mirror *mirror = calloc(1, sizeof *mirror);
    if (mirror == NULL)
        return error_no_memory(err, "the mirror");
    mirror->loop = loop;
    mirror->options = *options;
    model_status status = fill(mirror, err);
    if (status == MODEL_OK && (options->upstream != NULL || mirror->store != NULL))
        status = mirror_puller_create(mirror, err);
    if (status == MODEL_OK)
        status = mirror_scanner_create(loop, options->log, &mirror->scanner, err);
    if (status != MODEL_OK) {
        mirror_puller_close(mirror->puller, NULL, NULL);
        destroy(mirror);
        return status;
    }
    if (mirror->archive != NULL)
        mirror_archive_use(mirror->archive, mirror->scanner);
    mirror->refreshed_ms = uv_now(loop);
    *ret = mirror;
    return MODEL_OK;
}

size_t mirror_n_repositories(const struct mirror *mirror)
{
    size_t n = 0;
    for (size_t i = 0; i < mirror->catalog.n_repositories; i++)
        n += mirror->catalog.repositories[i]->is_present ? 1 : 0;
    return n;
}

bool mirror_wants_cdn(const struct mirror *mirror)
{
    return mirror_fault_is_on(mirror->faults, FAULT_CDN_302);
}

void mirror_set_cdn(struct mirror *mirror, const char *url)
{
    (void)snprintf(mirror->cdn_url, sizeof mirror->cdn_url, "%s", url);
}
