/* import_source.c - see import_source.h. Whatever lies in the folder is hostile: links are followed no
 * further than the folder or its repository, names are checked, depth and number are bounded. */
#include "import_source.h"
#include "coreml_config.h"
#include "coreml_model.h"
#include "coreml_package.h"
#include "errors.h"
#include "files.h"
#include "manifest.h"
#include "package.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_DEPTH     32
#define MAX_REF_BYTES 200
#define CACHE_PREFIX  "models--"

static bool is_commit(const char *text)
{
    return strlen(text) == 40 && strspn(text, "0123456789abcdef") == 40;
}

/* ---- which folder */

/* "models--ns--name" is "ns/name". */
static model_status take_id(struct import_source *source, const char *folder,
                            struct model_error *err)
{
    const char *key = folder + sizeof CACHE_PREFIX - 1, *gap = strstr(key, "--");
    source->id = gap != NULL ? text_format("%.*s/%s", (int)(gap - key), key, gap + 2)
                             : text_format("%s", key);
    return source->id != NULL ? MODEL_OK : error_no_memory(err, "a repository's id");
}

/* The commit that refs/<revision> says, or a commit that has a snapshot. */
static model_status find_commit(const char *repository, const char *revision, char **ret,
                                struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_REF_BYTES);
    char *path = text_format("%s/refs/%s", repository, revision), *commit = NULL;
    model_status status = path != NULL ? MODEL_OK : error_no_memory(err, "a ref");
    if (status == MODEL_OK && is_commit(revision))
        commit = text_format("%s", revision);
    else if (status == MODEL_OK && path_is_safe(revision) &&
             file_read(path, MAX_REF_BYTES, &text, NULL) == MODEL_OK)
        commit = text_format("%.*s", text.data != NULL ? (int)strcspn(text.data, " \r\n") : 0,
                             text.data != NULL ? text.data : "");
    if (status == MODEL_OK && (commit == NULL || !is_commit(commit)))
        status = error_set(err, MODEL_NOT_FOUND,
                           "%.300s has no ref '%.100s' with a commit in it; name another with "
                           "--revision",
                           repository, revision);
    buffer_finish(&text);
    free(path);
    if (status == MODEL_OK)
        *ret = commit;
    else
        free(commit);
    return status;
}

/* The only snapshot there is. */
static char *only_snapshot(const char *repository)
{
    struct dir_list list = {0};
    char *folder = path_join(repository, "snapshots"), *only = NULL;
    if (folder != NULL && dir_read(folder, &list, NULL) == MODEL_OK && list.n_names == 1 &&
        is_commit(list.names[0]))
        only = text_format("%s", list.names[0]);
    dir_list_finish(&list);
    free(folder);
    return only;
}

static model_status open_repository(struct import_source *source, const char *repository,
                                    const char *revision, struct model_error *err)
{
    model_status status = take_id(source, path_base(repository), err);
    if (status != MODEL_OK)
        return status;
    const char *wanted = revision != NULL ? revision : "main";
    status = find_commit(repository, wanted, &source->commit, err);
    if (status == MODEL_OK && !is_commit(wanted))
        source->revision = text_format("%s", wanted);
    else if (status == MODEL_NOT_FOUND && revision == NULL &&
             (source->commit = only_snapshot(repository)) != NULL)
        status = MODEL_OK;
    if (status != MODEL_OK)
        return status;
    source->dir = text_format("%s/snapshots/%s", repository, source->commit);
    source->boundary = text_format("%s", repository);
    source->is_cache = true;
    if (source->dir == NULL || source->boundary == NULL)
        return error_no_memory(err, "a path");
    return path_is_dir(source->dir) ? MODEL_OK
                                    : error_set(err, MODEL_NOT_FOUND,
                                                "%.400s is not there: the cache has no files of "
                                                "this commit",
                                                source->dir);
}

/* "<cache>/models--ns--name/snapshots/<commit>": the repository's length, or 0. */
static size_t repository_length(const char *dir)
{
    static const char middle[] = "/snapshots";
    size_t n = (size_t)(path_base(dir) - dir);
    if (n < sizeof middle || !is_commit(path_base(dir)) ||
        strncmp(dir + n - sizeof middle, middle, sizeof middle - 1) != 0)
        return 0;
    n -= sizeof middle;
    size_t at = n;
    while (at > 0 && dir[at - 1] != '/')
        at--;
    return strncmp(dir + at, CACHE_PREFIX, sizeof CACHE_PREFIX - 1) == 0 ? n : 0;
}

