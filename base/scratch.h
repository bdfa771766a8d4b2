/* scratch.h - a file or folder in progress, beside the place that it will have: ".<name>.<pid>.<number>.tmp", locked as
 * long as its process works on it. What a killed process leaves is therefore known, and goes with the next run for
 * the same place. One owner. [any-thread] */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "modelhost.h"

#include <stdbool.h>

struct scratch {
    char *path; /* NULL: there is none */
    int fd;     /* of a file to read and write; of a folder, for the lock only */
};

#define SCRATCH_NONE ((struct scratch){NULL, -1})

/* An empty file, or folder, for `target`. "cannot create <target>: ..." */
model_status scratch_file(const char *target, struct scratch *ret, struct model_error *err);
model_status scratch_folder(const char *target, struct scratch *ret, struct model_error *err);
/* Whether a file of this name is one in progress for a target of that name; both without their folder. */
bool scratch_is_name_of(const char *name, const char *target_name);
/* Removes what killed processes left for `target`; where locks do not work nothing. Reads the whole folder. */
void scratch_sweep(const char *target);

/* For files in progress by other names. Locks one that was just made, until fd is closed; false when a sweep took it
 * for a dead one's before: it is gone then, and another one is to be made. Where locks do not work it is true. */
bool scratch_claim(const char *path, int fd);
/* Whether somebody works on it. Unknown: it cannot be opened, is neither file nor folder, or locks do not work. */
enum scratch_life { SCRATCH_DEAD, SCRATCH_LIVES, SCRATCH_UNKNOWN };
enum scratch_life scratch_life(const char *path);

/* Renames to target, whose contents the caller has synced, and syncs the folder. On failure before the rename the
 * scratch is still the caller's. */
model_status scratch_publish(struct scratch *scratch, const char *target, struct model_error *err);
/* Removes it with all that is in it; nothing of SCRATCH_NONE, or of one that was published. */
void scratch_discard(struct scratch *scratch);

#endif
