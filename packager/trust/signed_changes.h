/* signed_changes.h - what became another file since a manifest was made: by name, for who signs anew and for who is
 * refused. [any-thread] */
#ifndef SIGNED_CHANGES_H
#define SIGNED_CHANGES_H

#include "manifest.h"

enum signed_change_kind { SIGNED_CHANGED, SIGNED_ADDED, SIGNED_REMOVED };
/* "changed", "added", "removed": also for JSON. */
const char *signed_change_name(enum signed_change_kind kind);

struct signed_change {
    enum signed_change_kind kind;
    char *path;
};

struct signed_changes {
    struct signed_change *changes; /* (n_changes), ordered by path */
    size_t n_changes;
};

/* The files of `now` that are not those of `before`. */
model_status signed_changes_find(const struct manifest *before, const struct manifest *now,
                                 struct signed_changes *ret, struct model_error *err);
/* One file more, behind the others. */
model_status signed_changes_add(struct signed_changes *changes, enum signed_change_kind kind,
                                const char *path, struct model_error *err);
/* "'a' was changed, 'b' was added and 3 more", the first few by name. To be freed; NULL without memory. */
char *signed_changes_text(const struct signed_changes *changes);
void signed_changes_finish(struct signed_changes *changes);

#endif
