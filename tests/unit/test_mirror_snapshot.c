/* test_mirror_snapshot.c - what a folder is taken for. Digests are those that sha256sum and git
 * hash-object give for the same bytes. Covers packager/mirror/mirror_hash.c. */
#include "errors.h"
#include "in_folder.h"
#include "mirror_snapshot.h"

#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/capability.h>
#include <sys/syscall.h>
#endif

/* `git hash-object` and `sha256sum` of "hello\n". */
#define HELLO_BLOB   "ce013625030ba8dba906f756967f9e9ca394464a"
#define HELLO_SHA256 "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

static atomic_bool never_stop;

static struct mirror_snapshot *snapshot_of(const char *name, const struct mirror_snapshot *previous)
{
    struct mirror_snapshot *snapshot = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    char *root = realpath(folder, NULL);
    char *path = path_join(root, name);
    if (mirror_snapshot_create(root, path, previous, &never_stop, NULL, &snapshot, &err) !=
        MODEL_OK)
        fail_msg("%s", err.message);
    free(path);
    free(root);
    return snapshot;
}

static void put(const char *name, const char *text)
{
    char *path = text_format("%s", in_folder(name));
    char *parent = text_format("%.*s", (int)(path_base(path) - path), path);
    assert_int_equal(dir_make_all(parent, NULL), MODEL_OK);
    write_file(path, text, strlen(text));
    free(parent);
    free(path);
}

