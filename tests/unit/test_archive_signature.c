/* test_archive_signature.c - an archive with metadata.json holds the very files that this lists, signed or not. */
#include "archive.h"
#include "archive_write.h"
#include "errors.h"
#include "in_folder.h"
#include "manifest.h"

#include <unistd.h>

#define MANIFEST "metadata.json"
#define BEGIN                                                                                      \
    "{\"format_version\":1,\"id\":\"ns/name\",\"requested_id\":\"ns/name\","                       \
    "\"requested_revision\":\"main\",\"revision\":\"1234\",\"endpoint\":\"\","                     \
    "\"created\":\"2026-11-21T09:00:00Z\",\"files\":["
/* SHA-256 of "1" and "2", as sha256sum says */
#define ONE "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
#define TWO "d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35"
#define FILE_OF(path, size, sha256)                                                                \
    "{\"path\":\"" path "\",\"size\":" #size ",\"sha256\":\"" sha256 "\"}"
#define GOOD BEGIN FILE_OF("a.json", 1, ONE) "," FILE_OF("b/c", 1, TWO) "]}"

static const char *const names[] = {"a.json", "b/c", MANIFEST};

/* An archive of two files and this manifest; NULL: without one. */
static void pack(const char *manifest)
{
    struct archive_source sources[3];
    char paths[3][PATH_MAX];
    const struct archive_options options = {.level = 3};
    assert_int_equal(dir_make_all(in_folder("b"), NULL), MODEL_OK);
    write_file(in_folder("a.json"), "1", 1);
    write_file(in_folder("b/c"), "2", 1);
    if (manifest != NULL)
        write_file(in_folder(MANIFEST), manifest, strlen(manifest));
    for (int i = 0; i < 3; i++) {
        (void)snprintf(paths[i], PATH_MAX, "%s/%s", folder, names[i]);
        sources[i] = (struct archive_source){names[i], paths[i], NULL};
    }
    assert_int_equal(
        archive_write(in_folder("p.mhp"), sources, manifest != NULL ? 3 : 2, &options, NULL, NULL),
        MODEL_OK);
}

static void opens_what_its_manifest_lists(void **state)
{
    (void)state;
    for (int level = 0; level < 3; level++) {
        struct archive *archive = NULL;
        struct model_error err = MODEL_ERROR_INIT;
        pack(GOOD);
        if (archive_open(in_folder("p.mhp"), (enum archive_level)level, &archive, &err) != MODEL_OK)
            fail_msg("%s", err.message);
        assert_int_equal(archive_find(archive, MANIFEST)->method, ARCHIVE_STORED);
        archive_close(archive);
    }
}

static void opens_an_authors_own_without_a_manifest(void **state)
{
    (void)state;
    struct archive *archive = NULL;
    pack(NULL);
    assert_int_equal(archive_open(in_folder("p.mhp"), ARCHIVE_PARANOID, &archive, NULL), MODEL_OK);
    assert_null(archive_find(archive, MANIFEST));
    archive_close(archive);
}

/* A wrong manifest, and what is said of it. */
static const struct {
    const char *manifest, *sentence;
} wrong[] = {
    {BEGIN FILE_OF("a.json", 1, ONE) "," FILE_OF("b/c", 1, ONE) "]}",
     "%s/p.mhp: signature: 'b/c' is not the file that metadata.json lists: size or digest is another; "
     "get the archive again, or pack the package again"},
    {BEGIN FILE_OF("a.json", 2, ONE) "," FILE_OF("b/c", 1, TWO) "]}",
     "%s/p.mhp: signature: 'a.json' is not the file that metadata.json lists: size or digest is "
     "another; get the archive again, or pack the package again"},
    {BEGIN FILE_OF("a.json", 1, ONE) "]}",
     "%s/p.mhp: signature: 'b/c' is not among the files that metadata.json lists; get the archive "
     "again, or pack the package again"},
    {BEGIN FILE_OF("a.json", 1, ONE) "," FILE_OF("b/c", 1, TWO) "," FILE_OF("d", 1, TWO) "]}",
     "%s/p.mhp: signature: 'd', which metadata.json lists, is missing; get the archive again"},
    {BEGIN FILE_OF("a.json", 1, ONE) "," FILE_OF("b/c", 1, TWO) "," FILE_OF(MANIFEST, 1, TWO) "]}",
     "%s/p.mhp: signature: metadata.json: lists 'metadata.json', a name that packages keep for themselves; get "
     "the file again, or have its author pack it anew"},
    {BEGIN "]}",
     "%s/p.mhp: signature: 'a.json' is not among the files that metadata.json lists; get "
     "the archive again, or pack the package again"},
};

static void refuses_files_that_its_manifest_does_not_list(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        for (int level = 0; level < 3; level++) {
            struct archive *archive = NULL;
            struct model_error err = MODEL_ERROR_INIT;
            pack(wrong[i].manifest);
            assert_int_equal(
                archive_open(in_folder("p.mhp"), (enum archive_level)level, &archive, &err),
                MODEL_CORRUPT);
            expect_message(&err, wrong[i].sentence);
            assert_null(archive);
        }
}

static void refuses_what_is_no_manifest(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{}",
        "{\"format_version\":1,\"files\":[]}",
        BEGIN FILE_OF("a.json", 1, ONE) "," FILE_OF("b/c", 1, TWO) "," FILE_OF(
            "../../../etc/passwd", 1, TWO) "]}",
        BEGIN FILE_OF("a.json", 1, ONE) "," FILE_OF("b/c", 1, TWO) "," FILE_OF("b/c", 1, TWO) "]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct archive *archive = NULL;
        struct model_error err = MODEL_ERROR_INIT;
        pack(texts[i]);
        assert_int_not_equal(archive_open(in_folder("p.mhp"), ARCHIVE_CHECKSUM, &archive, &err),
                             MODEL_OK);
        assert_non_null(strstr(err.message, "p.mhp: signature: "));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(opens_what_its_manifest_lists),
        IN_FOLDER(opens_an_authors_own_without_a_manifest),
        IN_FOLDER(refuses_files_that_its_manifest_does_not_list),
        IN_FOLDER(refuses_what_is_no_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
