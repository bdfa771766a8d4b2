/* test_example_chaos.c - examples/chaos in this process, where that can be survived: right answers, what the
 * host says of each fault, which requests go wrong, and a piece that is emitted too late. */
#include "errors.h"
#include "files.h"
#include "testing.h"

#include <unistd.h>

struct chaos {
    struct modelhost *host;
    struct modelhost_model *model;
    char *dir;
    char log[4096]; /* what was logged until modelhost_destroy() */
    struct model_error err;
};

static void keep_line(void *context, int32_t level, const char *message)
{
    struct chaos *chaos = context;
    const size_t size = strlen(chaos->log);
    (void)level;
    (void)snprintf(chaos->log + size, sizeof chaos->log - size, "%s\n", message);
}

static model_status open_chaos(struct chaos *chaos, const char *config)
{
    const char *build = getenv("BUILD");
    *chaos = (struct chaos){.dir = scratch_dir(), .err = MODEL_ERROR_INIT};
    char *backend = path_join(chaos->dir, "backends/cpu");
    char *config_path = path_join(backend, "config.json");
    char *link_path = path_join(backend, "libmodel.so");
    char *relative = text_format("%s/examples/chaos.so", build != NULL ? build : "build");
    char *plugin = realpath(relative, NULL);
    assert_int_equal(dir_make_all(backend, NULL), MODEL_OK);
    write_file(config_path, config, strlen(config));
    assert_non_null(plugin);
    assert_int_equal(symlink(plugin, link_path), 0);
    free(backend);
    free(config_path);
    free(link_path);
    free(relative);
    free(plugin);
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    options.store_dir = options.plugin_path = chaos->dir;
    options.lanes = options.threads = 1;
    options.log = keep_line;
    options.log_context = chaos;
    assert_int_equal(modelhost_create(&options, &chaos->host, &chaos->err), MODEL_OK);
    return modelhost_load(chaos->host, chaos->dir, &chaos->model, &chaos->err);
}

static void close_chaos(struct chaos *chaos)
{
    modelhost_release(chaos->model);
    modelhost_destroy(chaos->host);
    assert_int_equal(dir_remove_all(chaos->dir, NULL), MODEL_OK);
    free(chaos->dir);
}

/* One run over [1, 2]: {x, x + 1}. */
static model_status run_chaos(struct chaos *chaos, float x,
                              const struct modelhost_run_options *options,
                              struct modelhost_result **ret)
{
    float data[2] = {x, x + 1};
    const struct model_tensor input = {.struct_size = sizeof input,
                                       .name = "input",
                                       .data = data,
                                       .size_bytes = sizeof data,
                                       .dtype = MODEL_F32,
                                       .rank = 2,
                                       .shape = {1, 2},
                                       .strides = {2, 1}};
    const struct model_tensor *const inputs[] = {&input};
    return modelhost_run(chaos->model, inputs, 1, options, ret, &chaos->err);
}

static void assert_right(struct modelhost_result *result, float x)
{
    const struct model_tensor *output = modelhost_result_find(result, "output");
    assert_non_null(output);
    assert_int_equal(output->size_bytes, 2 * sizeof(float));
    assert_true(((const float *)output->data)[0] == 2 * x + 1);
    assert_true(((const float *)output->data)[1] == 2 * x + 3);
    modelhost_result_destroy(result);
}

/* ---- what the host says */

static void faults_that_end_no_process_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        model_status status;
        const char *sentence;
    } cases[] = {
        {"\"mode\":\"throw-away-error\"", MODEL_INTERNAL,
         "plugin 'chaos' 1.0.0: run() failed with status 10 (internal) and no sentence"},
        {"\"mode\":\"no-output\"", MODEL_INTERNAL,
         "plugin 'chaos' 1.0.0: run() did not produce output 'output'"},
        {"\"mode\":\"wrong-shape\"", MODEL_INTERNAL,
         "plugin 'chaos' 1.0.0: output: 'output': dimension 1 (n) is 3, but 2 elsewhere in this "
         "request"},
        {"\"mode\":\"bad-schema\"", MODEL_INTERNAL,
         "plugin 'chaos' 1.0.0: output: 'output': dtype F32, want F64"},
        {"\"mode\":\"oom\",\"limit_mb\":8", MODEL_OUT_OF_MEMORY,
         "plugin 'chaos' 1.0.0: 8 MB taken, as much as config.json's 'limit_mb' allows"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char config[200];
        struct chaos chaos;
        struct modelhost_result *result = NULL;
        (void)snprintf(config, sizeof config, "{\"model_type\":\"chaos\",%s}", cases[i].config);
        assert_int_equal(open_chaos(&chaos, config), MODEL_OK);
        assert_int_equal(run_chaos(&chaos, 1, NULL, &result), cases[i].status);
        assert_string_equal(chaos.err.message, cases[i].sentence);
        assert_null(result);
        close_chaos(&chaos);
    }
}

