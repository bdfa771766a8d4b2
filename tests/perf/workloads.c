/* workloads.c - fixed pieces of work whose instructions are counted (tests/perf/instructions.sh, `make check-perf`).
 *
 *   workloads --list | NAME
 *   workloads --make KIND      writes a model of made_models.h and prints its folder, to be removed
 *
 * Each prepares, does its work once without being counted, so that what is made once is there, and then within
 * counted(), which the counter knows by name. Everything runs on the main thread. Run from the project's folder, after
 * a build; BUILD says where. */
#include "bpe_fixture.h"
#include "dtype.h"
#include "echo_package.h"
#include "image_resize.h"
#include "json_view.h"
#include "made_inputs.h"
#include "made_models.h"
#include "loaded_model.h"
#include "safetensors.h"
#include "sampler.h"
#include "speculation.h"

#define CALLS      1000
#define TENSORS    10000
#define FILES      2000
#define REPEATS    40
#define VOCABULARY 50257
#define TOKENS     8
#define STEPS      16
#define PROMPTS    16
#define LOOKUPS    1000
#define HISTORY    512

static const char paragraph[] =
    "The quick brown fox jumps over the lazy dog; meanwhile, 42 engineers (and 3 cats) re-read "
    "\"Moby-Dick\" at 7:30 in the caf\xC3\xA9. It wasn't easy: unbelievable internationalization, "
    "https://example.org/a?b=c, and x = y * 3.1415 kept everyone awake until the morning came.\n";

static char *text; /* the paragraph REPEATS times */
static struct tokenizer *tokenizer;
static struct buffer bytes = BUFFER_INIT(64u << 20);
static struct echo opened;
static struct made_inputs *inputs;
static struct image picture;
static struct sampler sampler;
static struct sampler_settings settings = {
    .do_sample = true, .temperature = 0.8, .top_k = 50, .top_p = 0.9, .repetition_penalty = 1.1};
static float *logits;

static void check(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "workloads: %s failed\n", what);
        exit(1);
    }
}

static void make_text(void)
{
    struct buffer whole = BUFFER_INIT(1 << 20);
    for (int i = 0; i < REPEATS; i++)
        check(buffer_append_text(&whole, paragraph) == MODEL_OK, "the text");
    text = buffer_take(&whole);
}

/* ---- calls of a model */

static void open_model_in(const char *dir, int32_t dtype)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    options.store_dir = options.plugin_path = dir;
    options.lanes = options.threads = 1;
    load.dtype = dtype;
    load.prefix_cache = -1; /* what is done twice is as much work again */
    if (modelhost_create(&options, &opened.host, &err) != MODEL_OK ||
        modelhost_load_with(opened.host, dir, &load, &opened.model, &err) != MODEL_OK)
        check(false, err.message);
    const struct made_options made = {.batch = 1, .picture = 32, .other = 16, .seed = 1};
    inputs =
        made_inputs_create(modelhost_description(opened.model), opened.model->config, &made, &err);
    check(inputs != NULL, "the inputs");
}

static void open_model(const char *dir)
{
    open_model_in(dir, MODELHOST_F32);
}

static const char *wanted; /* the output that is computed; NULL: all */

static void run_model(int n)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    options.direct = 1;
    options.output_names = wanted != NULL ? &wanted : NULL;
    options.n_output_names = wanted != NULL;
    for (int i = 0; i < n; i++) {
        struct modelhost_result *result = NULL;
        check(modelhost_run(opened.model, inputs->list, inputs->n, &options, &result, NULL) ==
                  MODEL_OK,
              "a call");
        modelhost_result_destroy(result);
    }
}

static void prepare_calls(void)
{
    opened.dir = make_package("echo", "{\"model_type\": \"echo\"}");
    open_model(opened.dir);
}

static void calls(void)
{
    run_model(CALLS);
}

