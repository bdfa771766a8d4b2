/* test_transfer.c - one file from a scripted hub to the disk: right bytes or nothing. */
#include "in_folder.h"
#include "scripted_hub.h"

#include "transfer.h"

#include <unistd.h>

/* Digests of "hello\n" by sha256sum and git hash-object. */
#define SHA256 "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
#define SHA1   "ce013625030ba8dba906f756967f9e9ca394464a"

static const struct hub_model tiny = {(char *)"acme/tiny",
                                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
static struct hub_file large = {(char *)"a.txt", 6, {HUB_DIGEST_SHA256, SHA256}};
static struct hub_file small = {(char *)"a.txt", 6, {HUB_DIGEST_GIT_BLOB, SHA1}};
static struct hub_file unknown = {(char *)"a.txt", 6, {HUB_DIGEST_NONE, ""}};

static model_status run(const struct scripted_answer *answers, size_t n_answers,
                        const struct hub_file *file, const char *path, struct model_error *err)
{
    struct scripted_hub script;
    struct log_sink log = {0};
    char sha256[SHA256_HEX_BYTES] = "";
    struct hub *hub = scripted_create(&script, answers, n_answers);
    struct transfer transfer = {.hub = hub,
                                .model = &tiny,
                                .file = file,
                                .part_path = path,
                                .store_dir = "store",
                                .log = &log};
    *err = (struct model_error){.struct_size = sizeof *err};
    model_status status = transfer_run(&transfer, sha256, err);
    assert_int_equal(script.n_asked, n_answers);
    assert_string_equal(sha256, status == MODEL_OK ? SHA256 : "");
    hub_destroy(hub);
    return status;
}

#define TWICE                                                                                      \
    "; it was fetched twice; try again later, and if that does not help the server or a proxy damages it"
#define RUN(answers, file)                                                                         \
    run(answers, sizeof(answers) / sizeof((answers)[0]), file, in_folder("part"), &err)

static void expect_file(bool there)
{
    assert_int_equal(path_is_file(in_folder("part")), there);
    if (there) {
        struct buffer text = BUFFER_INIT(100);
        assert_int_equal(file_read(in_folder("part"), 100, &text, NULL), MODEL_OK);
        assert_string_equal(text.data, "hello\n");
        buffer_finish(&text);
        assert_int_equal(unlink(in_folder("part")), 0);
    }
}

static void right_bytes_arrive_whichever_digest_names_them(void **state)
{
    static const struct scripted_answer plain[] = {{.status = 200, .body = "hello\n"}};
    static const struct scripted_answer by_header[] = {
        {.status = 302, .location = "/x", .linked_etag = "\"" SHA256 "\""},
        {.status = 200, .body = "hello\n"}};
    struct model_error err;
    (void)state;
    assert_int_equal(RUN(plain, &large), MODEL_OK);
    expect_file(true);
    assert_int_equal(RUN(plain, &small), MODEL_OK);
    expect_file(true);
    assert_int_equal(RUN(by_header, &unknown), MODEL_OK);
    expect_file(true);
}

static void wrong_bytes_are_fetched_once_more_and_then_refused(void **state)
{
    static const struct scripted_answer wrong[] = {{.status = 200, .body = "hellO\n"},
                                                   {.status = 200, .body = "hellO\n"}};
    static const struct scripted_answer once[] = {{.status = 200, .body = "hellO\n"},
                                                  {.status = 200, .body = "hello\n"}};
    struct model_error err;
    (void)state;
    assert_int_equal(RUN(wrong, &large), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "the file 'a.txt' came with wrong bytes: its SHA-256 is "));
    assert_non_null(strstr(err.message, "want " SHA256));
    expect_file(false);
    assert_int_equal(RUN(wrong, &small), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "want " SHA1));
    expect_file(false);
    assert_int_equal(RUN(once, &large), MODEL_OK);
    expect_file(true);
}

static void a_wrong_size_is_refused(void **state)
{
    static const struct scripted_answer longer[] = {{.status = 200, .body = "hello\n!"},
                                                    {.status = 200, .body = "hello\n!"}};
    static const struct scripted_answer shorter[] = {{.status = 200, .body = "hello"},
                                                     {.status = 200, .body = "hello"}};
    struct model_error err;
    (void)state;
    assert_int_equal(RUN(longer, &large), MODEL_CORRUPT);
    assert_string_equal(err.message,
                        "the file 'a.txt' is longer than the 6 bytes that the hub announced" TWICE);
    assert_int_equal(RUN(shorter, &large), MODEL_CORRUPT);
    assert_string_equal(err.message, "the file 'a.txt' came with 5 bytes, want 6" TWICE);
    expect_file(false);
}

static void half_of_a_broken_transfer_does_not_stay(void **state)
{
    static const struct scripted_answer answers[] = {{.failure = HUB_BROKE_OFF, .body = "hel"},
                                                     {.status = 200, .body = "hello\n"}};
    struct model_error err;
    (void)state;
    assert_int_equal(RUN(answers, &small), MODEL_OK);
    expect_file(true);
}

static void bytes_that_nothing_names_are_refused(void **state)
{
    static const struct scripted_answer answers[] = {{.status = 200, .body = "hello\n"}};
    struct model_error err;
    (void)state;
    assert_int_equal(RUN(answers, &unknown), MODEL_CORRUPT);
    assert_string_equal(
        err.message,
        "the hub gives no digest for 'a.txt', so its bytes cannot be checked; is this a hub?");
    expect_file(false);
}

static void a_file_in_the_way_is_not_overwritten(void **state)
{
    struct model_error err;
    (void)state;
    write_file(in_folder("part"), "mine", 4);
    assert_int_equal(run(NULL, 0, &large, in_folder("part"), &err), MODEL_IO);
    assert_int_equal(unlink(in_folder("part")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(right_bytes_arrive_whichever_digest_names_them),
        IN_FOLDER(wrong_bytes_are_fetched_once_more_and_then_refused),
        IN_FOLDER(a_wrong_size_is_refused),
        IN_FOLDER(half_of_a_broken_transfer_does_not_stay),
        IN_FOLDER(bytes_that_nothing_names_are_refused),
        IN_FOLDER(a_file_in_the_way_is_not_overwritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
