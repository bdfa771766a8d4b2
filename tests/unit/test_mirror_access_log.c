/* test_mirror_access_log.c - lines of the access log: two formats, and hostile text in them. */
#include "json_view.h"
#include "mirror_access_log.h"
#include "testing.h"

static struct mirror_access usual(void)
{
    return (struct mirror_access){.address = "127.0.0.1",
                                  .name = "ann",
                                  .method = "GET",
                                  .path = "/a/b/resolve/main/x",
                                  .is_complete = true,
                                  .user_agent = "client/1",
                                  .status = 206,
                                  .body_bytes = 5000000000,
                                  .duration_ns = 1500000,
                                  .now_s = 1700000000};
}

static void check_common(const struct mirror_access *access, const char *want)
{
    struct buffer line = BUFFER_INIT(10000);
    assert_int_equal(mirror_access_line(access, false, &line), MODEL_OK);
    assert_string_equal(line.data, want);
    buffer_finish(&line);
}

static void the_common_format_is_what_log_readers_know(void **state)
{
    (void)state;
    struct mirror_access access = usual();
    check_common(&access, "127.0.0.1 - ann [14/Nov/2023:22:13:20 +0000] "
                          "\"GET /a/b/resolve/main/x HTTP/1.1\" 206 5000000000\n");
    access.name = NULL;
    access.is_http_1_0 = true;
    check_common(&access, "127.0.0.1 - - [14/Nov/2023:22:13:20 +0000] "
                          "\"GET /a/b/resolve/main/x HTTP/1.0\" 206 5000000000\n");
}

static void hostile_text_cannot_make_lines_of_its_own(void **state)
{
    (void)state;
    struct mirror_access access = usual();
    access.path = "/\"\n\\\x1b\xFFz";
    check_common(&access, "127.0.0.1 - ann [14/Nov/2023:22:13:20 +0000] "
                          "\"GET /\\x22\\x0A\\x5C\\x1B\\xFFz HTTP/1.1\" 206 5000000000\n");
}

static void json_lines_are_json_whatever_the_client_sends(void **state)
{
    (void)state;
    struct mirror_access access = usual();
    access.path = "/\"\n\xC3(";
    access.user_agent = "\xFF\xFE";
    struct buffer line = BUFFER_INIT(10000);
    assert_int_equal(mirror_access_line(&access, true, &line), MODEL_OK);
    assert_ptr_equal(strchr(line.data, '\n'), line.data + line.size - 1);
    json_node *root = NULL;
    assert_int_equal(json_parse(line.data, line.size, "line", &root, NULL), MODEL_OK);
    assert_string_equal(json_string_or(json_member(root, "time"), ""), "2023-11-14T22:13:20Z");
    assert_string_equal(json_string_or(json_member(root, "token"), ""), "ann");
    assert_string_equal(json_string_or(json_member(root, "path"), ""), "/\\x22\\x0A\\xC3(");
    assert_true(json_number_or(json_member(root, "bytes"), 0) == 5e9);
    assert_true(json_number_or(json_member(root, "ms"), 0) == 1.5);
    assert_true(json_bool_or(json_member(root, "complete"), false));
    json_free(root);
    buffer_finish(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_common_format_is_what_log_readers_know),
        cmocka_unit_test(hostile_text_cannot_make_lines_of_its_own),
        cmocka_unit_test(json_lines_are_json_whatever_the_client_sends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
