/* package.h - a package: what is where in its folder, or in its archive (docs/package-format.md).
 *
 * A folder without metadata.json that has backends/<b>/libmodel.so is an author's folder: it opens
 * too, with has_manifest false. */
#ifndef PACKAGE_H
#define PACKAGE_H

#include "archive.h"
#include "manifest.h"

#include <stdbool.h>

#ifdef __APPLE__
#define PLUGIN_SUFFIX ".dylib"
#else
#define PLUGIN_SUFFIX ".so"
#endif
#define PACKAGE_PLUGIN_NAME "libmodel" PLUGIN_SUFFIX

#define PACKAGE_MAX_CONFIG_BYTES (16u << 20)

struct package {
    char *dir;          /* absolute: the folder, or the archive's file */
    char *backend;      /* by which it was opened: "cpu", "coreml:cpu" (backend_name.h) */
    const char *device; /* "cpu" of "coreml:cpu"; NULL: none is wanted. Of `backend` */
    char *backend_dir;  /* absolute: <dir>/backends/cpu */
    char *plugin;       /* absolute path of libmodel.so, or NULL when none is installed */
    char *plugin_name;  /* what to call it: its path in the folder or archive; NULL as `plugin` */
    /* NULL: a folder whose files are used as they are (archive_is_folder(): as they were signed). Files are read
     * with package_file.h */
    struct archive *archive;
    struct memory_file plugin_file; /* what `plugin` opens, of an archive */
    bool has_manifest;
    struct manifest manifest;               /* valid if has_manifest */
    char manifest_sha256[SHA256_HEX_BYTES]; /* "" unless a signature was wanted */
};

/* Opens a folder or an archive; `backend` is a name as of backend_name.h, or NULL: "cpu", or the only one there is, or
 * a "cpu" that is not there when a package with a manifest has none (tokenizer files only, say). MODEL_NOT_FOUND: "<dir> is not a
 * package: no metadata.json and no backends/<backend>/libmodel.so". */
model_status package_open(const char *dir, const char *backend, struct package *ret,
                          struct model_error *err);
/* The same; `access` is how an archive is opened (archive.h), and its level says what is compared: a folder's files are
 * all compared with its manifest above ARCHIVE_CHECKSUM, and one without is MODEL_UNSUPPORTED then. */
/* With access->signature a package is opened that was signed so, as its signature says it is: what is used of it is
 * compared with the signed digests, and nothing else in it is seen. MODELHOST_UNTRUSTED. */
model_status package_open_with(const char *dir, const char *backend,
                               const struct archive_access *access, struct package *ret,
                               struct model_error *err);
/* Adds to the sentence about a package that is broken (MODEL_CORRUPT) how to mend it; leaves others, and those of a model
 * that contradicts itself (MODEL_CONTRADICTS): its files are whole. */
void package_advise(const struct package *package, model_status status, struct model_error *err);
/* Says the name of an archive's plugin in a sentence that has the path by which it is opened; whether it had. */
bool package_name_plugin(const struct package *package, struct model_error *err);
/* The id that a folder <store>/packages/<key>/<digest> is of, to be freed; NULL: it is none of these. */
char *package_id_of_folder(const char *dir);
/* The blobs that files of such a folder may be links to, or of <store>/tmp/<staging>/view, where a package is looked at while it
 * is made; to be freed. NULL: of no store. */
char *package_blobs_of_folder(const char *dir);
/* Adds what to do to the sentence of manifest_read() about such a folder. */
void package_advise_broken(const char *dir, model_status status, struct model_error *err);
void package_finish(struct package *package);

/* Decrypts the files of the backend's folder into sealed memory, for processes that open the same archive without its
 * key; adds nothing where nothing is encrypted. */
model_status package_share_backend(const struct package *package, struct archive_contents *contents,
                                   struct model_error *err);
/* The same of one file by its path in the package; nothing where there is none. */
model_status package_share_file(const struct package *package, const char *path,
                                struct archive_contents *contents, struct model_error *err);

/* The path inside a package where a repository's file goes: "backends/cpu/config.json" for
 * "config.json" and the weights, "backends/coreml/..." for Core ML models (without a "coreml/" in front), the same path for all others, except that names which mean something
 * in a package ("metadata.json", "model_info.json", "backends/...") go below "repository/", so that no
 * repository can bring its own plugin. To be freed; NULL without memory. */
char *package_path_of(const char *source);

#endif
