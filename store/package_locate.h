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
 * folder; all others are names in the store. store NULL: there is none. MODEL_NOT_FOUND says what the
 * store has. */
model_status package_locate(const struct store *store, const char *word, struct package_place *ret,
                            struct model_error *err);
void package_place_finish(struct package_place *place);

#endif
