/* test_convert.c - what is written, and what is not. The bits are compared with torch's in tests/system. */
#include "convert.h"
#include "dtype.h"
#include "errors.h"
#include "in_folder.h"
#include "torch_fixture.h"

#define F32 "torch\nFloatStorage\n"

static const float four[4] = {1, 2, 1e30f, -4};

static struct tensor_table open_source(void)
{
    static const struct view views[] = {
        {"w", F32, "0", 4, 0, 2, {2, 2}, {1, 2}},
        {"tied", F32, "0", 4, 0, 2, {2, 2}, {1, 2}},
        {"n", "torch\nLongStorage\n", "1", 2, 0, 1, {2}, {1}},
    };
    static const int64_t two[2] = {7, -7};
    const struct file_piece storages[] = {{four, sizeof four}, {two, sizeof two}};
    struct tensor_table table;
    put_torch_file(in_folder("m.bin"), views, 3, storages, 2);
    assert_int_equal(tensor_table_open(in_folder("m.bin"), &table, NULL), MODEL_OK);
    return table;
}

static void strided_tensors_are_written_densely_and_shared_ones_once(void **state)
{
    (void)state;
    struct tensor_table table = open_source(), made;
    struct convert_report report = {0};
    const struct convert_options options = {.dtype = 0};
    assert_int_equal(convert_weights(&table, in_folder("out"), &options, &report, NULL), MODEL_OK);
    tensor_table_close(&table);
    assert_int_equal(report.n_tensors, 2);
    assert_int_equal(report.n_aliases, 1);
    assert_int_equal(report.n_converted, 0);
    assert_int_equal(tensor_table_open(in_folder("out"), &made, NULL), MODEL_OK);
    assert_int_equal(made.n_tensors, 2);
    const float transposed[] = {1, 1e30f, 2, -4};
    assert_memory_equal(tensor_table_find(&made, "w")->data, transposed, sizeof transposed);
    tensor_table_close(&made);
    struct buffer text = BUFFER_INIT(1 << 16);
    assert_int_equal(file_read(in_folder("out"), 1 << 16, &text, NULL), MODEL_OK);
    assert_non_null(strstr(text.data + 8, "\"__metadata__\":{\"format\":\"pt\",\"tied\":\"w\"}"));
    buffer_finish(&text);
}

static void only_floating_point_is_narrowed_and_infinities_are_counted(void **state)
{
    (void)state;
    struct tensor_table table = open_source(), made;
    struct convert_report report = {0};
    const struct convert_options options = {.dtype = MODEL_F16};
    assert_int_equal(convert_weights(&table, in_folder("out"), &options, &report, NULL), MODEL_OK);
    assert_int_equal(report.n_converted, 1);
    assert_int_equal(report.n_infinite, 1);
    assert_string_equal(report.infinite_tensor, "w");
    assert_int_equal(report.from_bytes, 32);
    assert_int_equal(report.to_bytes, 24);
    assert_int_equal(tensor_table_open(in_folder("out"), &made, NULL), MODEL_OK);
    assert_int_equal(tensor_table_find(&made, "n")->dtype, MODEL_I64);
    assert_int_equal(tensor_table_find(&made, "w")->dtype, MODEL_F16);
    tensor_table_close(&made);
    tensor_table_close(&table);
}

static void a_dry_run_counts_and_writes_nothing(void **state)
{
    (void)state;
    struct tensor_table table = open_source();
    struct convert_report report = {0};
    const struct convert_options options = {.dtype = MODEL_F16, .dry_run = true};
    assert_int_equal(convert_weights(&table, in_folder("out"), &options, &report, NULL), MODEL_OK);
    assert_int_equal(report.n_infinite, 1);
    assert_int_equal(n_names_in(folder), 1);
    tensor_table_close(&table);
}

