/* test_package_file.c - a package's files by the same paths from its folder and from its archive. */
#include "archive_write.h"
#include "errors.h"
#include "in_folder.h"
#include "package.h"
#include "package_file.h"

#include <fcntl.h>
#include <unistd.h>

static const char *const names[] = {"a.json", "backends/cpu/config.json",
                                    "backends/cpu/" PACKAGE_PLUGIN_NAME, "backends/x/y/z"};

static void write_package(void)
{
    assert_int_equal(dir_make_all(in_folder("p/backends/cpu"), NULL), MODEL_OK);
    assert_int_equal(dir_make_all(in_folder("p/backends/x/y"), NULL), MODEL_OK);
    struct archive_source sources[4];
    char paths[4][PATH_MAX];
    for (int i = 0; i < 4; i++) {
        (void)snprintf(paths[i], PATH_MAX, "%s/p/%s", folder, names[i]);
        write_file(paths[i], "{\"n\":1}", 7);
        sources[i] = (struct archive_source){names[i], paths[i], NULL};
    }
    const struct archive_options options = {.level = 3};
    assert_int_equal(archive_write(in_folder("p.mhp"), sources, 4, &options, NULL, NULL), MODEL_OK);
}

static void expect_the_same(const struct archive *archive, const char *root)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer text = BUFFER_INIT(100);
    json_node *tree = NULL;
    struct dir_list list;
    char *file = path_join(root, "backends/x/y/z"), *sub = path_join(root, "backends"),
         *absent = path_join(root, "backends/x/absent");
    assert_true(package_file_exists(archive, file));
    assert_false(package_file_exists(archive, sub));
    assert_false(package_file_exists(archive, absent));
    assert_true(package_folder_exists(archive, sub));
    assert_true(package_folder_exists(archive, root));
    assert_false(package_folder_exists(archive, file));
    assert_int_equal(package_file_read(archive, file, 7, &text, &err), MODEL_OK);
    assert_string_equal(text.data, "{\"n\":1}");
    buffer_finish(&text);
    assert_int_equal(package_file_read(archive, file, 6, &text, &err), MODEL_CORRUPT);
    assert_int_equal(package_file_read(archive, absent, 6, &text, &err), MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, absent));
    assert_int_equal(package_file_json(archive, file, 7, &tree, &err), MODEL_OK);
    assert_int_equal(json_count(tree), 1);
    json_free(tree);
    assert_int_equal(package_folder_read(archive, sub, &list, &err), MODEL_OK);
    assert_int_equal(list.n_names, 2);
    assert_string_equal(list.names[0], "cpu");
    assert_string_equal(list.names[1], "x");
    dir_list_finish(&list);
    assert_int_equal(package_folder_read(archive, absent, &list, &err), MODEL_NOT_FOUND);
    free(file);
    free(sub);
    free(absent);
}

static void reads_the_same_from_folder_and_archive(void **state)
{
    (void)state;
    struct archive *archive = NULL;
    write_package();
    expect_the_same(NULL, in_folder("p"));
    assert_int_equal(package_archive_open(in_folder("p"), ARCHIVE_CHECKSUM, &archive, NULL),
                     MODEL_OK);
    assert_null(archive);
    assert_int_equal(package_archive_open(in_folder("p.mhp"), ARCHIVE_CHECKSUM, &archive, NULL),
                     MODEL_OK);
    expect_the_same(archive, archive_path(archive));
    assert_false(package_file_exists(archive, in_folder("p/a.json"))); /* not of this archive */
    archive_close(archive);
}

static void opens_an_archive_as_a_package(void **state)
{
    (void)state;
    struct package package;
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer text = BUFFER_INIT(100);
    write_package();
    if (package_open(in_folder("p.mhp"), NULL, &package, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(package.dir, in_folder("p.mhp"));
    assert_string_equal(package.backend, "cpu");
    assert_string_equal(package.backend_dir, in_folder("p.mhp/backends/cpu"));
    assert_false(package.has_manifest);
    error_set(&err, MODEL_CORRUPT, "a: %s is b", package.plugin);
    assert_true(package_name_plugin(&package, &err));
    expect_message(&err, "a: %s/p.mhp/backends/cpu/" PACKAGE_PLUGIN_NAME " is b");
    assert_false(package_name_plugin(&package, &err));
    error_set(&err, MODEL_CORRUPT, "a: %s1 is b", package.plugin);
    assert_false(package_name_plugin(&package, &err));
    assert_int_equal(file_read(package.plugin, 100, &text, &err), MODEL_OK);
    assert_string_equal(text.data, "{\"n\":1}");
    buffer_finish(&text);
    package_finish(&package);
    assert_int_equal(package_open(in_folder("p.mhp"), "none", &package, &err), MODEL_NOT_FOUND);
}

/* Flags of the header say who may open an archive; the whole file's digest is not looked at here. */
static void set_header(int at, uint8_t value)
{
    const int fd = open(in_folder("p.mhp"), O_WRONLY);
    assert_int_equal(pwrite(fd, &value, 1, at), 1);
    assert_int_equal(close(fd), 0);
}

static void each_step_refuses_before_the_next_one(void **state)
{
    (void)state;
    static const struct {
        int at; /* one change after the other, from the last step to the first */
        uint8_t value;
        const char *part;
    } changes[] = {
        {16, 2, "decryption: the archive says it is encrypted, with no cipher suite"},
        {20, 1, "decryption: "}, /* no parameters, or a program without libsodium */
        {20, 3, "decryption: cipher suite 3 (AES-256-GCM with Argon2id) is not compiled"},
        {20, 2, "decryption: cipher suite 2 (AES-256-CBC with HMAC-SHA-1) is deprecated"},
        {20, 9, "decryption: cipher suite 9 is not known: it is damaged, or of a newer program"},
        {60, 0, "metadata: SHA-256 "},
        {16, 3, "header: 0 bytes of signature in an archive that is signed"},
        {127, 1, "header: the reserved bytes are not zero"},
    };
    struct archive *archive = NULL;
    write_package();
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        set_header(changes[i].at, changes[i].value);
        assert_int_not_equal(archive_open(in_folder("p.mhp"), ARCHIVE_CHECKSUM, &archive, &err),
                             MODEL_OK);
        if (strstr(err.message, changes[i].part) == NULL)
            fail_msg("%s", err.message);
    }
}

/* A suite that is known and not opened may have become so by a flipped bit. */
static void an_unusual_suite_is_damage_where_the_whole_file_is_compared(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct archive *archive = NULL;
    write_package();
    set_header(16, 2);
    set_header(20, 3);
    assert_int_equal(archive_open(in_folder("p.mhp"), ARCHIVE_CHECKSUM, &archive, &err),
                     MODEL_UNSUPPORTED);
    assert_int_equal(archive_open(in_folder("p.mhp"), ARCHIVE_STANDARD, &archive, &err),
                     MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "a bit was changed somewhere; get the file again"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(reads_the_same_from_folder_and_archive),
        IN_FOLDER(opens_an_archive_as_a_package),
        IN_FOLDER(each_step_refuses_before_the_next_one),
        IN_FOLDER(an_unusual_suite_is_damage_where_the_whole_file_is_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