/* The model that the repository ships. */
static void prepare_bert(void)
{
    static const char model[] = "examples/demo/hub/modelhost/facts-bert-mini";
    static const char *const files[] = {"config.json", "model.safetensors"};
    const char *build = getenv("BUILD");
    opened.dir = scratch_dir();
    char *backend = path_join(opened.dir, "backends/cpu");
    check(dir_make_all(backend, NULL) == MODEL_OK, "a folder");
    for (size_t i = 0; i < 3; i++) {
        char *from = i < 2 ? text_format("%s/%s", model, files[i])
                           : text_format("%s/lib/modelhost/plugins/libbert.so",
                                         build != NULL ? build : "build");
        char *to = text_format("%s/%s", backend, i < 2 ? files[i] : "libmodel.so");
        char *target = realpath(from, NULL);
        check(target != NULL && symlink(target, to) == 0, from);
        free(from);
        free(to);
        free(target);
    }
    free(backend);
    open_model(opened.dir);
}

/* What its ML Program computes of it. */
static void prepare_bert_hidden(void)
{
    wanted = "last_hidden_state";
    prepare_bert();
}

/* A model as an ML Program, which instructions.sh has written. */
static void prepare_program(void)
{
    const char *dir = getenv("COREML_PROGRAM");
    check(dir != NULL, "COREML_PROGRAM, the package of an ML Program,");
    open_model(dir);
}

static void run_once(void)
{
    run_model(1);
}

static void prepare_gpt2(void)
{
    opened.dir = made_model("gpt2");
    open_model(opened.dir);
}

static void prepare_gpt2_int8(void)
{
    opened.dir = made_model("gpt2");
    open_model_in(opened.dir, MODELHOST_INT8);
}

/* Tokens one by one, as generating reads them. */
static void decode(void)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    static const char *const names[] = {"next_token_logits"};
    const int64_t shape[] = {1, 1};
    options.direct = 1;
    options.output_names = names;
    options.n_output_names = 1;
    check(modelhost_session_create(opened.model, &options.session, NULL) == MODEL_OK, "a session");
    for (int64_t i = 0; i < STEPS; i++) {
        struct model_tensor ids = {.struct_size = sizeof ids};
        const struct model_tensor *list[] = {&ids};
        struct modelhost_result *result = NULL;
        tensor_init(&ids, "input_ids", MODEL_I64, 2, shape, &i);
        check(modelhost_run(opened.model, list, 1, &options, &result, NULL) == MODEL_OK, "a step");
        modelhost_result_destroy(result);
    }
    modelhost_session_release(options.session);
}

/* The prompts of a call, up to their first tokens. */
static void prefill(void)
{
    int64_t ids[PROMPTS][TOKENS];
    struct modelhost_prompt prompts[PROMPTS];
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    struct modelhost_result *result = NULL;
    for (size_t i = 0; i < PROMPTS; i++) {
        for (size_t k = 0; k < TOKENS; k++)
            ids[i][k] = (int64_t)(100 * i + 7 * k);
        prompts[i] = (struct modelhost_prompt){
            .struct_size = sizeof prompts[i], .token_ids = ids[i], .n_token_ids = TOKENS - i % 3};
    }
    options.direct = 1;
    generation.max_new_tokens = 1;
    check(modelhost_generate(opened.model, prompts, PROMPTS, &generation, &options, &result,
                             NULL) == MODEL_OK,
          "prompts");
    modelhost_result_destroy(result);
}

static void prepare_lstm(void)
{
    wanted = "logits";
    opened.dir = made_model("lstm");
    open_model(opened.dir);
}

static void prepare_resnet(void)
{
    wanted = "logits";
    opened.dir = made_model("resnet");
    open_model(opened.dir);
}

/* ---- opening one whose weights are prepared */

static void load(void)
{
    struct modelhost_model *model = NULL;
    check(modelhost_load(opened.host, opened.dir, &model, NULL) == MODEL_OK, "a load");
    modelhost_release(model);
}

static int64_t history[HISTORY];
static struct speculation speculation;

/* A text that comes again and again, with something new between. */
static void prepare_lookup(void)
{
    for (int64_t i = 0; i < HISTORY; i++)
        history[i] = i % 97 == 0 ? 1000 + i : i % 97;
}

