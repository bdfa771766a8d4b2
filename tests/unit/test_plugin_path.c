/* test_plugin_path.c - which plugin is found, in which order, and what is said of the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "package.h"
#include "plugin_path.h"
#include "store_fixture.h"

static void link_fixture(const char *fixture, const char *folder, const char *name)
{
    assert_int_equal(dir_make_all(folder, NULL), MODEL_OK);
    assert_int_equal(symlink(beside_program(fixture), in_folder(folder, name)), 0);
}

struct seen {
    char text[4096];
    size_t n, stop_after;
};

static bool note_candidate(void *context, const struct plugin_candidate *candidate)
{
    struct seen *seen = context;
    size_t used = strlen(seen->text);
    (void)snprintf(seen->text + used, sizeof seen->text - used, "%s:%s ",
                   path_base(candidate->path), status_name(candidate->status));
    assert_true((candidate->status == MODEL_OK) == (candidate->reason == NULL));
    return ++seen->n != seen->stop_after;
}

static void visits_folders_and_names_in_order(void **state)
{
    const char *a = in_folder(*state, "a"), *b = in_folder(*state, "b");
    link_fixture("plugin_wrong_major.so", a, "libz" PLUGIN_SUFFIX);
    link_fixture("plugin_echo.so", a, "libecho" PLUGIN_SUFFIX);
    link_fixture("plugin_echo.so", a, "echo" PLUGIN_SUFFIX); /* no "lib" */
    link_fixture("plugin_echo.so", a, "libecho.so.1x");
    link_fixture("plugin_no_note.so", b, "liba" PLUGIN_SUFFIX);
    put_text(in_folder(b, "libb" PLUGIN_SUFFIX), "text");
    assert_int_equal(dir_make_all(in_folder(b, "libdir" PLUGIN_SUFFIX), NULL), MODEL_OK);
    assert_int_equal(symlink("nowhere", in_folder(b, "libgone" PLUGIN_SUFFIX)), 0);
    char *path = text_format("%s:/nowhere::%s:", a, b);
    struct seen seen = {.stop_after = 0};
    assert_int_equal(plugin_path_visit(path, note_candidate, &seen, NULL), MODEL_OK);
    assert_string_equal(seen.text, "libecho.so:ok libz.so:abi_mismatch liba.so:unsupported "
                                   "libb.so:unsupported libgone.so:not_found ");
    struct seen first = {.stop_after = 1};
    assert_int_equal(plugin_path_visit(path, note_candidate, &first, NULL), MODEL_OK);
    assert_string_equal(first.text, "libecho.so:ok ");
    free(path);
}

static void finds_the_first_usable_plugin_that_serves(void **state)
{
    const char *a = in_folder(*state, "a"), *b = in_folder(*state, "b");
    static const char *const names[] = {"nothing", "echo"};
    link_fixture("plugin_wrong_major.so", a, "liba" PLUGIN_SUFFIX);
    link_fixture("plugin_echo.so", b, "libx" PLUGIN_SUFFIX);
    link_fixture("plugin_echo.so", b, "liby" PLUGIN_SUFFIX);
    char *path = text_format("%s:%s", a, b), *found = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(plugin_path_find(path, names, 2, &found, &err), MODEL_OK);
    assert_string_equal(found, in_folder(b, "libx" PLUGIN_SUFFIX));
    free(found);
    free(path);
}

static void says_what_was_missing_and_what_was_refused(void **state)
{
    const char *folder = *state;
    static const char *const names[] = {"xyz"}, *const bert[] = {"bert", "BertModel"};
    char *found = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(plugin_path_find(folder, names, 1, &found, &err), MODEL_NOT_FOUND);
    char *wanted = text_format("no plugin for 'xyz' in %s", folder);
    assert_string_equal(err.message, wanted);
    free(wanted);
    assert_int_equal(plugin_path_find("", names, 1, &found, &err), MODEL_NOT_FOUND);
    assert_string_equal(err.message, "no plugin for 'xyz' in an empty path");
    assert_int_equal(plugin_path_find(folder, NULL, 0, &found, &err), MODEL_NOT_FOUND);
    assert_string_equal(err.message,
                        "no plugin: the model's config.json names neither a model_type "
                        "nor architectures");

    link_fixture("plugin_wrong_major.so", folder, "liba" PLUGIN_SUFFIX);
    assert_int_equal(plugin_path_find(folder, bert, 2, &found, &err), MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, "no plugin for 'bert' in "));
    assert_non_null(strstr(err.message, "; refused: "));
    assert_non_null(strstr(err.message, "was built for ABI 2.3, this host speaks 1.3"));
    assert_null(found);
}

#define FOLDER_TEST(test_) cmocka_unit_test_setup_teardown(test_, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(visits_folders_and_names_in_order),
        FOLDER_TEST(finds_the_first_usable_plugin_that_serves),
        FOLDER_TEST(says_what_was_missing_and_what_was_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
