/* test_coreml_constexpr.c - dense weights of compressed ones; expected numbers are written out by hand. */
#include "coreml_constexpr.h"
#include "errors.h"
#include "testing.h"

/* A constant of bytes. */
static struct coreml_value constant(int32_t dtype, uint32_t rank, const int64_t *shape,
                                    const void *data)
{
    struct coreml_value value = {.type = {.kind = COREML_TYPE_TENSOR, .dtype = dtype, .rank = rank},
                                 .n_elements = 1,
                                 .data = data};
    for (uint32_t i = 0; i < rank; i++) {
        value.type.shape[i] = shape[i];
        value.n_elements *= (uint64_t)shape[i];
    }
    value.size_bytes = (value.n_elements * coreml_dtype_bits(dtype) + 7) / 8;
    return value;
}

static model_status expand(const char *type, const struct coreml_attribute *attributes, size_t n,
                           int64_t rows, int64_t columns, float *ret, struct model_error *err)
{
    const struct coreml_named_type output = {
        .name = "w",
        .type = {
            .kind = COREML_TYPE_TENSOR, .dtype = COREML_F32, .rank = 2, .shape = {rows, columns}}};
    const struct coreml_operation operation = {.type = type,
                                               .attributes = attributes,
                                               .n_attributes = n,
                                               .outputs = &output,
                                               .n_outputs = 1};
    assert_true(coreml_is_constexpr(&operation));
    return coreml_constexpr_to_float32(&operation, (uint64_t)(rows * columns), ret, err);
}

static void affine_scales_along_its_axis(void **state)
{
    (void)state;
    const uint8_t data[] = {0, 10, 20, 30};
    const float scales[] = {0.5f, 2};
    const uint8_t zero = 10;
    const int32_t axis = 1;
    const int64_t shape[] = {2, 2};
    const struct coreml_value q = constant(COREML_U8, 2, shape, data),
                              s = constant(COREML_F32, 1, shape, scales),
                              z = constant(COREML_U8, 0, NULL, &zero),
                              a = constant(COREML_I32, 0, NULL, &axis);
    const struct coreml_attribute attributes[] = {
        {"quantized_data", &q}, {"scale", &s}, {"zero_point", &z}, {"axis", &a}};
    float got[4];
    assert_int_equal(expand("constexpr_affine_dequantize", attributes, 4, 2, 2, got, NULL),
                     MODEL_OK);
    assert_true(got[0] == -5 && got[1] == 0 && got[2] == 5 && got[3] == 40);
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(expand("constexpr_affine_dequantize", attributes, 3, 2, 2, got, &err),
                     MODEL_CORRUPT);
    assert_string_equal(err.message,
                        "constexpr_affine_dequantize: 'axis' is missing, or not of a size "
                        "that fits; " MODEL_CONTRADICTS);
}

/* Each refuses to make [2, 3] of what is [3, 2]. */
static void data_of_another_shape_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"constexpr_affine_dequantize", "quantized_data"},
        {"constexpr_cast", "source_val"},
        {"constexpr_blockwise_shift_scale", "data"},
        {"constexpr_lut_to_dense", "shape"},
        {"constexpr_sparse_to_dense", "shape"},
    };
    const int8_t bytes[6] = {0};
    const int32_t sizes[] = {3, 2};
    const int64_t turned[] = {3, 2}, two[] = {2};
    const struct coreml_value data = constant(COREML_I8, 2, turned, bytes),
                              shape = constant(COREML_I32, 1, two, sizes);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bool is_shape = strcmp(cases[i][1], "shape") == 0;
        const struct coreml_attribute attribute = {cases[i][1], is_shape ? &shape : &data};
        struct model_error err = MODEL_ERROR_INIT;
        char sentence[200];
        float got[6];
        (void)snprintf(sentence, sizeof sentence,
                       "%s: '%s' gives the shape [3, 2], its output 'w' is declared as [2, 3]; %s",
                       cases[i][0], cases[i][1], MODEL_CONTRADICTS);
        assert_int_equal(expand(cases[i][0], &attribute, 1, 2, 3, got, &err), MODEL_CORRUPT);
        assert_string_equal(err.message, sentence);
        assert_int_equal(expand(cases[i][0], NULL, 0, 2, 3, got, &err),
                         strcmp(cases[i][0], "constexpr_lut_to_dense") == 0 ? MODEL_UNSUPPORTED
                                                                            : MODEL_CORRUPT);
    }
}

