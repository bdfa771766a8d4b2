/* mirror_answers.c - see mirror_answers.h; the shapes are those of the hub's API. */
#include "mirror_answers.h"
#include "json_view.h"
#include "mirror_catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#define ID_HEX_DIGITS 24
#define DATE_BYTES    80
#define COMMIT_TITLE  "Content of this mirror"

static const char *date_text(int64_t ns, char text[DATE_BYTES])
{
    time_t seconds = (time_t)(ns / 1000000000);
    struct tm t;
    if (gmtime_r(&seconds, &t) == NULL)
        memset(&t, 0, sizeof t);
    (void)snprintf(text, DATE_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900,
                   t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec,
                   (int)(ns / 1000000 % 1000));
    return text;
}

static char *print_and_free(json_node *root)
{
    char *text = root != NULL ? json_print(root, false) : NULL;
    json_free(root);
    return text;
}

static void add_lfs(json_node *item, const struct mirror_file *file, const char *digest_key)
{
    if (!file->is_lfs)
        return;
    json_node *lfs = json_add_object(item, "lfs");
    json_add_string(lfs, digest_key, file->etag);
    json_add_number(lfs, "size", (double)file->stamp.size_bytes);
    json_add_number(lfs, "pointerSize", (double)file->pointer_bytes);
}

/* ---- about a repository */

/* The hub gives every repository 24 hexadecimal digits; clients take them for opaque. */
static void add_names(json_node *root, const char *id, bool is_gated)
{
    char digest[SHA256_HEX_BYTES] = "";
    if (digest_bytes_sha256(id, strlen(id), digest, NULL) == MODEL_OK)
        json_add_text(root, "_id", digest, ID_HEX_DIGITS);
    json_add_string(root, "id", id);
    json_add_string(root, "modelId", id);
    const char *slash = strchr(id, '/');
    if (slash != NULL)
        json_add_text(root, "author", id, (size_t)(slash - id));
    json_add_bool(root, "private", false);
    if (is_gated)
        json_add_string(root, "gated", "manual");
    else
        json_add_bool(root, "gated", false);
    json_add_bool(root, "disabled", false);
    json_add_number(root, "downloads", 0);
    json_add_number(root, "likes", 0);
    json_add_array(root, "tags");
}

char *mirror_answer_info(const char *id, const struct mirror_snapshot *snapshot, bool is_gated,
                         bool with_blobs)
{
    char date[DATE_BYTES];
    json_node *root = json_new_object();
    add_names(root, id, is_gated);
    json_add_string(root, "sha", snapshot->commit);
    json_add_string(root, "lastModified", date_text(snapshot->modified_ns, date));
    json_add_string(root, "createdAt", date);
    json_add_number(root, "usedStorage", (double)snapshot->total_bytes);
    json_node *siblings = json_add_array(root, "siblings");
    for (size_t i = 0; i < snapshot->n_files; i++) {
        const struct mirror_file *file = &snapshot->files[i];
        json_node *item = json_add_object(siblings, NULL);
        json_add_string(item, "rfilename", file->path);
        if (!with_blobs)
            continue;
        json_add_number(item, "size", (double)file->stamp.size_bytes);
        json_add_string(item, "blobId", file->blob_id);
        add_lfs(item, file, "sha256");
    }
    return print_and_free(root);
}

char *mirror_answer_refs(const struct mirror_snapshot *snapshot)
{
    json_node *root = json_new_object();
    json_node *branch = json_add_object(json_add_array(root, "branches"), NULL);
    json_add_string(branch, "name", "main");
    json_add_string(branch, "ref", "refs/heads/main");
    json_add_string(branch, "targetCommit", snapshot->commit);
    json_add_array(root, "converts");
    json_add_array(root, "tags");
    json_add_array(root, "pullRequests");
    return print_and_free(root);
}

char *mirror_answer_commits(const struct mirror_snapshot *snapshot)
{
    char date[DATE_BYTES];
    json_node *root = json_new_array();
    json_node *commit = json_add_object(root, NULL);
    json_add_string(commit, "id", snapshot->commit);
    json_add_string(commit, "title", COMMIT_TITLE);
    json_add_string(commit, "message", "");
    json_add_string(commit, "date", date_text(snapshot->modified_ns, date));
    json_add_array(commit, "authors");
    return print_and_free(root);
}