static model_status find_dir(struct import_source *source, const char *path, const char *revision,
                             struct model_error *err)
{
    char *dir = realpath(path, NULL), *repository = NULL;
    if (dir == NULL)
        return error_set_errno(err, errno, "cannot import %.400s", path);
    char *snapshots = path_join(dir, "snapshots");
    size_t n = repository_length(dir);
    model_status status = MODEL_OK;
    if (snapshots == NULL || (n > 0 && (repository = text_format("%.*s", (int)n, dir)) == NULL))
        status = error_no_memory(err, "a path");
    else if (!path_is_dir(dir))
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "%.400s is no package archive (.mhp), no Core ML model by its name "
                           "(.mlmodel, .mlpackage, .mlmodelc), and no folder with a model's files",
                           path);
    else if (n > 0)
        status = open_repository(source, repository, path_base(dir), err);
    else if (strncmp(path_base(dir), CACHE_PREFIX, sizeof CACHE_PREFIX - 1) == 0 &&
             path_is_dir(snapshots))
        status = open_repository(source, dir, revision, err);
    else {
        source->boundary = text_format("%s", dir);
        source->dir = dir;
        dir = NULL;
        if (source->boundary == NULL)
            status = error_no_memory(err, "a path");
    }
    free(snapshots);
    free(repository);
    free(dir);
    return status;
}

/* ---- its files */

static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/';
}

static model_status add_file(struct import_source *source, const char *name, uint64_t size_bytes,
                             struct model_error *err)
{
    struct hub_files *files = &source->files;
    if (files->n_files == HUB_MAX_FILES)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%.300s has more than %u files", source->dir,
                         HUB_MAX_FILES);
    if (files->n_files == 0 || (files->n_files & (files->n_files - 1)) == 0) {
        size_t room = files->n_files > 0 ? files->n_files * 2 : 1;
        void *larger = realloc(files->files, room * sizeof *files->files);
        if (larger == NULL)
            return error_no_memory(err, "a list of files");
        files->files = larger;
    }
    struct hub_file file = {.path = text_format("%s", name), .size_bytes = size_bytes};
    if (file.path == NULL)
        return error_no_memory(err, "a list of files");
    files->files[files->n_files++] = file;
    return MODEL_OK;
}

static model_status walk(struct import_source *source, const char *folder, int depth,
                         struct model_error *err);

static model_status look_at(struct import_source *source, const char *name, int depth,
                            struct model_error *err)
{
    struct stat info, own;
    char *path = path_join(source->dir, name), *real = NULL;
    model_status status = MODEL_OK;
    if (path == NULL)
        return error_no_memory(err, "a path");
    if (!path_is_safe(name))
        status = error_set(err, MODEL_CORRUPT,
                           "a file below %.300s has a name that no package can have (control "
                           "characters, marks of direction, a backslash, a colon, over 1024 bytes "
                           "with its folders); rename it",
                           source->dir);
    else if ((real = realpath(path, NULL)) == NULL || stat(real, &info) != 0 ||
             lstat(path, &own) != 0)
        status = error_set_errno(err, errno, "cannot read %.400s", path);
    else if (!is_below(real, source->boundary))
        status = error_set(err, MODEL_CORRUPT,
                           "'%.200s' is a link to %.300s, out of %.300s: put the file itself there",
                           name, real, source->boundary);
    else if (source->inside != NULL && S_ISLNK(own.st_mode))
        status = error_set(err, MODEL_CORRUPT,
                           "'%.200s' is a link, which a Core ML model has none of: put the file "
                           "itself there",
                           name);
    else if (S_ISDIR(info.st_mode) && S_ISDIR(own.st_mode))
        status = walk(source, name, depth + 1, err);
    else if (S_ISREG(info.st_mode))
        status = add_file(source, name, (uint64_t)info.st_size, err);
    else
        status = error_set(err, MODEL_CORRUPT, "'%.200s' is no regular file; remove it", name);
    free(real);
    free(path);
    return status;
}

