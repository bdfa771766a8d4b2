/* image_files.c - see image_files.h. */
#include "image_files.h"
#include "errors.h"
#include "files.h"
#include "image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static model_status read_stdin(struct buffer *ret, struct model_error *err)
{
    char block[65536];
    model_status status = MODEL_OK;
    for (size_t n; status == MODEL_OK && (n = fread(block, 1, sizeof block, stdin)) > 0;)
        status = buffer_append(ret, block, n);
    if (status == MODEL_INVALID_ARGUMENT)
        return error_set(err, status,
                         "standard input: more than %u bytes, which a picture may have",
                         IMAGE_MAX_BYTES);
    if (status != MODEL_OK)
        return error_no_memory(err, "a picture");
    return ferror(stdin) ? error_set_errno(err, errno, "cannot read standard input") : MODEL_OK;
}

model_status image_files_init(const char *const *names, uint32_t n, struct image_files *ret,
                              struct model_error *err)
{
    struct image_files files = {.names = names, .n_images = n};
    files.images = calloc(n + 1u, sizeof *files.images);
    files.buffers = calloc(n + 1u, sizeof *files.buffers);
    model_status status =
        files.images != NULL && files.buffers != NULL ? MODEL_OK : error_no_memory(err, "pictures");
    for (uint32_t i = 0; i < n && status == MODEL_OK; i++) {
        struct buffer *buffer = &files.buffers[i];
        buffer->max_bytes = IMAGE_MAX_BYTES;
        status = strcmp(names[i], "-") == 0 ? read_stdin(buffer, err)
                                            : file_read(names[i], IMAGE_MAX_BYTES, buffer, err);
        files.images[i] =
            (struct modelhost_image){sizeof files.images[i], buffer->data, buffer->size};
    }
    if (status == MODEL_OK)
        *ret = files;
    else
        image_files_finish(&files);
    return status;
}

void image_files_finish(struct image_files *files)
{
    for (uint32_t i = 0; i < files->n_images && files->buffers != NULL; i++)
        buffer_finish(&files->buffers[i]);
    free(files->buffers);
    free(files->images);
}

void image_files_name(const struct image_files *files, struct model_error *err)
{
    char sentence[sizeof err->message], *rest = sentence;
    memcpy(sentence, err->message, sizeof sentence);
    size_t index = strncmp(sentence, "image ", 6) == 0 ? strtoul(sentence + 6, &rest, 10) : 0;
    if (index >= 1 && index <= files->n_images && *rest == ':') {
        const char *name = files->names[index - 1];
        (void)error_set(err, MODEL_OK, "%s%s", strcmp(name, "-") == 0 ? "standard input" : name,
                        rest);
    }
}
