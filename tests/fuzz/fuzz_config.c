/* fuzz_config.c - any bytes as the config.json of a BERT whose weights are there: through the JSON view
 * and the host's services into plugins/bert, as a load goes, and what loads runs once. The weights are
 * tiny and have all heads, so much memory is asked for only when the configuration is believed. */
#include "dtype.h"
#include "errors.h"
#include "fuzz_folder.h"
#include "package.h"
#include "package_architectures.h"
#include "parallel.h"
#include "result.h"
#include "safetensors.h"
#include "schema.h"
#include "services.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

#define HIDDEN     8
#define VOCABULARY 6
#define POSITIONS  7
#define MAX_BYTES  (1u << 20) /* of one allocation */

/* <name>.weight [rows, columns], or [rows] without columns, and <name>.bias [rows]. */
static const struct {
    const char *name;
    int64_t rows, columns;
} parts[] = {
    {"bert.embeddings.word_embeddings", VOCABULARY, HIDDEN},
    {"bert.embeddings.position_embeddings", POSITIONS, HIDDEN},
    {"bert.embeddings.token_type_embeddings", 2, HIDDEN},
    {"bert.embeddings.LayerNorm", HIDDEN, 0},
    {"bert.encoder.layer.0.attention.self.query", HIDDEN, HIDDEN},
    {"bert.encoder.layer.0.attention.self.key", HIDDEN, HIDDEN},
    {"bert.encoder.layer.0.attention.self.value", HIDDEN, HIDDEN},
    {"bert.encoder.layer.0.attention.output.dense", HIDDEN, HIDDEN},
    {"bert.encoder.layer.0.attention.output.LayerNorm", HIDDEN, 0},
    {"bert.encoder.layer.0.intermediate.dense", 2 * HIDDEN, HIDDEN},
    {"bert.encoder.layer.0.output.dense", HIDDEN, 2 * HIDDEN},
    {"bert.encoder.layer.0.output.LayerNorm", HIDDEN, 0},
    {"bert.pooler.dense", HIDDEN, HIDDEN},
    {"cls.seq_relationship", 2, HIDDEN},
    {"cls.predictions", VOCABULARY, 0},
    {"cls.predictions.transform.dense", HIDDEN, HIDDEN},
    {"cls.predictions.transform.LayerNorm", HIDDEN, 0},
    {"classifier", 3, HIDDEN},
    {"qa_outputs", 2, HIDDEN},
};
#define N_PARTS (sizeof parts / sizeof parts[0])

static struct tensor_space {
    struct model_tensor tensor;
    char name[80];
} spaces[2 * N_PARTS];

static void fill(struct tensor_space *space, const char *name, const char *kind, int64_t rows,
                 int64_t columns, float *values)
{
    const int64_t shape[] = {rows, columns};
    must(snprintf(space->name, sizeof space->name, "%s.%s", name, kind) < (int)sizeof space->name);
    tensor_init(&space->tensor, space->name, MODEL_F32, columns > 0 ? 2 : 1, shape, values);
}

/* The weights, from a file that is gone when they are mapped. */
static struct weights *open_weights(void)
{
    const struct model_tensor *list[2 * N_PARTS];
    float values[2 * HIDDEN * HIDDEN];
    struct weights *weights = NULL;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        values[i] = 0.1f * (float)((int)(i % 7) - 3);
    for (size_t i = 0; i < N_PARTS; i++) {
        fill(&spaces[2 * i], parts[i].name, "weight", parts[i].rows, parts[i].columns, values);
        fill(&spaces[2 * i + 1], parts[i].name, "bias", parts[i].rows, 0, values);
    }
    for (size_t i = 0; i < 2 * N_PARTS; i++)
        list[i] = &spaces[i].tensor;
    must(safetensors_write(fuzz_path("model.safetensors"), list, 2 * N_PARTS, NULL) == MODEL_OK);
    must(weights_open_file(fuzz_path("model.safetensors"), &weights, NULL) == MODEL_OK);
    fuzz_put("model.safetensors", NULL, 0);
    return weights;
}

/* ---- services that watch what they are asked for */

static struct model_services plain;

static void *watched_allocate(void *context, size_t size_bytes)
{
    must(size_bytes <= MAX_BYTES);
    return plain.allocate(context, size_bytes);
}

static void *watched_scratch(void *context, size_t size_bytes)
{
    must(size_bytes <= MAX_BYTES);
    return plain.scratch(context, size_bytes);
}

static model_status watched_blob(void *context, const char *key, size_t size_bytes,
                                 model_status (*fill_blob)(void *argument, void *destination),
                                 void *argument, const void **ret_data)
{
    must(size_bytes <= MAX_BYTES);
    return plain.packed_blob(context, key, size_bytes, fill_blob, argument, ret_data);
}

/* ---- a run */

