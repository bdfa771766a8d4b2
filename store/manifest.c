/* manifest.c - see manifest.h. The files array grows by doubling: its capacity is the next power of
 * two of n_files. A manifest belongs to one thread while it changes. */
#include "manifest.h"
#include "errors.h"
#include "files.h"
#include "json_view.h"
#include "package_members.h"
#include "printable_text.h"
#include "string_map.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define FILE_NAME "metadata.json"
#define MAX_TEXT  2048                     /* of an id, a revision, an endpoint */
#define MAX_SIZE  (((int64_t)1 << 53) - 1) /* exact in JSON */

static const struct {
    const char *key;
    size_t offset;
    bool needed;
} texts[] = {
    {"id", offsetof(struct manifest, id), true},
    {"requested_id", offsetof(struct manifest, requested_id), false},
    {"requested_revision", offsetof(struct manifest, requested_revision), false},
    {"revision", offsetof(struct manifest, revision), true},
    {"endpoint", offsetof(struct manifest, endpoint), false},
    {"created", offsetof(struct manifest, created), false},
};

#define N_TEXTS (sizeof texts / sizeof texts[0])

static char **text_field(struct manifest *manifest, size_t index)
{
    return (char **)(void *)((char *)manifest + texts[index].offset);
}

static const char *text_of(const struct manifest *manifest, size_t index)
{
    const char *text = *(char *const *)(const void *)((const char *)manifest + texts[index].offset);
    return text != NULL ? text : "";
}

/* ---- checks */

static bool is_sha256(const char *hex)
{
    return strlen(hex) == SHA256_HEX_BYTES - 1 &&
           strspn(hex, "0123456789abcdef") == SHA256_HEX_BYTES - 1;
}

static bool is_plain_text(const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++)
        if (utf8_control_bytes(text + i, length - i) > 0)
            return false;
    return length <= MAX_TEXT;
}

static model_status check_file(const char *what, const char *path, const char *source,
                               const char *sha256, struct model_error *err)
{
    char shown[PRINTABLE_TEXT_BYTES];
    if (!path_is_safe(path))
        return error_set(err, MODEL_CORRUPT,
                         "%s: unsafe path '%s'; want a relative path without '..'", what,
                         printable(path, shown));
    if (package_keeps_name(path))
        return error_set(err, MODEL_CORRUPT,
                         "%s: lists '%.200s', a name that packages keep for themselves", what,
                         path);
    if (source != NULL && !path_is_safe(source))
        return error_set(err, MODEL_CORRUPT, "%s: file '%s': unsafe source '%s'", what, path,
                         printable(source, shown));
    if (!is_sha256(sha256))
        return error_set(err, MODEL_CORRUPT,
                         "%s: file '%s': sha256 '%.80s', want 64 lower-case hexadecimal digits",
                         what, path, printable(sha256, shown));
    return MODEL_OK;
}

/* No path stands twice, and no file is also the folder of another. */
static model_status check_paths(const struct manifest *manifest, const char *what,
                                struct model_error *err)
{
    struct string_map paths;
    if (string_map_init(&paths, manifest->n_files) != MODEL_OK)
        return error_no_memory(err, what);
    model_status status = MODEL_OK;
    for (size_t i = 0; i < manifest->n_files && status == MODEL_OK; i++) {
        const char *path = manifest->files[i].path;
        if (string_map_add(&paths, path, strlen(path), (uint32_t)i) != MODEL_OK)
            status = error_set(err, MODEL_CORRUPT, "%s: file '%s' stands twice", what, path);
    }
    for (size_t i = 0; i < manifest->n_files && status == MODEL_OK; i++) {
        const char *path = manifest->files[i].path;
        for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/'))
            if (string_map_find(&paths, path, (size_t)(slash - path)) >= 0)
                status = error_set(err, MODEL_CORRUPT, "%s: '%.*s' is a file and a folder", what,
                                   (int)(slash - path), path);
    }
    string_map_finish(&paths);
    return status;
}

/* ---- reading */

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct manifest_file *)a)->path, ((const struct manifest_file *)b)->path);
}

static size_t power_of_two(size_t n)
{
    size_t power = 1;
    while (power < n)
        power *= 2;
    return power;
}

static model_status read_texts(const json_node *root, const char *what, struct manifest *manifest,
                               struct model_error *err)
{
    for (size_t i = 0; i < N_TEXTS; i++) {
        const json_node *node = json_member(root, texts[i].key);
        const char *text = json_string_or(node, json_is_null(node) ? "" : NULL);
        if (text == NULL || (texts[i].needed && *text == '\0') || !is_plain_text(text))
            return error_set(err, MODEL_CORRUPT, "%s: '%s' is missing or no plain text", what,
                             texts[i].key);
        *text_field(manifest, i) = text_format("%s", text);
        if (*text_field(manifest, i) == NULL)
            return error_no_memory(err, what);
    }
    return MODEL_OK;
}

