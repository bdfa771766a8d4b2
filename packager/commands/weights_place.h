/* weights_place.h - what a user means by a word that stands for weights: a file of them, or a package.
 * Main thread only. */
#ifndef WEIGHTS_PLACE_H
#define WEIGHTS_PLACE_H

#include "package.h"
#include "tensor_table.h"

struct weights_place {
    bool is_package;
    struct package package; /* valid if is_package */
    char *path;             /* of the file, or of the package's backend */
    char *config;           /* config.json beside the weights; NULL when there is none */
    struct tensor_table table;
};

/* Opens it: a file; a package by name, folder or archive; or any folder with weights in it. backend as in
 * package_open(). */
model_status weights_place_open(const char *word, const char *store_dir, const char *backend,
                                struct weights_place *ret, struct model_error *err);
/* Whether the word is a file, or a folder with weights in it that is no package. */
bool weights_word_is_path(const char *word);
/* Whether the word is a file that begins as an archive does, or that calls itself one. */
bool weights_word_is_archive(const char *word);
void weights_place_close(struct weights_place *place);

#endif
