/* package.c - see package.h. No state, any thread. */
#include "package.h"
#include "backend_name.h"
#include "coreml_package.h"
#include "errors.h"
#include "files.h"
#include "json_view.h"
#include "package_file.h"
#include "package_trust.h"
#include "store.h"
#include "store_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BACKEND "cpu"

/* ---- opening */

/* The folders of <dir>/backends, as "a, b" in text; their number. The last name stays in *ret_name. */
static model_status list_backends(const struct package *package, struct buffer *ret_text,
                                  size_t *ret_count, char **ret_name, struct model_error *err)
{
    const char *dir = package->dir;
    char *backends = path_join(dir, "backends");
    struct dir_list list = {0};
    if (backends == NULL)
        return error_no_memory(err, dir);
    model_status status = package_folder_read(package->archive, backends, &list, err);
    if (status == MODEL_NOT_FOUND)
        status = MODEL_OK;
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        char *folder = path_join(backends, list.names[i]);
        if (folder != NULL && package_folder_exists(package->archive, folder)) {
            (void)buffer_printf(ret_text, "%s%s", *ret_count > 0 ? ", " : "", list.names[i]);
            (*ret_count)++;
            free(*ret_name);
            *ret_name = text_format("%s", list.names[i]);
        }
        if (folder == NULL || (*ret_count > 0 && *ret_name == NULL))
            status = error_no_memory(err, dir);
        free(folder);
    }
    dir_list_finish(&list);
    free(backends);
    return status;
}

static char *folder_of(const struct package *package, const char *name,
                       const struct backend_name *parts)
{
    return text_format("%s/backends/%.*s", package->dir, parts->folder_bytes, name);
}

static bool has_backend(const struct package *package, const char *name,
                        const struct backend_name *parts)
{
    char *folder = folder_of(package, name, parts);
    bool there = folder != NULL && package_folder_exists(package->archive, folder);
    free(folder);
    return there;
}

static model_status choose_backend(struct package *package, const char *wanted,
                                   struct model_error *err)
{
    const char *name = wanted != NULL ? wanted : DEFAULT_BACKEND;
    struct backend_name parts;
    struct buffer text = BUFFER_INIT(400);
    char *only = NULL;
    size_t count = 0;
    model_status status = backend_name_read(name, &parts, err);
    if (status != MODEL_OK)
        return status;
    if (!has_backend(package, name, &parts)) {
        status = list_backends(package, &text, &count, &only, err);
        if (status == MODEL_OK && wanted == NULL && count > 1)
            status = error_set(err, MODEL_INVALID_ARGUMENT,
                               "%s has no backend 'cpu' but several others (%s); say which",
                               package->dir, text.data != NULL ? text.data : "...");
        else if (status == MODEL_OK && wanted != NULL && package->has_manifest)
            status = error_set(err, MODEL_NOT_FOUND, "%s has no backend '%.*s'; it has: %s",
                               package->dir, parts.folder_bytes, name,
                               text.data != NULL ? text.data : "none");
        else if (status == MODEL_OK && wanted == NULL && count == 1) {
            name = only;
            parts.folder_bytes = (int)strlen(only);
        }
    }
    if (status == MODEL_OK) {
        package->backend = text_format("%s", name);
        package->backend_dir = folder_of(package, name, &parts);
        package->device = parts.device != NULL && package->backend != NULL
                              ? package->backend + (parts.device - name)
                              : NULL;
        if (package->backend == NULL || package->backend_dir == NULL)
            status = error_no_memory(err, package->dir);
    }
    buffer_finish(&text);
    free(only);
    return status;
}

/* The file itself, or what can be opened in place of one in an archive. */
static model_status take_plugin(struct package *package, const char *path, struct model_error *err)
{
    const struct archive_entry *entry = NULL;
    model_status status = MODEL_OK;
    if (package->archive != NULL) {
        status = package_file_entry(package->archive, path, &entry, err);
        if (status == MODEL_OK)
            status = archive_memory_file(package->archive, entry, &package->plugin_file, err);
        if (status == MODEL_CORRUPT && archive_is_folder(package->archive))
            error_prefix(err, "the plugin was changed");
    }
    if (status != MODEL_OK)
        return status;
    package->plugin = text_format("%s", entry != NULL ? package->plugin_file.path : path);
    package->plugin_name = text_format("%s", path);
    return package->plugin != NULL && package->plugin_name != NULL ? MODEL_OK
                                                                   : error_no_memory(err, path);
}

