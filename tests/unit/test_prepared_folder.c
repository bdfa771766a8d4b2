/* test_prepared_folder.c - <store>/prepared: what is found, what is kept, and what goes. Times are set, not waited
 * for. */
#include "errors.h"
#include "files.h"
#include "prepared_folder.h"
#include "testing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY(digit_)                                                                                \
    digit_ digit_ digit_ digit_ digit_ digit_ digit_ digit_ digit_ digit_ digit_ digit_ digit_     \
        digit_ digit_ digit_

static char *store;
static char said[2048];
static struct prepared_folder folder;

static void keep_line(void *context, int32_t level, const char *line)
{
    (void)context;
    assert_int_equal(level, MODEL_LOG_DEBUG); /* nothing of this is worth more */
    (void)snprintf(said, sizeof said, "%s", line);
}

static const struct log_sink sink = {.level = MODEL_LOG_DEBUG, .write = keep_line};

static int set_up(void **state)
{
    (void)state;
    store = scratch_dir();
    folder = (struct prepared_folder){store, 10000, &sink};
    said[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(dir_remove_all(store, NULL), MODEL_OK);
    free(store);
    return 0;
}

static char *path_of(const char *name)
{
    char *path = text_format("%s/prepared/%s", store, name);
    assert_non_null(path);
    return path;
}

static bool is_there(const char *name)
{
    char *path = path_of(name);
    const bool found = path_is_file(path);
    free(path);
    return found;
}

static void keep(const char *key, size_t size_bytes)
{
    struct prepared_draft draft = {.fd = -1};
    assert_int_equal(prepared_folder_begin(&folder, size_bytes, &draft, NULL), MODEL_OK);
    assert_int_equal(ftruncate(draft.fd, (off_t)size_bytes), 0);
    assert_int_equal(prepared_folder_publish(&folder, key, &draft, NULL), MODEL_OK);
    assert_int_equal(draft.fd, -1);
    prepared_draft_end(&draft); /* twice is nothing */
}

/* As if it was used, or made, at this time. */
static void set_times(const char *name, time_t used_s, time_t made_s)
{
    const struct timespec times[] = {{.tv_sec = used_s}, {.tv_sec = made_s}};
    char *path = path_of(name);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    free(path);
}

static void what_is_kept_is_found(void **state)
{
    (void)state;
    assert_int_equal(prepared_folder_open(&folder, KEY("0a1b")), -1);
    assert_string_equal(said, ""); /* that is how it begins */
    keep(KEY("0a1b"), 100);
    int fd = prepared_folder_open(&folder, KEY("0a1b"));
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_int_equal(close(fd), 0);
    assert_int_equal(prepared_folder_open(&folder, KEY("0a1c")), -1);
}

static void a_use_moves_the_time_of_access_alone(void **state)
{
    (void)state;
    struct stat file;
    keep(KEY("0a1b"), 100);
    set_times(KEY("0a1b"), 1000, 2000);
    int fd = prepared_folder_open(&folder, KEY("0a1b"));
    assert_int_equal(fstat(fd, &file), 0);
    assert_true(file.st_atime > 2000);
    assert_int_equal(file.st_mtime, 2000);
    assert_int_equal(close(fd), 0);
}

static void what_others_put_there_stays(void **state)
{
    (void)state;
    struct prepared_draft draft = {.fd = -1};
    keep(KEY("aaaa"), 10);
    char *theirs = path_of("theirs.txt"), *prepared = path_of(""), *away = path_of("../away");
    FILE *file = fopen(theirs, "w");
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), 20000) | fclose(file), 0);
    set_times("theirs.txt", 1, 1);
    keep(KEY("bbbb"), 9995);
    assert_true(is_there("theirs.txt"));
    assert_false(is_there(KEY("aaaa")));
    prepared[strlen(prepared) - 1] = '\0'; /* a link in the folder's place */
    assert_int_equal(rename(prepared, away) | symlink("away", prepared), 0);
    assert_int_equal(prepared_folder_begin(&folder, 10, &draft, NULL), MODEL_CORRUPT);
    free(theirs);
    free(prepared);
    free(away);
}