static model_status read_file_entry(const json_node *node, const char *what,
                                    struct manifest_file *file, struct model_error *err)
{
    const json_node *source_node = json_member(node, "source");
    const char *path = json_string_or(json_member(node, "path"), NULL);
    const char *source = json_string_or(source_node, NULL);
    const char *sha256 = json_string_or(json_member(node, "sha256"), NULL);
    int64_t size_bytes = 0;
    if (path == NULL || sha256 == NULL || (source == NULL && !json_is_null(source_node)))
        return error_set(err, MODEL_CORRUPT, "%s: a file without path, size or sha256", what);
    model_status status = check_file(what, path, source, sha256, err);
    if (status != MODEL_OK)
        return status;
    if (!json_integer(json_member(node, "size"), 0, MAX_SIZE, &size_bytes))
        return error_set(err, MODEL_CORRUPT, "%s: file '%s': want a size in bytes", what, path);
    file->path = text_format("%s", path);
    file->source = source != NULL ? text_format("%s", source) : NULL;
    file->size_bytes = (uint64_t)size_bytes;
    memcpy(file->sha256, sha256, sizeof file->sha256);
    return file->path != NULL && (source == NULL || file->source != NULL)
               ? MODEL_OK
               : error_no_memory(err, what);
}

static model_status read_files(const json_node *root, const char *what, struct manifest *manifest,
                               struct model_error *err)
{
    const json_node *files = json_member(root, "files");
    size_t n_files = json_count(files);
    if (!json_is_array(files))
        return error_set(err, MODEL_CORRUPT, "%s: want an array 'files'", what);
    if (n_files > MANIFEST_MAX_FILES)
        return error_set(err, MODEL_CORRUPT, "%s: %zu files, the limit is %d", what, n_files,
                         MANIFEST_MAX_FILES);
    manifest->files = calloc(power_of_two(n_files), sizeof *manifest->files);
    if (manifest->files == NULL)
        return error_no_memory(err, what);
    for (const json_node *node = json_first(files); node != NULL; node = json_next(node)) {
        model_status status =
            read_file_entry(node, what, &manifest->files[manifest->n_files++], err);
        if (status != MODEL_OK)
            return status;
    }
    if (n_files > 1)
        qsort(manifest->files, n_files, sizeof *manifest->files, compare_files);
    return check_paths(manifest, what, err);
}

static model_status read_root(const json_node *root, const char *what, struct manifest *manifest,
                              struct model_error *err)
{
    if (!json_is_object(root))
        return error_set(err, MODEL_CORRUPT, "%s: want an object", what);
    double version = json_number_or(json_member(root, "format_version"), 0);
    if (version != MANIFEST_FORMAT_VERSION)
        return error_set(err, version > MANIFEST_FORMAT_VERSION ? MODEL_UNSUPPORTED : MODEL_CORRUPT,
                         "%s: format_version %g, this program reads %d%s", what, version,
                         MANIFEST_FORMAT_VERSION,
                         version > MANIFEST_FORMAT_VERSION ? "; use a newer modelhost" : "");
    model_status status = json_check_unique_keys(root, what, err);
    if (status == MODEL_OK)
        status = read_texts(root, what, manifest, err);
    return status == MODEL_OK ? read_files(root, what, manifest, err) : status;
}

model_status manifest_parse(const char *text, size_t size_bytes, const char *what,
                            struct manifest *ret, struct model_error *err)
{
    json_node *root = NULL;
    model_status status = json_parse(text, size_bytes, what, &root, err);
    if (status != MODEL_OK)
        return status;
    struct manifest manifest = {0};
    status = read_root(root, what, &manifest, err);
    json_free(root);
    if (status != MODEL_OK)
        manifest_finish(&manifest);
    else
        *ret = manifest;
    return status;
}

model_status manifest_read(const char *package_dir, struct manifest *ret, struct model_error *err)
{
    char *path = path_join(package_dir, FILE_NAME);
    if (path == NULL)
        return error_no_memory(err, package_dir);
    struct buffer text = BUFFER_INIT(MANIFEST_MAX_BYTES);
    model_status status = file_read(path, MANIFEST_MAX_BYTES, &text, err);
    if (status == MODEL_INVALID_ARGUMENT) /* a folder, a pipe */
        status = MODEL_CORRUPT;
    if (status == MODEL_OK)
        status = manifest_parse(text.data, text.size, path, ret, err);
    buffer_finish(&text);
    free(path);
    return status;
}

/* ---- changing and finding */

