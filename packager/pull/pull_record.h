/* pull_record.h - what a mirror knows of a commit of another hub: its files with their sizes and
 * digests, as text that is kept. Pure. [any-thread] */
#ifndef PULL_RECORD_H
#define PULL_RECORD_H

#include "hub.h"

#define PULL_MAX_RECORD_BYTES ((size_t)64 << 20)

struct pull_record {
    struct hub_model model;
    struct hub_files files; /* ordered by path */
};

/* JSON, to be freed; NULL without memory. */
char *pull_record_print(const struct pull_record *record);
/* MODEL_CORRUPT: not what pull_record_print() writes, or a name or digest that no file may have. */
model_status pull_record_parse(const char *text, size_t size_bytes, const char *what,
                               struct pull_record *ret, struct model_error *err);
void pull_record_finish(struct pull_record *record);

#endif
