/* test_batch_merge.c - host/batching/batch_merge.c: what joins, and what the joint inputs hold. */
#include "batch_merge.h"
#include "dtype.h"
#include "errors.h"
#include "testing.h"

/* A text model's inputs, and one that belongs to the whole call. */
static const struct model_dimension text_shape[] = {{"batch", 1, 99}, {"sequence", 0, 99}};
static const struct model_dimension audio_shape[] = {{"batch", 1, 99}, {"samples", 0, 99}};
static const struct model_dimension found_shape[] = {{"batch", 1, 99}, {"found", 0, 99}};
static const struct model_dimension tokens_shape[] = {
    {"batch", 1, 99}, {"sequence", 0, 99}, {NULL, 2, 2}};

#define SPEC(name, dtype, rank, shape, flags)                                                      \
    {                                                                                              \
        sizeof(struct model_tensor_spec), name, dtype, rank, shape, flags, 0                       \
    }
static const struct model_tensor_spec ids = SPEC("input_ids", MODEL_I64, 2, text_shape, 0);
static const struct model_tensor_spec mask =
    SPEC("attention_mask", MODEL_I64, 2, text_shape, MODEL_SPEC_OPTIONAL);
static const struct model_tensor_spec float_mask =
    SPEC("attention_mask", MODEL_F32, 2, text_shape, MODEL_SPEC_OPTIONAL);
static const struct model_tensor_spec positions =
    SPEC("position_ids", MODEL_I64, 2, text_shape, MODEL_SPEC_OPTIONAL);
static const struct model_tensor_spec strange =
    SPEC("bracket_depth", MODEL_I64, 2, text_shape, MODEL_SPEC_OPTIONAL);
static const struct model_tensor_spec embeds =
    SPEC("inputs_embeds", MODEL_F32, 3, tokens_shape, MODEL_SPEC_OPTIONAL);
static const struct model_tensor_spec rate =
    SPEC("rate", MODEL_I64, 0, text_shape, MODEL_SPEC_OPTIONAL);
static const struct model_tensor_spec audio = SPEC("audio", MODEL_F32, 2, audio_shape, 0);
static const struct model_tensor_spec picture =
    SPEC("picture", MODEL_F32, 2, audio_shape, MODEL_SPEC_BYTES);
static const struct model_tensor_spec logits = SPEC("logits", MODEL_F32, 3, tokens_shape, 0);
static const struct model_tensor_spec found =
    SPEC("found", MODEL_F32, 2, found_shape, MODEL_SPEC_ON_REQUEST);
static const struct model_tensor_spec whole = SPEC("loss", MODEL_F32, 0, text_shape, 0);

static const struct model_tensor_spec *const text_inputs[] = {&ids,     &mask,   &positions,
                                                              &strange, &embeds, &rate};
static const struct model_tensor_spec *const text_outputs[] = {&logits, &found};
static const struct model_description text_model = {.struct_size = sizeof text_model,
                                                    .inputs = text_inputs,
                                                    .outputs = text_outputs,
                                                    .n_inputs = 6,
                                                    .n_outputs = 2};

/* A request of up to four tensors. */
struct given {
    struct model_tensor tensors[4];
    const struct model_tensor *inputs[4];
    struct batch_member member;
};

static void give(struct given *given, const struct model_tensor_spec *spec, const int64_t *shape,
                 const void *data)
{
    const uint32_t n = given->member.n_inputs;
    tensor_init(&given->tensors[n], spec->name, spec->dtype, spec->rank, shape,
                (void *)(uintptr_t)data);
    given->inputs[n] = &given->tensors[n];
    given->member.inputs = given->inputs;
    given->member.n_inputs = n + 1;
}

/* A request for texts of `length` ids. */
static void give_text(struct given *given, int64_t n_items, int64_t length, const int64_t *data)
{
    const int64_t shape[] = {n_items, length};
    memset(given, 0, sizeof *given);
    give(given, &ids, shape, data);
    given->member.n_items = n_items;
    given->member.length = length;
}