static void what_was_not_used_for_longest_goes_first(void **state)
{
    (void)state;
    keep(KEY("aaaa"), 3000);
    keep(KEY("bbbb"), 3000);
    keep(KEY("cccc"), 3000);
    set_times(KEY("aaaa"), 1000, 1000);
    set_times(KEY("bbbb"), 100, 2000); /* made, and never used */
    set_times(KEY("cccc"), 1500, 500);
    keep(KEY("dddd"), 4000);
    assert_false(is_there(KEY("aaaa")));
    assert_non_null(strstr(said, KEY("aaaa") " is removed: it was not used for longest"));
    assert_true(is_there(KEY("bbbb")));
    assert_true(is_there(KEY("cccc")));
    keep(KEY("eeee"), 9999);
    assert_false(is_there(KEY("bbbb")));
    assert_false(is_there(KEY("cccc")));
    assert_false(is_there(KEY("dddd")));
    assert_true(is_there(KEY("eeee")));
}

/* A name's end is the first 24 digits of the SHA-256 of the blob's key with its end, by sha256sum. */
static void a_name_is_of_the_model_and_of_its_first_blob(void **state)
{
    (void)state;
    char name[SHA256_HEX_BYTES], other[SHA256_HEX_BYTES];
    assert_int_equal(prepared_folder_name(KEY("0a1b"), "library-1 w", name), MODEL_OK);
    assert_string_equal(name, "0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b84fca534f2deccb709e77139");
    assert_int_equal(prepared_folder_name(KEY("0a1b"), "library-2 w", other), MODEL_OK);
    assert_string_not_equal(name, other);
    assert_memory_equal(name, other, 40);
    assert_int_equal(prepared_folder_name(KEY("0a1c"), "library-1 w", other), MODEL_OK);
    assert_string_not_equal(name, other);
}

/* Each form's file has a size of its own. */
static void keep_form(const char *key, const char *first_key, size_t size_bytes, time_t used_s)
{
    char name[SHA256_HEX_BYTES];
    assert_int_equal(prepared_folder_name(key, first_key, name), MODEL_OK);
    keep(name, size_bytes);
    set_times(name, used_s, 100);
}

static void expect_forms(const char *key, const off_t *sizes_bytes, size_t n)
{
    int fds[PREPARED_MAX_FORMS];
    struct stat file;
    prepared_folder_open_all(&folder, key, fds);
    for (size_t i = 0; i < PREPARED_MAX_FORMS; i++) {
        assert_int_equal(fds[i] >= 0, i < n);
        if (i >= n)
            continue;
        assert_int_equal(fstat(fds[i], &file), 0);
        assert_int_equal(file.st_size, sizes_bytes[i]);
        assert_true(file.st_atime > 100000);
        assert_int_equal(close(fds[i]), 0);
    }
}

static void a_model_has_a_file_for_each_form(void **state)
{
    (void)state;
    const off_t by_use[] = {11, 13, 12}, other[] = {20};
    expect_forms(KEY("aaaa"), NULL, 0);
    keep_form(KEY("aaaa"), "one", 11, 9000);
    keep_form(KEY("aaaa"), "two", 12, 7000);
    keep_form(KEY("aaaa"), "three", 13, 8000);
    keep_form(KEY("bbbb"), "one", 20, 9500);
    expect_forms(KEY("aaaa"), by_use, 3);
    expect_forms(KEY("bbbb"), other, 1);
}

/* A plugin whose keys are others at each load fills no disk. */
static void forms_of_one_model_are_bounded(void **state)
{
    (void)state;
    const off_t last[] = {15, 14, 13, 11}, other[] = {20};
    keep_form(KEY("bbbb"), "one", 20, 100);
    keep_form(KEY("aaaa"), "one", 11, 1000);
    keep_form(KEY("aaaa"), "two", 12, 200);
    keep_form(KEY("aaaa"), "three", 13, 3000);
    keep_form(KEY("aaaa"), "four", 14, 4000);
    said[0] = '\0';
    keep_form(KEY("aaaa"), "five", 15, 5000);
    assert_non_null(strstr(said, " is removed: it was not used for longest"));
    expect_forms(KEY("aaaa"), last, 4);
    expect_forms(KEY("bbbb"), other, 1);
}