static void files_have_the_digests_of_git_and_lfs(void **state)
{
    (void)state;
    put("r/a.txt", "hello\n");
    put("r/w.safetensors", "hello\n");
    put("r/empty", "");
    struct mirror_snapshot *snapshot = snapshot_of("r", NULL);
    assert_int_equal(snapshot->n_files, 3);
    const struct mirror_file *file = mirror_snapshot_find(snapshot, "a.txt");
    assert_string_equal(file->etag, HELLO_BLOB);
    assert_string_equal(file->blob_id, HELLO_BLOB);
    assert_false(file->is_lfs);
    file = mirror_snapshot_find(snapshot, "w.safetensors");
    assert_true(file->is_lfs);
    assert_string_equal(file->etag, HELLO_SHA256);
    char pointer[MIRROR_POINTER_BYTES];
    size_t pointer_bytes = mirror_pointer_text(HELLO_SHA256, 6, pointer);
    assert_string_equal(pointer,
                        "version https://git-lfs.github.com/spec/v1\noid sha256:" HELLO_SHA256
                        "\nsize 6\n");
    assert_int_equal(file->pointer_bytes, pointer_bytes);
    /* git hash-object of that pointer */
    assert_string_equal(file->blob_id, "fa61e1ef71c9908c0926776a4aa3504b3a27f159");
    file = mirror_snapshot_find(snapshot, "empty");
    assert_string_equal(file->etag, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    assert_null(mirror_snapshot_find(snapshot, "none"));
    mirror_snapshot_destroy(snapshot);
}

static void large_files_and_weights_are_lfs(void **state)
{
    (void)state;
    assert_true(mirror_is_lfs("a.txt", (10u << 20) + 1));
    assert_false(mirror_is_lfs("a.txt", 10u << 20));
    assert_true(mirror_is_lfs("d/pytorch_model.BIN", 1));
    assert_false(mirror_is_lfs("bin", 1));
    assert_false(mirror_is_lfs("model.safetensors.index.json", 1));
}

static void the_commit_stands_for_the_content_alone(void **state)
{
    (void)state;
    put("one/a.txt", "1");
    put("one/d/b.txt", "2");
    put("two/d/b.txt", "2");
    put("two/a.txt", "1");
    put("three/a.txt", "1");
    put("three/d/c.txt", "2");
    struct mirror_snapshot *one = snapshot_of("one", NULL), *two = snapshot_of("two", NULL),
                           *three = snapshot_of("three", NULL);
    assert_int_equal(strlen(one->commit), 40);
    assert_string_equal(one->commit, two->commit);
    assert_string_not_equal(one->commit, three->commit);
    put("two/a.txt", "2");
    struct mirror_snapshot *later = snapshot_of("two", two);
    assert_string_not_equal(later->commit, two->commit);
    mirror_snapshot_destroy(one);
    mirror_snapshot_destroy(two);
    mirror_snapshot_destroy(three);
    mirror_snapshot_destroy(later);
}

static void what_is_hidden_special_or_outside_is_left_out(void **state)
{
    (void)state;
    put("outside.txt", "secret");
    put("r/.git/config", "x");
    put("r/.hidden", "x");
    put("r/with:colon", "x");
    put("r/a.txt", "hello\n");
    put("r/d/x", "1");
    assert_int_equal(mkfifo(in_folder("r/pipe"), 0600), 0);
    assert_int_equal(symlink("a.txt", in_folder("r/inside")), 0);
    assert_int_equal(symlink("../outside.txt", in_folder("r/sibling")), 0);
    assert_int_equal(symlink("/etc/passwd", in_folder("r/outside")), 0);
    assert_int_equal(symlink("nothing", in_folder("r/dangling")), 0);
    assert_int_equal(symlink("d", in_folder("r/folder")), 0);
    assert_int_equal(symlink(".", in_folder("r/loop")), 0);
    struct mirror_snapshot *snapshot = snapshot_of("r", NULL);
    assert_int_equal(snapshot->n_files, 4);
    assert_string_equal(snapshot->files[0].path, "a.txt");
    assert_string_equal(snapshot->files[1].path, "d/x");
    assert_string_equal(snapshot->files[2].path, "inside");
    assert_string_equal(snapshot->files[2].etag, HELLO_BLOB);
    assert_string_equal(snapshot->files[3].path, "sibling"); /* inside the served folder */
    mirror_snapshot_destroy(snapshot);
}

/* Counts the warnings, and keeps the last. */
struct warnings {
    size_t n;
    char last[512];
};

static void note_warning(void *context, int32_t level, const char *message)
{
    struct warnings *warnings = context;
    if (level != MODEL_LOG_WARN)
        return;
    warnings->n++;
    (void)snprintf(warnings->last, sizeof warnings->last, "%s", message);
}

static struct mirror_snapshot *noted_snapshot_of(const char *path,
                                                 const struct mirror_snapshot *previous,
                                                 struct warnings *warnings)
{
    struct log_sink log = {.level = MODEL_LOG_WARN, .write = note_warning, .context = warnings};
    struct mirror_snapshot *snapshot = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    *warnings = (struct warnings){0};
    if (mirror_snapshot_create(path, path, previous, &never_stop, &log, &snapshot, &err) !=
        MODEL_OK)
        fail_msg("%s", err.message);
    return snapshot;
}

static void folders_that_are_too_deep_are_left_out(void **state)
{
    struct warnings warnings;
    (void)state;
    put("r/a.txt", "hello\n");
    put("r/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/deep", "x");
    put("r/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/deeper", "x");
    struct mirror_snapshot *snapshot = noted_snapshot_of(in_folder("r"), NULL, &warnings);
    assert_int_equal(snapshot->n_files, 2);
    assert_string_equal(snapshot->files[0].path, "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/deep");
    assert_int_equal(warnings.n, 1);
    assert_non_null(strstr(warnings.last, "r/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17 is not "
                                          "served: too many folders lie in each other"));
    struct mirror_snapshot *again = noted_snapshot_of(in_folder("r"), snapshot, &warnings);
    assert_int_equal(warnings.n, 0);
    mirror_snapshot_destroy(again);
    mirror_snapshot_destroy(snapshot);
}

/* The superuser may read everything, unless this capability is laid down meanwhile. */
static bool obey_modes(bool wanted)
{
#ifdef __linux__
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    const uint32_t all = 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH;
    if (syscall(SYS_capget, &header, data) != 0)
        return false;
    data[0].effective =
        wanted ? data[0].effective & ~all : data[0].effective | (data[0].permitted & all);
    return syscall(SYS_capset, &header, data) == 0;
#else
    (void)wanted;
    return geteuid() != 0;
#endif
}

static void what_may_not_be_read_is_left_out(void **state)
{
    struct warnings warnings;
    (void)state;
    if (!obey_modes(true)) {
        print_message("skip: the superuser can read everything here\n");
        skip();
    }
    put("r/a.txt", "hello\n");
    put("r/closed.txt", "x");
    put("r/shut/x", "x");
    put("r/later.txt", "x");
    assert_int_equal(chmod(in_folder("r/closed.txt"), 0), 0);
    assert_int_equal(chmod(in_folder("r/shut"), 0), 0);
    struct mirror_snapshot *snapshot = noted_snapshot_of(in_folder("r"), NULL, &warnings);
    assert_int_equal(snapshot->n_files, 2);
    assert_int_equal(warnings.n, 2);
    assert_non_null(strstr(warnings.last, "r/shut is not served: it may not be read"));
    assert_int_equal(chmod(in_folder("r/later.txt"), 0), 0);
    struct mirror_snapshot *again = noted_snapshot_of(in_folder("r"), snapshot, &warnings);
    assert_int_equal(again->n_files, 1);
    assert_string_equal(again->files[0].path, "a.txt");
    assert_int_equal(warnings.n, 1); /* of what was served before */
    assert_non_null(strstr(warnings.last, "r/later.txt is not served: it may not be read"));
    mirror_snapshot_destroy(snapshot);
    mirror_snapshot_destroy(again);
    assert_int_equal(chmod(in_folder("r/shut"), 0700), 0);
    (void)obey_modes(false);
}

static void unchanged_files_are_not_read_again(void **state)
{
    (void)state;
    put("r/a.txt", "hello\n");
    struct mirror_snapshot *first = snapshot_of("r", NULL);
    /* A digest that no file has, in a snapshot that says it has settled: it is taken over. */
    memset(first->files[0].etag, 'f', 40);
    first->files[0].hashed_ns = INT64_MAX / 2;
    struct mirror_snapshot *second = snapshot_of("r", first);
    assert_int_equal(second->files[0].etag[0], 'f');
    /* The same, hashed within a tick of its last change: not trusted. */
    first->files[0].hashed_ns = first->files[0].stamp.changed_ns;
    struct mirror_snapshot *third = snapshot_of("r", first);
    assert_string_equal(third->files[0].etag, HELLO_BLOB);
    /* Other content: not trusted either. */
    first->files[0].hashed_ns = INT64_MAX / 2;
    put("r/a.txt", "hello!\n");
    struct mirror_snapshot *fourth = snapshot_of("r", first);
    assert_string_not_equal(fourth->files[0].etag, second->files[0].etag);
    mirror_snapshot_destroy(first);
    mirror_snapshot_destroy(second);
    mirror_snapshot_destroy(third);
    mirror_snapshot_destroy(fourth);
}

static void a_folder_is_a_range_of_files(void **state)
{
    (void)state;
    static const char *const names[] = {"r/a-b", "r/a/x", "r/a/y/z", "r/a0", "r/b"};
    for (size_t i = 0; i < 5; i++)
        put(names[i], "1");
    struct mirror_snapshot *snapshot = snapshot_of("r", NULL);
    size_t first, last;
    mirror_snapshot_below(snapshot, "a", &first, &last);
    assert_int_equal(last - first, 2);
    assert_string_equal(snapshot->files[first].path, "a/x");
    mirror_snapshot_below(snapshot, "a/y", &first, &last);
    assert_int_equal(last - first, 1);
    mirror_snapshot_below(snapshot, "", &first, &last);
    assert_int_equal(last - first, 5);
    mirror_snapshot_below(snapshot, "b", &first, &last);
    assert_int_equal(last, first);
    mirror_snapshot_below(snapshot, "zzz", &first, &last);
    assert_int_equal(last, first);
    mirror_snapshot_destroy(snapshot);
}

static void scans_end_when_told_and_say_what_is_missing(void **state)
{
    (void)state;
    struct mirror_snapshot *snapshot = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    atomic_bool stop = true;
    put("r/a.txt", "hello\n");
    assert_int_equal(
        mirror_snapshot_create(folder, in_folder("r"), NULL, &stop, NULL, &snapshot, &err),
        MODEL_CANCELLED);
    assert_int_equal(
        mirror_snapshot_create(folder, in_folder("none"), NULL, &never_stop, NULL, &snapshot, &err),
        MODEL_NOT_FOUND);
    assert_null(snapshot);
    assert_int_equal(mkdir(in_folder("empty"), 0700), 0);
    snapshot = snapshot_of("empty", NULL);
    assert_int_equal(snapshot->n_files, 0);
    assert_int_equal(strlen(snapshot->commit), 40);
    mirror_snapshot_destroy(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(files_have_the_digests_of_git_and_lfs),
        cmocka_unit_test(large_files_and_weights_are_lfs),
        IN_FOLDER(the_commit_stands_for_the_content_alone),
        IN_FOLDER(what_is_hidden_special_or_outside_is_left_out),
        IN_FOLDER(folders_that_are_too_deep_are_left_out),
        IN_FOLDER(what_may_not_be_read_is_left_out),
        IN_FOLDER(unchanged_files_are_not_read_again),
        IN_FOLDER(a_folder_is_a_range_of_files),
        IN_FOLDER(scans_end_when_told_and_say_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
