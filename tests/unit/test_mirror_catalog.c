/* test_mirror_catalog.c - which folders are repositories, and the names they answer to. */
#include "errors.h"
#include "in_folder.h"
#include "mirror_catalog.h"

#include <unistd.h>

static void put(const char *name)
{
    char *path = text_format("%s", in_folder(name));
    char *parent = text_format("%.*s", (int)(path_base(path) - path), path);
    assert_int_equal(dir_make_all(parent, NULL), MODEL_OK);
    write_file(path, "{}", 2);
    free(parent);
    free(path);
}

static void open_catalog(struct mirror_catalog *ret, const struct mirror_alias *aliases, size_t n)
{
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(mirror_catalog_init(folder, NULL, aliases, n, NULL, ret, &err), MODEL_OK);
}

static void check_find(const struct mirror_catalog *catalog, const char *name, const char *want)
{
    const struct mirror_repository *found = mirror_catalog_find(catalog, name);
    if (want == NULL) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_string_equal(found->id, want);
}

static void folders_with_a_model_are_repositories(void **state)
{
    (void)state;
    struct mirror_catalog catalog;
    put("ns/with-config/config.json");
    put("ns/plain/readme.txt");
    put("bare/config.json");
    put("bare/1_Pooling/config.json");
    put("weights/model.safetensors");
    put("README.md");
    put(".hidden/name/config.json");
    put("ns/.hidden/config.json");
    put("ns/bad name/config.json");
    open_catalog(&catalog, NULL, 0);
    static const char *const want[] = {"bare", "ns/plain", "ns/with-config", "weights"};
    assert_int_equal(catalog.n_repositories, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(catalog.repositories[i]->id, want[i]);
    check_find(&catalog, "ns/.hidden", NULL);
    check_find(&catalog, "bare/1_Pooling", NULL);
    check_find(&catalog, "../ns/plain", NULL);
    mirror_catalog_finish(&catalog);
}

static void links_that_leave_are_no_repositories(void **state)
{
    (void)state;
    struct mirror_catalog catalog;
    put("ns/real/config.json");
    assert_int_equal(symlink("/etc", in_folder("ns/out")), 0);
    assert_int_equal(symlink("real", in_folder("ns/alias")), 0);
    open_catalog(&catalog, NULL, 0);
    check_find(&catalog, "ns/out", NULL);
    check_find(&catalog, "ns/alias", "ns/alias");
    mirror_catalog_finish(&catalog);
}

static void names_lead_to_the_only_one_that_fits(void **state)
{
    (void)state;
    static const struct mirror_alias aliases[] = {{"old", "One/Model"}, {"gone", "no/where"}};
    struct mirror_catalog catalog;
    put("One/Model/config.json");
    put("two/twin/config.json");
    put("three/twin/config.json");
    put("three/TWIN/config.json");
    open_catalog(&catalog, aliases, 2);
    check_find(&catalog, "One/Model", "One/Model");
    check_find(&catalog, "one/model", "One/Model");
    check_find(&catalog, "model", "One/Model");
    check_find(&catalog, "old", "One/Model");
    check_find(&catalog, "gone", NULL);
    check_find(&catalog, "twin", NULL);
    check_find(&catalog, "three/twin", "three/twin");
    check_find(&catalog, "Three/Twin", NULL); /* two differ in case only */
    check_find(&catalog, "Two/Twin", "two/twin");
    mirror_catalog_finish(&catalog);
}

static void a_refresh_sees_what_came_and_what_went(void **state)
{
    (void)state;
    struct mirror_catalog catalog;
    put("ns/a/config.json");
    put("ns/b/config.json");
    open_catalog(&catalog, NULL, 0);
    struct mirror_repository *a = mirror_catalog_find(&catalog, "ns/a");
    assert_int_equal(dir_remove_all(in_folder("ns/b"), NULL), MODEL_OK);
    put("ms/c/config.json");
    assert_int_equal(mirror_catalog_refresh(&catalog, NULL), MODEL_OK);
    assert_ptr_equal(mirror_catalog_find(&catalog, "ns/a"), a);
    check_find(&catalog, "ns/b", NULL);
    check_find(&catalog, "ms/c", "ms/c");
    put("ns/b/config.json");
    assert_int_equal(mirror_catalog_refresh(&catalog, NULL), MODEL_OK);
    check_find(&catalog, "ns/b", "ns/b");
    assert_int_equal(catalog.n_repositories, 3);
    mirror_catalog_finish(&catalog);
}

static void names_that_lead_nowhere_are_said(void **state)
{
    static const struct mirror_alias good[] = {{"old", "ns/a"}};
    static const struct mirror_alias bad[] = {{"old", "ns/a"}, {"older", "no/such"}};
    static const char *const gated[] = {"ns/a", "NS/B"};
    struct mirror_catalog catalog;
    struct model_error err = MODEL_ERROR_INIT;
    (void)state;
    put("ns/a/config.json");
    put("ns/b/config.json");
    open_catalog(&catalog, good, 1);
    catalog.gated = gated;
    catalog.n_gated = 2;
    assert_int_equal(mirror_catalog_check_names(&catalog, &err), MODEL_OK);
    assert_true(mirror_catalog_is_gated(&catalog, "ns/b"));
    assert_false(mirror_catalog_is_gated(&catalog, "ns/c"));
    catalog.gated = (const char *const[]){"ns/aa"};
    catalog.n_gated = 1;
    assert_int_equal(mirror_catalog_check_names(&catalog, &err), MODEL_NOT_FOUND);
    expect_message(&err, "cannot gate 'ns/aa': no such repository in %s; want OWNER/NAME as its "
                         "folders are called");
    catalog.gated = (const char *const[]){"b"};
    assert_int_equal(mirror_catalog_check_names(&catalog, &err), MODEL_NOT_FOUND);
    expect_message(&err, "cannot gate 'b': no such repository in %s; did you mean 'ns/b'?");
    mirror_catalog_finish(&catalog);
    open_catalog(&catalog, bad, 2);
    assert_int_equal(mirror_catalog_check_names(&catalog, &err), MODEL_NOT_FOUND);
    expect_message(&err, "an alias leads to 'no/such': no such repository in %s; want OWNER/NAME "
                         "as its folders are called");
    mirror_catalog_finish(&catalog);
}

static void a_file_is_one_repository_however_often_it_is_looked_at(void **state)
{
    (void)state;
    const struct mirror_alias aliases[] = {{"old", "ns/a"}};
    struct mirror_catalog catalog;
    put("a.mhp");
    assert_int_equal(
        mirror_catalog_init_file(in_folder("a.mhp"), "ns/a", aliases, 1, NULL, &catalog, NULL),
        MODEL_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(catalog.n_repositories, 1);
        assert_string_equal(mirror_catalog_find(&catalog, "old")->id, "ns/a");
        assert_int_equal(mirror_catalog_refresh(&catalog, NULL), MODEL_OK);
    }
    assert_null(mirror_catalog_find(&catalog, "ns/b"));
    mirror_catalog_finish(&catalog);
}

static void a_missing_folder_is_named(void **state)
{
    (void)state;
    struct mirror_catalog catalog;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(mirror_catalog_init(in_folder("none"), NULL, NULL, 0, NULL, &catalog, &err),
                     MODEL_NOT_FOUND);
    expect_message(&err, "cannot serve %s/none: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(folders_with_a_model_are_repositories),
        IN_FOLDER(links_that_leave_are_no_repositories),
        IN_FOLDER(names_lead_to_the_only_one_that_fits),
        IN_FOLDER(a_refresh_sees_what_came_and_what_went),
        IN_FOLDER(names_that_lead_nowhere_are_said),
        IN_FOLDER(a_file_is_one_repository_however_often_it_is_looked_at),
        IN_FOLDER(a_missing_folder_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
