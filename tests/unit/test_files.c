/* test_files.c - reading, atomic writing, folders and paths; full and read-only disks are small tmpfs
 * mounts where the system allows them. */
#include "errors.h"
#include "failing_memory.h"
#include "files.h"
#include "in_folder.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/mount.h>
#endif

/* ---- reading */

static void read_appends_the_whole_file(void **state)
{
    (void)state;
    enum { SIZE = 200001 };
    char *data = malloc(SIZE);
    assert_non_null(data);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)(i * 31);
    write_file(in_folder("x"), data, SIZE);
    struct buffer text = BUFFER_INIT(SIZE + 1);
    assert_int_equal(buffer_append_text(&text, ">"), MODEL_OK);
    assert_int_equal(file_read(in_folder("x"), SIZE, &text, NULL), MODEL_OK);
    assert_int_equal(text.size, SIZE + 1);
    assert_memory_equal(text.data + 1, data, SIZE);
    buffer_finish(&text);
    free(data);
}

static void read_of_an_empty_file_gives_an_empty_text(void **state)
{
    (void)state;
    write_file(in_folder("x"), "", 0);
    struct buffer text = BUFFER_INIT(0);
    assert_int_equal(file_read(in_folder("x"), 0, &text, NULL), MODEL_OK);
    assert_string_equal(text.data, "");
    buffer_finish(&text);
}

static void read_refuses_more_than_its_limit(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer text = BUFFER_INIT(10);
    write_file(in_folder("x"), "12345678901", 11);
    assert_int_equal(file_read(in_folder("x"), 10, &text, &err), MODEL_CORRUPT);
    expect_message(&err, "%s/x: 11 bytes, the limit is 10");
    assert_int_equal(text.size, 0);
    buffer_finish(&text);
}