static void places_other_than_run_fail_there(void **state)
{
    (void)state;
    struct chaos chaos;
    struct modelhost_result *result = NULL;
    assert_int_not_equal(open_chaos(&chaos, "{\"model_type\":\"chaos\",\"where\":\"create\","
                                            "\"mode\":\"throw-away-error\"}"),
                         MODEL_OK);
    assert_non_null(strstr(chaos.err.message, "create_model() failed without saying why"));
    close_chaos(&chaos);
    assert_int_not_equal(open_chaos(&chaos, "{\"model_type\":\"chaos\",\"where\":\"run\","
                                            "\"mode\":\"hang:3\"}"),
                         MODEL_OK);
    assert_non_null(strstr(chaos.err.message, "'mode' is 'hang:3'"));
    close_chaos(&chaos);
    assert_int_equal(open_chaos(&chaos, "{\"model_type\":\"chaos\",\"where\":\"destroy\","
                                        "\"mode\":\"slow:1\"}"),
                     MODEL_OK);
    assert_int_equal(run_chaos(&chaos, 1, NULL, &result), MODEL_OK);
    assert_right(result, 1);
    close_chaos(&chaos);
}

/* ---- which requests go wrong */

static uint32_t count_failures(struct chaos *chaos, char *ret_which)
{
    uint32_t n = 0;
    for (int i = 0; i < 1000; i++) {
        struct modelhost_result *result = NULL;
        const model_status status = run_chaos(chaos, (float)i, NULL, &result);
        ret_which[i] = status != MODEL_OK;
        n += ret_which[i] != 0;
        if (status == MODEL_OK)
            assert_right(result, (float)i);
        else
            assert_int_equal(status, MODEL_INTERNAL);
    }
    return n;
}

static void a_seed_decides_by_the_request(void **state)
{
    (void)state;
    static char first[1000], again[1000], other[1000];
    static const char *const configs[] = {
        "{\"model_type\":\"chaos\",\"mode\":\"no-output\",\"rate\":0.1,\"seed\":7}",
        "{\"model_type\":\"chaos\",\"mode\":\"no-output\",\"rate\":0.1,\"seed\":8}"};
    struct chaos chaos;
    assert_int_equal(open_chaos(&chaos, configs[0]), MODEL_OK);
    const uint32_t n = count_failures(&chaos, first);
    assert_int_equal(count_failures(&chaos, again), n);
    close_chaos(&chaos);
    assert_int_equal(open_chaos(&chaos, configs[1]), MODEL_OK);
    (void)count_failures(&chaos, other);
    close_chaos(&chaos);
    assert_true(n > 60 && n < 140); /* 100 is expected, 4 sigma are 38 */
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
}

static void a_rate_of_zero_is_a_good_plugin(void **state)
{
    (void)state;
    static char which[1000];
    struct chaos chaos;
    assert_int_equal(open_chaos(&chaos, "{\"model_type\":\"chaos\",\"mode\":\"abort\",\"rate\":0}"),
                     MODEL_OK);
    assert_int_equal(count_failures(&chaos, which), 0);
    close_chaos(&chaos);
}

/* ---- streams */

static void count_pieces(void *context, const struct model_tensor *const *tensors,
                         uint32_t n_tensors)
{
    (void)tensors;
    *(uint32_t *)context += n_tensors;
}

static void what_is_emitted_late_reaches_nobody(void **state)
{
    (void)state;
    struct chaos chaos;
    uint32_t n_pieces = 0;
    struct modelhost_result *result = NULL;
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    options.on_tensors = count_pieces;
    options.on_tensors_context = &n_pieces;
    assert_int_equal(open_chaos(&chaos, "{\"model_type\":\"chaos\",\"mode\":\"late-emit\"}"),
                     MODEL_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run_chaos(&chaos, (float)i, &options, &result), MODEL_OK);
        assert_right(result, (float)i);
    }
    modelhost_release(chaos.model); /* joins the thread */
    modelhost_destroy(chaos.host);
    chaos.model = NULL;
    chaos.host = NULL;
    assert_int_equal(n_pieces, 3);
    assert_non_null(strstr(chaos.log, "emitted behind run(): the host said 7"));
    assert_null(strstr(chaos.log, "the host said 0"));
    close_chaos(&chaos);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_that_end_no_process_are_told),
        cmocka_unit_test(places_other_than_run_fail_there),
        cmocka_unit_test(a_seed_decides_by_the_request),
        cmocka_unit_test(a_rate_of_zero_is_a_good_plugin),
        cmocka_unit_test(what_is_emitted_late_reaches_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