static const int64_t some[] = {11, 12, 13, 14, 15, 16};
static const int64_t ones[] = {1, 1, 1, 1, 1, 1};

static bool fit(const struct given *a, const struct given *b)
{
    const bool fits = batch_members_fit(&text_model, &a->member, &b->member);
    assert_int_equal(batch_members_fit(&text_model, &b->member, &a->member), fits);
    return fits;
}

/* Adds an I64 input of the text's own shape. */
static void give_more(struct given *given, const struct model_tensor_spec *spec,
                      const int64_t *data)
{
    const int64_t shape[] = {given->member.n_items, given->member.length};
    give(given, spec, shape, data);
}

static void texts_of_any_length_fit_where_there_is_a_mask(void **state)
{
    (void)state;
    struct given a, b;
    give_text(&a, 2, 3, some);
    give_text(&b, 1, 2, some);
    assert_true(fit(&a, &b));
    give_more(&b, &mask, ones);
    assert_true(fit(&a, &b));
    give_more(&a, &positions, some);
    assert_false(fit(&a, &b)); /* what no positions mean is the plugin's to know */
    give_more(&b, &positions, some);
    assert_true(fit(&a, &b));
}

static void an_empty_text_fits_its_like_only(void **state)
{
    (void)state;
    struct given a, b;
    give_text(&a, 1, 0, some);
    give_text(&b, 2, 0, some);
    assert_true(fit(&a, &b));
    give_text(&b, 2, 1, some);
    assert_false(fit(&a, &b));
}

static void an_input_that_is_not_known_is_not_padded(void **state)
{
    (void)state;
    struct given a, b;
    give_text(&a, 1, 3, some);
    give_text(&b, 1, 3, some);
    give_more(&a, &strange, some);
    give_more(&b, &strange, some);
    assert_true(fit(&a, &b));
    give_text(&b, 1, 2, some);
    give_more(&b, &strange, some);
    assert_false(fit(&a, &b));
}

static void what_belongs_to_the_whole_call_must_be_equal(void **state)
{
    (void)state;
    const int64_t slow = 8000, also_slow = 8000, fast = 16000;
    struct given a, b;
    give_text(&a, 1, 3, some);
    give_text(&b, 1, 3, some);
    give(&a, &rate, NULL, &slow);
    assert_false(fit(&a, &b));
    give(&b, &rate, NULL, &also_slow);
    assert_true(fit(&a, &b));
    b.tensors[1].data = (void *)(uintptr_t)&fast;
    assert_false(fit(&a, &b));
}

static void without_a_mask_lengths_must_be_equal(void **state)
{
    (void)state;
    static const struct model_tensor_spec *const no_mask[] = {&ids}, *const floats[] = {
                                                                         &ids, &float_mask};
    struct model_description model = {.inputs = no_mask, .n_inputs = 1};
    struct given a, b, c;
    give_text(&a, 2, 3, some);
    give_text(&b, 1, 2, some);
    give_text(&c, 1, 3, some);
    assert_false(batch_members_fit(&model, &a.member, &b.member));
    assert_true(batch_members_fit(&model, &a.member, &c.member));
    model = (struct model_description){.inputs = floats, .n_inputs = 2};
    assert_false(batch_members_fit(&model, &a.member, &b.member));
}

static void other_dimensions_must_be_equal(void **state)
{
    (void)state;
    static const struct model_tensor_spec *const inputs[] = {&audio};
    const struct model_description model = {.inputs = inputs, .n_inputs = 1};
    static const float wave[4] = {0};
    const int64_t shape[] = {1, 4}, longer[] = {1, 3};
    struct given a = {.member = {.n_items = 1, .length = -1}}, b = a, c = a;
    give(&a, &audio, shape, wave);
    give(&b, &audio, longer, wave);
    give(&c, &audio, shape, wave);
    assert_false(batch_members_fit(&model, &a.member, &b.member));
    assert_true(batch_members_fit(&model, &a.member, &c.member));
}

