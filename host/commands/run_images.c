/* run_images.c - the image form of `modelhost run`. Pictures run in chunks of a few, so that their number
 * is not bounded by memory; a chunk's answers are printed before the next is read. Main thread only. */
#include "cmd_run.h"
#include "errors.h"
#include "image_files.h"

#include <stdio.h>

#define MAX_CHUNK 8

static model_status run_chunk(const struct run_command *run, struct modelhost_model *model,
                              size_t first, uint32_t n, struct modelhost_timing *timing,
                              struct model_error *err)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    options.timeout_ms = run->timeout_ms;
    options.top_k = (uint32_t)run->top_k;
    options.task = run->task;
    struct image_files files;
    struct modelhost_result *result = NULL;
    const char *const *names = (const char *const *)run->images + first;
    model_status status = image_files_init(names, n, &files, err);
    if (status != MODEL_OK)
        return status;
    status = modelhost_run_image(model, files.images, n, &options, &result, err);
    if (status != MODEL_OK)
        image_files_name(&files, err);
    image_files_finish(&files);
    if (status != MODEL_OK)
        return status;
    const char *answers = modelhost_result_json(result);
    status = run->as_json ? print_json_items(answers, first == 0, err)
                          : print_image_answers(answers, names, err);
    timing->total_ns += modelhost_result_timing(result).total_ns;
    timing->run_ns += modelhost_result_timing(result).run_ns;
    modelhost_result_destroy(result);
    return status;
}

model_status run_images(const struct run_command *run, struct modelhost_model *model,
                        struct model_error *err)
{
    struct modelhost_timing timing = {.struct_size = sizeof timing};
    model_status status = MODEL_OK;
    size_t n_done = 0;
    while (n_done < run->n_images && status == MODEL_OK) {
        size_t n = run->n_images - n_done < MAX_CHUNK ? run->n_images - n_done : MAX_CHUNK;
        status = run_chunk(run, model, n_done, (uint32_t)n, &timing, err);
        n_done += status == MODEL_OK ? n : 0;
    }
    bool closed =
        !run->as_json || n_done == 0 || (fputs("]\n", stdout) >= 0 && fflush(stdout) == 0);
    if (status == MODEL_OK && !closed)
        status = error_set(err, MODEL_IO, "cannot write to standard output");
    if (status == MODEL_OK)
        run_print_timing(run, &timing, n_done, "image");
    return status;
}
