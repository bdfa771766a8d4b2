/* test_folders.c - base/files.c's other half: folders and paths. */
#include "errors.h"
#include "failing_memory.h"
#include "files.h"
#include "in_folder.h"

#include <sys/stat.h>
#include <unistd.h>

/* ---- folders */

static void make_all_makes_every_part_and_takes_what_is_there(void **state)
{
    (void)state;
    assert_int_equal(dir_make_all(in_folder("a/b//c/"), NULL), MODEL_OK);
    assert_true(path_is_dir(in_folder("a/b/c")));
    assert_int_equal(dir_make_all(in_folder("a/b/c"), NULL), MODEL_OK);
    assert_int_equal(dir_make_all("/", NULL), MODEL_OK);
    assert_int_equal(dir_make_all(".", NULL), MODEL_OK);
}

static void make_all_stops_at_a_file_and_at_no_name(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    write_file(in_folder("x"), "", 0);
    assert_int_equal(dir_make_all(in_folder("x/y"), &err), MODEL_IO);
    expect_message(&err, "cannot make folder %s/x: File exists");
    assert_int_equal(symlink("nowhere", in_folder("link")), 0);
    assert_int_equal(dir_make_all(in_folder("link"), &err), MODEL_IO);
    expect_message(&err, "cannot make folder %s/link: File exists");
    assert_int_equal(dir_make_all("", &err), MODEL_NOT_FOUND);
    assert_string_equal(err.message,
                        "cannot make a folder without a name: No such file or directory");
}

static void a_private_folder_is_so_whatever_the_umask(void **state)
{
    (void)state;
    static const mode_t masks[] = {0, 0002, 0022};
    struct model_error err = MODEL_ERROR_INIT;
    struct stat info;
    const mode_t before = umask(0);
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        char *path = text_format("%s/%zu/private", folder, i);
        (void)umask(masks[i]);
        assert_int_equal(dir_make_private(path, NULL), MODEL_OK);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0700);
        assert_int_equal(dir_make_private(path, NULL), MODEL_OK);
        free(path);
    }
    (void)umask(before);
    write_file(in_folder("file"), "", 0);
    assert_int_equal(dir_make_private(in_folder("file"), &err), MODEL_IO);
    expect_message(&err, "cannot make folder %s/file: File exists");
    assert_int_equal(dir_make_private("", &err), MODEL_NOT_FOUND);
}

static void remove_all_removes_a_tree_but_not_behind_links(void **state)
{
    (void)state;
    assert_int_equal(dir_make_all(in_folder("keep"), NULL), MODEL_OK);
    write_file(in_folder("keep/precious"), "x", 1);
    assert_int_equal(dir_make_all(in_folder("t/a/b"), NULL), MODEL_OK);
    write_file(in_folder("t/a/b/file"), "x", 1);
    assert_int_equal(symlink("../../keep", in_folder("t/a/link")), 0);
    assert_int_equal(symlink("nowhere", in_folder("t/dangling")), 0);
    assert_int_equal(dir_remove_all(in_folder("t"), NULL), MODEL_OK);
    assert_false(path_is_dir(in_folder("t")));
    assert_true(path_is_file(in_folder("keep/precious")));
}

static void remove_all_takes_files_links_and_nothing_at_all(void **state)
{
    (void)state;
    write_file(in_folder("x"), "", 0);
    assert_int_equal(symlink("x", in_folder("link")), 0);
    assert_int_equal(dir_remove_all(in_folder("link"), NULL), MODEL_OK);
    assert_true(path_is_file(in_folder("x")));
    assert_int_equal(dir_remove_all(in_folder("x"), NULL), MODEL_OK);
    assert_int_equal(dir_remove_all(in_folder("x"), NULL), MODEL_OK);
    assert_int_equal(n_names_in(folder), 0);
}

static void read_lists_names_by_their_bytes(void **state)
{
    (void)state;
    static const char *const names[] = {".hidden", "B", "a", "b-10", "b-9", "\xC3\xA9"};
    for (size_t i = 6; i-- > 0;)
        write_file(in_folder(names[i]), "", 0);
    struct dir_list list;
    assert_int_equal(dir_read(folder, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_names, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(list.names[i], names[i]);
    dir_list_finish(&list);
    assert_null(list.names);
    dir_list_finish(&list);
}

static void read_lists_many_names_and_none(void **state)
{
    (void)state;
    assert_int_equal(n_names_in(folder), 0);
    char name[16];
    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "%d", i);
        write_file(in_folder(name), "", 0);
    }
    assert_int_equal(n_names_in(folder), 300);
}

static void read_of_no_folder_names_it(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct dir_list list;
    assert_int_equal(dir_read(in_folder("no"), &list, &err), MODEL_NOT_FOUND);
    expect_message(&err, "cannot open folder %s/no: No such file or directory");
    write_file(in_folder("x"), "", 0);
    assert_int_equal(dir_read(in_folder("x"), &list, &err), MODEL_NOT_FOUND);
    expect_message(&err, "cannot open folder %s/x: Not a directory");
    assert_int_equal(dir_sync(in_folder("no"), &err), MODEL_NOT_FOUND);
    expect_message(&err, "cannot open folder %s/no: No such file or directory");
}

