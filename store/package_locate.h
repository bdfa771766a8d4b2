/* package_locate.h - what a user means by PKG on a command line: a name in the store, or a folder. */
#ifndef PACKAGE_LOCATE_H
#define PACKAGE_LOCATE_H

#include "store.h"

#include <stdbool.h>

struct package_place {
    char *dir;     /* absolute */
    bool in_store; /* below <store>/packages: never to be changed in place */
};

/* A word that begins with '.' or '/', or that is a folder with metadata.json or backends/ in it, is a
 * folder, and one that is a file and ends in .mhp is an archive; all others are names in the store. store NULL: there is none. MODEL_NOT_FOUND says what the
 * store has, and that there is a folder of that name which does not look like a package. */
model_status package_locate(const struct store *store, const char *word, struct package_place *ret,
                            struct model_error *err);
void package_place_finish(struct package_place *place);

/* Whether the word means a folder. */
bool package_is_folder(const char *word);
/* MODEL_INVALID_ARGUMENT when the word is no folder and cannot be a name in any store: a wrong command
 * line, whatever the store has. */
model_status package_check_word(const char *word, struct model_error *err);

#endif
