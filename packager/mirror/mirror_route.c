/* mirror_route.c - see mirror_route.h. No state.
 *
 * An id has one part or two, so the address is cut at the literal word behind it: at the third segment
 * if that is one, else at the second. */
#include "mirror_route.h"
#include "errors.h"
#include "http_text.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SEGMENTS 64 /* cut apart one by one; what follows stays one piece */

struct segments {
    const char *at[MAX_SEGMENTS];
    size_t size_bytes[MAX_SEGMENTS]; /* the last one holds all of the rest */
    size_t n;
};

static const struct {
    const char *word;
    enum mirror_route_kind kind;
    bool wants_revision;
} api_words[] =
    {
        {"revision", MIRROR_INFO, true},         {"tree", MIRROR_TREE, true},
        {"paths-info", MIRROR_PATHS_INFO, true}, {"refs", MIRROR_REFS, false},
        {"commits", MIRROR_COMMITS, true},       {"xet-read-token", MIRROR_XET_TOKEN, true},
},
  file_words[] = {
      {"resolve", MIRROR_RESOLVE, true},
      {"raw", MIRROR_RAW, true},
};

static void split(const char *path, struct segments *ret)
{
    ret->n = 0;
    while (*path == '/' && ret->n < MAX_SEGMENTS) {
        path++;
        size_t size_bytes = ret->n + 1 < MAX_SEGMENTS ? strcspn(path, "/") : strlen(path);
        if (size_bytes == 0 && path[0] == '\0')
            break; /* a slash at the end */
        ret->at[ret->n] = path;
        ret->size_bytes[ret->n++] = size_bytes;
        path += size_bytes;
    }
}

static bool segment_is(const struct segments *segments, size_t i, const char *word)
{
    return i < segments->n && segments->size_bytes[i] == strlen(word) &&
           memcmp(segments->at[i], word, segments->size_bytes[i]) == 0;
}

/* Segments first..last-1, decoded as one text. */
static model_status decode(const struct segments *segments, size_t first, size_t last, char **ret,
                           struct model_error *err)
{
    if (first >= last) {
        char *empty = calloc(1, 1);
        if (empty == NULL)
            return error_no_memory(err, "an address");
        *ret = empty;
        return MODEL_OK;
    }
    const char *end = segments->at[last - 1] + segments->size_bytes[last - 1];
    return http_percent_decode(segments->at[first], (size_t)(end - segments->at[first]), false, ret,
                               err);
}

/* "refs/pr/1" without its slashes encoded takes three segments. */
static size_t revision_segments(const struct segments *segments, size_t first)
{
    bool is_plain =
        segment_is(segments, first, "refs") &&
        (segment_is(segments, first + 1, "pr") || segment_is(segments, first + 1, "heads") ||
         segment_is(segments, first + 1, "tags") || segment_is(segments, first + 1, "convert"));
    return is_plain && first + 2 < segments->n ? 3 : 1;
}

static model_status not_an_address(struct model_error *err)
{
    return error_set(err, MODEL_NOT_FOUND,
                     "there is no such page; this is a mirror of models: see "
                     "/api/models, /api/models/ID and /ID/resolve/main/FILE");
}

static model_status set_id(const char *raw_path, const struct segments *segments, size_t first,
                           size_t last, struct mirror_route *route, struct model_error *err)
{
    route->id_at = (size_t)(segments->at[first] - raw_path);
    route->id_bytes =
        (size_t)(segments->at[last - 1] - segments->at[first]) + segments->size_bytes[last - 1];
    return decode(segments, first, last, &route->id, err);
}

/* Behind the word at segment `word`: revision and path. */
static model_status set_rest(const struct segments *segments, size_t word, bool has_revision,
                             struct mirror_route *route, struct model_error *err)
{
    static const struct segments nothing = {.n = 0};
    size_t first = word + 1, path_first = first;
    model_status status;
    if (has_revision && first < segments->n) {
        path_first = first + revision_segments(segments, first);
        status = decode(segments, first, path_first, &route->revision, err);
    } else {
        route->revision = strdup("main");
        status = route->revision != NULL ? MODEL_OK : error_no_memory(err, "an address");
    }
    if (status != MODEL_OK)
        return status;
    return path_first < segments->n ? decode(segments, path_first, segments->n, &route->path, err)
                                    : decode(&nothing, 0, 0, &route->path, err);
}

