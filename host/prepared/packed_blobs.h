/* packed_blobs.h - what plugins keep through packed_blob(): memory that they have filled, or the same bytes out of a
 * file of prepared weights.
 *
 * Belongs to one model's services. What is given out stays until packed_blobs_finish(); the list is filled on the
 * create-thread, and read by others only when that has ended. */
#ifndef PACKED_BLOBS_H
#define PACKED_BLOBS_H

#include "prepared_map.h"

#include <stdbool.h>

struct packed_blob;

struct packed_blobs {
    struct packed_blob *first, *last; /* a list, in the order in which they were asked for */
    size_t n_blobs, n_made;           /* n_made of them were filled here */
    uint64_t size_bytes;
    struct prepared_map prepared; /* all zero: there is none */
    /* Called once, with the first key that is asked for and before it is looked for, to open `prepared`; NULL: nobody is. */
    void (*find)(void *context, const char *first_key);
    void *find_context;
};

/* The blob of this key and size; fill(argument, memory) makes it when it is not kept yet. */
model_status packed_blobs_get(struct packed_blobs *blobs, const char *key, size_t size_bytes,
                              model_status (*fill)(void *argument, void *destination),
                              void *argument, const void **ret_data);
/* As they are written to a file: an array of n_blobs, to be freed; NULL without memory. Its keys and data are the
 * list's. */
struct prepared_blob *packed_blobs_list(const struct packed_blobs *blobs);
void packed_blobs_finish(struct packed_blobs *blobs);

/* Aligned memory, for a large block in huge pages; to be freed. NULL: there is none. [any-thread] */
void *packed_blobs_allocate(size_t size_bytes);

#endif
