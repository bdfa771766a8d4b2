/* test_plugin_image.c - notes among others, broken notes, and lists that are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "plugin_image.h"
#include "store_fixture.h"

MODEL_PLUGIN_NOTE("bert", "1.2.3", "bert,roberta");

static void add_note(struct buffer *notes, size_t alignment, const char *owner, uint32_t type,
                     const void *content, size_t content_bytes)
{
    static const char zeros[8] = {0};
    const uint32_t header[3] = {(uint32_t)strlen(owner) + 1, (uint32_t)content_bytes, type};
    assert_int_equal(buffer_append(notes, header, sizeof header), MODEL_OK);
    assert_int_equal(buffer_append(notes, owner, strlen(owner) + 1), MODEL_OK);
    assert_int_equal(buffer_append(notes, zeros, (0 - notes->size) % alignment), MODEL_OK);
    assert_int_equal(buffer_append(notes, content, content_bytes), MODEL_OK);
    assert_int_equal(buffer_append(notes, zeros, (0 - notes->size) % alignment), MODEL_OK);
}

static model_status read_notes(const struct buffer *notes, size_t alignment,
                               struct plugin_file *ret, bool *ret_found, struct model_error *err)
{
    *ret_found = false;
    memset(ret, 0, sizeof *ret);
    return plugin_image_read_notes((const uint8_t *)notes->data, notes->size, alignment, "p", ret,
                                   ret_found, err);
}

static void finds_the_note_among_others(void **state)
{
    (void)state;
    for (size_t alignment = 4; alignment <= 8; alignment += 4) {
        struct buffer notes = BUFFER_INIT(4096);
        struct plugin_file file;
        struct model_error err = MODEL_ERROR_INIT;
        bool found = false;
        add_note(&notes, alignment, "GNU", 5, "0123456789abcdef", 16);
        add_note(&notes, alignment, "modelhost", 2, "another type", 12);
        assert_int_equal(read_notes(&notes, alignment, &file, &found, &err), MODEL_OK);
        assert_false(found);
        add_note(&notes, alignment, "modelhost", 1, &model_plugin_note.content,
                 sizeof model_plugin_note.content);
        add_note(&notes, alignment, "GNU", 3, "odd", 3);
        assert_int_equal(read_notes(&notes, alignment, &file, &found, &err), MODEL_OK);
        assert_true(found);
        assert_string_equal(file.name, "bert");
        assert_string_equal(file.version, "1.2.3");
        assert_string_equal(file.architectures, "bert,roberta");
        notes.size--; /* the last note's padding may be absent */
        assert_int_equal(read_notes(&notes, alignment, &file, &found, &err), MODEL_OK);
        assert_true(found);
        buffer_finish(&notes);
    }
}

static void reads_what_the_macro_makes(void **state)
{
    (void)state;
    struct plugin_file file = {0};
    bool found = false;
    assert_int_equal(plugin_image_read_notes((const uint8_t *)&model_plugin_note,
                                             sizeof model_plugin_note, 4, "p", &file, &found, NULL),
                     MODEL_OK);
    assert_true(found);
    assert_int_equal(file.abi_major, MODEL_ABI_MAJOR);
}

static void refuses_two_notes_and_notes_that_do_not_fit(void **state)
{
    (void)state;
    struct buffer notes = BUFFER_INIT(4096);
    struct plugin_file file;
    struct model_error err = MODEL_ERROR_INIT;
    bool found = false;
    add_note(&notes, 4, "modelhost", 1, &model_plugin_note.content, 335);
    assert_int_equal(read_notes(&notes, 4, &file, &found, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "p: a modelhost note of 335 bytes, want 336");
    buffer_clear(&notes);
    add_note(&notes, 4, "modelhost", 1, &model_plugin_note.content, 336);
    add_note(&notes, 4, "modelhost", 1, &model_plugin_note.content, 336);
    assert_int_equal(read_notes(&notes, 4, &file, &found, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "p: two modelhost notes, want one");
    for (size_t n = 12; n < 350; n++) {
        notes.size = n;
        assert_int_equal(read_notes(&notes, 4, &file, &found, &err),
                         n < 24 + 336 ? MODEL_CORRUPT : MODEL_OK);
        assert_string_equal(err.message, "p: a note runs over its end");
    }
    uint32_t huge[3] = {UINT32_MAX, UINT32_MAX, 1};
    buffer_clear(&notes);
    assert_int_equal(buffer_append(&notes, huge, sizeof huge), MODEL_OK);
    assert_int_equal(read_notes(&notes, 8, &file, &found, &err), MODEL_CORRUPT);
    buffer_finish(&notes);
}

static void a_newer_note_may_be_longer(void **state)
{
    (void)state;
    struct {
        struct model_note note;
        char more[64];
    } longer = {model_plugin_note.content, {0}};
    struct buffer notes = BUFFER_INIT(4096);
    struct plugin_file file;
    struct model_error err = MODEL_ERROR_INIT;
    bool found = false;
    longer.note.size_bytes = sizeof longer;
    longer.note.abi_major = 9;
    add_note(&notes, 4, "modelhost", 1, &longer, sizeof longer);
    assert_int_equal(read_notes(&notes, 4, &file, &found, &err), MODEL_OK);
    assert_int_equal(file.abi_major, 9);
    assert_string_equal(file.name, "bert");
    buffer_finish(&notes);
}

static void lists_are_cut_and_made_printable(void **state)
{
    (void)state;
    struct plugin_file file = {0};
    plugin_image_add_export(&file, "a\nb\x1b", 4);
    plugin_image_add_export(&file, "create_model", 12);
    assert_string_equal(file.exports, "a?b? create_model");
    assert_true(file.exports_create_model);
    for (int i = 0; i < 100000; i++)
        plugin_image_add_export(&file, "symbol", 6);
    assert_int_equal(file.n_exports, 100002);
    assert_true(strlen(file.exports) < sizeof file.exports);
    assert_string_equal(file.exports + strlen(file.exports) - 11, " symbol ...");
    char *name = malloc(5000);
    assert_non_null(name);
    memset(name, 'x', 5000);
    plugin_image_add_needed(&file, "libc.so.6", 9);
    plugin_image_add_needed(&file, name, 5000);
    plugin_image_add_needed(&file, "libm.so.6", 9);
    assert_string_equal(file.needed, "libc.so.6 ...");
    free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_note_among_others),
        cmocka_unit_test(reads_what_the_macro_makes),
        cmocka_unit_test(refuses_two_notes_and_notes_that_do_not_fit),
        cmocka_unit_test(a_newer_note_may_be_longer),
        cmocka_unit_test(lists_are_cut_and_made_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
