/* test_weight_loading.c - loading modes: how much of the weights is in memory (as the kernel counts it), when an
 * archive's weights are compared with their digest, and what a budget refuses. */
#include "archive_write.h"
#include "errors.h"
#include "in_folder.h"
#include "weight_loading.h"

#include <fcntl.h>
#include <unistd.h>

#define N_TENSORS    16
#define TENSOR_BYTES (512u << 10)
#define TOTAL_BYTES  (N_TENSORS * TENSOR_BYTES)

static struct package package;
static struct weights *weights;
static struct weight_loading loading;
static const struct log_sink quiet = {.level = -1};

/* p/backends/cpu/model.safetensors with tensors t0, t1, ..., and p.mhp of it. */
static void write_weights(int level, bool compress)
{
    struct buffer header = BUFFER_INIT(8192);
    assert_int_equal(dir_make_all(in_folder("p/backends/cpu"), NULL), MODEL_OK);
    for (unsigned i = 0; i < N_TENSORS; i++)
        assert_int_equal(
            buffer_printf(
                &header, "%s\"t%u\":{\"dtype\":\"U8\",\"shape\":[%u],\"data_offsets\":[%u,%u]}",
                i == 0 ? "{" : ",", i, TENSOR_BYTES, i * TENSOR_BYTES, (i + 1) * TENSOR_BYTES),
            MODEL_OK);
    assert_int_equal(buffer_append_text(&header, "}"), MODEL_OK);
    while (header.size % 8 != 0)
        assert_int_equal(buffer_append_text(&header, " "), MODEL_OK);
    const uint64_t n_bytes = header.size;
    uint8_t *file = calloc(1, 8 + header.size + TOTAL_BYTES);
    assert_non_null(file);
    memcpy(file, &n_bytes, 8);
    memcpy(file + 8, header.data, header.size);
    for (size_t i = 0; i < TOTAL_BYTES; i++)
        file[8 + header.size + i] = (uint8_t)(i * i >> 7);
    write_file(in_folder("p/backends/cpu/model.safetensors"), file, 8 + header.size + TOTAL_BYTES);
    write_file(in_folder("p/backends/cpu/" PACKAGE_PLUGIN_NAME), "x", 1);
    free(file);
    buffer_finish(&header);
    const char *const names[] = {"backends/cpu/model.safetensors",
                                 "backends/cpu/" PACKAGE_PLUGIN_NAME};
    char paths[2][PATH_MAX];
    struct archive_source sources[2];
    for (int i = 0; i < 2; i++) {
        (void)snprintf(paths[i], PATH_MAX, "%s/p/%s", folder, names[i]);
        sources[i] = (struct archive_source){names[i], paths[i], NULL};
    }
    const struct archive_options options = {.level = level, .compress_weights = compress};
    assert_int_equal(archive_write(in_folder("p.mhp"), sources, 2, &options, NULL, NULL), MODEL_OK);
}

static model_status open_loading(const char *name, const struct modelhost_load_options *options,
                                 struct model_error *err)
{
    loading = (struct weight_loading){.weights = NULL};
    const struct archive_access access = {.level = (enum archive_level)options->verification};
    model_status status = package_open_with(in_folder(name), NULL, &access, &package, err);
    assert_int_equal(status, MODEL_OK);
    status = weight_loading_check_package(&package, options, err);
    if (status != MODEL_OK)
        return status;
    assert_int_equal(weights_open_from(package.archive, package.backend_dir,
                                       options->loading == MODELHOST_LAZY, &weights, err),
                     MODEL_OK);
    return weight_loading_init(&loading, weights, options, &quiet, err);
}

static void close_loading(void)
{
    weight_loading_finish(&loading);
    weights_destroy(weights);
    weights = NULL;
    package_finish(&package);
}

static model_status use(unsigned i, struct model_tensor *ret)
{
    char name[16];
    (void)snprintf(name, sizeof name, "t%u", i);
    *ret = (struct model_tensor){.struct_size = sizeof *ret};
    assert_int_equal(weights_find(weights, name, ret), MODEL_OK);
    return weight_loading_use(&loading, ret);
}

static void read_all(const struct model_tensor *view)
{
    const volatile uint8_t *data = view->data;
    for (size_t at = 0; at < view->size_bytes; at += 4096)
        (void)data[at];
}

/* Bytes of the weights' mapping that this process has in memory. */
static size_t resident_bytes(void)
{
    const struct file_map map = weights_file(weights, 0, NULL);
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[600];
    unsigned long begin = 0, end = 0, kilobytes = 0;
    bool is_ours = false;
    if (maps == NULL)
        return SIZE_MAX;
    while (fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
            is_ours = begin <= (uintptr_t)map.data && (uintptr_t)map.data < end;
        if (is_ours && sscanf(line, "Rss: %lu", &kilobytes) == 1)
            break;
    }
    assert_int_equal(fclose(maps), 0);
    return is_ours ? (size_t)kilobytes << 10 : 0;
}

