/* mirror_api.c - the replies below /api/models/ID; see mirror_private.h. */
#include "mirror_private.h"
#include "errors.h"
#include "http_text.h"
#include "mirror_answers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_CURSOR 10000000

static bool flag(const struct http_request *request, const char *name)
{
    char *value = NULL;
    bool is_true = http_query_value(http_request_query(request), name, &value, NULL) == MODEL_OK &&
                   mirror_is_true(value);
    free(value);
    return is_true;
}

/* A number of the query, or the fallback; MODEL_INVALID_ARGUMENT when it is something else. */
static model_status number(const struct http_request *request, const char *name, size_t fallback,
                           size_t *ret, struct model_error *err)
{
    char *value = NULL;
    model_status status = http_query_value(http_request_query(request), name, &value, err);
    if (status == MODEL_NOT_FOUND) {
        *ret = fallback;
        return MODEL_OK;
    }
    if (status != MODEL_OK)
        return status;
    size_t digits = strspn(value, "0123456789");
    bool is_good = digits > 0 && digits <= 8 && value[digits] == '\0';
    unsigned long read = is_good ? strtoul(value, NULL, 10) : 0;
    free(value);
    if (!is_good || read > MAX_CURSOR)
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%s' is not a number between 0 and %d", name,
                         MAX_CURSOR);
    *ret = read;
    return MODEL_OK;
}

/* The next page names the commit, so that the pages of one listing are of one content. */
static model_status add_next_link(struct http_request *request, const char *id,
                                  const struct mirror_snapshot *snapshot,
                                  const struct mirror_tree_query *query)
{
    char base[MIRROR_BASE_BYTES];
    struct buffer link = BUFFER_INIT(16384);
    model_status status = buffer_printf(&link, "<%s/api/models/%s/tree/%s",
                                        mirror_base_url(request, base), id, snapshot->commit);
    if (status == MODEL_OK && query->path[0] != '\0') {
        status = buffer_append_text(&link, "/");
        if (status == MODEL_OK)
            status = http_percent_encode(query->path, &link);
    }
    if (status == MODEL_OK)
        status = buffer_printf(&link, "?recursive=%s&expand=%s&limit=%zu&cursor=%zu>; rel=\"next\"",
                               query->is_recursive ? "true" : "false",
                               query->is_expanded ? "true" : "false", query->limit,
                               query->offset + query->limit);
    if (status == MODEL_OK)
        http_reply_header(request, "Link", link.data);
    buffer_finish(&link);
    return status;
}

static void reply_tree(struct mirror *mirror, const struct mirror_repository *repository,
                       const struct mirror_route *route, struct http_request *request)
{
    const struct mirror_snapshot *snapshot = repository->snapshot;
    struct model_error err = MODEL_ERROR_INIT;
    char path[MIRROR_SHOWN_BYTES], revision[MIRROR_SHOWN_BYTES];
    size_t page_size = mirror->options.page_size > 0 ? mirror->options.page_size : MIRROR_PAGE_SIZE;
    struct mirror_tree_query query = {.path = route->path,
                                      .is_recursive = flag(request, "recursive"),
                                      .is_expanded = flag(request, "expand")};
    model_status status = number(request, "limit", page_size, &query.limit, &err);
    if (status == MODEL_OK)
        status = number(request, "cursor", 0, &query.offset, &err);
    if (status != MODEL_OK) {
        mirror_reply_status(request, status, &err);
        return;
    }
    if (query.limit == 0 || query.limit > page_size)
        query.limit = page_size;
    bool found, more;
    char *text = mirror_answer_tree(snapshot, &query, &found, &more);
    if (!found) {
        mirror_reply_error(request, 404, "EntryNotFound", "%s does not exist on \"%s\"",
                           mirror_shown(route->path, path),
                           mirror_shown(route->revision, revision));
        return;
    }
    if (text != NULL && more &&
        add_next_link(request, repository->id, snapshot, &query) != MODEL_OK) {
        free(text);
        text = NULL; /* half a listing must not look like a whole one */
    }
    mirror_reply_json(request, text);
}

static void reply_paths(const struct mirror_repository *repository, struct http_request *request)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct mirror_paths paths = {0};
    size_t size_bytes;
    const char *body = http_request_body(request, &size_bytes);
    if (strcmp(http_request_method(request), "POST") != 0) {
        mirror_reply_no_method(request, "POST");
        return;
    }
    model_status status = mirror_paths_parse(http_request_header(request, "Content-Type"), body,
                                             size_bytes, &paths, &err);
    if (status != MODEL_OK) {
        mirror_reply_status(request, status, &err);
        return;
    }
    mirror_reply_json(request, mirror_answer_paths(repository->snapshot, paths.paths, paths.n,
                                                   paths.is_expanded));
    mirror_paths_finish(&paths);
}

void mirror_reply_api(struct mirror *mirror, const struct mirror_repository *repository,
                      const struct mirror_route *route, struct http_request *request)
{
    const struct mirror_snapshot *snapshot = repository->snapshot;
    switch (route->kind) {
    case MIRROR_INFO:
        http_reply_header(request, "X-Repo-Commit", snapshot->commit);
        mirror_reply_json(
            request, mirror_answer_info(repository->id, snapshot,
                                        mirror_catalog_is_gated(&mirror->catalog, repository->id),
                                        flag(request, "blobs")));
        break;
    case MIRROR_TREE:
        reply_tree(mirror, repository, route, request);
        break;
    case MIRROR_PATHS_INFO:
        reply_paths(repository, request);
        break;
    case MIRROR_REFS:
        mirror_reply_json(request, mirror_answer_refs(snapshot));
        break;
    case MIRROR_COMMITS:
        mirror_reply_json(request, mirror_answer_commits(snapshot));
        break;
    default:
        mirror_reply_error(request, 404, "EntryNotFound",
                           "this mirror has no Xet storage: fetch files with /%s/resolve/REV/FILE",
                           repository->id);
    }
}