static void reading_and_removing_without_memory_leak_nothing(void **state)
{
    (void)state;
    write_file(in_folder("a"), "", 0);
    write_file(in_folder("b"), "", 0);
    struct dir_list list;
    for (int n = 0;; n++) {
        failing_memory_after(n);
        model_status status = dir_read(folder, &list, NULL);
        if (!failing_memory_end()) {
            dir_list_finish(&list);
            break;
        }
        assert_int_equal(status, MODEL_OUT_OF_MEMORY);
    }
    assert_int_equal(dir_make_all(in_folder("t/u"), NULL), MODEL_OK);
    for (int n = 0;; n++) {
        failing_memory_after(n);
        model_status status = dir_remove_all(in_folder("t"), NULL);
        if (!failing_memory_end())
            break;
        assert_int_equal(status, MODEL_OUT_OF_MEMORY);
    }
    assert_false(path_is_dir(in_folder("t")));
}

/* ---- paths */

static void join_puts_one_slash_between(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}, {"", "b", "b"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path = path_join(cases[i][0], cases[i][1]);
        assert_string_equal(path, cases[i][2]);
        free(path);
    }
}

static void base_is_what_stands_behind_the_last_slash(void **state)
{
    (void)state;
    assert_string_equal(path_base("a/b/c.txt"), "c.txt");
    assert_string_equal(path_base("c.txt"), "c.txt");
    assert_string_equal(path_base("a/"), "");
    assert_string_equal(path_base(""), "");
}

static void is_dir_and_is_file_tell_them_apart(void **state)
{
    (void)state;
    write_file(in_folder("x"), "", 0);
    assert_true(path_is_file(in_folder("x")));
    assert_false(path_is_dir(in_folder("x")));
    assert_true(path_is_dir(folder));
    assert_false(path_is_file(folder));
    assert_false(path_is_file(in_folder("no")));
    assert_false(path_is_dir(in_folder("no")));
}

static void safe_paths_are_safe(void **state)
{
    (void)state;
    static const char *const safe[] = {
        "config.json", "a/b/c", "onnx/model.onnx", ".gitattributes", "a..b",
        "...",         "..a",   "a/.../b",         "with space",     "caf\xC3\xA9",
        "-rf",         "~",     "a=b&c",
    };
    for (size_t i = 0; i < sizeof safe / sizeof safe[0]; i++)
        if (!path_is_safe(safe[i]))
            fail_msg("'%s' was refused", safe[i]);
}

static void unsafe_paths_are_refused(void **state)
{
    (void)state;
    static const char *const unsafe[] = {
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../b",
        "a/..",
        ".",
        "./a",
        "a/.",
        "a//b",
        "a/",
        "a\\b",
        "C:/x",
        "C:x",
        "a\nb",
        "a\x7F",
        "\x01",
        "bad\xFFutf8",
        "\xED\xA0\x80",
        "a/\xC3",
        "a\xE2\x80\xAEnosj.gpj",
        "\xE2\x80\x8Fx",
        "a/\xE2\x80\xA8x",
        "a\xE2\x81\xA6x",
        "a\xC2\x9Bx",
        "\xD8\x9C",
        "..\\x",
        "a\xC2\x9Bm",
        "a\xC2\x80",
    };
    for (size_t i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++)
        if (path_is_safe(unsafe[i]))
            fail_msg("'%s' was taken", unsafe[i]);
}

static void safe_paths_have_longest_parts_and_a_longest_whole(void **state)
{
    (void)state;
    char path[1200];
    memset(path, 'p', sizeof path);
    path[255] = '\0';
    assert_true(path_is_safe(path));
    path[255] = 'p';
    path[256] = '\0';
    assert_false(path_is_safe(path));
    for (size_t i = 0; i < sizeof path; i++)
        path[i] = i % 200 == 199 ? '/' : 'p';
    path[1024] = '\0';
    assert_true(path_is_safe(path));
    path[1024] = 'p';
    path[1025] = '\0';
    assert_false(path_is_safe(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(make_all_makes_every_part_and_takes_what_is_there),
        IN_FOLDER(make_all_stops_at_a_file_and_at_no_name),
        IN_FOLDER(a_private_folder_is_so_whatever_the_umask),
        IN_FOLDER(remove_all_removes_a_tree_but_not_behind_links),
        IN_FOLDER(remove_all_takes_files_links_and_nothing_at_all),
        IN_FOLDER(read_lists_names_by_their_bytes),
        IN_FOLDER(read_lists_many_names_and_none),
        IN_FOLDER(read_of_no_folder_names_it),
        IN_FOLDER(reading_and_removing_without_memory_leak_nothing),
        IN_FOLDER(join_puts_one_slash_between),
        IN_FOLDER(base_is_what_stands_behind_the_last_slash),
        IN_FOLDER(is_dir_and_is_file_tell_them_apart),
        IN_FOLDER(safe_paths_are_safe),
        IN_FOLDER(unsafe_paths_are_refused),
        IN_FOLDER(safe_paths_have_longest_parts_and_a_longest_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
