/* test_mirror_answers.c - the JSON of the hub's API, packager/mirror/mirror_answers.c, and the bodies that it
 * takes, packager/mirror/mirror_paths.c. */
#include "buffer.h"
#include "errors.h"
#include "json_view.h"
#include "mirror_answers.h"
#include "testing.h"

#define COMMIT "0123456789012345678901234567890123456789"
#define BLOB   "ce013625030ba8dba906f756967f9e9ca394464a"
#define SHA256 "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

static char paths[5][20] = {"a.txt", "d/e/x", "d/e/y", "d/w.bin", "z"};
static struct mirror_file files[5];
static struct mirror_snapshot snapshot = {.files = files,
                                          .n_files = 5,
                                          .total_bytes = 15,
                                          .modified_ns = 1700000000123456789,
                                          .commit = COMMIT};

static int make_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        files[i] = (struct mirror_file){.path = paths[i], .stamp = {.size_bytes = i + 1}};
        files[i].is_lfs = i == 3;
        files[i].pointer_bytes = i == 3 ? 130 : 0;
        memcpy(files[i].etag, i == 3 ? SHA256 : BLOB, i == 3 ? 65 : 41);
        memcpy(files[i].blob_id, BLOB, 41);
    }
    return 0;
}

/* Parses and frees an answer. */
static json_node *read_answer(char *text)
{
    json_node *root = NULL;
    assert_non_null(text);
    assert_int_equal(json_parse(text, strlen(text), "answer", &root, NULL), MODEL_OK);
    free(text);
    return root;
}

static const char *text_at(const json_node *root, const char *path)
{
    return json_string_or(json_path(root, path), "(none)");
}

static void info_names_the_commit_and_the_files(void **state)
{
    (void)state;
    json_node *root = read_answer(mirror_answer_info("ns/name", &snapshot, false, true));
    assert_string_equal(text_at(root, "id"), "ns/name");
    assert_string_equal(text_at(root, "author"), "ns");
    assert_string_equal(text_at(root, "sha"), COMMIT);
    assert_string_equal(text_at(root, "lastModified"), "2023-11-14T22:13:20.123Z");
    assert_int_equal(strlen(text_at(root, "_id")), 24);
    assert_true(json_is_bool(json_path(root, "gated")));
    assert_int_equal(json_count(json_path(root, "siblings")), 5);
    assert_string_equal(text_at(root, "siblings[3].lfs.sha256"), SHA256);
    assert_string_equal(text_at(root, "siblings[3].blobId"), BLOB);
    assert_true(json_number_or(json_path(root, "siblings[3].lfs.pointerSize"), 0) == 130);
    assert_null(json_path(root, "siblings[0].lfs"));
    json_free(root);
    root = read_answer(mirror_answer_info("name", &snapshot, true, false));
    assert_null(json_path(root, "author"));
    assert_string_equal(text_at(root, "gated"), "manual");
    assert_null(json_path(root, "siblings[0].size"));
    json_free(root);
}

static void check_tree(struct mirror_tree_query query, bool want_more, const char *want)
{
    bool found, more;
    struct buffer names = BUFFER_INIT(1000);
    json_node *root = read_answer(mirror_answer_tree(&snapshot, &query, &found, &more));
    assert_true(found);
    assert_int_equal(more, want_more);
    for (const json_node *item = json_first(root); item != NULL; item = json_next(item)) {
        bool is_folder = strcmp(text_at(item, "type"), "directory") == 0;
        assert_int_equal(strlen(text_at(item, "oid")), 40);
        assert_int_equal(
            buffer_printf(&names, "%s%s ", text_at(item, "path"), is_folder ? "/" : ""), MODEL_OK);
    }
    assert_string_equal(names.data != NULL ? names.data : "", want);
    buffer_finish(&names);
    json_free(root);
}

