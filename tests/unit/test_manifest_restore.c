/* test_manifest_restore.c - the text of a damaged manifest is had again, byte for byte, or not at all. */
#include "manifest_restore.h"
#include "buffer.h"
#include "testing.h"

static struct manifest new_manifest(const char *created)
{
    struct manifest manifest = {.id = text_format("acme/facts"),
                                .requested_id = text_format("facts"),
                                .requested_revision = text_format("v2"),
                                .revision = text_format("1111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                                .endpoint = text_format("https://hub"),
                                .created = text_format("%s", created)};
    char hex[SHA256_HEX_BYTES];
    assert_int_equal(digest_bytes_sha256("a", 1, hex, NULL), MODEL_OK);
    assert_int_equal(manifest_add(&manifest, "a.txt", "a.txt", 1, hex, NULL), MODEL_OK);
    return manifest;
}

/* What was signed, and what the same package is when it is made anew. */
struct papers {
    struct manifest anew;
    char *text;
    size_t n_bytes;
};

static struct papers begin(void)
{
    struct manifest was = new_manifest("2026-01-02T03:04:05Z");
    struct papers papers = {.anew = new_manifest("2026-11-21T09:00:00Z"),
                            .text = manifest_print(&was)};
    assert_non_null(papers.text);
    papers.n_bytes = strlen(papers.text);
    free(papers.anew.requested_revision);
    papers.anew.requested_revision = text_format("main");
    manifest_finish(&was);
    return papers;
}

static void end(struct papers *papers)
{
    manifest_finish(&papers->anew);
    free(papers->text);
}

static void one_byte_anywhere_is_mended(void **state)
{
    (void)state;
    struct papers papers = begin();
    char *damaged = strdup(papers.text);
    size_t n_mended = 0;
    assert_non_null(damaged);
    for (size_t i = 0; i < papers.n_bytes; i++) {
        damaged[i] ^= 1;
        char *restored = manifest_restore(&papers.anew, damaged, papers.n_bytes);
        n_mended += restored != NULL && strcmp(restored, papers.text) == 0;
        free(restored);
        damaged[i] ^= 1;
    }
    /* but for what nothing else tells: what it was asked by, where and when, and the names of these fields */
    const size_t n_unknown = strlen("facts"
                                    "v2"
                                    "https://hub"
                                    "2026-01-02T03:04:05Z") +
                             strlen("requested_id"
                                    "requested_revision"
                                    "endpoint"
                                    "created") +
                             4 * strlen("\"\":\t\"\"");
    assert_true(n_mended >= papers.n_bytes - n_unknown);
    free(damaged);
    end(&papers);
}

static void what_is_no_json_any_more_is_mended(void **state)
{
    (void)state;
    struct papers papers = begin();
    char *damaged = strdup(papers.text);
    assert_non_null(damaged);
    memset(damaged, 0, 8);
    char *restored = manifest_restore(&papers.anew, damaged, papers.n_bytes);
    assert_string_equal(restored, papers.text);
    free(restored);
    free(damaged);
    end(&papers);
}

static void what_differs_too_much_is_not(void **state)
{
    (void)state;
    struct papers papers = begin();
    struct manifest other = new_manifest("2026-11-21T09:00:00Z");
    char hex[SHA256_HEX_BYTES];
    assert_int_equal(digest_bytes_sha256("b", 1, hex, NULL), MODEL_OK);
    assert_int_equal(manifest_add(&other, "a.txt", "a.txt", 1, hex, NULL), MODEL_OK);
    assert_null(manifest_restore(&other, papers.text, papers.n_bytes));
    assert_null(manifest_restore(&papers.anew, papers.text, papers.n_bytes - 1));
    assert_null(manifest_restore(&papers.anew, "", 0));
    assert_null(manifest_restore(&papers.anew, "\"created\":", 10));
    assert_null(manifest_restore(&papers.anew, "\"created\":\"", 11));
    manifest_finish(&other);
    end(&papers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_byte_anywhere_is_mended),
        cmocka_unit_test(what_is_no_json_any_more_is_mended),
        cmocka_unit_test(what_differs_too_much_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
