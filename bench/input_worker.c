/* input_worker.c - see input_worker.h. One thread owns everything; files are what inputs.py wrote. */
#include "input_worker.h"
#include "buffer.h"
#include "clock.h"
#include "errors.h"
#include "files.h"
#include "image_decode.h"
#include "image_resize.h"
#include "tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES     4096
#define MAX_FILE_BYTES (256u << 20)
#define SIDE           224u

struct input_worker {
    struct tokenizer *tokenizer; /* NULL: pictures */
    struct buffer file;
    struct encoding encoding;
    int64_t *ids; /* (n_ids), of the last run */
    size_t n_ids, max_ids;
    struct image image; /* of the last run */
};

static int complain(const char *what, const struct model_error *err)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, err->message);
    return 1;
}

static const char *read_inputs(struct input_worker *worker, char *words)
{
    struct model_error err = MODEL_ERROR_INIT;
    (void)strsep(&words, " "); /* what a run gives is known */
    buffer_clear(&worker->file);
    if (words == NULL || file_read(words, MAX_FILE_BYTES, &worker->file, &err) != MODEL_OK)
        return "error the inputs cannot be read";
    return "ok";
}

/* Room for the ids of any text of the file: a token is a byte at least, but for the special ones of each text. */
static model_status make_room(struct input_worker *worker)
{
    const size_t max_ids = 3 * worker->file.size;
    if (max_ids <= worker->max_ids)
        return MODEL_OK;
    free(worker->ids);
    worker->ids = calloc(max_ids, sizeof *worker->ids);
    worker->max_ids = worker->ids != NULL ? max_ids : 0;
    return worker->ids != NULL ? MODEL_OK : MODEL_OUT_OF_MEMORY;
}

static model_status encode_all(struct input_worker *worker, struct model_error *err)
{
    const struct tokenizer_options options = {.add_special_tokens = true};
    const char *end = worker->file.data + worker->file.size;
    worker->n_ids = 0;
    for (const char *text = worker->file.data; text < end;) {
        const size_t n_bytes = strnlen(text, (size_t)(end - text));
        model_status status = tokenizer_encode(worker->tokenizer, text, n_bytes, NULL, 0, &options,
                                               &worker->encoding, err);
        if (status != MODEL_OK)
            return status;
        const size_t n = worker->encoding.n_tokens;
        if (n > worker->max_ids - worker->n_ids)
            return MODEL_INTERNAL;
        memcpy(worker->ids + worker->n_ids, worker->encoding.ids, n * sizeof *worker->ids);
        worker->n_ids += n;
        text += n_bytes + 1;
    }
    return MODEL_OK;
}

static model_status shrink(struct input_worker *worker, struct model_error *err)
{
    static const struct image_box all = {0, 0, SIDE, SIDE};
    struct image whole = IMAGE_INIT;
    image_finish(&worker->image);
    model_status status = image_decode(worker->file.data, worker->file.size, &whole, err);
    if (status == MODEL_OK)
        status = image_resize(&whole, SIDE, SIDE, IMAGE_BILINEAR, &all, &worker->image, err);
    image_finish(&whole);
    return status;
}

static void run(struct input_worker *worker)
{
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = make_room(worker);
    const int64_t start_ns = clock_now_ns();
    if (status == MODEL_OK)
        status = worker->tokenizer != NULL ? encode_all(worker, &err) : shrink(worker, &err);
    const int64_t ns = clock_now_ns() - start_ns;
    if (status == MODEL_OK) {
        (void)printf("%lld\n", (long long)ns);
        return;
    }
    (void)complain("run", &err);
    (void)puts("error the run failed");
}

static const char *write_output(const struct input_worker *worker, const char *path)
{
    const size_t n = worker->tokenizer != NULL      ? worker->n_ids
                     : worker->image.pixels != NULL ? (size_t)SIDE * SIDE * 3
                                                    : 0;
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return "error the output file cannot be written";
    bool written = true;
    for (size_t i = 0; i < n && written; i++) {
        const float value =
            worker->tokenizer != NULL ? (float)worker->ids[i] : (float)worker->image.pixels[i];
        written = fwrite(&value, sizeof value, 1, file) == 1;
    }
    return fclose(file) == 0 && written ? "ok" : "error the output file cannot be written";
}

static void answer(struct input_worker *worker, char *line)
{
    char *words = line;
    const char *command = strsep(&words, " ");
    if (strcmp(command, "inputs") == 0 && words != NULL)
        (void)puts(read_inputs(worker, words));
    else if (strcmp(command, "run") == 0 && worker->file.size > 0)
        run(worker);
    else if (strcmp(command, "output") == 0 && words != NULL)
        (void)puts(write_output(worker, words));
    else
        (void)puts("error want: inputs OUTPUT FILE, then run, then output FILE");
    (void)fflush(stdout);
}

int input_worker_serve(const char *kind, const char *folder)
{
    static struct input_worker worker = {.encoding = ENCODING_INIT,
                                         .file = BUFFER_INIT(MAX_FILE_BYTES)};
    struct model_error err = MODEL_ERROR_INIT;
    char line[LINE_BYTES];
    const int64_t start_ns = clock_now_ns();
    if (strcmp(kind, "tokenize") == 0 &&
        tokenizer_load(folder, &worker.tokenizer, &err) != MODEL_OK)
        return complain(folder, &err);
    (void)printf("{\"load_ns\":%lld,\"version\":\"modelhost " MODELHOST_VERSION "\"}\n",
                 (long long)(clock_now_ns() - start_ns));
    (void)fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        answer(&worker, line);
    }
    image_finish(&worker.image);
    encoding_finish(&worker.encoding);
    tokenizer_destroy(worker.tokenizer);
    free(worker.ids);
    buffer_finish(&worker.file);
    return 0;
}
