/* file_cache.c - see file_cache.h. */
#include "file_cache.h"
#include "errors.h"
#include "files.h"
#include "host.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static bool add(struct model_files *files, char *path)
{
    if (path != NULL)
        files->paths[files->n++] = path;
    return path != NULL;
}

model_status model_files_list(const struct modelhost_model *model, struct model_files *ret,
                              struct model_error *err)
{
    const size_t n_weights = model->weights != NULL ? weights_n_files(model->weights) : 0;
    struct model_files files = {calloc(n_weights + 2, sizeof *files.paths), 0};
    bool good = files.paths != NULL;
    if (good && model->package.archive != NULL)
        good = add(&files, text_format("%s", model->package.dir));
    for (size_t i = 0; i < n_weights && good && model->package.archive == NULL; i++) {
        const char *path = NULL;
        (void)weights_file(model->weights, i, &path);
        good = add(&files, text_format("%s", path));
    }
    if (good && model->prepared.name[0] != '\0' && model->host->store_dir != NULL)
        good = add(&files, text_format("%s/" PREPARED_FOLDER_NAME "/%s", model->host->store_dir,
                                       model->prepared.name));
    if (!good) {
        model_files_finish(&files);
        return error_no_memory(err, "a list of files");
    }
    *ret = files;
    return MODEL_OK;
}

void model_files_finish(struct model_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        free(files->paths[i]);
    free(files->paths);
    *files = (struct model_files){NULL, 0};
}

void model_files_drop_cache(const struct model_files *files)
{
#ifdef POSIX_FADV_DONTNEED
    for (size_t i = 0; i < files->n; i++) {
        const int fd = open(files->paths[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        (void)fdatasync(fd); /* pages that are still to be written stay */
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        (void)close(fd);
    }
#else
    (void)files;
#endif
}
