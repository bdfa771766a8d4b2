/* test_weights_index.c - the list of shards. What it says of whole folders is in test_weights.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_fixture.h"
#include "weights_index.h"

static void shards_are_numbered_as_they_appear(void **state)
{
    (void)state;
    struct weights_index index;
    struct model_error err = MODEL_ERROR_INIT;
    char *text = text_format("{\"weight_map\":{\"w\":\"b.safetensors\",\"v\":\"a.safetensors\","
                             "\"u\":\"b.safetensors\"},\"metadata\":{\"total_size\":[{}]}}");
    assert_int_equal(weights_index_parse(text, strlen(text), "i", &index, &err), MODEL_OK);
    assert_int_equal(index.n_shards, 2);
    assert_string_equal(index.shards[0], "b.safetensors");
    assert_string_equal(index.shards[1], "a.safetensors");
    assert_int_equal(string_map_find(&index.shard_of, "w", 1), 0);
    assert_int_equal(string_map_find(&index.shard_of, "v", 1), 1);
    assert_int_equal(string_map_find(&index.shard_of, "u", 1), 0);
    assert_int_equal(string_map_find(&index.shard_of, "x", 1), -1);
    weights_index_finish(&index);
}

static void too_many_shards_are_refused(void **state)
{
    (void)state;
    struct buffer text = BUFFER_INIT(1 << 22);
    struct weights_index index;
    struct model_error err = MODEL_ERROR_INIT;
    for (int i = 0; i <= WEIGHTS_INDEX_MAX_SHARDS; i++)
        assert_int_equal(
            buffer_printf(&text, "%s\"t%d\":\"s%d\"", i == 0 ? "{\"weight_map\":{" : ",", i, i),
            MODEL_OK);
    assert_int_equal(buffer_append_text(&text, "}}"), MODEL_OK);
    assert_int_equal(weights_index_parse(text.data, text.size, "i", &index, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "i: more than 10000 shards");
    buffer_finish(&text);
}

static void an_absent_index_is_not_found(void **state)
{
    (void)state;
    struct weights_index index;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(weights_index_read(NULL, "/nowhere/x", &index, &err), MODEL_NOT_FOUND);
    assert_string_equal(err.message, "cannot open /nowhere/x: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_are_numbered_as_they_appear),
        cmocka_unit_test(too_many_shards_are_refused),
        cmocka_unit_test(an_absent_index_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
