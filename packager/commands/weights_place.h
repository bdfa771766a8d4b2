/* weights_place.h - what a user means by a word that stands for weights: a file of them, or a package.
 * Main thread only. */
#ifndef WEIGHTS_PLACE_H
#define WEIGHTS_PLACE_H

#include "command_secret.h"
#include "tensor_table.h"

struct weights_place {
    bool is_package;
    struct package package; /* valid if is_package */
    char *path;             /* of the file, or of the package's backend */
    char *coreml;           /* a Core ML model, and the table is empty; NULL: weights */
    char *config;           /* config.json beside the weights; NULL when there is none */
    struct tensor_table table;
};

/* How packages are found and opened; NULL where nothing was said. */
struct weights_access {
    const char *store_dir;
    const char *backend; /* as in package_open() */
    struct command_secret secret;
    bool with_coreml; /* Core ML models are welcome; else they are refused as no weights */
};

/* Opens it: a file; a package by name, folder or archive; or any folder with weights in it. */
model_status weights_place_open(const char *word, const struct weights_access *access,
                                struct weights_place *ret, struct model_error *err);
/* Whether the word is a file, or a folder with weights in it that is no package. */
bool weights_word_is_path(const char *word);
/* Whether the word is a file that begins as an archive does, or that calls itself one. */
bool weights_word_is_archive(const char *word);
void weights_place_close(struct weights_place *place);
/* From now on a mapped file that is cut short while it is read ends the process with a sentence, and the exit
 * code of damage, instead of a signal. */
void weights_catch_truncation(void);

#endif