static model_status allocate_output(void *context, uint32_t index, int32_t dtype, uint32_t rank,
                                    const int64_t *shape, struct model_error *err)
{
    struct modelhost_result *result = context;
    uint64_t n_bytes = dtype_size_bytes(dtype);
    must(index < result->n_tensors && rank <= MODEL_MAX_RANK);
    for (uint32_t i = 0; i < rank; i++) {
        must(shape[i] >= 0 && shape[i] <= MAX_BYTES);
        n_bytes *= (uint64_t)shape[i];
        must(n_bytes <= MAX_BYTES);
    }
    return result_allocate(result, index, dtype, rank, shape, err);
}

static void run(const struct model *model, struct model_instance *instance)
{
    int64_t ids[] = {0, VOCABULARY - 1, 1, 0, 0, 2};
    const int64_t shape[] = {2, 3};
    struct model_tensor input;
    const struct model_tensor *inputs[] = {&input};
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    uint32_t cancelled = 0;
    const struct model_cancel cancel = {sizeof cancel, &cancelled, INT64_MAX};
    tensor_init(&input, "input_ids", MODEL_I64, 2, shape, ids);
    if (result_create(model->description, NULL, 0, &result, &err) != MODEL_OK)
        return;
    const struct model_call call = {.struct_size = sizeof call,
                                    .inputs = inputs,
                                    .n_inputs = 1,
                                    .outputs = result->pointers,
                                    .n_outputs = result->n_tensors,
                                    .allocate_output = allocate_output,
                                    .context = result,
                                    .cancel = &cancel};
    model_status status = instance->run(instance, &call, &err);
    must((status == MODEL_OK) == (err.message[0] == '\0'));
    for (uint32_t i = 0; i < result->n_tensors && status == MODEL_OK; i++)
        must(result->tensors[i].data != NULL);
    modelhost_result_destroy(result);
}

static void load(const struct services *services, const char *text, size_t size_bytes)
{
    const struct model_create_args args = {.struct_size = sizeof args,
                                           .package_dir = fuzz_path("."),
                                           .backend_dir = fuzz_path("."),
                                           .config_json = text,
                                           .config_json_bytes = size_bytes,
                                           .threads = 1,
                                           .lanes = 1};
    struct model_error err = MODEL_ERROR_INIT;
    struct model *model = NULL;
    struct model_instance *instance = NULL;
    if (create_model(&services->table, &args, &model, &err) != MODEL_OK) {
        must(model == NULL && err.message[0] != '\0');
        return;
    }
    must(schema_check_description(model->description, NULL) == MODEL_OK);
    must(model->description->instance_bytes <= MAX_BYTES);
    if (model->create_instance(model, &instance, &err) == MODEL_OK) {
        run(model, instance);
        instance->destroy(instance);
    }
    model->destroy(model);
}

/* What a package is searched a plugin by. */
static void read_architectures(const uint8_t *data, size_t size_bytes)
{
    struct package_architectures found;
    fuzz_put("config.json", data, size_bytes);
    if (package_architectures_read(NULL, fuzz_path("config.json"), &found, NULL) == MODEL_OK)
        package_architectures_finish(&found);
}

static void attempt(const json_node *config, const struct weights *weights, const char *text,
                    size_t size_bytes)
{
    static const struct log_sink log = {.level = MODEL_LOG_ERROR};
    struct services services;
    must(services_init(&services, &log, "fuzz", config, weights, 1, NULL) == MODEL_OK);
    plain = services.table;
    services.table.allocate = watched_allocate;
    services.table.scratch = watched_scratch;
    services.table.packed_blob = watched_blob;
    load(&services, text, size_bytes);
    services_finish(&services);
    services_release_scratch();
}

/* The fields that a model cannot be without, where the input has none of the name: so that one hostile field
 * comes further than the first that is missing. */
static void complete(json_node *config)
{
    static const struct {
        const char *key;
        int value;
    } fields[] = {{"hidden_size", HIDDEN},    {"intermediate_size", 2 * HIDDEN},
                  {"num_hidden_layers", 1},   {"num_attention_heads", 2},
                  {"vocab_size", VOCABULARY}, {"max_position_embeddings", POSITIONS}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (json_member(config, fields[i].key) == NULL)
            must(json_add_number(config, fields[i].key, fields[i].value) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static struct weights *weights;
    json_node *config = NULL;
    if (weights == NULL) {
        weights = open_weights();
        parallel_adopt_thread(1);
    }
    read_architectures(data, size_bytes);
    char *text = malloc(size_bytes + 1);
    must(text != NULL);
    memcpy(text, data, size_bytes);
    text[size_bytes] = '\0';
    if (json_parse(text, size_bytes, "config.json", &config, NULL) == MODEL_OK &&
        json_is_object(config)) {
        attempt(config, weights, text, size_bytes);
        complete(config);
        attempt(config, weights, text, size_bytes);
    }
    json_free(config);
    free(text);
    return 0;
}