static void only_outputs_whose_sizes_are_known_join(void **state)
{
    (void)state;
    static const char *const names[] = {"logits", "found"}, *const unknown[] = {"scores"};
    assert_true(batch_outputs_join(&text_model, NULL, 0));
    assert_true(batch_outputs_join(&text_model, names, 1));
    assert_false(batch_outputs_join(&text_model, names, 2));
    assert_false(batch_outputs_join(&text_model, unknown, 1));
    static const struct model_tensor_spec *const losses[] = {&whole};
    struct model_description model = text_model;
    model.outputs = losses;
    model.n_outputs = 1;
    assert_false(batch_outputs_join(&model, NULL, 0));
}

static void inputs_without_a_batch_do_not_join(void **state)
{
    (void)state;
    static const struct model_dimension squares[] = {{"batch", 1, 9}, {"batch", 1, 9}};
    static const struct model_tensor_spec square = SPEC("square", MODEL_F32, 2, squares, 0);
    static const struct model_tensor_spec *const none[] = {&rate}, *const twice[] = {&ids, &square};
    const struct model_description without = {.inputs = none, .n_inputs = 1};
    const struct model_description with = {.inputs = twice, .n_inputs = 2};
    assert_true(batch_inputs_join(&text_model));
    assert_false(batch_inputs_join(&without));
    assert_false(batch_inputs_join(&with));
}

static struct batch_merge *merge(struct given *const *given, uint32_t n)
{
    struct batch_member members[4];
    struct batch_merge *merged = NULL;
    for (uint32_t i = 0; i < n; i++)
        members[i] = given[i]->member;
    assert_int_equal(batch_merge_create(&text_model, members, n, &merged, NULL), MODEL_OK);
    for (uint32_t i = 0; i < n; i++)
        given[i]->member = members[i];
    return merged;
}

static void assert_rows(const struct model_tensor *tensor, const char *name, int64_t n_items,
                        int64_t length, const int64_t *want)
{
    assert_string_equal(tensor->name, name);
    assert_int_equal(tensor->rank, 2);
    assert_int_equal(tensor->shape[0], n_items);
    assert_int_equal(tensor->shape[1], length);
    assert_int_equal(tensor->size_bytes, (size_t)(n_items * length) * sizeof *want);
    assert_memory_equal(tensor->data, want, tensor->size_bytes);
}

static void shorter_texts_are_padded_behind_a_mask(void **state)
{
    (void)state;
    static const int64_t hole[] = {1, 0};
    struct given a, b;
    give_text(&a, 2, 3, some);
    give_text(&b, 1, 2, some);
    give_more(&b, &mask, hole);
    struct batch_merge *merged = merge((struct given *[]){&a, &b}, 2);
    const int64_t joint_ids[] = {11, 12, 13, 14, 15, 16, 11, 12, 0};
    const int64_t joint_mask[] = {1, 1, 1, 1, 1, 1, 1, 0, 0};
    assert_int_equal(merged->n_inputs, 2);
    assert_rows(merged->inputs[0], "input_ids", 3, 3, joint_ids);
    assert_rows(merged->inputs[1], "attention_mask", 3, 3, joint_mask);
    assert_int_equal(a.member.first_item, 0);
    assert_int_equal(b.member.first_item, 2);
    batch_merge_destroy(merged);
}

static void a_mask_is_made_when_nobody_brings_one(void **state)
{
    (void)state;
    struct given a, b;
    give_text(&a, 1, 1, some);
    give_text(&b, 1, 3, some);
    struct batch_merge *merged = merge((struct given *[]){&a, &b}, 2);
    assert_int_equal(merged->n_inputs, 2);
    assert_rows(merged->inputs[1], "attention_mask", 2, 3, (int64_t[]){1, 0, 0, 1, 1, 1});
    batch_merge_destroy(merged);
}

static void texts_of_one_length_need_no_mask(void **state)
{
    (void)state;
    struct given a, b;
    give_text(&a, 1, 3, some);
    give_text(&b, 1, 3, some + 3);
    struct batch_merge *merged = merge((struct given *[]){&a, &b}, 2);
    assert_int_equal(merged->n_inputs, 1);
    assert_rows(merged->inputs[0], "input_ids", 2, 3, some);
    batch_merge_destroy(merged);
}