/* `folder` as seen from the top; "" is the top. */
static model_status walk(struct import_source *source, const char *folder, int depth,
                         struct model_error *err)
{
    struct dir_list list = {0};
    char *path = *folder != '\0' ? path_join(source->dir, folder) : text_format("%s", source->dir);
    model_status status =
        path != NULL ? dir_read(path, &list, err) : error_no_memory(err, "a path");
    if (status == MODEL_OK && depth > MAX_DEPTH)
        status = error_set(err, MODEL_INVALID_ARGUMENT, "%.400s: more than %d folders deep", path,
                           MAX_DEPTH);
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        if (list.names[i][0] == '.')
            continue; /* .git, .cache, .gitattributes */
        char *name =
            *folder != '\0' ? path_join(folder, list.names[i]) : text_format("%s", list.names[i]);
        status = name != NULL ? look_at(source, name, depth, err) : error_no_memory(err, "a path");
        free(name);
    }
    dir_list_finish(&list);
    free(path);
    return status;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct hub_file *)a)->path, ((const struct hub_file *)b)->path);
}

/* ---- a Core ML model */

/* Core ML alone can tell whether it is whole. */
static model_status check_compiled(const char *path, struct model_error *err)
{
    char *file = path_join(path, COREML_COMPILED_FILE);
    model_status status = file != NULL ? MODEL_OK : error_no_memory(err, "a path");
    if (status == MODEL_OK && !path_is_dir(path))
        status = error_set(err, path_is_file(path) ? MODEL_CORRUPT : MODEL_NOT_FOUND,
                           "%.400s is no folder; want one that Core ML has compiled", path);
    else if (status == MODEL_OK && !path_is_file(file))
        status = error_set(err, MODEL_CORRUPT,
                           "%.400s has no " COREML_COMPILED_FILE
                           ": it is no compiled model, or not all of one",
                           path);
    free(file);
    return status;
}

static model_status check_model(const char *path, struct model_error *err)
{
    struct coreml_model *model = NULL;
    model_status status = coreml_model_open(path, &model, err);
    coreml_model_close(model);
    return status;
}

/* A Core ML model by itself: whole, as far as that can be told, or refused. */
static model_status find_coreml(struct import_source *source, const char *path,
                                struct model_error *err)
{
    const bool is_compiled = coreml_is_compiled_path(path);
    model_status status = is_compiled ? check_compiled(path, err) : check_model(path, err);
    if (status != MODEL_OK)
        return status;
    char *real = realpath(path, NULL);
    if (real == NULL)
        return error_set_errno(err, errno, "cannot import %.400s", path);
    const char *name = path_base(real), *dot = strrchr(name, '.');
    const bool is_folder = path_is_dir(real);
    source->inside = text_format(PACKAGE_COREML_FOLDER "%s", is_compiled ? "model.mlmodelc"
                                                             : is_folder ? "model.mlpackage"
                                                                         : "model.mlmodel");
    source->id =
        text_format("%.*s", (int)(dot != NULL ? dot - name : (ptrdiff_t)strlen(name)), name);
    source->dir = is_folder
                      ? text_format("%s", real)
                      : text_format("%.*s", (int)(name - real > 1 ? name - real - 1 : 1), real);
    source->boundary = text_format("%s", source->dir != NULL ? source->dir : "");
    if (source->inside == NULL || source->id == NULL || source->dir == NULL ||
        source->boundary == NULL)
        status = error_no_memory(err, "a path");
    if (status == MODEL_OK && !is_folder)
        status = add_file(source, name, 0, err);
    free(real);
    return status;
}

/* ---- public */

model_status import_source_read(const char *path, const char *revision, struct import_source *ret,
                                struct model_error *err)
{
    struct import_source source = {0};
    const bool is_coreml = coreml_is_model_path(path);
    model_status status =
        is_coreml ? find_coreml(&source, path, err) : find_dir(&source, path, revision, err);
    if (status == MODEL_OK && source.files.n_files == 0)
        status = walk(&source, "", 0, err);
    if (status == MODEL_OK && source.files.n_files == 0)
        status = error_set(err, MODEL_NOT_FOUND, "%.400s has no files to import", path);
    if (status != MODEL_OK) {
        import_source_finish(&source);
        return status;
    }
    qsort(source.files.files, source.files.n_files, sizeof *source.files.files, compare_files);
    *ret = source;
    return MODEL_OK;
}

char *import_source_place(const struct import_source *source, const char *path)
{
    if (source->inside == NULL)
        return package_path_of(path);
    return path_is_dir(source->dir) && coreml_is_model_path(source->dir)
               ? text_format("%s/%s", source->inside, path)
               : text_format("%s", source->inside);
}

void import_source_finish(struct import_source *source)
{
    hub_files_finish(&source->files);
    free(source->dir);
    free(source->boundary);
    free(source->id);
    free(source->inside);
    free(source->commit);
    free(source->revision);
    *source = (struct import_source){0};
}
