/* json_fixture.h - texts of JSON that are read, or refused with a sentence. */
#ifndef JSON_FIXTURE_H
#define JSON_FIXTURE_H

#include "errors.h"
#include "json_view.h"
#include "testing.h"

static inline json_node *parse(const char *text)
{
    struct model_error err = MODEL_ERROR_INIT;
    json_node *root = NULL;
    if (json_parse(text, strlen(text), "text", &root, &err) != MODEL_OK)
        fail_msg("%s: %s", text, err.message);
    return root;
}

static inline void expect_refused(const char *text, size_t size_bytes, const char *message)
{
    struct model_error err = MODEL_ERROR_INIT;
    json_node *const untouched = (json_node *)&err;
    json_node *root = untouched;
    assert_int_equal(json_parse(text, size_bytes, "config.json", &root, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, message);
    assert_ptr_equal(root, untouched);
}

#endif
