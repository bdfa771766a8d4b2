/* test_plugin_handle.c - a process that runs while its plugins are replaced: the next load takes the new
 * file, whatever is loaded already. Covers host/plugin_handle.c and host/plugin_copy.c; commands are
 * those of BUILD. */
#include "testing.h"

#include "dtype.h"
#include "modelhost.h"
#include "store_packages.h"

#include <sys/stat.h>

/* A folder with a package at <folder>/mine and room for copies of the fixture. */
struct fixture {
    const char *folder, *library; /* library: the plugin's place in the package */
    struct modelhost *host;
    struct model_error err;
};

/* The fixture plugin with this answer, as a new file. */
static void write_version(const char *path, char answer)
{
    const char *build = getenv("BUILD"), *mark = "answer:1";
    char *source = text_format("%s/tests/plugin_answer.so", build != NULL ? build : "build");
    struct buffer content = BUFFER_INIT(16 << 20);
    assert_int_equal(file_read(source, 16 << 20, &content, NULL), MODEL_OK);
    char *found = memmem(content.data, content.size, mark, strlen(mark));
    assert_non_null(found);
    found[strlen(mark) - 1] = answer;
    write_file(path, content.data, content.size);
    buffer_finish(&content);
    free(source);
}

static void replace_by_hand(const struct fixture *f, char answer)
{
    const char *fresh = in_folder(f->folder, "fresh.so");
    write_version(fresh, answer);
    assert_int_equal(rename(fresh, f->library), 0);
}

static void install(const struct fixture *f, const char *package, char answer)
{
    const char *build = getenv("BUILD"), *fresh = in_folder(f->folder, "fresh.so");
    write_version(fresh, answer);
    char *command = text_format("%s/bin/pkgmgr install %s %s --store %s/store -q >/dev/null",
                                build != NULL ? build : "build", package, fresh, f->folder);
    assert_int_equal(system(command), 0);
    free(command);
}

static struct fixture open_fixture(const char *folder)
{
    static const char config[] = "{\"model_type\":\"echo\"}";
    struct fixture f = {.folder = folder,
                        .library = in_folder(folder, "mine/backends/cpu/libmodel.so"),
                        .err = MODEL_ERROR_INIT};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    assert_int_equal(dir_make_all(in_folder(folder, "mine/backends/cpu"), NULL), MODEL_OK);
    write_file(in_folder(folder, "mine/backends/cpu/config.json"), config, strlen(config));
    options.store_dir = in_folder(folder, "store");
    options.plugin_path = folder;
    options.lanes = options.threads = 1;
    if (modelhost_create(&options, &f.host, &f.err) != MODEL_OK)
        fail_msg("%s", f.err.message);
    return f;
}

static struct modelhost_model *load(struct fixture *f, const char *package)
{
    struct modelhost_model *model = NULL;
    if (modelhost_load(f->host, package, &model, &f->err) != MODEL_OK)
        fail_msg("%s", f->err.message);
    return model;
}

static struct modelhost_model *load_mine(struct fixture *f)
{
    return load(f, in_folder(f->folder, "mine"));
}

static void assert_answers(struct modelhost_model *model, float want)
{
    static float zero;
    const int64_t one = 1;
    struct model_tensor x;
    const struct model_tensor *inputs[] = {&x};
    struct modelhost_result *result = NULL;
    tensor_init(&x, "x", MODEL_F32, 1, &one, &zero);
    assert_int_equal(modelhost_run(model, inputs, 1, NULL, &result, NULL), MODEL_OK);
    assert_true(*(const float *)modelhost_result_at(result, 0)->data == want);
    modelhost_result_destroy(result);
}

static void the_next_load_takes_a_plugin_that_was_replaced_by_hand(void **state)
{
    struct fixture f = open_fixture(*state);
    replace_by_hand(&f, '1');
    struct modelhost_model *first = load_mine(&f);
    assert_answers(first, 1);
    modelhost_release(first);
    replace_by_hand(&f, '2');
    struct modelhost_model *second = load_mine(&f);
    assert_answers(second, 2);
    modelhost_release(second);
    modelhost_destroy(f.host);
}

static void an_old_plugin_in_use_stays_what_it_is(void **state)
{
    struct fixture f = open_fixture(*state);
    struct modelhost_model *models[5];
    for (int i = 0; i < 5; i++) {
        replace_by_hand(&f, (char)('1' + i));
        models[i] = load_mine(&f);
    }
    for (int i = 0; i < 5; i++) {
        assert_answers(models[i], (float)(i + 1));
        modelhost_release(models[i]);
    }
    modelhost_destroy(f.host);
}

