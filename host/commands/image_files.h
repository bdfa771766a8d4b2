/* image_files.h - pictures named on a command line, read into memory. Main thread only. */
#ifndef IMAGE_FILES_H
#define IMAGE_FILES_H

#include "buffer.h"

struct image_files {
    const char *const *names;       /* (n_images); not owned */
    struct modelhost_image *images; /* (n_images) */
    struct buffer *buffers;         /* (n_images) */
    uint32_t n_images;
};

/* Reads n files; "-" is standard input. An error names the file. */
model_status image_files_init(const char *const *names, uint32_t n, struct image_files *ret,
                              struct model_error *err);
void image_files_finish(struct image_files *files);

/* The library counts the images of a call: "image 2: ..." becomes "dog.png: ...". */
void image_files_name(const struct image_files *files, struct model_error *err);

#endif
