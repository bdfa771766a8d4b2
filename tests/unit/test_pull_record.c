/* test_pull_record.c - what a mirror keeps of a commit: written, read again, and read from strangers. */
#include "errors.h"
#include "pull_record.h"
#include "testing.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define SHA256 "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

static model_status parse(const char *text, struct pull_record *ret, struct model_error *err)
{
    return pull_record_parse(text, strlen(text), "record", ret, err);
}

static void a_record_survives_being_written_and_read(void **state)
{
    (void)state;
    char id[] = "acme/tiny", first[] = "a \"b\".txt", second[] = "d/w.bin";
    struct hub_file files[2] = {{.path = first, .size_bytes = 0},
                                {.path = second, .size_bytes = (uint64_t)5 << 40}};
    files[0].digest = hub_digest_read(COMMIT);
    files[1].digest = hub_digest_read(SHA256);
    struct pull_record record = {.model = {.id = id, .commit = COMMIT}, .files = {files, 2}}, read;
    struct model_error err = MODEL_ERROR_INIT;
    char *text = pull_record_print(&record);
    assert_non_null(text);
    assert_int_equal(parse(text, &read, &err), MODEL_OK);
    free(text);
    assert_string_equal(read.model.id, id);
    assert_string_equal(read.model.commit, COMMIT);
    assert_int_equal(read.files.n_files, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(read.files.files[i].path, files[i].path);
        assert_true(read.files.files[i].size_bytes == files[i].size_bytes);
        assert_int_equal(read.files.files[i].digest.kind, files[i].digest.kind);
        assert_string_equal(read.files.files[i].digest.hex, files[i].digest.hex);
    }
    pull_record_finish(&read);
}

static void check_refused(const char *id, const char *commit, const char *files, const char *why)
{
    struct pull_record read;
    struct model_error err = MODEL_ERROR_INIT;
    char *text = text_format("{\"format_version\":1,\"id\":\"%s\",\"commit\":\"%s\",\"files\":%s}",
                             id, commit, files);
    assert_non_null(text);
    assert_int_equal(parse(text, &read, &err), MODEL_CORRUPT);
    if (strstr(err.message, why) == NULL)
        fail_msg("'%s' is not in: %s", why, err.message);
    free(text);
}

#define FILE_OF(path, size, digest)                                                                \
    "{\"path\":\"" path "\",\"size\":" size ",\"digest\":\"" digest "\"}"

static void a_strange_record_is_refused(void **state)
{
    (void)state;
    check_refused("../x", COMMIT, "[]", "no id, or no commit");
    check_refused("acme/tiny", "main", "[]", "no id, or no commit");
    check_refused("acme/tiny", COMMIT, "{}", "no list of files");
    check_refused("acme/tiny", COMMIT, "[" FILE_OF("../x", "1", COMMIT) "]", "a path that no");
    check_refused("acme/tiny", COMMIT, "[" FILE_OF("x", "-1", COMMIT) "]", "without a size");
    check_refused("acme/tiny", COMMIT, "[" FILE_OF("x", "1", "../../x") "]", "without a digest");
    check_refused("acme/tiny", COMMIT,
                  "[" FILE_OF("b", "1", COMMIT) "," FILE_OF("a", "1", COMMIT) "]", "not in order");
    check_refused("acme/tiny", COMMIT,
                  "[" FILE_OF("a", "1", COMMIT) "," FILE_OF("a", "1", COMMIT) "]", "not in order");
    struct pull_record read;
    assert_int_equal(parse("{}", &read, NULL), MODEL_CORRUPT);
    assert_int_equal(parse("", &read, NULL), MODEL_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_survives_being_written_and_read),
        cmocka_unit_test(a_strange_record_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
