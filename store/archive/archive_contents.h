/* archive_contents.h - contents of an archive's entries in sealed files in memory, which processes share: who has the
 * key decrypts once, and others read and map them without it (archive_access.contents). One owner. */
#ifndef ARCHIVE_CONTENTS_H
#define ARCHIVE_CONTENTS_H

#include "modelhost.h"

struct archive_content {
    char *path; /* of the entry */
    int fd;     /* a sealed file in memory */
};

struct archive_contents {
    struct archive_content *items; /* (n_items) */
    size_t n_items;
};

/* Takes fd over, also on failure. MODEL_CORRUPT: it can still be changed. */
model_status archive_contents_add(struct archive_contents *contents, const char *path, int fd,
                                  struct model_error *err);
/* NULL when there is none, or contents is NULL. */
const struct archive_content *archive_contents_find(const struct archive_contents *contents,
                                                    const char *path);
void archive_contents_finish(struct archive_contents *contents);

#endif
