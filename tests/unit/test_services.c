/* test_services.c - what a plugin gets from the host's table; covers host/parallel.c too. */
#include "errors.h"
#include "files.h"
#include "plugin_counters.h"
#include "services.h"
#include "testing.h"

#include <stdatomic.h>

static const char config_text[] =
    "{\"hidden_size\":768,\"eps\":1e-12,\"act\":\"gelu\",\"tie\":true,\"none\":null,"
    "\"depths\":[3,4,6],\"vision\":{\"layers\":[{\"n\":7}]}}";

static struct services services;
static json_node *config;
static char last_line[256];

static void keep_line(void *context, int32_t level, const char *message)
{
    (void)context;
    (void)level;
    (void)snprintf(last_line, sizeof last_line, "%s", message);
}

static const struct log_sink sink = {.level = MODEL_LOG_DEBUG, .write = keep_line, .context = NULL};

static int set_up(void **state)
{
    (void)state;
    config = NULL;
    assert_int_equal(json_parse(config_text, strlen(config_text), "config", &config, NULL),
                     MODEL_OK);
    assert_int_equal(services_init(&services, &sink, "ns/name", config, NULL, 2, NULL), MODEL_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    services_finish(&services);
    services_finish(&services); /* twice is nothing */
    services_release_scratch();
    json_free(config);
    return 0;
}

static struct model_value value_of(const char *path)
{
    struct model_value value = {.struct_size = sizeof value};
    assert_int_equal(services.table.config_value(&services, path, &value), MODEL_OK);
    return value;
}

static void configuration_is_read_by_path(void **state)
{
    (void)state;
    assert_true(value_of("hidden_size").number == 768);
    assert_true(value_of("eps").number == 1e-12);
    assert_string_equal(value_of("act").string, "gelu");
    assert_int_equal(value_of("tie").kind, MODEL_VALUE_BOOL);
    assert_true(value_of("tie").number == 1);
    assert_int_equal(value_of("none").kind, MODEL_VALUE_NULL);
    assert_int_equal(value_of("depths").length, 3);
    assert_true(value_of("depths[2]").number == 6);
    assert_true(value_of("vision.layers[0].n").number == 7);
    struct model_value value = {.struct_size = sizeof value};
    static const char *const absent[] = {"x", "depths[3]", "vision.x", "depths[", "act.x", "[0]"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        assert_int_equal(services.table.config_value(&services, absent[i], &value),
                         MODEL_NOT_FOUND);
    struct {
        struct model_value value; /* as a plugin of a later ABI would have it */
        char more[16];
    } larger = {.value.struct_size = sizeof larger};
    assert_int_equal(services.table.config_value(&services, "act", &larger.value), MODEL_OK);
    assert_string_equal(larger.value.string, "gelu");
    assert_int_equal(larger.value.struct_size, sizeof larger);
    value.struct_size = 4;
    assert_int_equal(services.table.config_value(&services, "act", &value), MODEL_INVALID_ARGUMENT);
}

static void a_model_without_weights_has_none(void **state)
{
    (void)state;
    struct model_tensor tensor = {.struct_size = sizeof tensor};
    assert_int_equal(services.table.tensor_by_name(&services, "w", &tensor), MODEL_NOT_FOUND);
    assert_int_equal(services.table.tensor_count(&services), 0);
    assert_int_equal(services.table.tensor_at(&services, 0, &tensor), MODEL_NOT_FOUND);
    services.table.discard_tensor(&services, &tensor);
}

static void a_weight_is_handed_to_a_struct_of_its_size_only(void **state)
{
    (void)state;
    static const char header[] =
        "\x38\0\0\0\0\0\0\0{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}   \x07";
    char *folder = scratch_dir();
    char *path = path_join(folder, "model.safetensors");
    assert_non_null(path);
    write_file(path, header, sizeof header - 1);
    struct weights *weights = NULL;
    assert_int_equal(weights_open_file(path, &weights, NULL), MODEL_OK);
    services_finish(&services);
    assert_int_equal(services_init(&services, &sink, "ns/name", config, weights, 2, NULL),
                     MODEL_OK);
    struct model_tensor tensor = {.struct_size = sizeof tensor};
    assert_int_equal(services.table.tensor_by_name(&services, "w", &tensor), MODEL_OK);
    assert_string_equal(tensor.name, "w");
    assert_int_equal(*(const uint8_t *)tensor.data, 7);
    tensor = (struct model_tensor){.struct_size = sizeof tensor};
    assert_int_equal(services.table.tensor_at(&services, 0, &tensor), MODEL_OK);
    assert_string_equal(tensor.name, "w");
    tensor = (struct model_tensor){.struct_size = 175};
    assert_int_equal(services.table.tensor_by_name(&services, "w", &tensor),
                     MODEL_INVALID_ARGUMENT);
    assert_int_equal(services.table.tensor_at(&services, 0, &tensor), MODEL_INVALID_ARGUMENT);
    assert_null(tensor.name);
    services.weights = NULL;
    weights_destroy(weights);
    assert_int_equal(dir_remove_all(folder, NULL), MODEL_OK);
    free(path);
    free(folder);
}

static void weights_that_nobody_asked_for_are_told(void **state)
{
    (void)state;
    static const char entry[] =
        "\"%c\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}%s";
    char file[1024] = "", *header = file + 8;
    for (int i = 0; i < 6; i++)
        (void)snprintf(header + strlen(header), 100, entry, 'a' + i, i, i + 1, i < 5 ? "," : "}");
    memmove(header + 1, header, strlen(header) + 1);
    header[0] = '{';
    for (size_t end = strlen(header); end % 8 != 0; end++)
        header[end] = ' ';
    const size_t size_bytes = 8 + strlen(header) + 6;
    const uint64_t header_bytes = strlen(header);
    memcpy(file, &header_bytes, sizeof header_bytes);
    char *folder = scratch_dir(), *path = path_join(folder, "model.safetensors");
    struct weights *weights = NULL;
    write_file(path, file, size_bytes);
    assert_int_equal(weights_open_file(path, &weights, NULL), MODEL_OK);
    services_finish(&services);
    assert_int_equal(services_init(&services, &sink, "ns/name", config, weights, 2, NULL),
                     MODEL_OK);
    struct model_tensor tensor = {.struct_size = sizeof tensor};
    services_log_unused(&services);
    assert_string_equal(last_line, "ns/name: 6 of 6 weights are not used: a, b, c, ...; perhaps "
                                   "config.json does not fit them");
    assert_int_equal(services.table.tensor_by_name(&services, "a", &tensor), MODEL_OK);
    assert_int_equal(services.table.tensor_at(&services, 2, &tensor), MODEL_OK);
    assert_int_equal(services.table.tensor_by_name(&services, "e", &tensor), MODEL_OK);
    assert_int_equal(services.table.tensor_by_name(&services, "f", &tensor), MODEL_OK);
    services_log_unused(&services);
    assert_string_equal(last_line, "ns/name: 2 of 6 weights are not used: b, d; perhaps "
                                   "config.json does not fit them");
    assert_int_equal(services.table.tensor_by_name(&services, "b", &tensor), MODEL_OK);
    assert_int_equal(services.table.tensor_by_name(&services, "d", &tensor), MODEL_OK);
    last_line[0] = '\0';
    services_log_unused(&services);
    assert_string_equal(last_line, "");
    services_finish(&services);
    weights_destroy(weights);
    assert_int_equal(dir_remove_all(folder, NULL), MODEL_OK);
    free(path);
    free(folder);
}

static int n_fills;

static model_status fill(void *argument, void *destination)
{
    n_fills++;
    memcpy(destination, argument, 4);
    return MODEL_OK;
}

static model_status fail_to_fill(void *argument, void *destination)
{
    (void)argument;
    (void)destination;
    return MODEL_CORRUPT;
}

static void a_packed_blob_is_made_once_per_key_and_size(void **state)
{
    (void)state;
    char text[] = "abc";
    const void *a = NULL, *b = NULL, *c = NULL, *d = NULL;
    n_fills = 0;
    assert_int_equal(services.table.packed_blob(&services, "w", 4, fill, text, &a), MODEL_OK);
    assert_int_equal(services.table.packed_blob(&services, "w", 4, fill, text, &b), MODEL_OK);
    assert_int_equal(services.table.packed_blob(&services, "v", 4, fill, text, &c), MODEL_OK);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_int_equal(n_fills, 2);
    assert_int_equal((uintptr_t)a % 64, 0);
    assert_string_equal(a, "abc");
    assert_int_equal(services.table.packed_blob(&services, "x", 4, fail_to_fill, text, &d),
                     MODEL_CORRUPT);
    assert_null(d);
    assert_int_equal(services_packed_bytes(&services), 8);
}

static void take_scratch(void *unused)
{
    (void)unused;
    assert_non_null(services.table.scratch(&services, 4096));
}

/* Of a thread of the application, which releases nothing; the leak checker sees it. */
static void scratch_ends_with_its_thread(void **state)
{
    (void)state;
    uv_thread_t thread;
    assert_int_equal(uv_thread_create(&thread, take_scratch, NULL), 0);
    assert_int_equal(uv_thread_join(&thread), 0);
}

static void scratch_grows_and_is_kept(void **state)
{
    (void)state;
    void *small = services.table.scratch(&services, 100);
    assert_non_null(small);
    assert_int_equal((uintptr_t)small % 64, 0);
    assert_ptr_equal(services.table.scratch(&services, 50), small);
    void *large = services.table.scratch(&services, 1 << 20);
    memset(large, 1, 1 << 20);
    assert_ptr_equal(services.table.scratch(&services, 1 << 20), large);
    assert_null(services.table.scratch(&services, SIZE_MAX - 1));
}

static void allocations_are_aligned_and_impossible_ones_fail(void **state)
{
    (void)state;
    for (size_t n = 0; n < 300; n += 7) {
        void *memory = services.table.allocate(&services, n);
        assert_int_equal((uintptr_t)memory % 64, 0);
        services.table.release(&services, memory);
    }
    assert_null(services.table.allocate(&services, SIZE_MAX));
    services.table.release(&services, NULL);
}

static void log_lines_name_their_model_and_request(void **state)
{
    (void)state;
    services.table.log(&services, MODEL_LOG_INFO, "hello");
    assert_string_equal(last_line, "ns/name: hello");
    (void)log_set_subject((struct log_subject){"another", 7});
    services.table.log(&services, MODEL_LOG_INFO, "100 %s");
    assert_string_equal(last_line, "ns/name: request 7: 100 %s");
    assert_string_equal(log_set_subject((struct log_subject){NULL, 0}).model, "another");
    services.table.log(&services, MODEL_LOG_INFO, NULL);
    assert_string_equal(last_line, "ns/name: the plugin logs NULL instead of a line");
}

static void counts_go_to_the_counters_if_there_are_some(void **state)
{
    (void)state;
    struct plugin_counters counters;
    assert_int_equal(plugin_counters_init(&counters), 0);
    services.table.count(&services, "tokens", 2);
    services.counters = &counters;
    services.table.count(&services, "tokens", 3);
    assert_int_equal(counters.n_counters, 1);
    assert_string_equal(counters.counters[0].name, "tokens");
    assert_int_equal(counters.counters[0].value, 3);
    plugin_counters_finish(&counters);
}

static void count_visit(void *argument, size_t index)
{
    atomic_fetch_add((_Atomic int *)argument + index, 1);
}

static void parallel_for_visits_each_item_once(void **state)
{
    (void)state;
    enum { N = 1000 };
    static _Atomic int visits[N];
    for (size_t n = 0; n <= N; n += n < 4 ? 1 : 249) {
        for (size_t i = 0; i < N; i++)
            atomic_store(&visits[i], 0);
        services.table.parallel_for(&services, n, count_visit, (void *)visits);
        for (size_t i = 0; i < N; i++)
            assert_int_equal(atomic_load(&visits[i]), i < n ? 1 : 0);
    }
}

static void a_folder_for_compiled_models_is_offered_once_there_is_one(void **state)
{
    (void)state;
    assert_null(services.table.get_extension(&services, "stream/1"));
    assert_null(services.table.get_extension(&services, NULL));
    assert_null(services.table.get_extension(&services, MODEL_COMPILED_MODELS));
    assert_int_equal(services_offer_compiled(&services, "/store/compiled", 7, NULL), MODEL_OK);
    const struct model_compiled_models *compiled =
        services.table.get_extension(&services, "compiled_models/1");
    assert_non_null(compiled);
    assert_int_equal(compiled->struct_size, sizeof *compiled);
    assert_string_equal(compiled->folder, "/store/compiled");
    assert_int_equal(compiled->max_bytes, 7);
    assert_null(services.table.get_extension(&services, "compiled_models/2"));
}

static void files_of_the_backend_are_offered_once_it_is_known_where_they_are(void **state)
{
    (void)state;
    assert_null(services.table.get_extension(&services, MODEL_BACKEND_FILES));
    mapped_files_init(&services.files, &(struct mapped_source){NULL, "/p", "/p/backends/cpu", 0});
    const struct model_backend_files *files =
        services.table.get_extension(&services, "backend_files/1");
    assert_non_null(files);
    assert_int_equal(files->struct_size, sizeof *files);
    assert_non_null(files->map);
    assert_non_null(files->discard);
    assert_null(services.table.get_extension(&services, "backend_files/2"));
    services_finish(&services);
    assert_null(services.table.get_extension(&services, MODEL_BACKEND_FILES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(configuration_is_read_by_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_model_without_weights_has_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(weights_that_nobody_asked_for_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_weight_is_handed_to_a_struct_of_its_size_only, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_packed_blob_is_made_once_per_key_and_size, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(scratch_grows_and_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scratch_ends_with_its_thread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(allocations_are_aligned_and_impossible_ones_fail, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(log_lines_name_their_model_and_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_go_to_the_counters_if_there_are_some, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(parallel_for_visits_each_item_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_for_compiled_models_is_offered_once_there_is_one,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            files_of_the_backend_are_offered_once_it_is_known_where_they_are, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
