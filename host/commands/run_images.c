/* run_images.c - the image form of `modelhost run`. Pictures run in chunks of a few, so that their number
 * is not bounded by memory; a chunk's answers are printed before the next is read. Main thread only. */
#include "cmd_run.h"
#include "errors.h"
#include "image_files.h"
#include "json_array.h"

#include <stdio.h>

#define MAX_CHUNK 8u /* or as many as the model takes */

static model_status run_chunk(const struct run_command *run, struct modelhost_model *model,
                              size_t first, uint32_t n, struct json_array *array,
                              struct modelhost_timing *timing, struct model_error *err)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    options.timeout_ms = first == 0 ? run_time_left_ms(run) : run->timeout_ms;
    options.top_k = run->top_k > 0 ? (uint32_t)run->top_k : 0;
    options.task = run->task;
    struct image_files files;
    struct modelhost_result *result = NULL;
    const char *const *names = run->images.values + first;
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
    status = run->as_json ? json_array_print(array, answers, err)
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
    struct json_array array = {0};
    const int64_t max_batch = modelhost_description(model)->max_batch; /* 0: not said */
    const size_t max_chunk = max_batch > 0 && max_batch < MAX_CHUNK ? (size_t)max_batch : MAX_CHUNK;
    size_t n_done = 0;
    while (n_done < run->images.n_values && status == MODEL_OK) {
        const size_t n_left = run->images.n_values - n_done;
        const size_t n = n_left < max_chunk ? n_left : max_chunk;
        status = run_chunk(run, model, n_done, (uint32_t)n, &array, &timing, err);
        n_done += status == MODEL_OK ? n : 0;
    }
    struct model_error unheard = MODEL_ERROR_INIT;
    model_status ended = json_array_end(&array, status == MODEL_OK ? err : &unheard);
    status = status == MODEL_OK ? ended : status;
    if (status == MODEL_OK)
        run_print_timing(run, &timing, n_done, "image");
    return status;
}
