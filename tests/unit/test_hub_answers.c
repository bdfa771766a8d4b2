/* test_hub_answers.c - the JSON of a hub, good and hostile. */
#include "testing.h"

#include "errors.h"
#include "hub_answers.h"

#define COMMIT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA1   "0123456789abcdef0123456789abcdef01234567"
#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void the_canonical_name_and_commit_are_read(void **state)
{
    static const char text[] =
        "{\"id\":\"google-bert/bert\",\"sha\":\"AAAAAAAAAAAAAAAAAAAAaaaaaaaaaaaaaaaaaaaa\"}";
    struct hub_model model;
    (void)state;
    assert_int_equal(hub_parse_model(text, sizeof text - 1, "bert", &model, NULL), MODEL_OK);
    assert_string_equal(model.id, "google-bert/bert");
    assert_string_equal(model.commit, COMMIT);
    hub_model_finish(&model);
    assert_int_equal(hub_parse_model("{\"sha\":\"" COMMIT "\"}", 50, "bert", &model, NULL),
                     MODEL_OK);
    assert_string_equal(model.id, "bert");
    hub_model_finish(&model);
}

static void broken_answers_about_a_model_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"sha\":7}",
        "{\"sha\":\"main\"}",
        "{\"sha\":\"" COMMIT "a\"}",
        "{\"sha\":\"../../../../../../../../../../../../etc1\"}",
        "{\"sha\":\"" COMMIT "\",\"id\":\"../x\"}",
        "{\"sha\":\"" COMMIT "\",\"id\":\"a/b/c\"}",
        "{\"sha\":\"" COMMIT "\",\"id\":\"\"}",
        "{\"sha\":\"" COMMIT "\",\"sha\":\"" COMMIT "\"}",
        "{\"sha\":\"" COMMIT "\",\"cardData\":[{\"a\":1,\"a\":1}]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct hub_model model;
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(hub_parse_model(texts[i], strlen(texts[i]), "bert", &model, &err),
                         MODEL_CORRUPT);
        assert_string_not_equal(err.message, "");
    }
}

static model_status parse_tree(const char *text, struct hub_files *files, struct model_error *err)
{
    *files = (struct hub_files){0};
    model_status status = hub_parse_tree_page(text, strlen(text), files, err);
    return status == MODEL_OK ? hub_files_complete(files, err) : status;
}

static void files_are_ordered_and_have_their_digests(void **state)
{
    static const char text[] =
        "[{\"type\":\"file\",\"path\":\"z.bin\",\"size\":135,\"oid\":\"" SHA1 "\","
        "\"lfs\":{\"oid\":\"" SHA256 "\",\"size\":5000000000,\"pointerSize\":135}},"
        "{\"type\":\"directory\",\"path\":\"d\",\"size\":0,\"oid\":\"" SHA1 "\"},"
        "{\"type\":\"file\",\"path\":\"d/a\",\"size\":0,\"oid\":\"" SHA1 "\"},"
        "{\"type\":\"file\",\"path\":\"b\",\"size\":1}]";
    struct hub_files files;
    (void)state;
    assert_int_equal(parse_tree(text, &files, NULL), MODEL_OK);
    assert_int_equal(files.n_files, 3);
    assert_string_equal(files.files[0].path, "b");
    assert_int_equal(files.files[0].digest.kind, HUB_DIGEST_NONE);
    assert_string_equal(files.files[1].path, "d/a");
    assert_int_equal(files.files[1].digest.kind, HUB_DIGEST_GIT_BLOB);
    assert_string_equal(files.files[2].path, "z.bin");
    assert_int_equal(files.files[2].size_bytes, 5000000000);
    assert_string_equal(files.files[2].digest.hex, SHA256);
    hub_files_finish(&files);
}

#define ITEM(path) "{\"type\":\"file\",\"path\":\"" path "\",\"size\":1,\"oid\":\"" SHA1 "\"}"

