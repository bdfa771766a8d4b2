/* test_manifest.c - metadata.json, read as hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "manifest.h"
#include "store_fixture.h"

#include <sys/stat.h>

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define HEAD  "{\"format_version\":1,\"id\":\"ns/name\",\"revision\":\"c0ffee\",\"files\":"
#define FILE_ENTRY(path_)                                                                          \
    "{\"path\":\"" path_ "\",\"source\":\"s\",\"size\":3,\"sha256\":\"" SHA_A "\"}"

static model_status parse(const char *text, struct manifest *ret, struct model_error *err)
{
    return manifest_parse(text, strlen(text), "m", ret, err);
}

static void reads_all_fields_and_orders_files(void **state)
{
    (void)state;
    struct manifest manifest;
    struct model_error err = MODEL_ERROR_INIT;
    const char *text =
        "{\"format_version\":1,\"id\":\"google-bert/bert-base-uncased\","
        "\"requested_id\":\"bert-base-uncased\",\"requested_revision\":\"main\","
        "\"revision\":\"86b5e0\",\"endpoint\":\"https://hub\",\"created\":\"2026-11-21T09:00:00Z\","
        "\"unknown\":[1,2],\"files\":["
        "{\"path\":\"vocab.txt\",\"size\":5,\"sha256\":\"" SHA_B "\"},"
        "{\"path\":\"backends/cpu/model.safetensors\",\"source\":\"model.safetensors\","
        "\"size\":9007199254740991,\"sha256\":\"" SHA_A "\"}]}";
    assert_int_equal(parse(text, &manifest, &err), MODEL_OK);
    assert_string_equal(manifest.id, "google-bert/bert-base-uncased");
    assert_string_equal(manifest.requested_id, "bert-base-uncased");
    assert_string_equal(manifest.requested_revision, "main");
    assert_string_equal(manifest.revision, "86b5e0");
    assert_string_equal(manifest.endpoint, "https://hub");
    assert_string_equal(manifest.created, "2026-11-21T09:00:00Z");
    assert_int_equal(manifest.n_files, 2);
    assert_string_equal(manifest.files[0].path, "backends/cpu/model.safetensors");
    assert_string_equal(manifest.files[0].source, "model.safetensors");
    assert_true(manifest.files[0].size_bytes == 9007199254740991u);
    assert_string_equal(manifest.files[0].sha256, SHA_A);
    assert_null(manifest.files[1].source);
    assert_ptr_equal(manifest_find(&manifest, "vocab.txt"), &manifest.files[1]);
    assert_null(manifest_find(&manifest, "vocab"));

    char *printed = manifest_print(&manifest);
    struct manifest again;
    assert_non_null(printed);
    assert_int_equal(parse(printed, &again, &err), MODEL_OK);
    char *printed_again = manifest_print(&again);
    assert_string_equal(printed, printed_again);
    free(printed);
    free(printed_again);
    manifest_finish(&again);
    manifest_finish(&manifest);
}

static const struct {
    const char *text;
    model_status status;
    const char *message;
} broken[] = {
    {"", MODEL_CORRUPT, "m: not valid JSON at byte 0"},
    {"[]", MODEL_CORRUPT, "m: want an object"},
    {"{}", MODEL_CORRUPT, "m: format_version 0, this program reads 1"},
    {"{\"format_version\":2}", MODEL_UNSUPPORTED,
     "m: format_version 2, this program reads 1; use a newer modelhost"},
    {"{\"format_version\":1.5}", MODEL_UNSUPPORTED,
     "m: format_version 1.5, this program reads 1; use a newer modelhost"},
    {"{\"format_version\":1,\"format_version\":1}", MODEL_CORRUPT,
     "m: the key 'format_version' stands twice"},
    {"{\"format_version\":1,\"files\":[]}", MODEL_CORRUPT, "m: 'id' is missing or no plain text"},
    {"{\"format_version\":1,\"id\":7}", MODEL_CORRUPT, "m: 'id' is missing or no plain text"},
    {"{\"format_version\":1,\"id\":\"a\\nb\"}", MODEL_CORRUPT,
     "m: 'id' is missing or no plain text"},
    {"{\"format_version\":1,\"id\":\"a\"}", MODEL_CORRUPT,
     "m: 'revision' is missing or no plain text"},
    {"{\"format_version\":1,\"id\":\"a\",\"revision\":\"r\"}", MODEL_CORRUPT,
     "m: want an array 'files'"},
    {HEAD "[1]}", MODEL_CORRUPT, "m: a file without path, size or sha256"},
    {HEAD "[{\"path\":\"a\",\"size\":1}]}", MODEL_CORRUPT,
     "m: a file without path, size or sha256"},
    {HEAD "[{\"path\":\"a\",\"size\":1,\"source\":2,\"sha256\":\"" SHA_A "\"}]}", MODEL_CORRUPT,
     "m: a file without path, size or sha256"},
    {HEAD "[{\"path\":\"a\",\"size\":-1,\"sha256\":\"" SHA_A "\"}]}", MODEL_CORRUPT,
     "m: file 'a': want a size in bytes"},
    {HEAD "[{\"path\":\"a\",\"size\":1e300,\"sha256\":\"" SHA_A "\"}]}", MODEL_CORRUPT,
     "m: file 'a': want a size in bytes"},
    {HEAD "[{\"path\":\"a\",\"size\":1,\"sha256\":\"abc\"}]}", MODEL_CORRUPT,
     "m: file 'a': sha256 'abc', want 64 lower-case hexadecimal digits"},
    {HEAD "[" FILE_ENTRY("../a") "]}", MODEL_CORRUPT,
     "m: unsafe path '../a'; want a relative path without '..'"},
    {HEAD "[" FILE_ENTRY("a/../../b") "]}", MODEL_CORRUPT,
     "m: unsafe path 'a/../../b'; want a relative path without '..'"},
    {HEAD "[" FILE_ENTRY("/etc/passwd") "]}", MODEL_CORRUPT,
     "m: unsafe path '/etc/passwd'; want a relative path without '..'"},
    {HEAD "[" FILE_ENTRY("C:\\\\x") "]}", MODEL_CORRUPT,
     "m: unsafe path 'C:\\\\x'; want a relative path without '..'"},
    {HEAD "[" FILE_ENTRY("") "]}", MODEL_CORRUPT,
     "m: unsafe path ''; want a relative path without '..'"},
    {HEAD "[" FILE_ENTRY("metadata.json") "]}", MODEL_CORRUPT,
     "m: lists 'metadata.json', a name that packages keep for themselves"},
    {HEAD "[" FILE_ENTRY("Metadata.json.MINISIG") "]}", MODEL_CORRUPT,
     "m: lists 'Metadata.json.MINISIG', a name that packages keep for themselves"},
    {HEAD "[" FILE_ENTRY("backends/cpu/.libmodel.so.1.1.tmp") "]}", MODEL_CORRUPT,
     "m: lists 'backends/cpu/.libmodel.so.1.1.tmp', a name that packages keep for themselves"},
    {HEAD "[{\"path\":\"a\",\"source\":\"../x\",\"size\":1,\"sha256\":\"" SHA_A "\"}]}",
     MODEL_CORRUPT, "m: file 'a': unsafe source '../x'"},
    {HEAD "[" FILE_ENTRY("a") "," FILE_ENTRY("b") "," FILE_ENTRY("a") "]}", MODEL_CORRUPT,
     "m: file 'a' stands twice"},
    {HEAD "[" FILE_ENTRY("a/b/c") "," FILE_ENTRY("a/b") "," FILE_ENTRY("a-b") "]}", MODEL_CORRUPT,
     "m: 'a/b' is a file and a folder"},
};

static void refuses_each_breach_with_its_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct manifest manifest;
        struct model_error err = MODEL_ERROR_INIT;
        model_status status = parse(broken[i].text, &manifest, &err);
        assert_string_equal(err.message, broken[i].message);
        assert_int_equal(status, broken[i].status);
    }
}

static void add_keeps_the_order_and_replaces(void **state)
{
    (void)state;
    struct manifest manifest = {0};
    struct model_error err = MODEL_ERROR_INIT;
    char path[32];
    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(path, sizeof path, "f%02u", i * 37 % 100);
        assert_int_equal(manifest_add(&manifest, path, "src", i, SHA_A, &err), MODEL_OK);
    }
    assert_int_equal(manifest.n_files, 100);
    for (size_t i = 1; i < 100; i++)
        assert_true(strcmp(manifest.files[i - 1].path, manifest.files[i].path) < 0);
    assert_int_equal(manifest_add(&manifest, "f50", NULL, 7, SHA_B, &err), MODEL_OK);
    assert_int_equal(manifest.n_files, 100);
    const struct manifest_file *file = manifest_find(&manifest, "f50");
    assert_non_null(file);
    assert_int_equal(file->size_bytes, 7);
    assert_null(file->source);
    assert_string_equal(file->sha256, SHA_B);
    assert_int_equal(manifest_add(&manifest, "../x", NULL, 7, SHA_B, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "package: unsafe path '../x'; want a relative path without '..'");
    assert_int_equal(manifest_add(&manifest, "x", NULL, 7, "AB", &err), MODEL_INVALID_ARGUMENT);
    assert_int_equal(manifest_add(&manifest, "x", NULL, UINT64_MAX, SHA_A, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_int_equal(manifest.n_files, 100);
    manifest_finish(&manifest);
}

/* A manifest that was parsed can be added to: its array has the capacity that add expects. */
static void add_works_on_a_parsed_manifest(void **state)
{
    (void)state;
    struct manifest manifest;
    assert_int_equal(parse(HEAD "[" FILE_ENTRY("a") "," FILE_ENTRY("b") "," FILE_ENTRY("c") "]}",
                           &manifest, NULL),
                     MODEL_OK);
    assert_int_equal(manifest_add(&manifest, "d", NULL, 1, SHA_A, NULL), MODEL_OK);
    assert_int_equal(manifest_add(&manifest, "e", NULL, 1, SHA_A, NULL), MODEL_OK);
    assert_int_equal(manifest.n_files, 5);
    manifest_finish(&manifest);
    assert_int_equal(parse(HEAD "[]}", &manifest, NULL), MODEL_OK);
    assert_int_equal(manifest_add(&manifest, "a", NULL, 1, SHA_A, NULL), MODEL_OK);
    assert_int_equal(manifest_add(&manifest, "b", NULL, 1, SHA_A, NULL), MODEL_OK);
    manifest_finish(&manifest);
}

