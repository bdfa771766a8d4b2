/* store_folder.h - the folders of a store, reached from its own folder downwards without following a symbolic link:
 * who may write to a shared store must not lead another user's reading, writing or deleting out of it. For the files
 * of the store only. [any-thread] */
#ifndef STORE_FOLDER_H
#define STORE_FOLDER_H

#include "files.h"
#include "store.h"

/* Opens "leases" or "stamps/<key>". MODEL_NOT_FOUND: it is not there; MODEL_CORRUPT: a step of the way is a link, or no
 * folder at all. make: what is missing of it is made. */
model_status store_folder_open(const struct store *store, const char *relative, bool make,
                               int *ret_fd, struct model_error *err);
/* The names in it. */
model_status store_folder_read(const struct store *store, const char *relative,
                               struct dir_list *ret, struct model_error *err);
model_status store_folder_make(const struct store *store, const char *relative,
                               struct model_error *err);
/* MODEL_OK: it is there, or not there yet; MODEL_CORRUPT as above. */
model_status store_folder_check(const struct store *store, const char *relative,
                                struct model_error *err);

/* Removes a file, or a link itself, and returns whether that went well; errno says why not. */
bool store_folder_unlink(const struct store *store, const char *relative, const char *name);
/* The same for a whole folder in it: what it holds goes first. */
bool store_folder_remove(const struct store *store, const char *relative, const char *name);
/* The folder itself, when it is empty. */
bool store_folder_rmdir(const struct store *store, const char *parent, const char *name);

/* Makes the folder, and writes a file in it by file_replace_atomic(). */
model_status store_folder_write(const struct store *store, const char *relative, const char *name,
                                const void *data, size_t size_bytes, struct model_error *err);

/* MODEL_CORRUPT with a sentence when one of the folders that every store has is a link. */
model_status store_folders_check(const struct store *store, struct model_error *err);

/* ---- what a store's own files are called; nothing else in it is ever deleted */

/* "Ab3xYz", "Ab3xYz.held" or ".time.Ab3xYz" of tmp/. */
bool store_name_is_staging(const char *name);
/* "<hex>-<size>", perhaps with ".<owner>", of partial/. */
bool store_name_is_partial(const char *name);
/* 64 digits, or ".draft-Ab3xYz", of prepared/. */
bool store_name_is_prepared(const char *name);
/* 64 digits, or what is made beside such a folder, of compiled/. */
bool store_name_is_compiled(const char *name);
/* "Ab3xYz.<pid>.<number>", or ".Ab3xYz" while it is written, of leases/. */
bool store_name_is_lease(const char *name);
/* What a killed process left beside its target, ".<target>.<pid>.<number>.tmp" (scratch.h): the target's name. */
bool store_name_in_progress(const char *name, char *ret_target, size_t ret_bytes);
/* 64 digits. */
bool store_name_is_digest(const char *name);

#endif