static void keeps_as_much_in_memory_as_the_mode_says(void **state)
{
    (void)state;
    static const char *const names[] = {"p", "p.mhp"};
    struct model_error err = MODEL_ERROR_INIT;
    struct model_tensor view;
    write_weights(3, false);
    for (int i = 0; i < 2; i++) {
        struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
        assert_int_equal(open_loading(names[i], &options, &err), MODEL_OK);
        if (resident_bytes() == SIZE_MAX)
            SKIP_BECAUSE("no /proc/self/smaps here");
        assert_int_equal(resident_bytes(), 0); /* the header was not read through the mapping */
        close_loading();

        options.loading = MODELHOST_EAGER;
        assert_int_equal(open_loading(names[i], &options, &err), MODEL_OK);
        assert_true(resident_bytes() >= TOTAL_BYTES);
        close_loading();

        options.loading = MODELHOST_STREAMING;
        options.memory_budget_bytes = 4u << 20; /* a window of 1 MiB */
        size_t most = 0;
        assert_int_equal(open_loading(names[i], &options, &err), MODEL_OK);
        for (unsigned tensor = 0; tensor < N_TENSORS; tensor++) {
            assert_int_equal(use(tensor, &view), MODEL_OK);
            read_all(&view);
            most = resident_bytes() > most ? resident_bytes() : most;
        }
        assert_in_range(most, TENSOR_BYTES, 2u << 20);
        weight_loading_rest(&loading);
        assert_in_range(resident_bytes(), 0, 4096); /* the page that is the mapping's in part */
        close_loading();
    }
}

static void streams_the_same_bytes(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct model_tensor first, view;
    options.loading = MODELHOST_STREAMING;
    options.memory_budget_bytes = 4u << 20;
    write_weights(3, false);
    assert_int_equal(open_loading("p.mhp", &options, &err), MODEL_OK);
    assert_int_equal(use(0, &first), MODEL_OK);
    for (unsigned tensor = 1; tensor < N_TENSORS; tensor++) {
        assert_int_equal(use(tensor, &view), MODEL_OK);
        read_all(&view);
    }
    for (size_t at = 0; at < TENSOR_BYTES; at++) /* given back long ago, and read again */
        assert_int_equal(((const uint8_t *)first.data)[at], (uint8_t)(at * at >> 7));
    close_loading();
}

static void compares_lazily_when_a_tensor_is_asked_for(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    const struct model_description description = {.memory_bytes = 1};
    struct model_tensor view;
    options.loading = MODELHOST_LAZY;
    write_weights(3, false);
    for (int level = MODELHOST_CHECKSUM; level <= MODELHOST_STANDARD; level++) {
        options.verification = level;
        assert_int_equal(open_loading("p.mhp", &options, &err), MODEL_OK);
        assert_int_equal(use(1, &view), MODEL_OK);
        close_loading();
    }
    const int fd = open(in_folder("p.mhp"), O_WRONLY);
    const off_t end = lseek(fd, 0, SEEK_END);
    assert_int_equal(pwrite(fd, "!!!!", 4, end - 1000), 4);
    assert_int_equal(close(fd), 0);
    assert_int_equal(open_loading("p.mhp", &options, &err), MODEL_OK);
    assert_int_equal(use(1, &view), MODEL_CORRUPT);
    assert_int_equal(weight_loading_check(&loading, &description, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "entry 'backends/cpu/model.safetensors' has SHA-256"));
    close_loading();
}

static void refuses_runs_that_take_more_than_the_machine_has(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct model_description description = {.instance_bytes = 1 << 20};
    assert_int_equal(weight_loading_check_instance(&description, &err), MODEL_OK);
    description.instance_bytes = (uint64_t)1 << 62;
    assert_int_equal(weight_loading_check_instance(&description, &err), MODEL_OUT_OF_MEMORY);
    assert_non_null(strstr(err.message, "a run of the model takes 4611686018427387904 bytes, this "
                                        "machine has "));
}

static void refuses_what_does_not_fit_the_budget_with_numbers(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    const struct model_description description = {.memory_bytes = 3000000, .instance_bytes = 1};
    write_weights(1, false);
    options.memory_budget_bytes = 4u << 20;
    assert_int_equal(open_loading("p.mhp", &options, &err), MODEL_OUT_OF_MEMORY);
    assert_non_null(strstr(err.message, "the weights have 838"));
    assert_non_null(strstr(err.message, "memory_budget_bytes is 4194304; load them with loading "
                                        "streaming, or allow more"));
    close_loading();
    options.loading = MODELHOST_STREAMING;
    assert_int_equal(open_loading("p.mhp", &options, &err), MODEL_OK);
    assert_int_equal(weight_loading_check(&loading, &description, &err), MODEL_OK);
    close_loading();
    options.memory_budget_bytes = 3000000;
    assert_int_equal(open_loading("p.mhp", &options, &err), MODEL_OK);
    assert_int_equal(weight_loading_check(&loading, &description, &err), MODEL_OUT_OF_MEMORY);
    assert_string_equal(err.message, "the model takes 3750001 bytes, memory_budget_bytes is "
                                     "3000000; allow more");
    close_loading();
    write_weights(1, true);
    assert_int_equal(open_loading("p.mhp", &options, &err), MODEL_OUT_OF_MEMORY);
    assert_non_null(strstr(err.message, "are compressed or encrypted and unpack to"));
    close_loading();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(keeps_as_much_in_memory_as_the_mode_says),
        IN_FOLDER(streams_the_same_bytes),
        IN_FOLDER(compares_lazily_when_a_tensor_is_asked_for),
        cmocka_unit_test(refuses_runs_that_take_more_than_the_machine_has),
        IN_FOLDER(refuses_what_does_not_fit_the_budget_with_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
