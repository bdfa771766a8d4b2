/* store.h - the folder that keeps packages.
 *
 *   <store>/CACHEDIR.TAG
 *   <store>/blobs/sha256/ab/<hex>                 each content once, read-only
 *   <store>/packages/<ns>--<name>/<digest>/...    complete packages only; files are links to blobs
 *   <store>/refs/<ns>--<name>/<revision>          text: "<ns>--<name>/<digest>"; also for the names
 *                                                 people asked by, so that "bert-base-uncased" finds
 *                                                 google-bert/bert-base-uncased
 *   <store>/tmp/<unique>/                         work in progress; never seen by readers
 *   <store>/stamps/<ns>--<name>/<digest>          by which a package is seen to be untouched
 *
 * Readers need no locks: everything becomes visible by one rename, temporary names are unique, blobs
 * are only ever added under the digest of their content. A folder of tmp/ is locked by who works in it,
 * so that others see when it is a dead one's. Any thread, any process. */
#ifndef STORE_H
#define STORE_H

#include "manifest.h"

struct store;
struct papers_wait;
struct trusted_keys; /* trusted_keys.h */

/* Opens the store, making its folders when it may (create != 0). MODEL_NOT_FOUND when it is not there
 * and create is 0. */
model_status store_open(const char *dir, int create, struct store **ret, struct model_error *err);
void store_close(struct store *store);
const char *store_dir(const struct store *store);
/* How the locks on packages are waited for from now on (papers_lock.h): who installs may be told, and cancel. To be
 * called before other threads know the store. */
void store_set_wait(struct store *store, const struct papers_wait *wait);
/* Whether this process may change it, as far as can be told beforehand. */
int store_is_writable(const struct store *store);

/* "ns/name", "name" -> "ns--name"; MODEL_INVALID_ARGUMENT unless the id has one or two parts of
 * letters, digits, '-', '_', '.' (at most 96 bytes each, no "..", no "--" inside, not ending in
 * ".git"). To be freed. */
model_status store_key_of(const char *id, char **ret, struct model_error *err);

/* Splits "id@revision"; *ret_revision is NULL without '@'. Both are to be freed. */
model_status store_split_name(const char *name, char **ret_id, char **ret_revision,
                              struct model_error *err);

/* The absolute folder of a package by the name its user knows: "ns/name", "name" or either with
 * "@revision" (branch, tag, or a commit or its unique beginning of 7 or more digits). A bare "name"
 * also finds the only "ANY/name" there is. Without a revision "main" is meant, or the only package there
 * is. To be freed. MODEL_NOT_FOUND: says what the store has; MODEL_INVALID_ARGUMENT: the name fits
 * several packages, says which. */
model_status store_find(const struct store *store, const char *name, char **ret_dir,
                        struct model_error *err);

/* ---- blobs */

/* The path that a blob has or would have; to be freed; NULL without memory or when sha256 is none. */
char *store_blob_path(const struct store *store, const char *sha256);
/* Whether the blob is there with its size. That its bytes are right is for store_blob_is_good(). */
int store_has_blob(const struct store *store, const char *sha256, uint64_t size_bytes);
/* The same, and its bytes have that digest: they are read, once for an open store and again when the
 * file has changed. */
int store_blob_is_good(const struct store *store, const char *sha256, uint64_t size_bytes);
/* All blobs, ordered by size; free() the array. */
struct store_blob {
    char sha256[SHA256_HEX_BYTES];
    uint64_t size_bytes;
};

struct store_blobs {
    struct store_blob *blobs; /* (n_blobs) */
    size_t n_blobs;
};

model_status store_list_blobs(const struct store *store, struct store_blobs *ret,
                              struct model_error *err);
/* Makes a new unique folder under tmp/ for work in progress, held until store_end_staging() or
 * store_close(). Removes those of processes that are gone (where the disk knows no locks: those that
 * nobody wrote to for 24 hours). */
model_status store_make_staging(const struct store *store, char **ret_dir, struct model_error *err);
/* Removes the folder with all that is in it, and frees the string; NULL does nothing. */
void store_end_staging(const struct store *store, char *dir);
/* Removes what dead processes left below tmp/, as making a folder there does. Errors are ignored. */
void store_tidy(const struct store *store);
/* The bytes of the files below tmp/. */
uint64_t store_staging_bytes(const struct store *store);
/* Moves a finished, synced file into blobs/ under its digest (which the caller has computed while it
 * wrote). The same content may be there already: then the file is removed. A blob that is there and
 * broken is replaced, also in the packages that share it. */
model_status store_add_blob(const struct store *store, const char *file, const char *sha256,
                            struct model_error *err);

/* Makes the new file `to` of what is in `from`: shares its blocks where the disk can do that, else its
 * inode when may_link, else copies it. Read-only. */
