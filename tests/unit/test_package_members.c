/* test_package_members.c - what belongs to a package, and what killed processes leave in its folder. */
#include "package_members.h"
#include "errors.h"
#include "in_folder.h"
#include "scratch.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_path_says_what_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum package_member member;
    } cases[] = {
        {"metadata.json", PACKAGE_MEMBER_PAPER},
        {"metadata.json.minisig", PACKAGE_MEMBER_PAPER},
        {".metadata.json.1.0.tmp", PACKAGE_MEMBER_UNFINISHED},
        {".metadata.json.minisig.4711.12.tmp", PACKAGE_MEMBER_UNFINISHED},
        {"backends/cpu/.libmodel.so.1.0.tmp", PACKAGE_MEMBER_UNFINISHED},
        {"backends/ane/.libmodel.dylib.1.0.tmp", PACKAGE_MEMBER_UNFINISHED},
        {".git", PACKAGE_MEMBER_HIDDEN},
        {".git/config", PACKAGE_MEMBER_HIDDEN},
        {"backends/cpu/.DS_Store", PACKAGE_MEMBER_HIDDEN},
        {"backends/.idea/x", PACKAGE_MEMBER_HIDDEN},
        {".metadata.json.1.tmp", PACKAGE_MEMBER_HIDDEN},
        {"a.b/c.d", PACKAGE_MEMBER_FILE},
        {"metadata.json.minisig.old", PACKAGE_MEMBER_PAPER},
        {".metadata.json.3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d.minisig",
         PACKAGE_MEMBER_UNFINISHED},
        {"METADATA.json", PACKAGE_MEMBER_PAPER},
        {"metadata.JSON.minisig", PACKAGE_MEMBER_PAPER},
        {"Metadata.json.minisig.OLD", PACKAGE_MEMBER_PAPER},
        {".METADATA.json.1.0.TMP", PACKAGE_MEMBER_UNFINISHED},
        {"Backends/CPU/.LibModel.so.1.0.tmp", PACKAGE_MEMBER_UNFINISHED},
        {"metadata.json.minisig/x", PACKAGE_MEMBER_FILE},
        {"backends/cpu/deep/.libmodel.so.1.0.tmp", PACKAGE_MEMBER_HIDDEN},
        {"tokenizer.json", PACKAGE_MEMBER_FILE},
        {"backends", PACKAGE_MEMBER_FILE},
        {"backends/cpu/libmodel.so", PACKAGE_MEMBER_FILE},
        {"deep/metadata.json", PACKAGE_MEMBER_FILE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (package_member_of(cases[i].path) != cases[i].member)
            fail_msg("%s: %d", cases[i].path, (int)package_member_of(cases[i].path));
}

static void what_is_no_file_has_no_kept_name(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    const int fd = open(in_folder("METADATA.JSON"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(close(fd), 0);
    assert_int_equal(dir_make_all(in_folder("metadata.json.minisig.old"), NULL), MODEL_OK);
    assert_int_equal(dir_make_all(in_folder("backends/cpu/.libmodel.so.1.1.tmp"), NULL), MODEL_OK);
    assert_int_equal(symlink("METADATA.JSON", in_folder("metadata.json")), 0);
    assert_int_equal(symlink("METADATA.JSON", in_folder("Metadata.json.minisig")), 0);
    static const char *const good[] = {"METADATA.JSON", "metadata.json", "metadata.json.minisig"};
    static const char *const bad[] = {"metadata.json.minisig.old",
                                      "backends/cpu/.libmodel.so.1.1.tmp", "Metadata.json.minisig"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(package_check_kept(folder, good[i], NULL), MODEL_OK);
        assert_int_equal(package_check_kept(folder, bad[i], &err), MODEL_CORRUPT);
        assert_non_null(strstr(err.message, in_folder(bad[i])));
        assert_non_null(strstr(err.message, "a name that packages keep for themselves; rename it"));
    }
}

static void a_plugin_is_known_by_its_path(void **state)
{
    (void)state;
    assert_true(package_is_plugin_path("backends/cpu/libmodel.so"));
    assert_true(package_is_plugin_path("backends/coreml/libmodel.dylib"));
    assert_false(package_is_plugin_path("backends/cpu/libmodel.so/x"));
    assert_false(package_is_plugin_path("backends/libmodel.so"));
    assert_false(package_is_plugin_path("libmodel.so"));
    assert_false(package_is_plugin_path("backends/cpu/model.safetensors"));
}

static void names_of_papers_and_of_what_is_below_them_are_kept(void **state)
{
    (void)state;
    static const char *const kept[] = {
        "metadata.json",
        "METADATA.JSON",
        "metadata.json.minisig",
        "metadata.json.minisig.old",
        "metadata.json/x",
        "Metadata.json.Minisig/x/y",
        ".metadata.json.1.1.tmp",
        ".metadata.json.1.1.tmp/x",
        ".metadata.json.3E23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d.minisig",
        "backends/cpu/.libmodel.so.1.1.tmp",
        "BACKENDS/x/.libmodel.DYLIB.1.1.tmp/y",
    };
    static const char *const free_names[] = {
        "metadata.jso",
        "metadata.json2",
        "sub/metadata.json",
        "sub/metadata.json.minisig",
        ".metadata.json.1.tmp",
        "backends/cpu/libmodel.so",
        "backends/cpu/metadata.json",
        "backends/cpu/x/.libmodel.so.1.1.tmp",
        ".libmodel.so.1.1.tmp",
        "backends",
        "",
    };
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (!package_keeps_name(kept[i]))
            fail_msg("%s", kept[i]);
    for (size_t i = 0; i < sizeof free_names / sizeof free_names[0]; i++)
        if (package_keeps_name(free_names[i]))
            fail_msg("%s", free_names[i]);
    char name[300];
    memset(name, 'm', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_false(package_keeps_name(name));
}

/* A process that is killed while it writes. */
static void leave_behind(const char *target)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct scratch scratch = SCRATCH_NONE;
        _exit(scratch_file(target, &scratch, NULL) == MODEL_OK ? 0 : 1);
    }
    int how = 1;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
}

static void make_backends(void)
{
    assert_int_equal(dir_make_all(in_folder("backends/cpu"), NULL), MODEL_OK);
    assert_int_equal(dir_make_all(in_folder("backends/ane"), NULL), MODEL_OK);
}

static void what_the_killed_left_is_swept(void **state)
{
    (void)state;
    make_backends();
    leave_behind(in_folder("metadata.json"));
    leave_behind(in_folder("metadata.json.minisig"));
    leave_behind(in_folder("backends/cpu/libmodel.so"));
    leave_behind(in_folder("backends/ane/libmodel.dylib"));
    assert_int_equal(n_names_in(folder), 3);
    package_sweep(folder);
    assert_int_equal(n_names_in(folder), 1);
    assert_int_equal(n_names_in(in_folder("backends/cpu")), 0);
    assert_int_equal(n_names_in(in_folder("backends/ane")), 0);
}

static void what_the_living_write_stays(void **state)
{
    (void)state;
    static const char *const targets[] = {"metadata.json", "metadata.json.minisig",
                                          "backends/cpu/libmodel.so"};
    struct scratch scratches[3];
    make_backends();
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(scratch_file(in_folder(targets[i]), &scratches[i], NULL), MODEL_OK);
    package_sweep(folder);
    for (size_t i = 0; i < 3; i++) {
        assert_true(path_is_file(scratches[i].path));
        scratch_discard(&scratches[i]);
    }
}

static void no_link_is_followed(void **state)
{
    (void)state;
    make_backends();
    assert_int_equal(dir_make_all(in_folder("elsewhere"), NULL), MODEL_OK);
    leave_behind(in_folder("elsewhere/libmodel.so"));
    leave_behind(in_folder("elsewhere/metadata.json"));
    assert_int_equal(symlink("../elsewhere", in_folder("backends/gpu")), 0);
    assert_int_equal(symlink("elsewhere", in_folder("package")), 0);
    package_sweep(folder);
    package_sweep(in_folder("package"));
    package_sweep(in_folder("none"));
    assert_int_equal(n_names_in(in_folder("elsewhere")), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_path_says_what_it_is),
        IN_FOLDER(names_of_papers_and_of_what_is_below_them_are_kept),
        IN_FOLDER(what_is_no_file_has_no_kept_name),
        IN_FOLDER(a_plugin_is_known_by_its_path),
        IN_FOLDER(what_the_killed_left_is_swept),
        IN_FOLDER(what_the_living_write_stays),
        IN_FOLDER(no_link_is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
