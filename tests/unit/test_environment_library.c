/* test_environment_library.c - base/environment.c when it came with libmodelhost: the plugins beside a
 * library that an application opened are found, wherever it lies. */
#include "testing.h"

#include "manifest.h"
#include "package.h"
#include "store_fixture.h"

#include <dlfcn.h>

/* The functions of one copy of the library. */
struct library {
    void *handle;
    model_status (*create)(const struct modelhost_options *options, struct modelhost **ret,
                           struct model_error *err);
    model_status (*load)(struct modelhost *host, const char *name_or_folder,
                         struct modelhost_model **ret, struct model_error *err);
    const char *(*describe)(const struct modelhost_model *model);
    void (*release)(struct modelhost_model *model);
    void (*destroy)(struct modelhost *host);
};

static void take(void *handle, const char *name, void *function)
{
    void *symbol = dlsym(handle, name);
    assert_non_null(symbol);
    memcpy(function, &symbol, sizeof symbol);
}

/* Copies the library that was built to `path`, and opens the copy. */
static struct library open_copy(const char *path)
{
    struct library library = {.handle = NULL};
    struct buffer bytes = BUFFER_INIT(1u << 30);
    struct model_error err = MODEL_ERROR_INIT;
    if (file_read(beside_program("../lib/libmodelhost" PLUGIN_SUFFIX), 1u << 30, &bytes, &err) !=
        MODEL_OK)
        fail_msg("%s", err.message);
    put_bytes(path, bytes.data, bytes.size);
    buffer_finish(&bytes);
    library.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library.handle == NULL)
        fail_msg("%s", dlerror());
    take(library.handle, "modelhost_create", &library.create);
    take(library.handle, "modelhost_load", &library.load);
    take(library.handle, "modelhost_describe", &library.describe);
    take(library.handle, "modelhost_release", &library.release);
    take(library.handle, "modelhost_destroy", &library.destroy);
    return library;
}

/* A package of the echo architecture without a plugin of its own. */
static const char *make_package(const char *folder)
{
    const char *dir = in_folder(folder, "package");
    struct manifest manifest = {.id = "test/echo",
                                .requested_id = "test/echo",
                                .requested_revision = "main",
                                .revision = "0123456789012345678901234567890123456789",
                                .endpoint = "",
                                .created = "2024-01-01T00:00:00Z"};
    char *text = manifest_print(&manifest);
    assert_non_null(text);
    put_text(in_folder(dir, "metadata.json"), text);
    put_text(in_folder(dir, "backends/cpu/config.json"), "{\"model_type\": \"echo\"}");
    free(text);
    return dir;
}

static void put_echo(const char *folder)
{
    assert_int_equal(dir_make_all(folder, NULL), MODEL_OK);
    assert_int_equal(
        symlink(beside_program("plugin_echo.so"), in_folder(folder, "libecho" PLUGIN_SUFFIX)), 0);
}

/* Loads the package with the defaults of the library. The plugin that it found, or the refusal; to be
 * freed. */
static char *plugin_found(const struct library *library, const char *package)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    options.store_dir = package;
    options.lanes = options.threads = 1;
    assert_int_equal(library->create(&options, &host, &err), MODEL_OK);
    model_status status = library->load(host, package, &model, &err);
    char *found = text_format("%s", err.message);
    if (status == MODEL_OK) {
        const char *description = library->describe(model), *key = "\"plugin_path\":\t\"";
        const char *path = strstr(description, key);
        assert_non_null(path);
        path += strlen(key);
        free(found);
        found = text_format("%.*s", (int)strcspn(path, "\""), path);
    }
    library->release(model);
    library->destroy(host);
    assert_non_null(found);
    return found;
}

static int set_up(void **state)
{
    (void)unsetenv("MODELHOST_PLUGIN_PATH");
    return make_folder(state);
}

static void plugins_beside_the_library_are_found(void **state)
{
    const char *package = make_package(*state);
    struct library library = open_copy(in_folder(*state, "lib/libmodelhost.so"));
    put_echo(in_folder(*state, "lib/modelhost/plugins"));
    char *found = plugin_found(&library, package);
    assert_string_equal(found, in_folder(*state, "lib/modelhost/plugins/libecho" PLUGIN_SUFFIX));
    free(found);
    assert_int_equal(dlclose(library.handle), 0);
}

static void each_copy_of_the_library_looks_beside_itself(void **state)
{
    const char *package = make_package(*state);
    struct library a = open_copy(in_folder(*state, "a/libmodelhost.so"));
    struct library b = open_copy(in_folder(*state, "b/libmodelhost.so"));
    put_echo(in_folder(*state, "a/modelhost/plugins"));
    put_echo(in_folder(*state, "b/modelhost/plugins"));
    char *of_b = plugin_found(&b, package), *of_a = plugin_found(&a, package);
    assert_string_equal(of_a, in_folder(*state, "a/modelhost/plugins/libecho" PLUGIN_SUFFIX));
    assert_string_equal(of_b, in_folder(*state, "b/modelhost/plugins/libecho" PLUGIN_SUFFIX));
    free(of_a);
    free(of_b);
    assert_int_equal(dlclose(a.handle), 0);
    assert_int_equal(dlclose(b.handle), 0);
}

static void without_plugins_beside_it_the_programs_installation_counts(void **state)
{
    const char *package = make_package(*state);
    struct library library = open_copy(in_folder(*state, "bare/libmodelhost.so"));
    char *refusal = plugin_found(&library, package);
    assert_non_null(strstr(refusal, "no plugin for 'echo' in "));
    const char *path = strstr(refusal, "no plugin for 'echo' in ") + 24;
    const char *end = strstr(path, "lib/modelhost/plugins");
    assert_non_null(end);
    assert_string_equal(end, "lib/modelhost/plugins"); /* one folder, and the end */
    assert_null(strstr(path, *state));
    free(refusal);
    assert_int_equal(dlclose(library.handle), 0);
}

static void the_setting_goes_before_what_lies_beside(void **state)
{
    const char *package = make_package(*state), *chosen = in_folder(*state, "chosen");
    struct library library = open_copy(in_folder(*state, "lib/libmodelhost.so"));
    put_echo(in_folder(*state, "lib/modelhost/plugins"));
    put_echo(chosen);
    assert_int_equal(setenv("MODELHOST_PLUGIN_PATH", chosen, 1), 0);
    char *found = plugin_found(&library, package);
    assert_string_equal(found, in_folder(chosen, "libecho" PLUGIN_SUFFIX));
    free(found);
    assert_int_equal(dlclose(library.handle), 0);
}

static void a_closed_library_stays_mapped_for_its_signal_handler(void **state)
{
    const char *path = in_folder(*state, "libmodelhost.so");
    struct library library = open_copy(path);
    assert_int_equal(dlclose(library.handle), 0);
    void *again = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(again);
    assert_int_equal(dlclose(again), 0);
}

#define FOLDER_TEST(test_) cmocka_unit_test_setup_teardown(test_, set_up, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(plugins_beside_the_library_are_found),
        FOLDER_TEST(each_copy_of_the_library_looks_beside_itself),
        FOLDER_TEST(without_plugins_beside_it_the_programs_installation_counts),
        FOLDER_TEST(the_setting_goes_before_what_lies_beside),
        FOLDER_TEST(a_closed_library_stays_mapped_for_its_signal_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