model_status store_share_file(const char *from, const char *to, int may_link,
                              struct model_error *err);

/* ---- packages */

/* Builds the package of a manifest from blobs and makes it visible: links every file (reflink, hard
 * link, symlink, copy: whichever the disk allows first) into a staging folder, writes metadata.json
 * last, fsyncs, renames, then points the refs of (id, requested_revision), (id, revision) and
 * (requested_id, requested_revision) at it. *ret_dir is to be freed. A whole package of the same content
 * is kept (its metadata.json takes the new names), a damaged one is replaced. MODEL_NOT_FOUND: a blob
 * is missing, MODEL_CORRUPT: its bytes are not those of its digest. On failure nothing is left behind. */
model_status store_install(const struct store *store, const struct manifest *manifest,
                           char **ret_dir, struct model_error *err);

/* The same with the very text of metadata.json and its signature (NULL: it has none), both terminated. What the package
 * has already stays when it is signed better, by these keys (NULL: none is known); *ret_note is a sentence when the user
 * should know what became of a signature (else NULL; to be freed; may be NULL). store_install() leaves a signature and
 * its manifest alone; one whose manifest is damaged and cannot be had again lies beside as metadata.json.minisig.old. */
struct store_papers {
    const char *text, *signature;
    const struct trusted_keys *keys;
};
model_status store_install_signed(const struct store *store, const struct manifest *manifest,
                                  const struct store_papers *papers, char **ret_note,
                                  char **ret_dir, struct model_error *err);
/* Whether there is a signature in a package's folder. */
int store_package_is_signed(const char *dir);

/* The same for a new version of a package that is there: every ref that led to old_dir, by whatever
 * revision or name, leads to the new one afterwards. old_dir NULL: as store_install(). */
model_status store_replace(const struct store *store, const char *old_dir,
                           const struct manifest *manifest, char **ret_dir,
                           struct model_error *err);

/* MODEL_OK when the files of a package are what its manifest says: without reading them while they are
 * as they were when they were last known to be right (size, time of writing, inode), else by their
 * digests. MODEL_CORRUPT names the first bad one. */
model_status store_check_package(const struct store *store, const char *dir,
                                 const struct manifest *manifest, struct model_error *err);

struct store_entry {
    char *id;
    char *revision;           /* the commit */
    char *requested_revision; /* "main", when it was downloaded */
    char **refs;              /* (n_refs) what leads to it now: "main", "v1"; not the commit */
    size_t n_refs;
    char *dir;
    char *created;
    uint64_t size_bytes; /* of all files */
    int has_plugin;
};

struct store_list {
    struct store_entry *entries;
    size_t n_entries;
};

/* All packages that refs point at or that have no ref yet (their process was killed), ordered by id.
 * Broken ones are left out: store_list_broken(). */
model_status store_list_packages(const struct store *store, struct store_list *ret,
                                 struct model_error *err);
/* Those whose metadata.json cannot be read: their entries have id and dir, nothing else. */
model_status store_list_broken(const struct store *store, struct store_list *ret,
                               struct model_error *err);
void store_list_finish(struct store_list *list);

/* Removes the packages of a name and their refs: with a revision the one, without one every version of
 * the model. With each go those that it superseded (the same id and commit, no ref of their own any
 * more), then the blobs that no package of the store uses any more. A package whose metadata.json
 * cannot be read is removed as well. While another package's cannot be read, no blob is removed, and
 * *ret_note is a sentence that says so (else NULL; to be freed). Both results may be NULL. Unless even_in_use, a package
 * that a host has open (store_lease.h) stays, and with it all that were named: MODEL_BUSY says who has it. */
model_status store_remove(const struct store *store, const char *name, int even_in_use,
                          uint64_t *ret_freed_bytes, char **ret_note, struct model_error *err);
/* The same for the package in one folder of the store. MODEL_NOT_FOUND: it is none. */
model_status store_remove_dir(const struct store *store, const char *dir, int even_in_use,
                              uint64_t *ret_freed_bytes, char **ret_note, struct model_error *err);

/* Hashes every file of a package against its manifest. Bad are also files that are no regular files,
 * that link out of the package and its store's blobs, that are in the folder but not in the manifest,
 * and, in a store, a manifest that does not fit the name of its folder. MODEL_CORRUPT names the first
 * bad file and how many there are; report() is called for each file (ok or the sentence); may be NULL. */
model_status store_verify_package(const char *package_dir,
                                  void (*report)(void *context, const char *path,
                                                 model_status status, const char *sentence),
                                  void *context, struct model_error *err);
/* The same against a manifest that was read before, whatever the one in the folder says by now. */
model_status store_verify_manifest(const char *package_dir, const struct manifest *manifest,
                                   void (*report)(void *context, const char *path,
                                                  model_status status, const char *sentence),
                                   void *context, struct model_error *err);

#endif