static void a_plugin_that_comes_back_is_taken_again(void **state)
{
    struct fixture f = open_fixture(*state);
    const char *kept = in_folder(*state, "kept.so");
    replace_by_hand(&f, '1');
    struct modelhost_model *first = load_mine(&f);
    assert_int_equal(link(f.library, kept), 0);
    replace_by_hand(&f, '2');
    struct modelhost_model *second = load_mine(&f);
    assert_int_equal(rename(kept, f.library), 0);
    struct modelhost_model *third = load_mine(&f);
    assert_answers(first, 1);
    assert_answers(second, 2);
    assert_answers(third, 1);
    modelhost_release(first);
    modelhost_release(second);
    modelhost_release(third);
    modelhost_destroy(f.host);
}

static void install_into_a_folder_is_seen_by_the_next_load(void **state)
{
    struct fixture f = open_fixture(*state);
    install(&f, in_folder(*state, "mine"), '1');
    struct modelhost_model *first = load_mine(&f);
    install(&f, in_folder(*state, "mine"), '2');
    struct modelhost_model *second = load_mine(&f);
    assert_answers(first, 1);
    assert_answers(second, 2);
    modelhost_release(first);
    modelhost_release(second);
    modelhost_destroy(f.host);
}

static void install_into_the_store_is_seen_by_the_next_load(void **state)
{
    struct store *store = open_store(*state);
    free(install_text(store, "ns/one", "ns/one", "main", COMMIT_A, "text"));
    store_close(store);
    struct fixture f = open_fixture(*state);
    install(&f, "ns/one", '1');
    struct modelhost_model *first = load(&f, "ns/one");
    install(&f, "ns/one", '2');
    struct modelhost_model *second = load(&f, "ns/one");
    assert_answers(first, 1);
    assert_answers(second, 2);
    modelhost_release(first);
    modelhost_release(second);
    modelhost_destroy(f.host);
}

/* As cp does. */
static void a_plugin_that_is_written_over_does_not_harm_the_one_in_use(void **state)
{
    struct fixture f = open_fixture(*state);
    write_version(f.library, '1');
    struct modelhost_model *first = load_mine(&f);
    write_version(f.library, '2');
    struct modelhost_model *second = load_mine(&f);
    assert_int_equal(truncate(f.library, 100), 0);
    struct modelhost_model *none = NULL;
    assert_int_not_equal(modelhost_load(f.host, in_folder(*state, "mine"), &none, &f.err),
                         MODEL_OK);
    assert_answers(first, 1);
    assert_answers(second, 2);
    modelhost_release(first);
    modelhost_release(second);
    modelhost_destroy(f.host);
}

/* A file that nobody may write is opened where it is: there is no copy, and none is needed. */
static void read_only_plugins_are_replaced_by_renaming(void **state)
{
    struct fixture f = open_fixture(*state);
    struct modelhost_model *models[3];
    for (int i = 0; i < 3; i++) {
        const char *fresh = in_folder(f.folder, "fresh.so");
        write_version(fresh, (char)('1' + i));
        assert_int_equal(chmod(fresh, 0444), 0);
        assert_int_equal(rename(fresh, f.library), 0);
        models[i] = load_mine(&f);
    }
    for (int i = 0; i < 3; i++) {
        assert_answers(models[i], (float)(i + 1));
        modelhost_release(models[i]);
    }
    modelhost_destroy(f.host);
}

/* In place, with other bytes than those that are open: nobody could say what it would do. The bytes behind
 * the file's end change, so that the code that is open stays whole. */
static void a_read_only_plugin_that_was_changed_is_refused(void **state)
{
    struct fixture f = open_fixture(*state);
    struct modelhost_model *model = NULL;
    replace_by_hand(&f, '1');
    assert_int_equal(chmod(f.library, 0444), 0);
    modelhost_release(load_mine(&f));
    assert_int_equal(chmod(f.library, 0644), 0);
    FILE *file = fopen(f.library, "ab");
    assert_non_null(file);
    assert_int_equal(fputc(0, file), 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(f.library, 0444), 0);
    assert_int_equal(modelhost_load(f.host, in_folder(*state, "mine"), &model, &f.err),
                     MODEL_CORRUPT);
    assert_non_null(strstr(f.err.message, "was written over while this process has it open"));
    replace_by_hand(&f, '3');
    model = load_mine(&f);
    assert_answers(model, 3);
    modelhost_release(model);
    modelhost_destroy(f.host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(the_next_load_takes_a_plugin_that_was_replaced_by_hand),
        FOLDER_TEST(an_old_plugin_in_use_stays_what_it_is),
        FOLDER_TEST(a_plugin_that_comes_back_is_taken_again),
        FOLDER_TEST(install_into_a_folder_is_seen_by_the_next_load),
        FOLDER_TEST(install_into_the_store_is_seen_by_the_next_load),
        FOLDER_TEST(a_plugin_that_is_written_over_does_not_harm_the_one_in_use),
        FOLDER_TEST(read_only_plugins_are_replaced_by_renaming),
        FOLDER_TEST(a_read_only_plugin_that_was_changed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