static void a_shape_of_another_rank_is_refused(void **state)
{
    (void)state;
    const int32_t sizes[MODEL_MAX_RANK + 1] = {2, 3, 1};
    const uint8_t mask[] = {0x3f};
    const float data[6] = {0};
    const int64_t one[] = {1}, six[] = {6};
    struct coreml_value s = constant(COREML_I32, 1, (const int64_t[]){3}, sizes);
    const struct coreml_value m = constant(COREML_U8, 1, one, mask),
                              d = constant(COREML_F32, 1, six, data);
    const struct coreml_attribute attributes[] = {
        {"mask", &m}, {"nonzero_data", &d}, {"shape", &s}};
    float got[6];
    assert_int_equal(expand("constexpr_sparse_to_dense", attributes, 3, 2, 3, got, NULL),
                     MODEL_CORRUPT);
    s = constant(COREML_I32, 1, (const int64_t[]){MODEL_MAX_RANK + 1}, sizes);
    assert_int_equal(expand("constexpr_sparse_to_dense", attributes, 3, 2, 3, got, NULL),
                     MODEL_CORRUPT);
    s = constant(COREML_I32, 1, (const int64_t[]){2}, sizes);
    assert_int_equal(expand("constexpr_sparse_to_dense", attributes, 3, 2, 3, got, NULL), MODEL_OK);
}

static void a_table_is_read_from_the_lowest_bit_on(void **state)
{
    (void)state;
    const uint8_t indices[] = {0xe4, 0x01}; /* 2 bits each: 0, 1, 2, 3, 1, 0 */
    const float table[] = {10, 11, 12, 13};
    const uint32_t dense[] = {2, 3};
    const int64_t two[] = {2}, four[] = {4};
    const struct coreml_value i = constant(COREML_U8, 1, two, indices),
                              t = constant(COREML_F32, 1, four, table),
                              d = constant(COREML_U32, 1, two, dense);
    const struct coreml_attribute attributes[] = {{"indices", &i}, {"lut", &t}, {"shape", &d}};
    float got[6];
    assert_int_equal(expand("constexpr_lut_to_dense", attributes, 3, 2, 3, got, NULL), MODEL_OK);
    const float want[] = {10, 11, 12, 13, 11, 10};
    assert_memory_equal(got, want, sizeof want);
    assert_int_equal(expand("constexpr_lut_to_dense", attributes, 3, 3, 3, got, NULL),
                     MODEL_CORRUPT);
    assert_int_equal(expand("constexpr_lut_to_dense", attributes, 2, 2, 3, got, NULL),
                     MODEL_UNSUPPORTED);
}

static void a_mask_places_the_numbers(void **state)
{
    (void)state;
    const uint8_t mask[] = {0x16}; /* bits 1, 2, 4 */
    const float data[] = {1, 2, 3}, more[] = {1, 2, 3, 4};
    const int64_t one[] = {1}, three[] = {3}, two[] = {2}, four[] = {4};
    struct coreml_value m = constant(COREML_U8, 1, one, mask),
                        d = constant(COREML_F32, 1, three, data);
    const struct coreml_attribute attributes[] = {{"mask", &m}, {"nonzero_data", &d}};
    float got[6];
    assert_int_equal(expand("constexpr_sparse_to_dense", attributes, 2, 2, 3, got, NULL), MODEL_OK);
    const float want[] = {0, 1, 2, 0, 3, 0};
    assert_memory_equal(got, want, sizeof want);
    d = constant(COREML_F32, 1, two, data);
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(expand("constexpr_sparse_to_dense", attributes, 2, 2, 3, got, &err),
                     MODEL_CORRUPT);
    assert_string_equal(err.message, "constexpr_sparse_to_dense: 'nonzero_data' has 2 numbers, "
                                     "'mask' places for 3; " MODEL_CONTRADICTS);
    d = constant(COREML_F32, 1, four, more);
    assert_int_equal(expand("constexpr_sparse_to_dense", attributes, 2, 2, 3, got, &err),
                     MODEL_CORRUPT);
}

