/* prepared_folder.h - <store>/prepared: files of prepared weights (prepared_file.h). A model has one for each form that its
 * plugin packs it in. A file's name begins with the model's key on this kind of processor (prepared_machine.h), and ends with a digest
 * of its first blob's key, which says the rest: a library's version, the instruction set that the library takes.
 *
 * A file appears whole, by one rename, and is never written again: who has it mapped keeps it when another takes its
 * place or its name goes. What is found there is used only if it is this user's (or root's) and nobody else may
 * write to it. Its time of access is that of its last use; the time of change stays, by which who has it mapped
 * sees that nobody wrote. All of it may be removed at any time. [any-thread], any process */
#ifndef PREPARED_FOLDER_H
#define PREPARED_FOLDER_H

#include "digest.h"
#include "log.h"

#include <stddef.h>

#define PREPARED_FOLDER_NAME   "prepared"
#define PREPARED_DEFAULT_BYTES ((uint64_t)16 << 30) /* of all files, when nothing is said */
#define PREPARED_LEFT_S                                                                            \
    (24 * 3600) /* without locks: a file that was begun and is as old is a dead process's */
#define PREPARED_MAX_FORMS 4 /* of one model, of which the least recently used goes first */

struct prepared_folder {
    const char *store_dir; /* NULL: there is none, and nothing is found or kept */
    uint64_t max_bytes;    /* of all its files; 0: PREPARED_DEFAULT_BYTES */
    const struct log_sink *log;
};

/* The name of the file of a model's key whose first blob has this key. MODEL_OUT_OF_MEMORY. */
model_status prepared_folder_name(const char *key, const char *first_key,
                                  char ret_name[SHA256_HEX_BYTES]);

/* The file of a name, to be read, and marks it as used; its descriptor is to be closed. -1: there is none that may be
 * used; a debug line says why, unless it is just not there. */
int prepared_folder_open(const struct prepared_folder *folder, const char *name);
/* The same for all files of a model's key, for who cannot tell yet which: the rest of ret_fds is -1. */
void prepared_folder_open_all(const struct prepared_folder *folder, const char *key,
                              int ret_fds[PREPARED_MAX_FORMS]);

/* A file that is being made. */
struct prepared_draft {
    int fd;     /* to write to, and locked; -1: none */
    char *path; /* where it is until it is published */
};

/* Begins a file of so many bytes: MODEL_UNSUPPORTED when it is larger than the bound, MODEL_NOT_FOUND without a
 * store, MODEL_IO when the disk is full or may not be written to. */
model_status prepared_folder_begin(const struct prepared_folder *folder, uint64_t size_bytes,
                                   struct prepared_draft *ret, struct model_error *err);
/* Gives it its name, then removes the least recently used others: of the same key beyond PREPARED_MAX_FORMS, of all beyond
 * the bound. Ends the draft, which leaves nothing behind when it fails. */
model_status prepared_folder_publish(const struct prepared_folder *folder, const char *name,
                                     struct prepared_draft *draft, struct model_error *err);
/* Logs that prepared weights are not kept: of MODEL_IO a warning with what to do. */
void prepared_folder_say_not_kept(const struct prepared_folder *folder, model_status status,
                                  const struct model_error *err);
/* Leaves nothing behind; ending twice does nothing. */
void prepared_draft_end(struct prepared_draft *draft);

#endif
