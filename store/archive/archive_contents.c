/* archive_contents.c - see archive_contents.h. */
#include "archive_contents.h"
#include "errors.h"
#include "files.h"
#include "memory_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

model_status archive_contents_add(struct archive_contents *contents, const char *path, int fd,
                                  struct model_error *err)
{
    model_status status = memory_file_check_sealed(fd, err);
    struct archive_content *grown = NULL;
    char *copy = NULL;
    if (status == MODEL_OK) {
        grown = realloc(contents->items, (contents->n_items + 1) * sizeof *contents->items);
        contents->items = grown != NULL ? grown : contents->items;
        copy = text_format("%s", path);
        if (grown == NULL || copy == NULL)
            status = error_no_memory(err, "a content in memory");
    }
    if (status == MODEL_OK) {
        contents->items[contents->n_items++] = (struct archive_content){copy, fd};
        return MODEL_OK;
    }
    free(copy);
    (void)close(fd);
    return status;
}

const struct archive_content *archive_contents_find(const struct archive_contents *contents,
                                                    const char *path)
{
    for (size_t i = 0; contents != NULL && i < contents->n_items; i++)
        if (strcmp(contents->items[i].path, path) == 0)
            return &contents->items[i];
    return NULL;
}

void archive_contents_finish(struct archive_contents *contents)
{
    for (size_t i = 0; i < contents->n_items; i++) {
        free(contents->items[i].path);
        (void)close(contents->items[i].fd);
    }
    free(contents->items);
    *contents = (struct archive_contents){0};
}
