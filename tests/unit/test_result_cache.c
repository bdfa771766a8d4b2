/* test_result_cache.c - equal inputs are computed once: host/results/result_cache.c and
 * host/results/result_key.c through modelhost.h, with the fixtures plugin_echo and plugin_stream. */
#include "dtype.h"
#include "echo_package.h"
#include "errors.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct modelhost *open_host(const char *dir, uint64_t cache_bytes)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost *host = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    options.store_dir = options.plugin_path = dir;
    options.lanes = options.threads = 1;
    options.result_cache_bytes = cache_bytes;
    options.redis_url = "";
    if (modelhost_create(&options, &host, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return host;
}

static struct modelhost_model *load(struct modelhost *host, const char *dir)
{
    struct modelhost_model *model = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (modelhost_load(host, dir, &model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return model;
}

/* Runs two numbers, which come back as they are; whether the answer is a cached one. */
static bool is_cached(struct modelhost_model *model, float a, float b,
                      const struct modelhost_run_options *options)
{
    float numbers[] = {a, b};
    struct model_tensor x;
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    tensor_init(&x, "x", MODEL_F32, 1, (const int64_t[]){2}, numbers);
    const struct model_tensor *inputs[] = {&x};
    if (modelhost_run(model, inputs, 1, options, &result, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    const struct model_tensor *y = modelhost_result_find(result, "y");
    assert_int_equal(y->size_bytes, sizeof numbers);
    assert_memory_equal(y->data, numbers, sizeof numbers);
    bool cached = modelhost_result_is_cached(result) != 0;
    assert_true(modelhost_result_timing(result).run_ns == 0 || !cached);
    modelhost_result_destroy(result);
    return cached;
}

static void equal_inputs_are_computed_once(void **state)
{
    (void)state;
    char *dir = make_package("echo", "{}");
    struct modelhost *host = open_host(dir, 1 << 20);
    struct modelhost_model *model = load(host, dir);
    assert_false(is_cached(model, 1, 2, NULL));
    assert_true(is_cached(model, 1, 2, NULL));
    assert_false(is_cached(model, 2, 1, NULL));
    assert_false(is_cached(model, 0.0f, 2, NULL));
    assert_false(is_cached(model, -0.0f, 2, NULL)); /* other bits */
    assert_true(is_cached(model, 1, 2, NULL));
    modelhost_release(model);
    modelhost_destroy(host);
    remove_package(dir);
}

static void without_room_for_it_nothing_is_kept(void **state)
{
    (void)state;
    char *dir = make_package("echo", "{}");
    struct modelhost *host = open_host(dir, 0);
    struct modelhost_model *model = load(host, dir);
    assert_false(is_cached(model, 1, 2, NULL));
    assert_false(is_cached(model, 1, 2, NULL));
    modelhost_release(model);
    modelhost_destroy(host);
    remove_package(dir);
}

static void a_model_loaded_again_finds_its_results_until_it_is_changed(void **state)
{
    (void)state;
    char *dir = make_package("echo", "{}"), *config = path_join(dir, "backends/cpu/config.json");
    struct modelhost *host = open_host(dir, 1 << 20);
    struct modelhost_model *model = load(host, dir), *again = load(host, dir);
    assert_false(is_cached(model, 1, 2, NULL));
    assert_true(is_cached(again, 1, 2, NULL));
    write_file(config, "{ }", 3);
    struct modelhost_model *changed = load(host, dir);
    assert_false(is_cached(changed, 1, 2, NULL));
    assert_true(is_cached(model, 1, 2, NULL));
    modelhost_release(model);
    modelhost_release(again);
    modelhost_release(changed);
    modelhost_destroy(host);
    remove_package(dir);
    free(config);
}

#define WEIGHTS "backends/cpu/model.safetensors"

static void write_manifest(const char *dir, const char *sha256)
{
    char *path = path_join(dir, "metadata.json");
    char *text = text_format("{\"format_version\":1,\"id\":\"a/b\",\"revision\":\"r\",\"files\":["
                             "{\"path\":\"" WEIGHTS "\",\"size\":18,\"sha256\":\"%s\"}]}",
                             sha256);
    write_file(path, text, strlen(text));
    free(path);
    free(text);
}

/* A tensor file of 18 bytes without tensors. */
static void write_weights(const char *path, const char header[11])
{
    char bytes[18] = "\012";
    memcpy(bytes + 8, header, 10);
    write_file(path, bytes, sizeof bytes);
}

/* As cp -p and rsync -a do it: the new file has the old one's times, as far as they can be set, and is
 * younger in the clock of the files. */
static void replace_keeping_times(const char *path, const char *manifest)
{
    struct stat before, listed, after;
    char *other = text_format("%s.new", path);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(stat(manifest, &listed), 0);
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    do {
        write_weights(other, "{ }       ");
        assert_int_equal(utimensat(AT_FDCWD, other, times, 0), 0);
        assert_int_equal(stat(other, &after), 0);
    } while (after.st_ctim.tv_sec == listed.st_ctim.tv_sec &&
             after.st_ctim.tv_nsec == listed.st_ctim.tv_nsec);
    assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
    assert_int_equal(after.st_size, before.st_size);
    assert_int_equal(rename(other, path), 0);
    free(other);
}

static void a_file_replaced_by_one_of_its_size_and_time_is_another(void **state)
{
    (void)state;
    char *dir = make_package("echo", "{}"), *weights = path_join(dir, WEIGHTS);
    char *manifest = path_join(dir, "metadata.json");
    write_weights(weights, "{}        ");
    write_manifest(dir, "ab00000000000000000000000000000000000000000000000000000000000000");
    struct modelhost *host = open_host(dir, 1 << 20);
    struct modelhost_model *model = load(host, dir);
    assert_false(is_cached(model, 1, 2, NULL));
    modelhost_release(model);
    model = load(host, dir);
    assert_true(is_cached(model, 1, 2, NULL));
    modelhost_release(model);
    replace_keeping_times(weights, manifest);
    model = load(host, dir);
    assert_false(is_cached(model, 1, 2, NULL));
    modelhost_release(model);
    modelhost_destroy(host);
    remove_package(dir);
    free(weights);
    free(manifest);
}

/* <store>/packages/a--b/1, whose weights are a link to a blob that a later package links, too. */
static void a_blob_that_another_package_links_is_still_the_same(void **state)
{
    (void)state;
    static const char sha256[] = "ab00000000000000000000000000000000000000000000000000000000000000";
    char *dir = make_package("echo", "{}"), *store = scratch_dir();
    char *folder = path_join(store, "packages/a--b"), *package = path_join(folder, "1");
    char *blobs = path_join(store, "blobs/sha256/ab"), *blob = path_join(blobs, sha256);
    char *weights = path_join(package, WEIGHTS), *other = path_join(store, "other");
    char *manifest = path_join(package, "metadata.json");
    struct stat listed, linked;
    assert_int_equal(dir_make_all(folder, NULL), MODEL_OK);
    assert_int_equal(dir_make_all(blobs, NULL), MODEL_OK);
    assert_int_equal(rename(dir, package), 0);
    write_weights(blob, "{}        ");
    assert_int_equal(link(blob, weights), 0);
    write_manifest(package, sha256);
    struct modelhost *host = open_host(package, 1 << 20);
    struct modelhost_model *model = load(host, package);
    assert_false(is_cached(model, 1, 2, NULL));
    modelhost_release(model);
    assert_int_equal(stat(manifest, &listed), 0);
    do {
        (void)unlink(other);
        assert_int_equal(link(blob, other), 0);
        assert_int_equal(stat(blob, &linked), 0);
    } while (linked.st_ctim.tv_sec == listed.st_ctim.tv_sec &&
             linked.st_ctim.tv_nsec == listed.st_ctim.tv_nsec);
    model = load(host, package);
    assert_true(is_cached(model, 1, 2, NULL));
    modelhost_release(model);
    modelhost_destroy(host);
    assert_int_equal(dir_remove_all(store, NULL), MODEL_OK);
    char *const texts[] = {dir, store, folder, package, blobs, blob, weights, other, manifest};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
}

static void hear_nothing(void *context, const struct model_tensor *const *tensors,
                         uint32_t n_tensors)
{
    (void)context, (void)tensors, (void)n_tensors;
}

static void what_is_streamed_is_computed_each_time(void **state)
{
    (void)state;
    char *dir = make_package("stream", "{}");
    struct modelhost *host = open_host(dir, 1 << 20);
    struct modelhost_model *model = load(host, dir);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    options.on_tensors = hear_nothing;
    assert_false(is_cached(model, 1, 2, NULL));
    assert_true(is_cached(model, 1, 2, NULL));
    assert_false(is_cached(model, 1, 2, &options));
    assert_false(is_cached(model, 1, 2, &options));
    modelhost_release(model);
    modelhost_destroy(host);
    remove_package(dir);
}

static void an_address_that_is_none_is_refused_at_once(void **state)
{
    (void)state;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost *host = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    options.result_cache_bytes = 1;
    options.redis_url = "cache:6379";
    assert_int_equal(modelhost_create(&options, &host, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "want redis://"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_inputs_are_computed_once),
        cmocka_unit_test(without_room_for_it_nothing_is_kept),
        cmocka_unit_test(a_model_loaded_again_finds_its_results_until_it_is_changed),
        cmocka_unit_test(a_file_replaced_by_one_of_its_size_and_time_is_another),
        cmocka_unit_test(a_blob_that_another_package_links_is_still_the_same),
        cmocka_unit_test(what_is_streamed_is_computed_each_time),
        cmocka_unit_test(an_address_that_is_none_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
