/* api_generate.c - the public functions that generate text; see include/modelhost.h. */
#include "api_request.h"
#include "clock.h"
#include "errors.h"
#include "generation.h"
#include "loaded_model.h"
#include "model_route.h"
#include "text_pipeline.h"

/* NULL for a package without a tokenizer, which has ids only. */
static model_status find_pipeline(struct modelhost_model *model, struct text_pipeline **ret,
                                  struct model_error *err)
{
    struct model_error why = MODEL_ERROR_INIT;
    const model_status status = loaded_model_pipeline(model, ret, &why);
    return status == MODEL_OK || status == MODEL_NOT_FOUND
               ? MODEL_OK
               : error_set(err, status, "%s", why.message);
}

/* A request that continues prompts. */
static model_status make_generation_request(struct modelhost_model *model,
                                            const struct modelhost_prompt *prompts,
                                            uint32_t n_prompts,
                                            const struct modelhost_generation *generation,
                                            const struct modelhost_run_options *options,
                                            struct modelhost_request **ret, struct model_error *err)
{
    const int64_t start_ns = clock_now_ns();
    struct text_pipeline *pipeline = NULL;
    const struct generation_config *config = NULL;
    struct request_job *job = NULL;
    model_status status = find_pipeline(model, &pipeline, err);
    if (status == MODEL_OK)
        status = loaded_model_generation(model, &config, err);
    if (status == MODEL_OK)
        status = generation_job_create(modelhost_description(model),
                                       pipeline != NULL ? text_pipeline_tokenizer(pipeline) : NULL,
                                       config, prompts, n_prompts, generation, &job, err);
    if (status != MODEL_OK)
        return status;
    status = request_create(model, NULL, 0, 0, options, ret, err);
    if (status == MODEL_OK)
        request_adopt_job(*ret, job, start_ns);
    else
        job->destroy(job);
    return status;
}

static model_status generation_request(struct modelhost_model *model,
                                       const struct modelhost_prompt *prompts, uint32_t n_prompts,
                                       const struct modelhost_generation *generation,
                                       const struct modelhost_run_options *options, bool is_async,
                                       struct modelhost_request **ret, struct model_error *err)
{
    struct routed_call call;
    model_status status = api_check_options(options, err);
    if (status == MODEL_OK && options != NULL &&
        MODEL_HAS(struct modelhost_run_options, options, session) && options->session != NULL)
        status = error_set(err, MODEL_UNSUPPORTED,
                           "generating takes no session: give the whole text each time; what was "
                           "read of it before is not read again");
    if (status == MODEL_OK)
        status = api_refuse_tensors(options, err);
    if (status == MODEL_OK)
        status = model_route_begin(model, options, !is_async, &call, err);
    if (status != MODEL_OK)
        return status;
    status =
        make_generation_request(call.serving, prompts, n_prompts, generation, options, ret, err);
    return model_route_attach(&call, status, *ret);
}

model_status modelhost_generate(struct modelhost_model *model,
                                const struct modelhost_prompt *prompts, uint32_t n_prompts,
                                const struct modelhost_generation *generation,
                                const struct modelhost_run_options *options,
                                struct modelhost_result **ret_result, struct model_error *err)
{
    struct modelhost_request *request = NULL;
    model_status status =
        generation_request(model, prompts, n_prompts, generation, options, false, &request, err);
    return status == MODEL_OK ? api_run_and_wait(request, ret_result, err)
                              : api_refused(model, status);
}

model_status modelhost_generate_async(struct modelhost_model *model,
                                      const struct modelhost_prompt *prompts, uint32_t n_prompts,
                                      const struct modelhost_generation *generation,
                                      const struct modelhost_run_options *options,
                                      modelhost_callback callback, void *user,
                                      struct modelhost_request **ret_request,
                                      struct model_error *err)
{
    struct modelhost_request *request = NULL;
    model_status status =
        generation_request(model, prompts, n_prompts, generation, options, true, &request, err);
    return status == MODEL_OK ? api_start(request, options, callback, user, ret_request, err)
                              : api_refused(model, status);
}
