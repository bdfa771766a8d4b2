/* mirror_archive.h - a package in one file (.mhp) as the one repository of a mirror: its files are the entries
 * that the package has of the repository, under the paths that they had there. Nothing is unpacked to disk.
 * Belongs to the loop's thread. */
#ifndef MIRROR_ARCHIVE_H
#define MIRROR_ARCHIVE_H

#include "mirror_snapshot.h"

struct http_request;
struct mirror_archive;
struct mirror_scanner;

/* MODEL_INVALID_ARGUMENT: a package without metadata.json, which no repository stands for. And all that
 * archive_open() refuses. */
model_status mirror_archive_open(const char *path, struct mirror_archive **ret,
                                 struct model_error *err);
/* The threads that decode: before the first reply. They may end while replies are under way, which end, too. */
void mirror_archive_use(struct mirror_archive *archive, struct mirror_scanner *threads);
/* NULL does nothing. Replies that are under way go on with it. */
void mirror_archive_close(struct mirror_archive *archive);

const char *mirror_archive_id(const struct mirror_archive *archive);
/* All files are known by their SHA-256, as those of a store are; the commit is the package's. */
model_status mirror_archive_snapshot(const struct mirror_archive *archive,
                                     struct mirror_snapshot **ret, struct model_error *err);
/* The branch or tag that the package was made of; its commit and "main" go without asking. */
bool mirror_archive_is_revision(const struct mirror_archive *archive, const char *revision);
/* Sends a range of a file of the snapshot; headers but those of the service are the caller's. */
void mirror_archive_reply(struct mirror_archive *archive, const struct mirror_file *file,
                          struct http_request *request, int status, const char *content_type,
                          uint64_t first, uint64_t length_bytes);

#endif
