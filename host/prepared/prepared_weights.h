/* prepared_weights.h - prepared weights of one model in this process: out of the store's file when the plugin asks for
 * them, and into it when the plugin had to make some.
 *
 * Nothing of it is ever an error of the model: what does not work is said at level debug, and the plugin packs. A
 * process that may not write files (a worker) is handed descriptors by its host instead (prepared_share.h). */
#ifndef PREPARED_WEIGHTS_H
#define PREPARED_WEIGHTS_H

#include "packed_blobs.h"
#include "prepared_folder.h"

#include <uv.h>

#define PREPARED_MIN_BYTES ((uint64_t)1 << 20) /* less is packed faster than looked for */

/* What a worker's host has handed to it. */
struct prepared_ends {
    char key[SHA256_HEX_BYTES];
    int files[PREPARED_MAX_FORMS]; /* to be read, one of them; -1: there is none */
    int pipe;                      /* takes a file that is made anew; -1: nobody wants it */
};

struct prepared_weights {
    struct prepared_folder folder;
    char key[SHA256_HEX_BYTES];    /* "": nothing is kept */
    char name[SHA256_HEX_BYTES];   /* of its file in the folder; "" until a blob is asked for */
    int files[PREPARED_MAX_FORMS]; /* as of prepared_ends, until a blob is asked for */
    int pipe;                      /* instead of the folder; -1: none */
    uint32_t threads;
    struct packed_blobs *blobs; /* of the model's services */
    uv_thread_t writer;
    bool is_writing;
};

void prepared_ends_init(struct prepared_ends *ret);

/* Has the file of the key and the first blob that is asked for opened, if it is there and good, for blobs->prepared. `ends`
 * NULL: of the folder; else its descriptors are taken over. All are copied but the store's name and the log, which live as
 * long, as does `weights`, at its place. [create-thread] */
void prepared_weights_begin(struct prepared_weights *weights, const struct prepared_folder *folder,
                            const char *key, struct prepared_ends *ends, uint32_t threads,
                            struct packed_blobs *blobs);
/* The model is made: has what is new written on a thread of its own. Not after a failure. [create-thread] */
void prepared_weights_made(struct prepared_weights *weights);
/* Waits for that. Before the blobs go. All zero is fine, twice too. */
void prepared_weights_finish(struct prepared_weights *weights);

#endif
