/* package_file.h - one file of a package, which is a folder or an archive, by the same path: what is in an
 * archive has the archive's own path, '/', and the entry's. Whoever reads files of packages does it
 * through these functions. [any-thread]
 *
 * `archive` NULL: the path is one on disk. What is read of an archive was compared with its digest. */
#ifndef PACKAGE_FILE_H
#define PACKAGE_FILE_H

#include "archive.h"
#include "files.h"
#include "json_view.h"

bool package_file_exists(const struct archive *archive, const char *path);
bool package_folder_exists(const struct archive *archive, const char *path);
/* As file_read(). */
model_status package_file_read(const struct archive *archive, const char *path, size_t max_bytes,
                               struct buffer *ret, struct model_error *err);
/* As json_parse_file(). */
model_status package_file_json(const struct archive *archive, const char *path, size_t max_bytes,
                               json_node **ret, struct model_error *err);
/* As dir_read(). */
model_status package_folder_read(const struct archive *archive, const char *path,
                                 struct dir_list *ret, struct model_error *err);
/* The entry of a path, MODEL_NOT_FOUND "cannot open <path>: ...". */
model_status package_file_entry(const struct archive *archive, const char *path,
                                const struct archive_entry **ret, struct model_error *err);

/* Opens the archive when the path is a regular file; a folder gives NULL. To be closed. */
model_status package_archive_open(const char *path, enum archive_level level, struct archive **ret,
                                  struct model_error *err);
model_status package_archive_open_with(const char *path, const struct archive_access *access,
                                       struct archive **ret, struct model_error *err);

#endif
