/* replay.c - runs a fuzz target over files instead of random input: every file named, and every file
 * of the folders named (not of theirs), so that a corpus is a test. */
#include "errors.h"
#include "files.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_INPUT_BYTES (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay_file(const char *path)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer input = BUFFER_INIT(MAX_INPUT_BYTES);
    model_status status = file_read(path, MAX_INPUT_BYTES, &input, &err);
    if (status == MODEL_OK) {
        /* A copy of just this size, so that a sanitizer sees a read behind its end. */
        uint8_t *data = malloc(input.size > 0 ? input.size : 1);
        if (data != NULL) {
            for (size_t i = 0; i < input.size; i++)
                data[i] = (uint8_t)input.data[i];
            (void)LLVMFuzzerTestOneInput(data, input.size);
        }
        free(data);
    } else {
        (void)fprintf(stderr, "%s\n", err.message);
    }
    buffer_finish(&input);
    return status == MODEL_OK;
}

static bool replay_folder(const char *folder, size_t *n)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct dir_list list = {0};
    bool good = dir_read(folder, &list, &err) == MODEL_OK;
    if (!good)
        (void)fprintf(stderr, "%s\n", err.message);
    for (size_t i = 0; i < list.n_names && good; i++) {
        char *path = path_join(folder, list.names[i]);
        good = path != NULL;
        if (good && path_is_file(path)) {
            good = replay_file(path);
            ++*n;
        }
        free(path);
    }
    dir_list_finish(&list);
    return good;
}

int main(int argc, char **argv)
{
    bool good = true;
    size_t n = 0;
    for (int i = 1; i < argc && good; i++) {
        if (path_is_dir(argv[i])) {
            good = replay_folder(argv[i], &n);
        } else {
            good = replay_file(argv[i]);
            n++;
        }
    }
    (void)printf("%zu inputs replayed\n", n);
    return good ? 0 : 1;
}