char *mirror_answer_whoami(const char *name)
{
    json_node *root = json_new_object();
    json_add_string(root, "type", "user");
    json_add_string(root, "id", "000000000000000000000000");
    json_add_string(root, "name", name);
    json_add_string(root, "fullname", "User of this mirror");
    json_add_bool(root, "emailVerified", false);
    json_add_bool(root, "canPay", false);
    json_add_bool(root, "isPro", false);
    json_add_string(root, "avatarUrl", "");
    json_add_array(root, "orgs");
    json_node *auth = json_add_object(root, "auth");
    json_add_string(auth, "type", "access_token");
    json_node *token = json_add_object(auth, "accessToken");
    json_add_string(token, "displayName", "token");
    json_add_string(token, "role", "read");
    json_add_string(token, "createdAt", "1970-01-01T00:00:00.000Z");
    return print_and_free(root);
}

static bool holds(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; strlen(text) >= length; text++)
        if (strncasecmp(text, part, length) == 0)
            return true;
    return false;
}

static bool is_author(const char *id, const char *author)
{
    const char *slash = strchr(id, '/');
    size_t length = strlen(author);
    return slash != NULL && (size_t)(slash - id) == length && strncasecmp(id, author, length) == 0;
}

char *mirror_answer_list(const struct mirror_catalog *catalog, const char *search,
                         const char *author, size_t limit)
{
    char date[DATE_BYTES];
    json_node *root = json_new_array();
    size_t n = 0;
    for (size_t i = 0; i < catalog->n_repositories && n < limit; i++) {
        const struct mirror_repository *repository = catalog->repositories[i];
        struct stat info;
        if (!repository->is_present || (search != NULL && !holds(repository->id, search)) ||
            (author != NULL && !is_author(repository->id, author)) ||
            stat(repository->folder, &info) != 0)
            continue;
        json_node *item = json_add_object(root, NULL);
        add_names(item, repository->id, mirror_catalog_is_gated(catalog, repository->id));
        int64_t modified_ns = repository->snapshot != NULL ? repository->snapshot->modified_ns
                                                           : mirror_stamp_of(&info).modified_ns;
        json_add_string(item, "lastModified", date_text(modified_ns, date));
        json_add_string(item, "createdAt", date);
        n++;
    }
    return print_and_free(root);
}

/* ---- trees */

static void add_last_commit(json_node *item, const struct mirror_snapshot *snapshot)
{
    char date[DATE_BYTES];
    json_node *commit = json_add_object(item, "lastCommit");
    json_add_string(commit, "id", snapshot->commit);
    json_add_string(commit, "title", COMMIT_TITLE);
    json_add_string(commit, "date", date_text(snapshot->modified_ns, date));
}

static void add_file(json_node *array, const struct mirror_snapshot *snapshot,
                     const struct mirror_file *file, bool is_expanded)
{
    json_node *item = json_add_object(array, NULL);
    json_add_string(item, "type", "file");
    json_add_string(item, "path", file->path);
    json_add_number(item, "size", (double)file->stamp.size_bytes);
    json_add_string(item, "oid", file->blob_id);
    add_lfs(item, file, "oid");
    if (is_expanded)
        add_last_commit(item, snapshot);
}

/* A folder's oid stands for the content below it, as a git tree's does, but is not git's. */
static void add_folder(json_node *array, const struct mirror_snapshot *snapshot, size_t first,
                       size_t last, size_t path_bytes, bool is_expanded)
{
    char oid[SHA1_HEX_BYTES] = "";
    struct digest *digest = NULL;
    if (digest_create_git_blob(last - first, &digest, NULL) != MODEL_OK)
        return;
    for (size_t i = first; i < last; i++) {
        const struct mirror_file *file = &snapshot->files[i];
        digest_update(digest, file->etag, strlen(file->etag));
        digest_update(digest, file->path, strlen(file->path) + 1);
    }
    digest_finish_hex(digest, oid);
    json_node *item = json_add_object(array, NULL);
    json_add_string(item, "type", "directory");
    json_add_text(item, "path", snapshot->files[first].path, path_bytes);
    json_add_number(item, "size", 0);
    json_add_string(item, "oid", oid);
    if (is_expanded)
        add_last_commit(item, snapshot);
}

