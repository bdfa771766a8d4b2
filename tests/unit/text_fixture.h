/* text_fixture.h - a text pipeline without a plugin: a small vocabulary, descriptions of outputs for each task,
 * and outputs that the test fills in. Included once by a test program; one thread. */
#ifndef TEXT_FIXTURE_H
#define TEXT_FIXTURE_H

#include "dtype.h"
#include "errors.h"
#include "files.h"
#include "json_view.h"
#include "testing.h"
#include "text_pipeline.h"

#include <math.h>

static const char vocabulary[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nanna\nlives\nin\nrome\nnow\n##na\nan\nwho\n?\n";
enum { ANNA = 5, LIVES, IN, ROME, NOW, VOCAB = 14 };

static const struct model_dimension text_shape[] = {{"batch", 1, INT64_MAX}, {"sequence", 1, 12}};
static const struct model_dimension hidden_shape[] = {
    {"batch", 1, INT64_MAX}, {"sequence", 1, 12}, {NULL, 2, 2}};
static const struct model_dimension vocab_shape[] = {
    {"batch", 1, INT64_MAX}, {"sequence", 1, 12}, {NULL, VOCAB, VOCAB}};
static const struct model_dimension labels_shape[] = {{"batch", 1, INT64_MAX}, {NULL, 3, 3}};
static const struct model_dimension tags_shape[] = {
    {"batch", 1, INT64_MAX}, {"sequence", 1, 12}, {NULL, 3, 3}};

#define SPEC(name_, dtype_, rank_, shape_, flags_)                                                 \
    {                                                                                              \
        sizeof(struct model_tensor_spec), name_, dtype_, rank_, shape_, flags_, 0                  \
    }
static const struct model_tensor_spec ids = SPEC("input_ids", MODEL_I64, 2, text_shape, 0);
static const struct model_tensor_spec mask =
    SPEC("attention_mask", MODEL_I64, 2, text_shape, MODEL_SPEC_OPTIONAL);
static const struct model_tensor_spec types =
    SPEC("token_type_ids", MODEL_I64, 2, text_shape, MODEL_SPEC_OPTIONAL);
static const struct model_tensor_spec *const inputs[] = {&ids, &mask, &types};
static const struct model_tensor_spec hidden =
    SPEC("last_hidden_state", MODEL_F32, 3, hidden_shape, 0);
static const struct model_tensor_spec words =
    SPEC("prediction_logits", MODEL_F32, 3, vocab_shape, MODEL_SPEC_ON_REQUEST);
static const struct model_tensor_spec labels = SPEC("logits", MODEL_F32, 2, labels_shape, 0);
static const struct model_tensor_spec tags = SPEC("logits", MODEL_F32, 3, tags_shape, 0);
static const struct model_tensor_spec starts = SPEC("start_logits", MODEL_F32, 2, text_shape, 0);
static const struct model_tensor_spec ends = SPEC("end_logits", MODEL_F32, 2, text_shape, 0);

/* A pipeline over a folder with the vocabulary, for a model with these outputs. */
struct fixture {
    char *dir;
    struct package package;
    struct model_description description;
    const struct model_tensor_spec *outputs[2];
    json_node *config;
    struct text_pipeline *pipeline;
    struct text_batch *batch;
    struct modelhost_result *result;
    json_node *answer;
};

static inline struct fixture open_fixture(const char *task, const struct model_tensor_spec *first,
                                          const struct model_tensor_spec *second,
                                          const char *config)
{
    struct fixture f = {.dir = scratch_dir(), .outputs = {first, second}};
    char *path = path_join(f.dir, "vocab.txt");
    write_file(path, vocabulary, strlen(vocabulary));
    free(path);
    f.package.dir = f.package.backend_dir = f.dir;
    assert_int_equal(json_parse(config, strlen(config), "config", &f.config, NULL), MODEL_OK);
    f.description = (struct model_description){.struct_size = sizeof f.description,
                                               .architecture = "Fixture",
                                               .task = task,
                                               .inputs = inputs,
                                               .n_inputs = 3,
                                               .n_outputs = second != NULL ? 2 : 1};
    return f;
}

static inline void make_pipeline(struct fixture *f)
{
    struct model_error err = MODEL_ERROR_INIT;
    f->description.outputs = f->outputs;
    if (text_pipeline_create(&f->package, &f->description, f->config, &f->pipeline, &err) !=
        MODEL_OK)
        fail_msg("%s", err.message);
}

/* Texts as a lane makes tensors of them. */
static inline model_status make_batch_of(struct fixture *f, const struct modelhost_text *texts,
                                         uint32_t n_texts,
                                         const struct modelhost_run_options *options,
                                         struct model_error *err)
{
    const uint32_t cancelled = 0;
    text_batch_destroy(f->batch);
    f->batch = NULL;
    model_status status = text_batch_create(f->pipeline, texts, n_texts, options, &f->batch, err);
    return status == MODEL_OK ? text_batch_tokenize(f->batch, &cancelled, err) : status;
}

static inline model_status make_batch(struct fixture *f, const char *text, const char *pair,
                                      const struct modelhost_run_options *options,
                                      struct model_error *err)
{
    struct modelhost_text texts[] = {
        {sizeof texts[0], text, strlen(text), pair, pair != NULL ? strlen(pair) : 0}};
    return make_batch_of(f, texts, 1, options, err);
}

static inline void start(struct fixture *f, const char *text, const char *pair)
{
    struct model_error err = MODEL_ERROR_INIT;
    make_pipeline(f);
    if (make_batch(f, text, pair, NULL, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    uint32_t n = 0;
    const char *const *names = text_batch_output_names(f->batch, &n);
    assert_int_equal(result_create(&f->description, names, n, &f->result, NULL), MODEL_OK);
}

/* Gives the model's output `index`, all zero, and its memory. */
static inline float *output(struct fixture *f, uint32_t index, uint32_t rank, int64_t a, int64_t b,
                            int64_t c)
{
    int64_t shape[] = {a, b, c};
    assert_int_equal(result_allocate(f->result, index, MODEL_F32, rank, shape, NULL), MODEL_OK);
    float *data = f->result->tensors[index].data;
    memset(data, 0, (size_t)f->result->tensors[index].size_bytes);
    return data;
}

static inline const json_node *answer(struct fixture *f)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (text_batch_answer(f->batch, f->result, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    const char *text = modelhost_result_json(f->result);
    assert_int_equal(json_parse(text, strlen(text), "answer", &f->answer, NULL), MODEL_OK);
    return json_first(f->answer);
}

static inline void close_fixture(struct fixture *f)
{
    text_batch_destroy(f->batch);
    modelhost_result_destroy(f->result);
    text_pipeline_destroy(f->pipeline);
    json_free(f->config);
    json_free(f->answer);
    assert_int_equal(dir_remove_all(f->dir, NULL), MODEL_OK);
    free(f->dir);
}

static inline void assert_near(const json_node *node, double wanted)
{
    assert_true(fabs(json_number_or(node, -1) - wanted) < 1e-6);
}

#endif