static model_status parse_api(const char *raw_path, const struct segments *segments,
                              struct mirror_route *route, struct model_error *err)
{
    for (size_t n_id = 2; n_id >= 1; n_id--)
        for (size_t i = 0; i < sizeof api_words / sizeof api_words[0]; i++) {
            size_t word = 2 + n_id;
            if (!segment_is(segments, word, api_words[i].word) ||
                (api_words[i].wants_revision && word + 1 >= segments->n))
                continue;
            route->kind = api_words[i].kind;
            model_status status = set_id(raw_path, segments, 2, word, route, err);
            return status != MODEL_OK
                       ? status
                       : set_rest(segments, word, api_words[i].wants_revision, route, err);
        }
    if (segments->n > 4)
        return not_an_address(err);
    route->kind = MIRROR_INFO;
    model_status status = set_id(raw_path, segments, 2, segments->n, route, err);
    return status != MODEL_OK ? status : set_rest(segments, segments->n, false, route, err);
}

static model_status parse_file(const char *raw_path, const struct segments *segments,
                               struct mirror_route *route, struct model_error *err)
{
    for (size_t word = 2; word >= 1; word--)
        for (size_t i = 0; i < sizeof file_words / sizeof file_words[0]; i++) {
            if (!segment_is(segments, word, file_words[i].word) || word + 1 >= segments->n)
                continue;
            route->kind = file_words[i].kind;
            model_status status = set_id(raw_path, segments, 0, word, route, err);
            return status != MODEL_OK ? status : set_rest(segments, word, true, route, err);
        }
    return not_an_address(err);
}

static bool is_commit(const struct segments *segments, size_t i)
{
    return i < segments->n && segments->size_bytes[i] == 40 &&
           strspn(segments->at[i], "0123456789abcdef") >= 40;
}

/* Behind "/api/resolve-cache/models": the id ends where the commit stands. */
static model_status parse_cached(const char *raw_path, const struct segments *segments,
                                 struct mirror_route *route, struct model_error *err)
{
    size_t commit = is_commit(segments, 4) ? 4 : 5;
    if (!is_commit(segments, commit) || commit + 1 >= segments->n)
        return not_an_address(err);
    route->kind = MIRROR_CACHED;
    model_status status = set_id(raw_path, segments, 3, commit, route, err);
    return status != MODEL_OK ? status : set_rest(segments, commit - 1, true, route, err);
}

/* Behind "/~cdn", which is nobody's name: as resolve. */
static model_status parse_cdn(const char *raw_path, const struct segments *segments,
                              struct mirror_route *route, struct model_error *err)
{
    size_t word = segment_is(segments, 3, "resolve") ? 3 : 2;
    if (!segment_is(segments, word, "resolve") || word + 2 >= segments->n)
        return not_an_address(err);
    route->kind = MIRROR_CDN;
    model_status status = set_id(raw_path, segments, 1, word, route, err);
    return status != MODEL_OK ? status : set_rest(segments, word, true, route, err);
}

static void trim_slashes(char *path)
{
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] == '/')
        path[--length] = '\0';
}

model_status mirror_route_parse(const char *raw_path, struct mirror_route *ret,
                                struct model_error *err)
{
    struct segments segments;
    struct mirror_route route = {0};
    model_status status = MODEL_OK;
    split(raw_path, &segments);
    if (raw_path[0] != '/')
        status = not_an_address(err);
    else if (segments.n == 0)
        route.kind = MIRROR_INDEX;
    else if (segments.n == 2 && segment_is(&segments, 0, "api") &&
             segment_is(&segments, 1, "whoami-v2"))
        route.kind = MIRROR_WHOAMI;
    else if (segments.n == 2 && segment_is(&segments, 0, "api") &&
             segment_is(&segments, 1, "models"))
        route.kind = MIRROR_LIST;
    else if (segment_is(&segments, 0, "api") && segment_is(&segments, 1, "models"))
        status = parse_api(raw_path, &segments, &route, err);
    else if (segment_is(&segments, 0, "api") && segment_is(&segments, 1, "resolve-cache") &&
             segment_is(&segments, 2, "models"))
        status = parse_cached(raw_path, &segments, &route, err);
    else if (segment_is(&segments, 0, "~cdn"))
        status = parse_cdn(raw_path, &segments, &route, err);
    else
        status = parse_file(raw_path, &segments, &route, err);
    if (status != MODEL_OK) {
        mirror_route_finish(&route);
        return status;
    }
    if (route.path != NULL)
        trim_slashes(route.path);
    *ret = route;
    return MODEL_OK;
}

void mirror_route_finish(struct mirror_route *route)
{
    free(route->id);
    free(route->revision);
    free(route->path);
    *route = (struct mirror_route){0};
}

bool mirror_route_is_file(const struct mirror_route *route)
{
    return route->kind >= MIRROR_RESOLVE;
}
