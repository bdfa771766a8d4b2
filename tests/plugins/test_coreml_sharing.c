/* test_coreml_sharing.c - a program with large weights in a file of their own takes their memory once, however many sizes of its
 * input are asked for, and answers right at each. Covers plugins/coreml-ane/variants.c and plugins/graph/graph_shared.c. */
#include "coreml_writer.h"
#include "dtype.h"
#include "files.h"
#include "plugin_harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define WIDTH      2048 /* a matrix has 16 MB */
#define N_MATRICES 2
#define USUAL      4
#define MOST       256
#define BLOB_BYTES 64 /* of the header, and of what stands before each blob */

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define KNOWS_PEAK
#endif

/* ---- the program: y = shifted(2 x), x [?, WIDTH], as two products */

static struct proto unknown_rows(void)
{
    struct proto type = {.n = 0}, open = {.n = 0}, size = {.n = 0};
    proto_empty(&open, 2);
    proto_number(&size, 1, WIDTH);
    const struct proto fixed = proto_in(1, size);
    proto_number(&type, 1, COREML_F32);
    proto_number(&type, 2, 2);
    proto_child(&type, 3, &open);
    proto_child(&type, 3, &fixed);
    return proto_in(1, type);
}

static struct proto range_feature(void)
{
    static const uint64_t usual[] = {USUAL, WIDTH}, least[] = {1, WIDTH}, most[] = {MOST, WIDTH};
    return ranged_feature(2, usual, least, most);
}

static uint64_t place_of(uint64_t matrix)
{
    return BLOB_BYTES + matrix * (BLOB_BYTES + WIDTH * WIDTH * sizeof(float));
}

static void add_product(struct proto *block, uint64_t matrix, const char *weight, const char *from,
                        const char *to)
{
    struct proto product = operation_of("linear", to);
    const struct proto constant =
        const_of(weight, blob_value_of(tensor_type(COREML_F32, (const uint64_t[]){WIDTH, WIDTH}, 2),
                                       "@model_path/weights/weight.bin", place_of(matrix)));
    add_input(&product, "x", from);
    add_input(&product, "weight", weight);
    proto_child(block, 3, &constant);
    proto_child(block, 3, &product);
}

static struct proto make_model(void)
{
    struct proto block = proto_of_text(2, "y"), input = proto_of_text(1, "x"), program = {.n = 0};
    struct proto function = {.n = 0}, model = {.n = 0}, description = {.n = 0};
    const struct proto rows = unknown_rows(), x = range_feature();
    const struct proto y = array_feature("y", NULL, 0);
    proto_child(&input, 2, &rows);
    add_product(&block, 0, "doubling", "x", "doubled");
    add_product(&block, 1, "shifting", "doubled", "y");
    const struct proto blocks = entry_of("CoreML5", block);
    proto_child(&function, 1, &input);
    proto_text(&function, 2, "CoreML5");
    proto_child(&function, 3, &blocks);
    const struct proto functions = entry_of("main", function);
    proto_number(&program, 1, 1);
    proto_child(&program, 2, &functions);
    proto_child(&description, 1, &x);
    proto_child(&description, 10, &y);
    proto_number(&model, 1, 6);
    proto_child(&model, 2, &description);
    proto_child(&model, 502, &program);
    return model;
}

static void write_weights(const char *path)
{
    const uint32_t header[BLOB_BYTES / 4] = {N_MATRICES, 2};
    float *row = calloc(WIDTH, sizeof *row);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(header, sizeof header, 1, file), 1);
    for (uint64_t matrix = 0; matrix < N_MATRICES; matrix++) {
        struct {
            uint32_t mark, dtype;
            uint64_t n_bytes, at;
            char rest[40];
        } blob = {0xDEADBEEF, 2, WIDTH * WIDTH * sizeof *row, place_of(matrix) + BLOB_BYTES, ""};
        assert_int_equal(fwrite(&blob, sizeof blob, 1, file), 1);
        for (size_t i = 0; i < WIDTH; i++) {
            const size_t column = matrix == 0 ? i : (i + 1) % WIDTH;
            row[column] = matrix == 0 ? 2 : 1;
            assert_int_equal(fwrite(row, sizeof *row, WIDTH, file), WIDTH);
            row[column] = 0;
        }
    }
    assert_int_equal(fclose(file), 0);
    free(row);
}