static void a_mask_of_bits_has_the_shape_of_what_it_makes(void **state)
{
    (void)state;
    const uint8_t mask[] = {0x16};
    const float data[] = {1, 2, 3};
    const int64_t three[] = {3}, dense[] = {2, 3}, turned[] = {3, 2};
    struct coreml_value m = constant(COREML_U1, 2, dense, mask);
    const struct coreml_value d = constant(COREML_F32, 1, three, data);
    const struct coreml_attribute attributes[] = {{"mask", &m}, {"nonzero_data", &d}};
    float got[6];
    assert_int_equal(expand("constexpr_sparse_to_dense", attributes, 2, 2, 3, got, NULL), MODEL_OK);
    m = constant(COREML_U1, 2, turned, mask);
    assert_int_equal(expand("constexpr_sparse_to_dense", attributes, 2, 2, 3, got, NULL),
                     MODEL_CORRUPT);
}

static void blocks_have_scales_and_offsets_of_their_own(void **state)
{
    (void)state;
    const int8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const float scales[] = {1, 10, 100, 1000};
    const int8_t offsets[] = {0, 1, 0, 1};
    const int64_t shape[] = {2, 4}, blocks[] = {2, 2}, bad[] = {2, 3};
    const struct coreml_value v = constant(COREML_I8, 2, shape, data),
                              o = constant(COREML_I8, 2, blocks, offsets);
    struct coreml_value s = constant(COREML_F32, 2, blocks, scales);
    const struct coreml_attribute attributes[] = {{"data", &v}, {"scale", &s}, {"offset", &o}};
    float got[8];
    assert_int_equal(expand("constexpr_blockwise_shift_scale", attributes, 3, 2, 4, got, NULL),
                     MODEL_OK);
    const float want[] = {1, 2, 20, 30, 500, 600, 6000, 7000};
    assert_memory_equal(got, want, sizeof want);
    s = constant(COREML_F32, 2, bad, scales);
    assert_int_equal(expand("constexpr_blockwise_shift_scale", attributes, 3, 2, 4, got, NULL),
                     MODEL_CORRUPT);
}

static void casts_and_names_what_it_does_not_read(void **state)
{
    (void)state;
    const uint16_t halves[] = {0x3c00, 0xc000};
    const int64_t shape[] = {1, 2};
    const struct coreml_value v = constant(COREML_F16, 2, shape, halves);
    const struct coreml_attribute attributes[] = {{"source_val", &v}};
    struct model_error err = MODEL_ERROR_INIT;
    float got[2];
    assert_int_equal(expand("constexpr_cast", attributes, 1, 1, 2, got, NULL), MODEL_OK);
    assert_true(got[0] == 1 && got[1] == -2);
    const struct coreml_value half = {.type = {.kind = COREML_TYPE_TENSOR, .dtype = COREML_STRING},
                                      .n_elements = 1,
                                      .strings = (const char *const[]){"fp16"}};
    const struct coreml_attribute to_half[] = {{"source_val", &v}, {"output_dtype", &half}};
    assert_int_equal(expand("constexpr_cast", to_half, 2, 1, 2, got, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "constexpr_cast: 'output_dtype' is 'fp16', its output 'w' is "
                                     "declared as fp32; " MODEL_CONTRADICTS);
    assert_int_equal(expand("constexpr_new", attributes, 1, 1, 2, got, &err), MODEL_UNSUPPORTED);
    assert_string_equal(err.message, "weights compressed with 'constexpr_new' are not read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(affine_scales_along_its_axis),
        cmocka_unit_test(data_of_another_shape_is_refused),
        cmocka_unit_test(a_shape_of_another_rank_is_refused),
        cmocka_unit_test(a_table_is_read_from_the_lowest_bit_on),
        cmocka_unit_test(a_mask_places_the_numbers),
        cmocka_unit_test(a_mask_of_bits_has_the_shape_of_what_it_makes),
        cmocka_unit_test(blocks_have_scales_and_offsets_of_their_own),
        cmocka_unit_test(casts_and_names_what_it_does_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