static void look_up(void)
{
    int64_t proposed[SPECULATION_MAX_TOKENS];
    size_t n = 0;
    for (int i = 0; i < LOOKUPS; i++) {
        speculation_init(&speculation);
        n += speculation_propose(&speculation, history, HISTORY - (size_t)(i % 64),
                                 SPECULATION_MAX_TOKENS, proposed);
    }
    check(n > 0, "a lookup");
}

/* ---- texts */

static void prepare_wordpiece(void)
{
    struct model_error err = MODEL_ERROR_INIT;
    make_text();
    check(tokenizer_load("examples/demo/hub/modelhost/facts-bert-mini", &tokenizer, &err) ==
              MODEL_OK,
          err.message);
}

static void prepare_bpe(void)
{
    static const char *const merges[] = {
        "t h", "th e",       "i n",        "e r",        "a n", "\xC4\xA0 the", "r e", "o n",
        "o u", "in g",       "an d",       "\xC4\xA0 a", "e n", "\xC4\xA0 c",   "i s", "o r",
        "a t", "\xC4\xA0 w", "\xC4\xA0 m", "e s",        "a l", "i t",          NULL};
    make_text();
    tokenizer = bpe_load((struct fixture){.model = NULL}, merges, "");
}

static void tokenize(void)
{
    struct encoding encoding = ENCODING_INIT;
    const struct tokenizer_options options = {
        .add_special_tokens = true, .truncation = TOKENIZER_OFF, .padding = TOKENIZER_OFF};
    check(tokenizer_encode(tokenizer, text, strlen(text), NULL, 0, &options, &encoding, NULL) ==
              MODEL_OK,
          "tokenizing");
    encoding_finish(&encoding);
}

static void sample(void)
{
    int64_t id = -1;
    for (int i = 0; i < TOKENS; i++)
        check(sampler_next(&sampler, logits, &id, NULL) == MODEL_OK, "sampling");
}

static void prepare_sampler(void)
{
    uint32_t state = 1;
    logits = calloc(VOCABULARY, sizeof *logits);
    check(logits != NULL && sampler_init(&sampler, &settings, VOCABULARY, 1, 0, NULL) == MODEL_OK,
          "a sampler");
    for (int i = 0; i < VOCABULARY; i++) {
        state = state * 1664525u + 1013904223u; /* Numerical Recipes */
        logits[i] = (float)(state >> 8) / (float)(1 << 21);
    }
}

/* ---- files */

static void prepare_header(void)
{
    uint64_t length = 0;
    check(buffer_append(&bytes, (const char *)&length, sizeof length) == MODEL_OK &&
              buffer_append_text(&bytes, "{") == MODEL_OK,
          "a header");
    for (int i = 0; i < TENSORS; i++)
        check(buffer_printf(&bytes,
                            "%s\"model.layers.%d.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],"
                            "\"data_offsets\":[%d,%d]}",
                            i > 0 ? "," : "", i, 16 * i, 16 * i + 16) == MODEL_OK,
              "a header");
    check(buffer_append_text(&bytes, "}") == MODEL_OK, "a header");
    while (bytes.size % 8 != 0)
        check(buffer_append_text(&bytes, " ") == MODEL_OK, "a header");
    length = bytes.size - sizeof length;
    memcpy(bytes.data, &length, sizeof length);
}

static void read_header(void)
{
    struct safetensors file;
    const uint64_t data_bytes = 16u * TENSORS;
    char *header = malloc(bytes.size);
    check(header != NULL, "a header");
    memcpy(header, bytes.data + 8, bytes.size - 8);
    check(safetensors_parse_header(header, bytes.size - 8, bytes.size + data_bytes, "header", &file,
                                   NULL) == MODEL_OK &&
              file.n_entries == TENSORS,
          "a header");
    safetensors_finish(&file);
}

