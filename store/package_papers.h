/* package_papers.h - the papers of a package: the bytes of metadata.json and of the signature over them, which are two
 * files of a folder and yet one thing. Who reads them gets a pair that belonged together at one moment, whoever
 * replaces them meanwhile and wherever he is killed:
 *
 *   1. ".metadata.json.<sha256 of the new manifest>.minisig" is written: the signature that is coming
 *   2. metadata.json is replaced
 *   3. that signature is renamed to metadata.json.minisig
 *
 * A reader takes the coming signature if its name is that of the manifest that he read, and begins anew when the
 * manifest was replaced before he had both. Writers wait for each other by a lock on the folder (papers_lock.h).
 * [any-thread] */
#ifndef PACKAGE_PAPERS_H
#define PACKAGE_PAPERS_H

#include "modelhost.h"

#include <stdbool.h>

struct papers_wait;

struct package_papers {
    char *text; /* (n_bytes), terminated */
    size_t n_bytes;
    char *signature; /* (signature_bytes), terminated; NULL: there is none */
    size_t signature_bytes;
};

/* Of a folder. MODEL_NOT_FOUND: there is no manifest. */
model_status package_papers_read_folder(const char *dir, struct package_papers *ret,
                                        struct model_error *err);
/* As that, but what lies in the signature's place and can be none (too large, no file) is an empty one: of who replaces it. */
model_status package_papers_read_any(const char *dir, struct package_papers *ret,
                                     struct model_error *err);
void package_papers_finish(struct package_papers *papers);

/* A signature that has to go because what it is of went: kept beside the papers until another one is written. */
#define PACKAGE_OLD_SIGNATURE_NAME "metadata.json.minisig.old"

/* Gives the folder these papers; both terminated. signature NULL: none, and the one that is there becomes the old one.
 * `was` is what must still be there, manifest and signature, as package_papers_read_any() had it, all NULL for no
 * manifest (MODEL_BUSY: somebody has replaced one); NULL: whatever is. The same manifest is not written again. Waits
 * for other writers as papers_lock_take() does. */
model_status package_papers_write(const char *dir, const struct papers_wait *wait,
                                  const struct package_papers *was, const char *text,
                                  const char *signature, struct model_error *err);
/* The same for who has the lock already (-1: there are none, or nobody else knows the folder). */
model_status package_papers_replace(const char *dir, int lock, const struct package_papers *was,
                                    const char *text, const char *signature,
                                    struct model_error *err);

/* MODEL_BUSY: the papers are not those any more, as package_papers_read_any() has them now. */
model_status package_papers_check(const char *dir, const struct package_papers *was,
                                  struct model_error *err);

/* Puts a signature there as the old one. */
model_status package_papers_keep(const char *dir, const char *signature, struct model_error *err);

/* Ends what killed processes began: a signature whose manifest is there gets its name, other leftovers go
 * (package_sweep()). Does nothing while somebody writes, in a folder that may not be written to, or through a link. */
void package_papers_settle(const char *dir);

/* Whether a file's name is that of a coming signature. */
bool package_papers_is_coming(const char *name);

#endif