static model_status find_plugin(struct package *package, struct model_error *err)
{
    char *path = path_join(package->backend_dir, PACKAGE_PLUGIN_NAME);
    if (path == NULL)
        return error_no_memory(err, package->dir);
    if (package_file_exists(package->archive, path)) {
        model_status status = take_plugin(package, path, err);
        free(path);
        return status;
    }
    free(path);
    if (package->has_manifest)
        return MODEL_OK;
    return error_set(
        err, MODEL_NOT_FOUND,
        "%s is not a package: no metadata.json and no %s/%s; give the folder that 'pkgmgr download' made, or put a plugin there",
        package->dir, package->backend_dir + strlen(package->dir) + 1, PACKAGE_PLUGIN_NAME);
}

/* A folder's signature is of the bytes that are parsed. (An archive's was looked at when it was opened.) */
static model_status require_signature(struct package *package, const struct package_papers *papers,
                                      const struct signature_policy *policy,
                                      struct model_error *err)
{
    const struct signed_manifest papers_signed =
        package_papers_signed(papers, package->dir, &package->manifest);
    model_status status = package->archive == NULL
                              ? package_signature_require(&papers_signed, policy, err)
                              : MODEL_OK;
    return status == MODEL_OK
               ? digest_bytes_sha256(papers->text, papers->n_bytes, package->manifest_sha256, err)
               : status;
}

static model_status read_manifest(struct package *package, const struct archive_access *access,
                                  struct model_error *err)
{
    struct package_papers papers = {0};
    if (access->signature == NULL && package->archive == NULL)
        return manifest_read(package->dir, &package->manifest, err);
    char *path = path_join(package->dir, "metadata.json");
    model_status status = path != NULL
                              ? package_papers_read(package->dir, package->archive, &papers, err)
                              : error_no_memory(err, package->dir);
    if (status == MODEL_OK)
        status = manifest_parse(papers.text, papers.n_bytes, path, &package->manifest, err);
    if (status == MODEL_OK && access->signature != NULL)
        status = require_signature(package, &papers, access->signature, err);
    if (status == MODEL_NOT_FOUND && access->signature != NULL)
        status = error_set(err, MODELHOST_UNTRUSTED,
                           "%s has no metadata.json, so nothing in it is signed; look through it "
                           "and sign it yourself: pkgmgr sign %s",
                           package->dir, package->dir);
    package_papers_finish(&papers);
    free(path);
    return status;
}

static model_status open_place(const char *dir, const struct archive_access *access,
                               struct package *package, struct model_error *err)
{
    package->dir = realpath(dir, NULL);
    if (package->dir == NULL)
        return error_set_errno(err, errno, "cannot open package %s", dir);
    if (!path_is_dir(package->dir) && !path_is_file(package->dir))
        return error_set(err, MODEL_NOT_FOUND,
                         "%s is not a package: neither a folder nor an archive", dir);
    return package_archive_open_with(package->dir, access, &package->archive, err);
}

/* All of a folder's files; of an archive, each is compared when it is used. */
static model_status check_folder(const struct package *package, enum archive_level level,
                                 struct model_error *err)
{
    if (package->archive != NULL || level == ARCHIVE_CHECKSUM)
        return MODEL_OK;
    if (package->has_manifest)
        return store_verify_package(package->dir, NULL, NULL, err);
    return error_set(err, MODEL_UNSUPPORTED,
                     "%s has no metadata.json to verify its files against; open it with "
                     "verification checksum, or make a package of it",
                     package->dir);
}

model_status package_open_with(const char *dir, const char *backend,
                               const struct archive_access *access, struct package *ret,
                               struct model_error *err)
{
    struct package package = {0};
    model_status status = open_place(dir, access, &package, err);
    if (status == MODEL_OK) {
        status = read_manifest(&package, access, err);
        package.has_manifest = status == MODEL_OK;
        package_advise_broken(package.dir, status, err);
        status = status == MODEL_NOT_FOUND ? MODEL_OK : status;
    }
    if (status == MODEL_OK)
        status = check_folder(&package, access->level, err);
    if (status == MODEL_OK && access->signature != NULL && package.archive == NULL)
        status = archive_open_folder(package.dir, &package.manifest, access->level,
                                     &package.archive, err);
    if (status == MODEL_OK)
        status = choose_backend(&package, backend, err);
    if (status == MODEL_OK)
        status = find_plugin(&package, err);
    if (status != MODEL_OK)
        package_finish(&package);
    else
        *ret = package;
    return status;
}