struct tree_walk {
    const struct mirror_snapshot *snapshot;
    const struct mirror_tree_query *query;
    size_t first, last; /* files below the folder */
    size_t n_items;     /* so far, on the page or not */
    json_node *page;
};

/* Whether the item that comes now is on the page. */
static bool is_on_page(struct tree_walk *walk)
{
    size_t item = walk->n_items++;
    return item >= walk->query->offset && item - walk->query->offset < walk->query->limit;
}

static bool is_past_page(const struct tree_walk *walk)
{
    return walk->n_items > walk->query->offset &&
           walk->n_items - walk->query->offset > walk->query->limit;
}

/* The end of the files that begin with the same path_bytes bytes and a slash as file i. */
static size_t end_of_folder(const struct tree_walk *walk, size_t i, size_t path_bytes)
{
    const char *path = walk->snapshot->files[i].path;
    size_t end = i + 1;
    while (end < walk->last && strncmp(walk->snapshot->files[end].path, path, path_bytes + 1) == 0)
        end++;
    return end;
}

/* The folders that file i is the first one in, then the file. */
static void add_recursively(struct tree_walk *walk, size_t i, size_t prefix_bytes)
{
    const struct mirror_file *file = &walk->snapshot->files[i];
    const char *previous = i > walk->first ? walk->snapshot->files[i - 1].path : "";
    for (const char *slash = strchr(file->path + prefix_bytes, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        size_t path_bytes = (size_t)(slash - file->path);
        if (strncmp(previous, file->path, path_bytes + 1) != 0 && is_on_page(walk))
            add_folder(walk->page, walk->snapshot, i, end_of_folder(walk, i, path_bytes),
                       path_bytes, walk->query->is_expanded);
    }
    if (is_on_page(walk))
        add_file(walk->page, walk->snapshot, file, walk->query->is_expanded);
}

char *mirror_answer_tree(const struct mirror_snapshot *snapshot,
                         const struct mirror_tree_query *query, bool *ret_found, bool *ret_more)
{
    struct tree_walk walk = {.snapshot = snapshot, .query = query, .page = json_new_array()};
    mirror_snapshot_below(snapshot, query->path, &walk.first, &walk.last);
    *ret_found = query->path[0] == '\0' || walk.first < walk.last;
    *ret_more = false;
    if (!*ret_found) {
        json_free(walk.page);
        return NULL;
    }
    size_t prefix_bytes = query->path[0] != '\0' ? strlen(query->path) + 1 : 0;
    for (size_t i = walk.first; i < walk.last && !is_past_page(&walk);) {
        const char *path = snapshot->files[i].path;
        const char *slash = strchr(path + prefix_bytes, '/');
        if (query->is_recursive || slash == NULL) {
            add_recursively(&walk, i++, prefix_bytes);
            continue;
        }
        size_t path_bytes = (size_t)(slash - path), end = end_of_folder(&walk, i, path_bytes);
        if (is_on_page(&walk))
            add_folder(walk.page, snapshot, i, end, path_bytes, query->is_expanded);
        i = end;
    }
    *ret_more = is_past_page(&walk);
    return print_and_free(walk.page);
}

char *mirror_answer_paths(const struct mirror_snapshot *snapshot, char *const *paths,
                          size_t n_paths, bool is_expanded)
{
    json_node *root = json_new_array();
    for (size_t i = 0; i < n_paths; i++) {
        const struct mirror_file *file = mirror_snapshot_find(snapshot, paths[i]);
        size_t first = 0, last = 0;
        if (file != NULL) {
            add_file(root, snapshot, file, is_expanded);
            continue;
        }
        if (paths[i][0] != '\0')
            mirror_snapshot_below(snapshot, paths[i], &first, &last);
        if (first < last)
            add_folder(root, snapshot, first, last, strlen(paths[i]), is_expanded);
    }
    return print_and_free(root);
}