static void one_file_that_is_larger_than_the_bound_is_not_begun(void **state)
{
    (void)state;
    struct prepared_draft draft = {.fd = -1};
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(prepared_folder_begin(&folder, 10001, &draft, &err), MODEL_UNSUPPORTED);
    assert_string_equal(err.message,
                        "prepared weights have 10001 bytes, prepared_max_bytes is 10000");
    keep(KEY("aaaa"), 10000);
    folder.max_bytes = 9999;
    assert_int_equal(prepared_folder_open(&folder, KEY("aaaa")), -1);
    assert_non_null(strstr(said, "is larger than prepared_max_bytes"));
    folder.max_bytes = 0; /* the usual bound */
    int fd = prepared_folder_open(&folder, KEY("aaaa"));
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

static void a_draft_that_is_given_up_leaves_nothing(void **state)
{
    (void)state;
    struct prepared_draft draft = {.fd = -1};
    struct dir_list list = {0};
    assert_int_equal(prepared_folder_begin(&folder, 10, &draft, NULL), MODEL_OK);
    prepared_draft_end(&draft);
    char *path = path_of("");
    assert_int_equal(dir_read(path, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_names, 0);
    dir_list_finish(&list);
    free(path);
}

static void drafts_of_dead_processes_go(void **state)
{
    (void)state;
    struct prepared_draft living = {.fd = -1}, dead = {.fd = -1};
    assert_int_equal(prepared_folder_begin(&folder, 10, &living, NULL), MODEL_OK);
    assert_int_equal(prepared_folder_begin(&folder, 10, &dead, NULL), MODEL_OK);
    char *living_name = strdup(path_base(living.path)), *dead_name = strdup(path_base(dead.path));
    set_times(living_name, 1000, 1000); /* it takes long */
    assert_int_equal(ftruncate(living.fd, 20000), 0);
    assert_int_equal(close(dead.fd), 0); /* as when its process was killed */
    keep(KEY("aaaa"), 10);
    assert_true(is_there(living_name));
    assert_false(is_there(dead_name));
    assert_true(is_there(KEY("aaaa")));
    prepared_draft_end(&living);
    free(dead.path);
    free(living_name);
    free(dead_name);
}

static void other_things_are_no_files(void **state)
{
    (void)state;
    keep(KEY("aaaa"), 10);
    char *from = path_of(KEY("aaaa")), *to = path_of(KEY("bbbb")), *pipe = path_of(KEY("cccc"));
    assert_int_equal(symlink(from, to), 0);
    assert_int_equal(prepared_folder_open(&folder, KEY("bbbb")), -1);
    assert_non_null(strstr(said, KEY("bbbb") " is not used: it is a symbolic link"));
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(prepared_folder_open(&folder, KEY("cccc")), -1);
    assert_non_null(strstr(said, "is not a regular file"));
    assert_int_equal(chmod(from, 0446), 0);
    assert_int_equal(prepared_folder_open(&folder, KEY("aaaa")), -1);
    assert_non_null(strstr(said, "may be written to by others"));
    free(pipe);
    free(to);
    free(from);
}

static void without_a_store_there_is_nothing(void **state)
{
    (void)state;
    struct prepared_draft draft = {.fd = -1};
    const struct prepared_folder none = {NULL, 0, &sink}, away = {"/nowhere/at/all", 0, &sink};
    assert_int_equal(prepared_folder_open(&none, KEY("aaaa")), -1);
    assert_int_equal(prepared_folder_begin(&none, 1, &draft, NULL), MODEL_NOT_FOUND);
    assert_int_equal(prepared_folder_begin(&away, 1, &draft, NULL), MODEL_NOT_FOUND);
}

/* Not as root, to whom modes say nothing: root is somebody else for a while, in a folder that all may reach. */
static void a_store_that_may_only_be_read_serves_what_it_has(void **state)
{
    (void)state;
    struct prepared_draft draft = {.fd = -1};
    struct model_error err = MODEL_ERROR_INIT;
    const bool is_root = geteuid() == 0;
    char own[] = "/tmp/test.XXXXXX", place[64];
    assert_non_null(mkdtemp(own));
    (void)snprintf(place, sizeof place, "%s/prepared", own);
    folder.store_dir = own;
    keep(KEY("aaaa"), 10);
    assert_int_equal(chmod(own, 0755), 0);
    assert_int_equal(chmod(place, 0555), 0);
    assert_true(!is_root || seteuid(65534) == 0);
    const int fd = prepared_folder_open(&folder, KEY("aaaa")); /* root's, which others may use */
    model_status status = prepared_folder_begin(&folder, 10, &draft, &err);
    assert_true(!is_root || seteuid(0) == 0);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(status, MODEL_IO);
    assert_int_equal(chmod(place, 0755), 0);
    assert_int_equal(dir_remove_all(own, NULL), MODEL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_kept_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_use_moves_the_time_of_access_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_others_put_there_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_not_used_for_longest_goes_first, set_up,
                                        tear_down),
        cmocka_unit_test(a_name_is_of_the_model_and_of_its_first_blob),
        cmocka_unit_test_setup_teardown(a_model_has_a_file_for_each_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forms_of_one_model_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_file_that_is_larger_than_the_bound_is_not_begun, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_draft_that_is_given_up_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(drafts_of_dead_processes_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_things_are_no_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_store_there_is_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_that_may_only_be_read_serves_what_it_has, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