static void floats_are_padded_with_zeros(void **state)
{
    (void)state;
    static const float values[] = {1, 2, 3, 4, 5, 6};
    struct given a, b;
    const int64_t shape_a[] = {1, 1, 2}, shape_b[] = {1, 2, 2};
    give_text(&a, 1, 1, some);
    give(&a, &embeds, shape_a, values);
    give_text(&b, 1, 2, some);
    give(&b, &embeds, shape_b, values + 2);
    struct batch_merge *merged = merge((struct given *[]){&a, &b}, 2);
    const struct model_tensor *joint =
        batch_find_input(merged->inputs, merged->n_inputs, "inputs_embeds");
    assert_memory_equal(joint->data, ((float[]){1, 2, 0, 0, 3, 4, 5, 6}), 8 * sizeof(float));
    batch_merge_destroy(merged);
}

static void inputs_of_the_whole_call_are_the_first_members_own(void **state)
{
    (void)state;
    const int64_t slow = 8000;
    struct given a, b;
    give_text(&a, 1, 3, some);
    give_text(&b, 1, 3, some);
    give(&a, &rate, NULL, &slow);
    give(&b, &rate, NULL, &slow);
    struct batch_merge *merged = merge((struct given *[]){&a, &b}, 2);
    assert_ptr_equal(batch_find_input(merged->inputs, merged->n_inputs, "rate")->data, &slow);
    batch_merge_destroy(merged);
}

/* A request for one picture of three numbers. */
static void give_picture(struct given *given, int32_t dtype, const void *data)
{
    struct model_tensor_spec as_given = picture;
    as_given.dtype = dtype;
    memset(given, 0, sizeof *given);
    give(given, &as_given, (const int64_t[]){1, 3}, data);
    given->tensors[0].name = picture.name;
    given->member.n_items = 1;
    given->member.length = -1;
}

static void bytes_join_bytes_and_no_other_numbers(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 250, 251, 252};
    static const float numbers[] = {1, 2, 3};
    static const struct model_tensor_spec *const inputs[] = {&picture};
    const struct model_description model = {.inputs = inputs, .n_inputs = 1};
    struct given a, b, c;
    give_picture(&a, MODEL_U8, bytes);
    give_picture(&b, MODEL_U8, bytes + 3);
    give_picture(&c, MODEL_F32, numbers);
    assert_true(batch_members_fit(&model, &a.member, &b.member));
    assert_false(batch_members_fit(&model, &a.member, &c.member));
    assert_false(batch_members_fit(&model, &c.member, &a.member));
    struct batch_member members[] = {a.member, b.member};
    struct batch_merge *merged = NULL;
    assert_int_equal(batch_merge_create(&model, members, 2, &merged, NULL), MODEL_OK);
    assert_int_equal(merged->inputs[0]->dtype, MODEL_U8);
    assert_int_equal(merged->inputs[0]->size_bytes, sizeof bytes);
    assert_memory_equal(merged->inputs[0]->data, bytes, sizeof bytes);
    batch_merge_destroy(merged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_join_bytes_and_no_other_numbers),
        cmocka_unit_test(texts_of_any_length_fit_where_there_is_a_mask),
        cmocka_unit_test(an_empty_text_fits_its_like_only),
        cmocka_unit_test(an_input_that_is_not_known_is_not_padded),
        cmocka_unit_test(what_belongs_to_the_whole_call_must_be_equal),
        cmocka_unit_test(without_a_mask_lengths_must_be_equal),
        cmocka_unit_test(other_dimensions_must_be_equal),
        cmocka_unit_test(only_outputs_whose_sizes_are_known_join),
        cmocka_unit_test(inputs_without_a_batch_do_not_join),
        cmocka_unit_test(shorter_texts_are_padded_behind_a_mask),
        cmocka_unit_test(a_mask_is_made_when_nobody_brings_one),
        cmocka_unit_test(texts_of_one_length_need_no_mask),
        cmocka_unit_test(floats_are_padded_with_zeros),
        cmocka_unit_test(inputs_of_the_whole_call_are_the_first_members_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