static void broken_lists_are_refused(void **state)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"{}", "is not a JSON array"},
        {"[7]", "without type"},
        {"[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"size\":2,\"oid\":\"" SHA1 "\"}]",
         "the hub's list of files has an object with the same key twice; is this a hub"},
        {"[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"lfs\":{\"oid\":\"" SHA1 "\",\"oid\":1}}]",
         "the same key twice"},
        {"[{\"type\":\"directory\",\"x\\u001b\":1,\"x\\u001b\":2}]", "the same key twice"},
        {"[{\"type\":\"file\"}]", "without path"},
        {"[" ITEM("../x") "]", "a file named '../x', which is not a safe name"},
        {"[" ITEM("/etc/passwd") "]", "not a safe name"},
        {"[" ITEM("a/../b") "]", "not a safe name"},
        {"[" ITEM("a\\\\b") "]", "not a safe name"},
        {"[" ITEM("a\\u001b[2J") "]", "a file named 'a?[2J'"},
        {"[" ITEM("") "]", "not a safe name"},
        {"[" ITEM("a") "," ITEM("a") "]", "lists the file 'a' twice"},
        {"[" ITEM("a") "," ITEM("a-b") "," ITEM("a/b/c") "]",
         "lists 'a/b/c' below something that is a file itself"},
        {"[{\"type\":\"file\",\"path\":\"a\",\"size\":-1,\"oid\":\"" SHA1 "\"}]", "no valid size"},
        {"[{\"type\":\"file\",\"path\":\"a\",\"size\":1e300,\"oid\":\"" SHA1 "\"}]",
         "no valid size"},
        {"[{\"type\":\"file\",\"path\":\"a\",\"size\":1.5,\"oid\":\"" SHA1 "\"}]", "no valid size"},
        {"[{\"type\":\"file\",\"path\":\"a\",\"oid\":\"" SHA1 "\"}]", "no valid size"},
        {"[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"lfs\":{\"oid\":\"" SHA1 "\"}}]",
         "no SHA-256 for the large file 'a'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hub_files files;
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(parse_tree(cases[i].text, &files, &err), MODEL_CORRUPT);
        if (strstr(err.message, cases[i].sentence) == NULL)
            fail_msg("'%s' lacks '%s'", err.message, cases[i].sentence);
        hub_files_finish(&files);
    }
}

static void names_of_models_are_checked(void **state)
{
    static const char *const good[] = {"gpt2", "a/b", "google-bert/bert-base-uncased", "x/y.z_1"};
    static const char *const bad[] = {"",     "/",   "a/",   "/a",      "a/b/c", "..",
                                      "a/..", "a b", "a..b", "a--b",    ".a",    "a/.b",
                                      "a\\b", "a\n", "a?b",  "\xc3\xa4"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(hub_check_id(good[i], NULL), MODEL_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(hub_check_id(bad[i], NULL), MODEL_INVALID_ARGUMENT);
}

/* "[0,0,...]": 33 million of them would be 66 MB of text and gigabytes of memory. */
static void answers_of_too_many_values_are_refused(void **state)
{
    size_t size_bytes = 2 * (size_t)HUB_MAX_JSON_VALUES + 1;
    char *text = malloc(size_bytes);
    struct model_error err = MODEL_ERROR_INIT;
    struct hub_files files = {0};
    struct hub_model hub_model;
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < size_bytes; i++)
        text[i] = i % 2 == 1 ? '0' : ',';
    text[0] = '[';
    text[size_bytes - 1] = ']';
    assert_int_equal(hub_parse_tree_page(text, size_bytes, &files, &err), MODEL_CORRUPT);
    assert_string_equal(
        err.message,
        "the hub's list of files: more than 1048576 values; is this a hub, or a page in between that wants you to log in?");
    assert_int_equal(hub_parse_model(text, size_bytes, "bert", &hub_model, &err), MODEL_CORRUPT);
    assert_string_equal(
        err.message,
        "the hub's answer about the model: more than 1048576 values; is this a hub, or a page in between that wants you to log in?");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_canonical_name_and_commit_are_read),
        cmocka_unit_test(broken_answers_about_a_model_are_refused),
        cmocka_unit_test(files_are_ordered_and_have_their_digests),
        cmocka_unit_test(broken_lists_are_refused),
        cmocka_unit_test(names_of_models_are_checked),
        cmocka_unit_test(answers_of_too_many_values_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