static void a_name_that_is_no_tensor_in_safetensors_is_refused(void **state)
{
    (void)state;
    static const struct view views[] = {{"__metadata__", F32, "0", 4, 0, 1, {4}, {1}}};
    const struct file_piece storages[] = {{four, sizeof four}};
    struct tensor_table table;
    struct convert_report report = {0};
    put_torch_file(in_folder("m.bin"), views, 1, storages, 1);
    assert_int_equal(tensor_table_open(in_folder("m.bin"), &table, NULL), MODEL_OK);
    for (int dry_run = 0; dry_run < 2; dry_run++) {
        struct model_error err = MODEL_ERROR_INIT;
        const struct convert_options options = {.dry_run = dry_run != 0};
        assert_int_equal(convert_weights(&table, in_folder("out"), &options, &report, &err),
                         MODEL_UNSUPPORTED);
        assert_non_null(strstr(err.message, "m.bin has a tensor named '__metadata__', which in "
                                            "safetensors is no tensor; have it saved under "));
    }
    assert_int_equal(n_names_in(folder), 1);
    tensor_table_close(&table);
}

static bool at_once(void *context)
{
    return context != NULL;
}

static void what_has_no_tensor_is_no_success(void **state)
{
    (void)state;
    struct tensor_table table;
    struct convert_report report = {0};
    struct model_error err = MODEL_ERROR_INIT;
    const struct convert_options options = {.dtype = 0}, dry = {.dry_run = true};
    put_torch_file(in_folder("none.bin"), NULL, 0, NULL, 0);
    assert_int_equal(tensor_table_open(in_folder("none.bin"), &table, NULL), MODEL_OK);
    assert_int_equal(convert_weights(&table, in_folder("out"), &options, &report, &err),
                     MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, "none.bin has no tensor"));
    assert_int_equal(convert_weights(&table, in_folder("out"), &dry, &report, NULL),
                     MODEL_NOT_FOUND);
    assert_false(path_is_file(in_folder("out")));
    tensor_table_close(&table);
}

static void an_interrupt_leaves_nothing(void **state)
{
    (void)state;
    struct tensor_table table = open_source();
    struct convert_report report = {0};
    const struct convert_options options = {.cancelled = at_once, .context = &report};
    assert_int_equal(convert_weights(&table, in_folder("out"), &options, &report, NULL),
                     MODEL_CANCELLED);
    assert_int_equal(n_names_in(folder), 1);
    tensor_table_close(&table);
}

static void damage_is_found_before_anything_is_written(void **state)
{
    (void)state;
    struct tensor_table table = open_source();
    struct convert_report report = {0};
    const struct convert_options options = {.dtype = 0};
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer bytes = BUFFER_INIT(1 << 16);
    tensor_table_close(&table);
    assert_int_equal(file_read(in_folder("m.bin"), 1 << 16, &bytes, NULL), MODEL_OK);
    char *data = memmem(bytes.data, bytes.size, four, sizeof four);
    assert_non_null(data);
    data[1] ^= 1;
    write_file(in_folder("m.bin"), bytes.data, bytes.size);
    buffer_finish(&bytes);
    assert_int_equal(tensor_table_open(in_folder("m.bin"), &table, NULL), MODEL_OK);
    assert_int_equal(convert_weights(&table, in_folder("out"), &options, &report, &err),
                     MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "'m/data/0' is damaged"));
    assert_int_equal(n_names_in(folder), 1);
    tensor_table_close(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(strided_tensors_are_written_densely_and_shared_ones_once),
        IN_FOLDER(only_floating_point_is_narrowed_and_infinities_are_counted),
        IN_FOLDER(a_dry_run_counts_and_writes_nothing),
        IN_FOLDER(a_name_that_is_no_tensor_in_safetensors_is_refused),
        IN_FOLDER(what_has_no_tensor_is_no_success),
        IN_FOLDER(an_interrupt_leaves_nothing),
        IN_FOLDER(damage_is_found_before_anything_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