/* Where the path stands or would stand. */
static size_t position_of(const struct manifest *manifest, const char *path, bool *ret_found)
{
    size_t low = 0, high = manifest->n_files;
    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(manifest->files[middle].path, path);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static model_status make_room(struct manifest *manifest, size_t at, struct model_error *err)
{
    size_t n = manifest->n_files;
    if (n == MANIFEST_MAX_FILES)
        return error_set(err, MODEL_INVALID_ARGUMENT, "more than %d files in a package",
                         MANIFEST_MAX_FILES);
    if (manifest->files == NULL || n == power_of_two(n)) {
        void *larger = realloc(manifest->files, power_of_two(n + 1) * sizeof *manifest->files);
        if (larger == NULL)
            return error_no_memory(err, "a manifest");
        manifest->files = larger;
    }
    memmove(&manifest->files[at + 1], &manifest->files[at], (n - at) * sizeof *manifest->files);
    manifest->n_files++;
    return MODEL_OK;
}

model_status manifest_add(struct manifest *manifest, const char *path, const char *source,
                          uint64_t size_bytes, const char *sha256, struct model_error *err)
{
    model_status status = check_file("package", path, source, sha256, err);
    if (status != MODEL_OK)
        return status == MODEL_CORRUPT ? MODEL_INVALID_ARGUMENT : status;
    if (size_bytes > (uint64_t)MAX_SIZE)
        return error_set(err, MODEL_INVALID_ARGUMENT, "package: file '%s' is too large", path);
    struct manifest_file file = {.size_bytes = size_bytes};
    memcpy(file.sha256, sha256, sizeof file.sha256);
    file.path = text_format("%s", path);
    file.source = source != NULL ? text_format("%s", source) : NULL;
    bool found = false;
    size_t at = position_of(manifest, path, &found);
    if (file.path == NULL || (source != NULL && file.source == NULL))
        status = error_no_memory(err, "a manifest");
    else if (!found)
        status = make_room(manifest, at, err);
    if (status != MODEL_OK) {
        free(file.path);
        free(file.source);
        return status;
    }
    if (found) {
        free(manifest->files[at].path);
        free(manifest->files[at].source);
    }
    manifest->files[at] = file;
    return MODEL_OK;
}

const struct manifest_file *manifest_find(const struct manifest *manifest, const char *path)
{
    bool found = false;
    size_t at = position_of(manifest, path, &found);
    return found ? &manifest->files[at] : NULL;
}

/* ---- writing */

static bool print_file(json_node *files, const struct manifest_file *file)
{
    json_node *node = json_add_object(files, NULL);
    bool complete = json_add_string(node, "path", file->path) != NULL;
    if (file->source != NULL)
        complete = json_add_string(node, "source", file->source) != NULL && complete;
    complete = json_add_number(node, "size", (double)file->size_bytes) != NULL && complete;
    return json_add_string(node, "sha256", file->sha256) != NULL && complete;
}

char *manifest_print(const struct manifest *manifest)
{
    json_node *root = json_new_object();
    bool complete = json_add_number(root, "format_version", MANIFEST_FORMAT_VERSION) != NULL;
    for (size_t i = 0; i < N_TEXTS; i++)
        if (texts[i].needed || text_of(manifest, i)[0] != '\0') /* nothing is said by leaving out */
            complete =
                json_add_string(root, texts[i].key, text_of(manifest, i)) != NULL && complete;
    json_node *files = json_add_array(root, "files");
    complete = files != NULL && complete;
    for (size_t i = 0; i < manifest->n_files && complete; i++)
        complete = print_file(files, &manifest->files[i]);
    char *text = complete ? json_print(root, true) : NULL;
    json_free(root);
    return text;
}

/* Over the lines "<sha256> <size> <path>\n", ordered by path. */
model_status manifest_digest(const struct manifest *manifest, char ret_hex[SHA256_HEX_BYTES],
                             struct model_error *err)
{
    struct digest *digest = NULL;
    model_status status = digest_create_sha256(&digest, err);
    if (status != MODEL_OK)
        return status;
    const char *names[] = {manifest->id, manifest->revision};
    for (size_t i = 0; i < 2; i++)
        digest_update(digest, names[i] != NULL ? names[i] : "",
                      names[i] != NULL ? strlen(names[i]) + 1 : 1);
    for (size_t i = 0; i < manifest->n_files; i++) {
        const struct manifest_file *file = &manifest->files[i];
        char *line = text_format("%s %llu %s\n", file->sha256, (unsigned long long)file->size_bytes,
                                 file->path);
        if (line == NULL) {
            digest_destroy(digest);
            return error_no_memory(err, "a manifest's digest");
        }
        digest_update(digest, line, strlen(line));
        free(line);
    }
    digest_finish_hex(digest, ret_hex);
    return MODEL_OK;
}

bool manifest_names_folder(const struct manifest *manifest, const char *dir)
{
    char hex[SHA256_HEX_BYTES];
    const char *slash = strrchr(dir, '/');
    return manifest_digest(manifest, hex, NULL) == MODEL_OK &&
           strcmp(hex, slash != NULL ? slash + 1 : dir) == 0;
}

const char *manifest_remedy(const struct manifest *manifest)
{
    return manifest->endpoint != NULL && manifest->endpoint[0] != '\0'
               ? "download it again with --force"
               : "import it again";
}

void manifest_finish(struct manifest *manifest)
{
    for (size_t i = 0; i < N_TEXTS; i++)
        free(*text_field(manifest, i));
    for (size_t i = 0; i < manifest->n_files; i++) {
        free(manifest->files[i].path);
        free(manifest->files[i].source);
    }
    free(manifest->files);
    *manifest = (struct manifest){0};
}