static void the_digest_names_commit_paths_sizes_and_contents(void **state)
{
    (void)state;
    struct manifest manifest = {0};
    char hex[SHA256_HEX_BYTES], other[SHA256_HEX_BYTES], wanted[SHA256_HEX_BYTES];
    assert_int_equal(manifest_add(&manifest, "b", "ignored", 2, SHA_B, NULL), MODEL_OK);
    assert_int_equal(manifest_add(&manifest, "a", NULL, 1, SHA_A, NULL), MODEL_OK);
    static const char text[] = "ns/name\0abc\0" SHA_A " 1 a\n" SHA_B " 2 b\n";
    manifest.id = text_format("ns/name");
    manifest.revision = text_format("abc");
    assert_int_equal(digest_bytes_sha256(text, sizeof text - 1, wanted, NULL), MODEL_OK);
    assert_int_equal(manifest_digest(&manifest, hex, NULL), MODEL_OK);
    assert_string_equal(hex, wanted);
    assert_int_equal(manifest_add(&manifest, "a", NULL, 2, SHA_A, NULL), MODEL_OK);
    assert_int_equal(manifest_digest(&manifest, other, NULL), MODEL_OK);
    assert_string_not_equal(hex, other);
    manifest_finish(&manifest);
}

static void read_says_which_file(void **state)
{
    struct manifest manifest;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(manifest_read(*state, &manifest, &err), MODEL_NOT_FOUND);
    put_text(in_folder(*state, "metadata.json"), "{");
    assert_int_equal(manifest_read(*state, &manifest, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "/metadata.json: not valid JSON at byte "));
    put_text(in_folder(*state, "metadata.json"), HEAD "[" FILE_ENTRY("a") "]}");
    assert_int_equal(manifest_read(*state, &manifest, &err), MODEL_OK);
    assert_int_equal(manifest.n_files, 1);
    manifest_finish(&manifest);
    assert_int_equal(unlink(in_folder(*state, "metadata.json")), 0);
    assert_int_equal(mkfifo(in_folder(*state, "metadata.json"), 0600), 0); /* is not waited for */
    assert_int_equal(manifest_read(*state, &manifest, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "/metadata.json is not a regular file"));
}

#define FOLDER_TEST(test_) cmocka_unit_test_setup_teardown(test_, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all_fields_and_orders_files),
        cmocka_unit_test(refuses_each_breach_with_its_sentence),
        cmocka_unit_test(add_keeps_the_order_and_replaces),
        cmocka_unit_test(add_works_on_a_parsed_manifest),
        cmocka_unit_test(the_digest_names_commit_paths_sizes_and_contents),
        FOLDER_TEST(read_says_which_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
