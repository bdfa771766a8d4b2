/* hub_cache.h - the cache on disk that the hub's own clients share, so that Python, JavaScript and we keep
 * one copy of a model.
 *
 *   <cache>/models--<ns>--<name>/blobs/<etag>              SHA-256 of large files, git's SHA-1 of small ones
 *                                refs/<revision>           the commit, without a newline
 *                                snapshots/<commit>/<path>  -> ../../blobs/<etag>
 *
 * What lies there is anyone's: it is hashed before it is used. [any-thread], any process. */
#ifndef HUB_CACHE_H
#define HUB_CACHE_H

#include "hub_headers.h"
#include "store.h"

#include <stdbool.h>

/* HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub,
 * ~/.cache/huggingface/hub. To be freed; NULL in *ret when none of them is set. */
model_status hub_cache_dir(char **ret, struct model_error *err);

/* The folder of a repository, "<cache>/models--<ns>--<name>"; to be freed. */
model_status hub_cache_repository(const char *cache_dir, const char *id, char **ret,
                                  struct model_error *err);

/* Looks in the cache for the content of a digest and makes it a blob of the store, when its bytes are what the
 * digest says. *ret_found says whether; ret_sha256 is filled then. Only what goes wrong in the store is an
 * error. */
model_status hub_cache_take(const char *cache_dir, const char *id, const struct hub_digest *digest,
                            uint64_t size_bytes, const struct store *store,
                            char ret_sha256[SHA256_HEX_BYTES], bool *ret_found,
                            struct model_error *err);

/* The same with a file that should have the content. may_link: the store may share its inode. */
model_status hub_cache_take_file(const char *file, bool may_link, const struct hub_digest *digest,
                                 uint64_t size_bytes, const struct store *store,
                                 char ret_sha256[SHA256_HEX_BYTES], bool *ret_found,
                                 struct model_error *err);

/* A file to lay down: its name in the repository, the hub's digest of it, and where its content is. */
struct hub_cache_file {
    const char *path;
    const struct hub_digest *digest;
    const char *content;
};

/* Writes a snapshot: blobs first, links to them, and the ref last, so that a kill leaves nothing that a
 * client would take for complete. What is there already with the right bytes stays, wrong ones are replaced.
 * Content shares its inode with the cache where the disk cannot share blocks. revision may be the commit itself. */
model_status hub_cache_lay_down(const char *cache_dir, const char *id, const char *revision,
                                const char *commit, const struct hub_cache_file *files,
                                size_t n_files, struct model_error *err);

#endif