/* ---- a run */

struct answer {
    struct model_tensor *tensor;
    int64_t n_rows;
};

static model_status give_output(void *context, uint32_t index, int32_t dtype, uint32_t rank,
                                const int64_t *shape, struct model_error *err)
{
    const struct answer *answer = context;
    (void)index, (void)dtype, (void)err;
    assert_int_equal(rank, 2);
    assert_int_equal(shape[0], answer->n_rows);
    assert_int_equal(shape[1], WIDTH);
    answer->tensor->data = malloc((size_t)answer->n_rows * WIDTH * sizeof(float));
    return MODEL_OK;
}

static float number_at(int64_t i)
{
    return (float)(i % 1009) / 16;
}

static void expect_answer(struct harness *h, int64_t n_rows)
{
    const int64_t shape[] = {n_rows, WIDTH};
    float *x = malloc((size_t)n_rows * WIDTH * sizeof *x);
    struct model_tensor in, out = {.struct_size = sizeof out, .name = "y"};
    struct model_tensor *outputs[] = {&out};
    for (int64_t i = 0; i < n_rows * WIDTH; i++)
        x[i] = number_at(i);
    tensor_init(&in, "x", MODEL_F32, 2, shape, x);
    const struct model_tensor *inputs[] = {&in};
    struct answer answer = {&out, n_rows};
    const struct model_cancel cancel = {sizeof cancel, &h->cancelled, INT64_MAX};
    const struct model_call call = {.struct_size = sizeof call,
                                    .inputs = inputs,
                                    .n_inputs = 1,
                                    .outputs = outputs,
                                    .n_outputs = 1,
                                    .allocate_output = give_output,
                                    .context = &answer,
                                    .cancel = &cancel};
    if (h->instance->run(h->instance, &call, &h->err) != MODEL_OK)
        fail_msg("%s", h->err.message);
    for (int64_t i = 0; i < n_rows * WIDTH; i++)
        if (((const float *)out.data)[i] !=
            2 * number_at(i / WIDTH * WIDTH + (i % WIDTH + 1) % WIDTH))
            fail_msg("of %lld rows number %lld is wrong", (long long)n_rows, (long long)i);
    free(out.data);
    free(x);
}

/* The most memory that the process has had, in kilobytes. */
static double peak_kilobytes(void)
{
    double peak = 0;
#ifdef KNOWS_PEAK
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            peak = strtod(line + 6, NULL);
    (void)fclose(file);
#endif
    return peak;
}

static void other_sizes_take_no_second_copy_of_the_weights(void **state)
{
    (void)state;
    const struct proto model = make_model();
    char *dir = scratch_dir(), *weights = path_join(dir, "weights");
    char *path = path_join(dir, "model.mlmodel"), *blobs = path_join(weights, "weight.bin");
    assert_int_equal(dir_make_all(weights, NULL), MODEL_OK);
    write_file(path, model.data, model.n);
    write_weights(blobs);
    struct harness *h = harness_create("coreml-ane", "{\"model_type\":\"coreml\"}", 1);
    h->args.backend_dir = dir;
    const double before = peak_kilobytes();
    if (harness_load(h) != MODEL_OK)
        fail_msg("%s", h->err.message);
    expect_answer(h, USUAL);
    const double one = peak_kilobytes() - before;
    expect_answer(h, 1);
    expect_answer(h, 33);
    expect_answer(h, MOST);
    const double all = peak_kilobytes() - before;
    print_message("%.0f kB for one size, %.0f kB for four\n", one, all);
    assert_true(all <= 1.2 * one);
    assert_int_equal(h->n_blobs, N_MATRICES);
    assert_int_equal(harness_destroy(h), 0);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(blobs);
    free(path);
    free(weights);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_sizes_take_no_second_copy_of_the_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
