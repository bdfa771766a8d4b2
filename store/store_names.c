/* store_names.c - ids, keys and refs. A ref is a small file that says "<key>/<digest>"; see store.h.
 * Any thread, any process. */
#include "errors.h"
#include "store_history.h"
#include "store_folder.h"
#include "store_paths.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PART_BYTES     96u
#define MAX_REVISION_BYTES 200 /* percent-encoded: leaves room for the name of a temporary file */
#define MAX_REF_BYTES      512

static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

/* ---- ids and keys */

static bool part_is_good(const char *part, size_t size_bytes)
{
    if (size_bytes == 0 || size_bytes > MAX_PART_BYTES || strspn(part, plain) < size_bytes)
        return false;
    if (part[0] == '.' || part[0] == '-' || part[size_bytes - 1] == '.' ||
        part[size_bytes - 1] == '-')
        return false;
    for (size_t i = 0; i + 1 < size_bytes; i++)
        if ((part[i] == '.' && part[i + 1] == '.') || (part[i] == '-' && part[i + 1] == '-'))
            return false;
    return size_bytes < 4 || memcmp(part + size_bytes - 4, ".git", 4) != 0;
}

model_status store_key_of(const char *id, char **ret, struct model_error *err)
{
    const char *slash = strchr(id, '/');
    size_t first = slash != NULL ? (size_t)(slash - id) : strlen(id);
    const size_t second = slash != NULL ? strlen(slash + 1) : 0;
    if ((first > MAX_PART_BYTES || second > MAX_PART_BYTES) && strspn(id, plain) >= first)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "'%.*s' is too long for a repository id; want at most %u bytes before and "
                         "behind the '/'",
                         200, id, MAX_PART_BYTES);
    if (!part_is_good(id, first) || (slash != NULL && !part_is_good(slash + 1, strlen(slash + 1))))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "'%.*s' is no repository id; want 'name' or 'namespace/name' of letters, "
                         "digits, '-', '_' and '.'",
                         200, id);
    char *key =
        slash != NULL ? text_format("%.*s--%s", (int)first, id, slash + 1) : text_format("%s", id);
    if (key == NULL)
        return error_no_memory(err, "a package's key");
    *ret = key;
    return MODEL_OK;
}

static bool key_is_good(const char *key, size_t size_bytes)
{
    const char *gap = memmem(key, size_bytes, "--", 2);
    if (gap == NULL)
        return part_is_good(key, size_bytes);
    size_t first = (size_t)(gap - key);
    return part_is_good(key, first) && part_is_good(gap + 2, size_bytes - first - 2);
}

model_status store_split_name(const char *name, char **ret_id, char **ret_revision,
                              struct model_error *err)
{
    const char *at = strchr(name, '@');
    if (at == name || *name == '\0' || (at != NULL && at[1] == '\0'))
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%s': want 'id' or 'id@revision'", name);
    char *id = at != NULL ? text_format("%.*s", (int)(at - name), name) : text_format("%s", name);
    char *revision = at != NULL ? text_format("%s", at + 1) : NULL;
    if (id == NULL || (at != NULL && revision == NULL)) {
        free(id);
        free(revision);
        return error_no_memory(err, "a package's name");
    }
    *ret_id = id;
    *ret_revision = revision;
    return MODEL_OK;
}

/* ---- refs */

static model_status encode_revision(const char *revision, struct buffer *ret,
                                    struct model_error *err)
{
    for (const char *c = revision; *c != '\0'; c++) {
        if (utf8_control_bytes(c, strlen(c)) > 0)
            return error_set(err, MODEL_INVALID_ARGUMENT, "a revision with a control character");
        bool is_plain = strchr(plain, *c) != NULL && !(*c == '.' && c == revision);
        model_status status = is_plain ? buffer_append(ret, c, 1)
                                       : buffer_printf(ret, "%%%02X", (unsigned)(unsigned char)*c);
        if (status == MODEL_INVALID_ARGUMENT)
            return error_set(err, status, "revision '%.80s...' is too long", revision);
        if (status != MODEL_OK)
            return error_no_memory(err, "a revision");
    }
    return ret->size > 0 ? MODEL_OK : error_set(err, MODEL_INVALID_ARGUMENT, "an empty revision");
}