static void read_limits_a_file_whose_size_lies(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer text = BUFFER_INIT(3);
    if (!path_is_file("/proc/self/status"))
        SKIP_BECAUSE("no /proc, whose files say 0 bytes");
    assert_int_equal(file_read("/proc/self/status", 3, &text, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "/proc/self/status: more than the limit of 3 bytes");
    buffer_finish(&text);
}

static void read_names_what_is_not_there(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer text = BUFFER_INIT(10);
    assert_int_equal(file_read(in_folder("no"), 10, &text, &err), MODEL_NOT_FOUND);
    expect_message(&err, "cannot open %s/no: No such file or directory");
    buffer_finish(&text);
}

static void read_refuses_folders_and_pipes_without_waiting(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer text = BUFFER_INIT(10);
    assert_int_equal(file_read(folder, 10, &text, &err), MODEL_INVALID_ARGUMENT);
    expect_message(&err, "%s is not a regular file");
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_int_equal(file_read(in_folder("pipe"), 10, &text, &err), MODEL_INVALID_ARGUMENT);
    expect_message(&err, "%s/pipe is not a regular file");
    buffer_finish(&text);
}

static void read_without_memory_says_so(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer text = BUFFER_INIT(10);
    write_file(in_folder("x"), "abc", 3);
    failing_memory_after(0);
    assert_int_equal(file_read(in_folder("x"), 10, &text, &err), MODEL_OUT_OF_MEMORY);
    assert_true(failing_memory_end());
    expect_message(&err, "out of memory for %s/x");
    buffer_finish(&text);
}

/* ---- writing */

static void expect_content(const char *path, const char *want)
{
    struct buffer text = BUFFER_INIT(1000);
    assert_int_equal(file_read(path, 1000, &text, NULL), MODEL_OK);
    assert_string_equal(text.data, want);
    buffer_finish(&text);
}

static void write_makes_and_replaces_a_file(void **state)
{
    (void)state;
    assert_int_equal(file_write_atomic(in_folder("x"), "one", 3, NULL), MODEL_OK);
    expect_content(in_folder("x"), "one");
    assert_int_equal(file_write_atomic(in_folder("x"), "", 0, NULL), MODEL_OK);
    expect_content(in_folder("x"), "");
    assert_int_equal(n_names_in(folder), 1);
}

static void write_follows_the_umask(void **state)
{
    (void)state;
    mode_t before = umask(027);
    assert_int_equal(file_write_atomic(in_folder("x"), "one", 3, NULL), MODEL_OK);
    (void)umask(before);
    struct stat info;
    assert_int_equal(stat(in_folder("x"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
}

static void write_takes_a_path_without_a_folder_and_the_longest_name(void **state)
{
    (void)state;
    char before[PATH_MAX];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    assert_int_equal(file_write_atomic(name, "long", 4, NULL), MODEL_OK);
    expect_content(name, "long");
    assert_int_equal(chdir(before), 0);
    assert_int_equal(n_names_in(folder), 1);
}

static void write_passes_by_what_a_killed_process_left(void **state)
{
    (void)state;
    char name[64];
    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof name, ".x.%ld.%u.tmp", (long)getpid(), i);
        write_file(in_folder(name), "left", 4);
    }
    assert_int_equal(file_write_atomic(in_folder("x"), "one", 3, NULL), MODEL_OK);
    expect_content(in_folder("x"), "one");
    assert_int_equal(n_names_in(folder), 201);
}

static void write_into_no_folder_fails(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(file_write_atomic(in_folder("no/x"), "one", 3, &err), MODEL_NOT_FOUND);
    expect_message(&err, "cannot create %s/no/x: No such file or directory");
}

static void write_over_a_folder_leaves_nothing_behind(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(mkdir(in_folder("d"), 0700), 0);
    assert_int_equal(file_write_atomic(in_folder("d"), "one", 3, &err), MODEL_INVALID_ARGUMENT);
    expect_message(&err, "%s/d is not a regular file");
    assert_int_equal(n_names_in(folder), 1);
}

static void write_over_a_pipe_is_refused_and_leaves_it(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct stat info;
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_int_equal(symlink("pipe", in_folder("link")), 0);
    static const char *const names[] = {"pipe", "link"};
    static const char *const sentences[] = {"%s/pipe is not a regular file",
                                            "%s/link is not a regular file"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(file_write_atomic(in_folder(names[i]), "one", 3, &err),
                         MODEL_INVALID_ARGUMENT);
        expect_message(&err, sentences[i]);
    }
    assert_int_equal(lstat(in_folder("pipe"), &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
    assert_int_equal(lstat(in_folder("link"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(n_names_in(folder), 2);
}

static void write_through_a_link_replaces_the_file_behind_it(void **state)
{
    (void)state;
    struct stat info;
    assert_int_equal(mkdir(in_folder("d"), 0700), 0);
    write_file(in_folder("d/real"), "old", 3);
    assert_int_equal(symlink("d/real", in_folder("near")), 0);
    assert_int_equal(symlink("near", in_folder("far")), 0);
    assert_int_equal(file_write_atomic(in_folder("far"), "new", 3, NULL), MODEL_OK);
    expect_content(in_folder("d/real"), "new");
    static const char *const links[] = {"near", "far"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(lstat(in_folder(links[i]), &info), 0);
        assert_true(S_ISLNK(info.st_mode));
    }
    assert_int_equal(lstat(in_folder("d/real"), &info), 0);
    assert_true(S_ISREG(info.st_mode));
    assert_int_equal(n_names_in(in_folder("d")), 1);
    assert_int_equal(n_names_in(folder), 3);
}

static void write_through_a_link_to_nothing_says_so(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(symlink("gone", in_folder("link")), 0);
    assert_int_equal(file_write_atomic(in_folder("link"), "one", 3, &err), MODEL_NOT_FOUND);
    expect_message(&err, "cannot follow the link %s/link: No such file or directory");
    assert_int_equal(n_names_in(folder), 1);
}

static void write_beyond_a_quota_keeps_the_old_content(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(file_write_atomic(in_folder("x"), "old", 3, NULL), MODEL_OK);
    static const char zeros[10000];
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {4096, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    model_status status = file_write_atomic(in_folder("x"), zeros, sizeof zeros, &err);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, MODEL_IO);
    expect_message(&err, "cannot write %s/x: File too large; raise the limit of file sizes (ulimit "
                         "-f), or choose a disk that takes such files");
    expect_content(in_folder("x"), "old");
    assert_int_equal(n_names_in(folder), 1);
}

static void write_without_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    for (int n = 0;; n++) {
        failing_memory_after(n);
        model_status status = file_write_atomic(in_folder("x"), "one", 3, NULL);
        if (!failing_memory_end()) {
            assert_int_equal(status, MODEL_OK);
            break;
        }
        assert_int_equal(status, MODEL_OUT_OF_MEMORY);
        assert_true(n_names_in(folder) <= 1);
        (void)unlink(in_folder("x"));
    }
}

/* A tmpfs on folder/disk with these options; false when the system does not allow it. */
static bool mount_disk(const char *options)
{
#ifdef __linux__
    assert_int_equal(mkdir(in_folder("disk"), 0700), 0);
    return mount("tmpfs", in_folder("disk"), "tmpfs", 0, options) == 0;
#else
    (void)options;
    return false;
#endif
}

static void unmount_disk(void)
{
#ifdef __linux__
    assert_int_equal(umount2(in_folder("disk"), MNT_DETACH), 0);
#endif
}

static void write_to_a_full_disk_says_so_and_leaves_nothing(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    static const char zeros[100000];
    if (!mount_disk("size=32k"))
        SKIP_BECAUSE("mounting a small tmpfs needs root");
    model_status first = file_write_atomic(in_folder("disk/x"), "old", 3, NULL);
    model_status status = file_write_atomic(in_folder("disk/x"), zeros, sizeof zeros, &err);
    size_t n_names = n_names_in(in_folder("disk"));
    unmount_disk();
    assert_int_equal(first, MODEL_OK);
    assert_int_equal(status, MODEL_IO);
    expect_message(&err, "cannot write %s/disk/x: No space left on device");
    assert_int_equal(n_names, 1);
}

static void a_read_only_disk_is_named(void **state)
{
    (void)state;
    struct model_error write_err = MODEL_ERROR_INIT, make_err = MODEL_ERROR_INIT;
    if (!mount_disk("size=32k,ro"))
        SKIP_BECAUSE("mounting a read-only tmpfs needs root");
    model_status write = file_write_atomic(in_folder("disk/x"), "one", 3, &write_err);
    model_status make = dir_make_all(in_folder("disk/a"), &make_err);
    model_status there = dir_make_all(in_folder("disk"), NULL);
    unmount_disk();
    assert_int_equal(write, MODEL_IO);
    expect_message(&write_err, "cannot create %s/disk/x: Read-only file system");
    assert_int_equal(make, MODEL_IO);
    expect_message(&make_err, "cannot make folder %s/disk/a: Read-only file system");
    assert_int_equal(there, MODEL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(read_appends_the_whole_file),
        IN_FOLDER(read_of_an_empty_file_gives_an_empty_text),
        IN_FOLDER(read_refuses_more_than_its_limit),
        IN_FOLDER(read_limits_a_file_whose_size_lies),
        IN_FOLDER(read_names_what_is_not_there),
        IN_FOLDER(read_refuses_folders_and_pipes_without_waiting),
        IN_FOLDER(read_without_memory_says_so),
        IN_FOLDER(write_makes_and_replaces_a_file),
        IN_FOLDER(write_follows_the_umask),
        IN_FOLDER(write_takes_a_path_without_a_folder_and_the_longest_name),
        IN_FOLDER(write_passes_by_what_a_killed_process_left),
        IN_FOLDER(write_into_no_folder_fails),
        IN_FOLDER(write_over_a_folder_leaves_nothing_behind),
        IN_FOLDER(write_over_a_pipe_is_refused_and_leaves_it),
        IN_FOLDER(write_through_a_link_replaces_the_file_behind_it),
        IN_FOLDER(write_through_a_link_to_nothing_says_so),
        IN_FOLDER(write_beyond_a_quota_keeps_the_old_content),
        IN_FOLDER(write_without_memory_leaves_nothing_behind),
        IN_FOLDER(write_to_a_full_disk_says_so_and_leaves_nothing),
        IN_FOLDER(a_read_only_disk_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