model_status package_open(const char *dir, const char *backend, struct package *ret,
                          struct model_error *err)
{
    return package_open_with(dir, backend, &(struct archive_access){.level = ARCHIVE_CHECKSUM}, ret,
                             err);
}

char *package_id_of_folder(const char *dir)
{
    const char *digest = strrchr(dir, '/'), *key = digest;
    while (key != NULL && key > dir && key[-1] != '/')
        key--;
    static const char above[] = "/packages/";
    const size_t above_bytes = sizeof above - 1;
    if (key == NULL || key == digest || strlen(digest + 1) != 64 ||
        (size_t)(key - dir) < above_bytes || strncmp(key - above_bytes, above, above_bytes) != 0)
        return NULL;
    const int key_bytes = (int)(digest - key);
    const char *gap = strstr(key, "--");
    return gap != NULL && gap < digest
               ? text_format("%.*s/%.*s", (int)(gap - key), key, (int)(digest - gap) - 2, gap + 2)
               : text_format("%.*s", key_bytes, key);
}

static bool is_view(const char *dir)
{
    static const char above[] = "/tmp/", own[] = "/view";
    const char *name = strstr(dir, above), *next = name;
    for (; next != NULL; next = strstr(next + 1, above))
        name = next;
    const size_t n = name != NULL ? strcspn(name + sizeof above - 1, "/") : 0;
    char *staging = name != NULL ? strndup(name + sizeof above - 1, n) : NULL;
    const bool is_one = staging != NULL && store_name_is_staging(staging) &&
                        strcmp(name + sizeof above - 1 + n, own) == 0;
    free(staging);
    return is_one;
}

char *package_blobs_of_folder(const char *dir)
{
    char *id = package_id_of_folder(dir);
    char *path = id != NULL || is_view(dir) ? text_format("%s/../../../blobs", dir) : NULL;
    free(id);
    return path;
}

#define MEND_FILES "get the package's files again, or mend them"

void package_advise_broken(const char *dir, model_status status, struct model_error *err)
{
    if (status != MODEL_CORRUPT || err == NULL)
        return;
    char *id = package_id_of_folder(dir);
    if (id != NULL)
        error_advise(err,
                     "the package is broken: 'pkgmgr download %s' makes it anew, 'pkgmgr rm %s' "
                     "removes it",
                     id, id);
    else
        error_advise(err, "%s", MEND_FILES);
    free(id);
}

/* A value of a config.json that no repository brought: it was made here, and what is wrong in it was written since. */
static bool is_own_config(const struct package *package, const struct model_error *err)
{
    if (err == NULL || !package->has_manifest || strstr(err->message, "config.json: '") == NULL)
        return false;
    const char *folder = package->backend_dir + strlen(package->dir) + 1;
    char *path = path_join(folder, "config.json");
    const struct manifest_file *file =
        path != NULL ? manifest_find(&package->manifest, path) : NULL;
    free(path);
    return file != NULL && file->source == NULL;
}

void package_advise(const struct package *package, model_status status, struct model_error *err)
{
    if (status != MODEL_CORRUPT)
        return;
    if (package->archive == NULL && is_own_config(package, err)) {
        error_advise(err, "correct it in %s/config.json", package->backend_dir);
        return;
    }
    if (err != NULL && strstr(err->message, MODEL_CONTRADICTS) != NULL)
        return; /* nothing is damaged */
    if (package->archive != NULL && archive_is_folder(package->archive))
        return; /* what was signed is wanted, which the sentence says */
    if (package->archive != NULL && err != NULL &&
        strstr(err->message, "get the file again") != NULL)
        return; /* the archive's layers have found which entry is damaged */
    if (package->archive != NULL)
        error_advise(err, "'pkgmgr verify' says whether the archive is damaged");
    else if (package->has_manifest &&
             (package->manifest.endpoint == NULL || package->manifest.endpoint[0] == '\0'))
        error_advise(err,
                     "'pkgmgr verify %s' finds what is damaged; import it again from files that "
                     "are whole",
                     package->manifest.id);
    else if (package->has_manifest)
        error_advise(err,
                     "'pkgmgr verify %s' finds what is damaged, 'pkgmgr download %s --force' "
                     "gets it again",
                     package->manifest.id, package->manifest.id);
    else
        error_advise(err, "%s", MEND_FILES);
}