model_status store_ref_path(const struct store *store, const char *key, const char *revision,
                            char **ret, struct model_error *err)
{
    struct buffer encoded = BUFFER_INIT(MAX_REVISION_BYTES);
    model_status status = encode_revision(revision, &encoded, err);
    if (status == MODEL_OK) {
        char *path = text_format("%s/refs/%s/%s", store->dir, key, encoded.data);
        if (path == NULL)
            status = error_no_memory(err, "a ref's path");
        else
            *ret = path;
    }
    buffer_finish(&encoded);
    return status;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *found = c != '\0' ? strchr(digits, c) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

char *store_ref_revision(const char *file_name)
{
    char *revision = *file_name != '.' ? text_format("%s", file_name) : NULL;
    if (revision == NULL)
        return NULL;
    char *out = revision;
    for (const char *c = file_name; *c != '\0'; c++) {
        if (*c != '%') {
            *out++ = *c;
            continue;
        }
        int high = hex_digit(c[1]), low = high >= 0 ? hex_digit(c[2]) : -1;
        if (low < 0 || high * 16 + low < 0x20) {
            free(revision);
            return NULL;
        }
        *out++ = (char)(high * 16 + low);
        c += 2;
    }
    *out = '\0';
    const size_t n = strlen(revision);
    bool is_plain = utf8_valid_prefix(revision, n) == n;
    for (size_t i = 0; i < n && is_plain; i++)
        is_plain = utf8_control_bytes(revision + i, n - i) == 0;
    if (is_plain)
        return revision;
    free(revision);
    return NULL;
}

/* 40 digits of a commit always mean the same, so that they have no history. */
static bool is_commit(const char *revision)
{
    return strlen(revision) == 40 && strspn(revision, "0123456789abcdef") == 40;
}

model_status store_ref_move(const struct store *store, const char *key, const char *revision,
                            const char *target, bool is_back, struct model_error *err)
{
    char *path = NULL, *before = NULL, *folder = text_format("refs/%s", key);
    char *line = text_format("%s\n", target);
    model_status status = folder != NULL && line != NULL ? MODEL_OK : error_no_memory(err, "a ref");
    if (status == MODEL_OK)
        status = store_ref_path(store, key, revision, &path, err);
    if (status == MODEL_OK)
        (void)store_ref_read(path, &before, NULL); /* what there is not has no name */
    /* Twice: a removal may take the empty folder away in between. */
    for (int attempt = 0; attempt < 2 && path != NULL; attempt++) {
        status = store_folder_write(store, folder, path_base(path), line, strlen(line), err);
        if (status != MODEL_NOT_FOUND)
            break;
    }
    bool has_moved = before == NULL || strcmp(before, target) != 0;
    if (status == MODEL_OK && has_moved && !is_commit(revision)) /* without it, all else is well */
        (void)store_history_add(store, key, revision, before, target, is_back, NULL);
    free(before);
    free(line);
    free(folder);
    free(path);
    return status;
}

model_status store_ref_write(const struct store *store, const char *key, const char *revision,
                             const char *target, struct model_error *err)
{
    return store_ref_move(store, key, revision, target, false, err);
}

bool store_target_is_good(const char *target)
{
    const char *slash = strchr(target, '/');
    return slash != NULL && key_is_good(target, (size_t)(slash - target)) &&
           strlen(slash + 1) == SHA256_HEX_BYTES - 1 &&
           strspn(slash + 1, "0123456789abcdef") == SHA256_HEX_BYTES - 1;
}

model_status store_ref_read(const char *path, char **ret_target, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_REF_BYTES);
    model_status status = file_read(path, MAX_REF_BYTES, &text, err);
    if (status == MODEL_OK) {
        if (text.size > 0 && text.data[text.size - 1] == '\n')
            text.data[text.size - 1] = '\0';
        if (store_target_is_good(text.data))
            *ret_target = buffer_take(&text);
        else
            status = error_set(err, MODEL_CORRUPT, "%s: not a ref", path);
    }
    buffer_finish(&text);
    return status;
}

static void finish_ref(struct store_ref *ref)
{
    free(ref->key);
    free(ref->revision);
    free(ref->target);
    free(ref->path);
}

bool store_refs_append(struct store_refs *refs, struct store_ref *ref)
{
    size_t n = refs->n_refs;
    if (n == 0 || (n & (n - 1)) == 0) {
        void *larger = realloc(refs->refs, (n > 0 ? n * 2 : 1) * sizeof *refs->refs);
        if (larger == NULL)
            return false;
        refs->refs = larger;
    }
    refs->refs[refs->n_refs++] = *ref;
    return true;
}

static model_status read_key(const struct store *store, const char *key, struct store_refs *refs,
                             struct model_error *err)
{
    struct dir_list list = {0};
    char *folder = text_format("%s/refs/%s", store->dir, key);
    if (folder == NULL)
        return error_no_memory(err, "the refs of the store");
    if (store_folder_read(store, folder + strlen(store->dir) + 1, &list, NULL) != MODEL_OK)
        list = (struct dir_list){0};
    model_status status = MODEL_OK;
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        struct store_ref ref = {text_format("%s", key), store_ref_revision(list.names[i]), NULL,
                                path_join(folder, list.names[i])};
        bool is_good = ref.key != NULL && ref.revision != NULL && ref.path != NULL &&
                       store_ref_read(ref.path, &ref.target, NULL) == MODEL_OK;
        if (is_good && store_refs_append(refs, &ref))
            continue;
        finish_ref(&ref);
        if (is_good || ref.key == NULL)
            status = error_no_memory(err, "the refs of the store");
    }
    dir_list_finish(&list);
    free(folder);
    return status;
}

static int compare_refs(const void *a, const void *b)
{
    const struct store_ref *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    if (order == 0 && (x->path == NULL || y->path == NULL))
        order = (x->path == NULL) - (y->path == NULL);
    else if (order == 0)
        order = strcmp(x->path, y->path);
    return order != 0 ? order : strcmp(x->revision, y->revision);
}

model_status store_refs_read(const struct store *store, struct store_refs *ret,
                             struct model_error *err)
{
    struct dir_list list = {0};
    struct store_refs refs = {0};
    model_status status = store_folder_read(store, "refs", &list, err);
    if (status == MODEL_NOT_FOUND)
        status = MODEL_OK; /* an empty folder is an empty store */
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++)
        if (key_is_good(list.names[i], strlen(list.names[i])))
            status = read_key(store, list.names[i], &refs, err);
    dir_list_finish(&list);
    size_t n_files = refs.n_refs;
    if (status == MODEL_OK)
        status = store_refs_add_orphans(store, &refs, err);
    if (status == MODEL_OK && refs.n_refs > n_files)
        qsort(refs.refs, refs.n_refs, sizeof *refs.refs, compare_refs);
    if (status != MODEL_OK)
        store_refs_finish(&refs);
    else
        *ret = refs;
    return status;
}

void store_refs_finish(struct store_refs *refs)
{
    for (size_t i = 0; i < refs->n_refs; i++)
        finish_ref(&refs->refs[i]);
    free(refs->refs);
    *refs = (struct store_refs){0};
}
