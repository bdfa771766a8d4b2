/* test_papers_settled.c - whether what was read of a folder was of one moment. */
#include "papers_settled.h"
#include "errors.h"
#include "in_folder.h"
#include "package_signature.h"

#include <unistd.h>

#define PLUGIN "backends/cpu/libmodel.so"

static void put(const char *name, const char *text)
{
    assert_int_equal(file_write_atomic(in_folder(name), text, strlen(text), NULL), MODEL_OK);
}

static void expect(const struct package_papers *papers, const struct manifest *made,
                   const char *replaced)
{
    struct model_error err = MODEL_ERROR_INIT;
    const model_status status = papers_check_settled(folder, NULL, papers, made, &err);
    assert_int_equal(status, replaced != NULL ? MODEL_BUSY : MODEL_OK);
    if (replaced != NULL)
        assert_non_null(strstr(err.message, replaced));
}

static void a_plugin_or_papers_that_were_replaced_meanwhile_are_no_change(void **state)
{
    (void)state;
    struct package_papers papers = {0};
    struct manifest made = {0};
    char sha256[SHA256_HEX_BYTES];
    assert_int_equal(dir_make_all(in_folder("backends/cpu"), NULL), MODEL_OK);
    put("metadata.json", "{}");
    put(PACKAGE_SIGNATURE_NAME, "of {}");
    put(PLUGIN, "new");
    assert_int_equal(package_papers_read_any(folder, &papers, NULL), MODEL_OK);
    assert_int_equal(digest_bytes_sha256("new", 3, sha256, NULL), MODEL_OK);
    assert_int_equal(manifest_add(&made, PLUGIN, NULL, 3, sha256, NULL), MODEL_OK);
    expect(&papers, &made, NULL);

    put(PLUGIN, "newer");
    expect(&papers, &made, PLUGIN " was replaced by another process meanwhile; try again");
    assert_int_equal(unlink(in_folder(PLUGIN)), 0);
    expect(&papers, &made, PLUGIN);
    put(PLUGIN, "new");
    expect(&papers, &made, NULL);
    put(PACKAGE_SIGNATURE_NAME, "of {} by another");
    expect(&papers, &made, PACKAGE_SIGNATURE_NAME " was replaced");
    assert_int_equal(unlink(in_folder(PACKAGE_SIGNATURE_NAME)), 0);
    expect(&papers, &made, PACKAGE_SIGNATURE_NAME " was replaced");
    put("metadata.json", "{ }");
    expect(&papers, &made, "metadata.json was replaced");
    assert_int_equal(unlink(in_folder("metadata.json")), 0);
    expect(&papers, &made, "metadata.json was replaced");
    package_papers_finish(&papers);
    manifest_finish(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_plugin_or_papers_that_were_replaced_meanwhile_are_no_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