/* What the hub says of a repository's files. */
static void prepare_json(void)
{
    check(buffer_append_text(&bytes, "[") == MODEL_OK, "JSON");
    for (int i = 0; i < FILES; i++)
        check(buffer_printf(&bytes,
                            "%s{\"type\":\"file\",\"oid\":\"%040d\",\"size\":%d,\"lfs\":{\"oid\":"
                            "\"%064d\",\"size\":%d,\"pointerSize\":134},\"path\":\"folder/"
                            "caf\\u00e9-%05d.safetensors\"}",
                            i > 0 ? "," : "", i, 1000 * i, i, 1000 * i, i) == MODEL_OK,
              "JSON");
    check(buffer_append_text(&bytes, "]") == MODEL_OK, "JSON");
}

static void read_json(void)
{
    json_node *root = NULL;
    check(json_parse(bytes.data, bytes.size, "tree", &root, NULL) == MODEL_OK &&
              json_count(root) == FILES,
          "JSON");
    json_free(root);
}

static void prepare_picture(void)
{
    check(image_allocate(640, 427, &picture, NULL) == MODEL_OK, "a picture");
    for (uint32_t i = 0; i < 640 * 427 * 3; i++)
        picture.pixels[i] = (uint8_t)(i * 2654435761u >> 24);
}

static void resize(void)
{
    const struct image_box box = {56, 0, 224, 224};
    struct image small = IMAGE_INIT;
    check(image_resize(&picture, 336, 224, IMAGE_BICUBIC, &box, &small, NULL) == MODEL_OK,
          "resizing");
    image_finish(&small);
}

/* ---- the table */

static const struct workload {
    const char *name;
    void (*prepare)(void);
    void (*work)(void);
} workloads[] = {
    {"calls", prepare_calls, calls},
    {"bert", prepare_bert, run_once},
    {"prefill", prepare_gpt2, prefill},
    {"bert-hidden", prepare_bert_hidden, run_once},
    {"program-bert", prepare_program, run_once},
    {"decode", prepare_gpt2, decode},
    {"decode-int8", prepare_gpt2_int8, decode},
    {"convolve", prepare_resnet, run_once},
    {"program-resnet", prepare_program, run_once},
    {"lstm", prepare_lstm, run_once},
    {"program-lstm", prepare_program, run_once},
    {"load", prepare_gpt2, load},
    {"lookup", prepare_lookup, look_up},
    {"wordpiece", prepare_wordpiece, tokenize},
    {"bpe", prepare_bpe, tokenize},
    {"sampler", prepare_sampler, sample},
    {"header", prepare_header, read_header},
    {"json", prepare_json, read_json},
    {"resize", prepare_picture, resize},
};

void counted(const struct workload *workload);
/* What the counter looks for. */
__attribute__((noinline)) void counted(const struct workload *workload)
{
    workload->work();
}

static void finish(void)
{
    made_inputs_destroy(inputs);
    modelhost_release(opened.model);
    modelhost_destroy(opened.host);
    if (opened.dir != NULL)
        remove_package(opened.dir);
    tokenizer_destroy(tokenizer);
    image_finish(&picture);
    if (logits != NULL)
        sampler_finish(&sampler);
    free(logits);
    free(text);
    buffer_finish(&bytes);
}

int main(int argc, char **argv)
{
    const size_t n = sizeof workloads / sizeof *workloads;
    const struct workload *chosen = NULL;
    for (size_t i = 0; i < n; i++) {
        if (argc == 2 && strcmp(argv[1], "--list") == 0)
            puts(workloads[i].name);
        else if (argc == 2 && strcmp(argv[1], workloads[i].name) == 0)
            chosen = &workloads[i];
    }
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return 0;
    if (argc == 3 && strcmp(argv[1], "--make") == 0) {
        char *folder = made_model(argv[2]);
        puts(folder);
        free(folder);
        return 0;
    }
    if (chosen == NULL) {
        fprintf(stderr, "workloads: want --list, or one of its names\n");
        return 2;
    }
    chosen->prepare();
    chosen->work();
    counted(chosen);
    finish();
    return 0;
}