static void trees_are_flat_or_recursive_and_cut_into_pages(void **state)
{
    (void)state;
    check_tree((struct mirror_tree_query){"", false, false, 0, 100}, false, "a.txt d/ z ");
    check_tree((struct mirror_tree_query){"", true, false, 0, 100}, false,
               "a.txt d/ d/e/ d/e/x d/e/y d/w.bin z ");
    check_tree((struct mirror_tree_query){"d", false, false, 0, 100}, false, "d/e/ d/w.bin ");
    check_tree((struct mirror_tree_query){"d/e", true, false, 0, 100}, false, "d/e/x d/e/y ");
    check_tree((struct mirror_tree_query){"", true, false, 0, 3}, true, "a.txt d/ d/e/ ");
    check_tree((struct mirror_tree_query){"", true, false, 3, 3}, true, "d/e/x d/e/y d/w.bin ");
    check_tree((struct mirror_tree_query){"", true, false, 6, 3}, false, "z ");
    check_tree((struct mirror_tree_query){"", true, false, 4, 3}, false, "d/e/y d/w.bin z ");
    check_tree((struct mirror_tree_query){"", true, false, 9, 3}, false, "");
    check_tree((struct mirror_tree_query){"", false, false, 2, 1}, false, "z ");
    bool found, more;
    struct mirror_tree_query none = {"d/e/x", true, false, 0, 3};
    assert_null(mirror_answer_tree(&snapshot, &none, &found, &more));
    assert_false(found);
}

static void paths_info_tells_what_there_is(void **state)
{
    (void)state;
    char *asked[] = {"d/w.bin", "none", "d", ""};
    json_node *root = read_answer(mirror_answer_paths(&snapshot, asked, 4, true));
    assert_int_equal(json_count(root), 2);
    assert_string_equal(text_at(json_first(root), "lfs.oid"), SHA256);
    assert_string_equal(text_at(json_first(root), "lastCommit.id"), COMMIT);
    assert_string_equal(text_at(json_next(json_first(root)), "path"), "d");
    json_free(root);
}

static void other_answers_have_their_shape(void **state)
{
    (void)state;
    json_node *root = read_answer(mirror_answer_refs(&snapshot));
    assert_string_equal(text_at(root, "branches[0].targetCommit"), COMMIT);
    json_free(root);
    root = read_answer(mirror_answer_commits(&snapshot));
    assert_string_equal(text_at(json_first(root), "id"), COMMIT);
    json_free(root);
    root = read_answer(mirror_answer_whoami("mirror"));
    assert_string_equal(text_at(root, "auth.accessToken.role"), "read");
    json_free(root);
}

static void check_body(const char *type, const char *body, const char *want, bool want_expand)
{
    struct mirror_paths got;
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer all = BUFFER_INIT(1000);
    model_status status = mirror_paths_parse(type, body, strlen(body), &got, &err);
    if (want == NULL) {
        assert_int_equal(status, MODEL_INVALID_ARGUMENT);
        assert_true(err.message[0] != '\0');
        return;
    }
    assert_int_equal(status, MODEL_OK);
    for (size_t i = 0; i < got.n; i++)
        assert_int_equal(buffer_printf(&all, "%s|", got.paths[i]), MODEL_OK);
    assert_string_equal(all.data != NULL ? all.data : "", want);
    assert_int_equal(got.is_expanded, want_expand);
    buffer_finish(&all);
    mirror_paths_finish(&got);
}

static void bodies_are_forms_or_json(void **state)
{
    (void)state;
    check_body("application/x-www-form-urlencoded", "paths=a%2Fb&paths=c+d&expand=True", "a/b|c d|",
               true);
    check_body(NULL, "paths=a/&other=1", "a|", false);
    check_body("application/json; charset=utf-8", "{\"paths\":[\"a\",\"b/\"],\"expand\":true}",
               "a|b|", true);
    check_body(NULL, "{\"paths\":\"a\"}", "a|", false);
    check_body("application/json", "{\"paths\":[]}", "", false);
    check_body(NULL, "", "", false);
    check_body("application/json", "{\"paths\":[1]}", NULL, false);
    check_body("application/json", "{\"path\":[]}", NULL, false);
    check_body("application/json", "[", NULL, false);
    check_body(NULL, "paths=%zz", NULL, false);
    struct buffer many = BUFFER_INIT(100000);
    for (int i = 0; i < 1001; i++)
        assert_int_equal(buffer_append_text(&many, "paths=a&"), MODEL_OK);
    check_body(NULL, many.data, NULL, false);
    buffer_finish(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_names_the_commit_and_the_files),
        cmocka_unit_test(trees_are_flat_or_recursive_and_cut_into_pages),
        cmocka_unit_test(paths_info_tells_what_there_is),
        cmocka_unit_test(other_answers_have_their_shape),
        cmocka_unit_test(bodies_are_forms_or_json),
    };
    return cmocka_run_group_tests(tests, make_files, NULL);
}