bool package_name_plugin(const struct package *package, struct model_error *err)
{
    char before[MODEL_ERROR_BYTES];
    if (err == NULL || package->plugin == NULL ||
        strcmp(package->plugin, package->plugin_name) == 0)
        return false;
    (void)snprintf(before, sizeof before, "%s", err->message);
    const size_t n = strlen(package->plugin);
    char *found = strstr(before, package->plugin);
    if (found == NULL || (found[n] >= '0' && found[n] <= '9')) /* or another descriptor's */
        return false;
    *found = '\0';
    (void)error_set(err, MODEL_CORRUPT, "%s%s%s", before, package->plugin_name, found + n);
    return true;
}

static model_status share(const struct archive *archive, const struct archive_entry *entry,
                          struct archive_contents *contents, struct model_error *err)
{
    struct memory_file file = MEMORY_FILE_NONE;
    model_status status = archive_memory_file(archive, entry, &file, err);
    if (status != MODEL_OK)
        return status;
    const int fd = fcntl(file.fd, F_DUPFD_CLOEXEC, 0);
    status = fd >= 0 ? archive_contents_add(contents, entry->path, fd, err)
                     : error_set_errno(err, errno, "cannot keep '%.200s' open", entry->path);
    memory_file_close(&file);
    return status;
}

model_status package_share_file(const struct package *package, const char *path,
                                struct archive_contents *contents, struct model_error *err)
{
    const struct archive_entry *entry =
        package->archive != NULL ? archive_find(package->archive, path) : NULL;
    return entry != NULL && entry->is_encrypted ? share(package->archive, entry, contents, err)
                                                : MODEL_OK;
}

model_status package_share_backend(const struct package *package, struct archive_contents *contents,
                                   struct model_error *err)
{
    model_status status = MODEL_OK;
    if (package->archive == NULL)
        return MODEL_OK;
    const char *folder = package->backend_dir + strlen(package->dir) + 1;
    const size_t n_folder = strlen(folder);
    const struct archive_index *index = archive_index(package->archive);
    for (size_t i = 0; i < index->n_entries && status == MODEL_OK; i++) {
        const struct archive_entry *entry = &index->entries[i];
        if (entry->is_encrypted && strncmp(entry->path, folder, n_folder) == 0 &&
            entry->path[n_folder] == '/')
            status = share(package->archive, entry, contents, err);
    }
    return status;
}

void package_finish(struct package *package)
{
    free(package->dir);
    free(package->backend);
    free(package->backend_dir);
    free(package->plugin);
    free(package->plugin_name);
    manifest_finish(&package->manifest);
    memory_file_close(&package->plugin_file);
    archive_close(package->archive);
    *package = (struct package){0};
}

/* ---- where files go */

static bool ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), suffix_bytes = strlen(suffix);
    return length >= suffix_bytes && strcmp(text + length - suffix_bytes, suffix) == 0;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* config.json and the weights, at the top of the repository. */
static bool belongs_to_backend(const char *source)
{
    if (strchr(source, '/') != NULL)
        return false;
    return strcmp(source, "config.json") == 0 || ends_with(source, ".safetensors") ||
           ends_with(source, ".safetensors.index.json") || starts_with(source, "pytorch_model");
}

char *package_path_of(const char *source)
{
    if (belongs_to_backend(source))
        return text_format("backends/" DEFAULT_BACKEND "/%s", source);
    /* Names that mean something in a package are ours: a repository cannot bring a plugin along. */
    if (strcmp(source, "metadata.json") == 0 || strcmp(source, "model_info.json") == 0 ||
        strcmp(source, "backends") == 0 || starts_with(source, "backends/") ||
        starts_with(source, "repository/"))
        return text_format("repository/%s", source);
    if (coreml_container_length(source) > 0)
        return text_format("backends/coreml/%s",
                           starts_with(source, "coreml/") ? source + 7 : source);
    return text_format("%s", source);
}
