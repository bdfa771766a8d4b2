/* test_transfer.c - files from a scripted hub into a store: right bytes or nothing, whole or in ranges.
 * Covers packager/transfer/transfer_stream.c, too. */
#include "in_folder.h"
#include "scripted_hub.h"

#include "partial_claim.h"
#include "transfer.h"

#include <stdlib.h>
#include <unistd.h>

/* Digests of "hello\n" by sha256sum and git hash-object. */
#define SHA256 "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
#define SHA1   "ce013625030ba8dba906f756967f9e9ca394464a"

static const struct hub_model tiny = {(char *)"acme/tiny",
                                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
static struct hub_file large = {(char *)"a.txt", 6, {HUB_DIGEST_SHA256, SHA256}};
static struct hub_file small = {(char *)"a.txt", 6, {HUB_DIGEST_GIT_BLOB, SHA1}};
static struct hub_file unknown = {(char *)"a.txt", 6, {HUB_DIGEST_NONE, ""}};

/* Moves one file into a store of its own; blob: whether it is there afterwards. */
struct trial {
    struct scripted_hub script;
    struct model_error err;
    uint64_t range_bytes;
    unsigned max_connections;
    char sha256[SHA256_HEX_BYTES];
    bool is_kept; /* a part of it */
    bool cancel_asleep;
    uint64_t done_bytes;
    void (*take_away)(void); /* called once, when bytes have come */
};

static void note_bytes(void *context, size_t file_index, uint64_t done_bytes)
{
    struct trial *trial = context;
    (void)file_index;
    trial->done_bytes = done_bytes;
    if (trial->take_away != NULL)
        trial->take_away();
    trial->take_away = NULL;
}

static model_status run_trial(struct trial *trial, const struct scripted_answer *answers,
                              size_t n_answers, const struct hub_file *file)
{
    struct store *store = NULL;
    char *staging = NULL;
    struct plan_file planned = {.file = file};
    struct download_plan plan = {&planned, 1, file->size_bytes, file->size_bytes};
    struct hub *hub = scripted_create(&trial->script, answers, n_answers);
    trial->script.cancel_asleep = trial->cancel_asleep;
    trial->err = (struct model_error){.struct_size = sizeof trial->err};
    assert_int_equal(store_open(in_folder("store"), 1, &store, NULL), MODEL_OK);
    assert_int_equal(store_make_staging(store, &staging, NULL), MODEL_OK);
    struct transfer transfer = {.hub = hub,
                                .model = &tiny,
                                .store = store,
                                .plan = &plan,
                                .staging = staging,
                                .range_bytes = trial->range_bytes,
                                .max_connections = trial->max_connections,
                                .advance = note_bytes,
                                .context = trial};
    model_status status = transfer_run(&transfer, &trial->err);
    assert_int_equal(trial->script.n_asked, n_answers);
    memcpy(trial->sha256, planned.sha256, sizeof trial->sha256);
    assert_int_equal(status == MODEL_OK &&
                         store_blob_is_good(store, planned.sha256, file->size_bytes),
                     status == MODEL_OK);
    char *part = path_join(staging, "0.part");
    assert_false(path_is_file(part));
    free(part);
    store_end_staging(store, staging);
    store_close(store);
    hub_destroy(hub);
    trial->is_kept =
        path_is_dir(in_folder("store/partial")) && n_names_in(in_folder("store/partial")) > 0;
    return status;
}

static bool blob_exists;

static model_status run(const struct scripted_answer *answers, size_t n_answers,
                        const struct hub_file *file, struct model_error *err)
{
    struct trial trial = {0};
    model_status status = run_trial(&trial, answers, n_answers, file);
    assert_string_equal(trial.sha256, status == MODEL_OK ? SHA256 : "");
    *err = trial.err;
    blob_exists = path_is_file(in_folder("store/blobs/sha256/58/" SHA256));
    (void)dir_remove_all(in_folder("store"), NULL);
    return status;
}

#define TWICE                                                                                      \
    "; it was fetched twice; try again later, and if that does not help the server or a proxy damages it"
#define RUN(answers, file) run(answers, sizeof(answers) / sizeof((answers)[0]), file, &err)

static void expect_file(bool there)
{
    assert_int_equal(blob_exists, there);
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

/* ---- ranges: a file of 200,000 bytes, in grains of 16,384 */

#define RANGED_BYTES 200000
static char content[RANGED_BYTES + 1];
static struct hub_file ranged = {(char *)"b.bin", RANGED_BYTES, {HUB_DIGEST_SHA256, ""}};

static void make_content(void)
{
    for (size_t i = 0; i < RANGED_BYTES; i++)
        content[i] = (char)('a' + (i * 7 + i / 1000) % 26);
    assert_int_equal(digest_bytes_sha256(content, RANGED_BYTES, ranged.digest.hex, NULL), MODEL_OK);
}

/* The bytes [start, end) as a text of their own. */
static char *slice(size_t start, size_t end)
{
    char *text = strndup(content + start, end - start);
    assert_non_null(text);
    return text;
}

#define G(n) ((n)*16384)

static void ranges_come_in_any_number_and_make_one_file(void **state)
{
    struct trial trial = {.range_bytes = G(5), .max_connections = 2};
    char *parts[] = {slice(0, G(5)), slice(G(5), G(10)), slice(G(10), RANGED_BYTES)};
    (void)state;
    const struct scripted_answer answers[] = {
        {.status = 302, .location = "https://cdn.test/x"},
        {.url = "https://cdn.test/x",
         .status = 206,
         .range_start = 0,
         .range_end = G(5),
         .content_range = "bytes 0-81919/200000",
         .etag = "\"e\"",
         .body = parts[0]},
        {.url = "https://cdn.test/x",
         .status = 206,
         .range_start = G(5),
         .range_end = G(10),
         .content_range = "bytes 81920-163839/200000",
         .body = parts[1]},
        {.url = "https://cdn.test/x",
         .status = 206,
         .range_start = G(10),
         .range_end = RANGED_BYTES,
         .content_range = "bytes 163840-199999/200000",
         .body = parts[2]},
    };
    assert_int_equal(run_trial(&trial, answers, 4, &ranged), MODEL_OK);
    assert_string_equal(trial.sha256, ranged.digest.hex);
    assert_int_equal(trial.done_bytes, RANGED_BYTES);
    assert_false(trial.is_kept);
    assert_null(strstr(trial.script.log, "cdn.test/x secret"));
    for (size_t i = 0; i < 3; i++)
        free(parts[i]);
}

static void a_range_that_breaks_off_goes_on_where_it_was(void **state)
{
    struct trial trial = {0};
    char *parts[] = {slice(0, 100000), slice(100000, RANGED_BYTES)};
    (void)state;
    const struct scripted_answer answers[] = {
        {.failure = HUB_BROKE_OFF, .body = parts[0]},
        {.status = 206,
         .range_start = 100000,
         .range_end = RANGED_BYTES,
         .content_range = "bytes 100000-199999/200000",
         .body = parts[1]},
    };
    assert_int_equal(run_trial(&trial, answers, 2, &ranged), MODEL_OK);
    assert_int_equal(trial.script.waited_ms, 1000);
    free(parts[0]);
    free(parts[1]);
}

static void what_is_left_of_a_download_is_not_fetched_again(void **state)
{
    struct trial trial = {.cancel_asleep = true};
    char *parts[] = {slice(0, 100000), slice(G(6), RANGED_BYTES)};
    (void)state;
    const struct scripted_answer first[] = {{.failure = HUB_BROKE_OFF, .body = parts[0]}};
    const struct scripted_answer second[] = {
        {.status = 206,
         .range_start = G(6),
         .range_end = RANGED_BYTES,
         .content_range = "bytes 98304-199999/200000",
         .body = parts[1]},
    };
    assert_int_equal(run_trial(&trial, first, 1, &ranged), MODEL_CANCELLED);
    assert_true(trial.is_kept);
    trial = (struct trial){0};
    assert_int_equal(run_trial(&trial, second, 1, &ranged), MODEL_OK);
    assert_false(trial.is_kept);
    free(parts[0]);
    free(parts[1]);
}

static void a_server_that_sends_all_for_a_range_starts_the_file_over(void **state)
{
    struct trial trial = {0};
    char *part = slice(0, 100000);
    (void)state;
    const struct scripted_answer answers[] = {
        {.failure = HUB_BROKE_OFF, .body = part},
        {.status = 200, .range_start = 100000, .range_end = RANGED_BYTES, .body = content},
    };
    assert_int_equal(run_trial(&trial, answers, 2, &ranged), MODEL_OK);
    assert_int_equal(trial.done_bytes, RANGED_BYTES);
    free(part);
}

static void a_range_past_the_end_makes_the_file_start_over_whole(void **state)
{
    struct trial trial = {.range_bytes = G(5)};
    (void)state;
    const struct scripted_answer answers[] = {
        {.status = 416, .range_start = 0, .range_end = G(5)},
        {.status = 200, .body = content},
    };
    assert_int_equal(run_trial(&trial, answers, 2, &ranged), MODEL_OK);
}

static void wrong_bytes_that_were_left_are_fetched_again(void **state)
{
    struct trial trial = {.cancel_asleep = true};
    char *wrong = slice(0, G(6)), *rest = slice(G(6), RANGED_BYTES);
    (void)state;
    wrong[5] = '!';
    const struct scripted_answer first[] = {{.failure = HUB_BROKE_OFF, .body = wrong}};
    const struct scripted_answer second[] = {
        {.status = 206, .content_range = "bytes 98304-199999/200000", .body = rest},
        {.status = 200, .body = content},
    };
    assert_int_equal(run_trial(&trial, first, 1, &ranged), MODEL_CANCELLED);
    trial = (struct trial){0};
    assert_int_equal(run_trial(&trial, second, 2, &ranged), MODEL_OK);
    free(wrong);
    free(rest);
}

static void an_address_that_expired_is_asked_for_again(void **state)
{
    struct trial trial = {.range_bytes = G(8), .max_connections = 1};
    char *parts[] = {slice(0, G(8)), slice(G(8), RANGED_BYTES)};
    (void)state;
    const struct scripted_answer answers[] = {
        {.status = 302, .location = "https://cdn.test/old"},
        {.status = 206, .content_range = "bytes 0-131071/200000", .body = parts[0]},
        {.url = "https://cdn.test/old", .status = 403},
        {.status = 302, .location = "https://cdn.test/new"},
        {.url = "https://cdn.test/new",
         .status = 206,
         .content_range = "bytes 131072-199999/200000",
         .body = parts[1]},
    };
    assert_int_equal(run_trial(&trial, answers, 5, &ranged), MODEL_OK);
    assert_int_equal(trial.script.waited_ms, 0);
    free(parts[0]);
    free(parts[1]);
}

static void other_bytes_than_were_asked_for_are_refused(void **state)
{
    static const struct {
        const char *content_range, *sentence;
        model_status status;
    } cases[] = {
        {"bytes 0-9/200000", "sends other bytes of 'b.bin' than it was asked for",
         MODELHOST_NETWORK},
        {"bytes 100000-200/200000", "without saying which", MODELHOST_NETWORK},
        {NULL, "without saying which", MODELHOST_NETWORK},
    };
    char *part = slice(0, 100000);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial trial = {0};
        const struct scripted_answer answers[] = {
            {.failure = HUB_BROKE_OFF, .body = part},
            {.status = 206, .content_range = cases[i].content_range, .body = "0123456789"},
        };
        assert_int_equal(run_trial(&trial, answers, 2, &ranged), cases[i].status);
        assert_non_null(strstr(trial.err.message, cases[i].sentence));
        (void)dir_remove_all(in_folder("store"), NULL);
    }
    free(part);
}

/* Plays the process that takes a silent one's partial over, while the last bytes come. */
static void take_partial_away(void)
{
    struct dir_list list;
    assert_int_equal(dir_read(in_folder("store/partial"), &list, NULL), MODEL_OK);
    assert_int_equal(list.n_names, 1);
    char *from = path_join(in_folder("store/partial"), list.names[0]);
    assert_int_equal(rename(from, in_folder("taken")), 0);
    free(from);
    dir_list_finish(&list);
}

static void a_partial_that_was_taken_over_is_left_to_who_has_it(void **state)
{
    const struct scripted_answer answers[] = {{.status = 200, .body = content},
                                              {.status = 200, .body = content}};
    struct trial trial = {.take_away = take_partial_away};
    (void)state;
    assert_int_equal(run_trial(&trial, answers, 2, &ranged), MODEL_OK); /* he gave it up */
    assert_string_equal(trial.sha256, ranged.digest.hex);
    assert_int_equal(trial.done_bytes, RANGED_BYTES);
}

static void a_server_that_wants_us_to_wait_is_waited_for(void **state)
{
    static const struct scripted_answer answers[] = {
        {.status = 429, .rate_limit = "\"api\";r=0;t=4"}, {.status = 200, .body = "hello\n"}};
    struct trial trial = {0};
    (void)state;
    assert_int_equal(run_trial(&trial, answers, 2, &small), MODEL_OK);
    assert_int_equal(trial.script.waited_ms, 5000);
}

int main(void)
{
    make_content();
    const struct CMUnitTest tests[] = {
        IN_FOLDER(right_bytes_arrive_whichever_digest_names_them),
        IN_FOLDER(wrong_bytes_are_fetched_once_more_and_then_refused),
        IN_FOLDER(a_wrong_size_is_refused),
        IN_FOLDER(half_of_a_broken_transfer_does_not_stay),
        IN_FOLDER(bytes_that_nothing_names_are_refused),
        IN_FOLDER(ranges_come_in_any_number_and_make_one_file),
        IN_FOLDER(a_range_that_breaks_off_goes_on_where_it_was),
        IN_FOLDER(what_is_left_of_a_download_is_not_fetched_again),
        IN_FOLDER(a_server_that_sends_all_for_a_range_starts_the_file_over),
        IN_FOLDER(a_range_past_the_end_makes_the_file_start_over_whole),
        IN_FOLDER(wrong_bytes_that_were_left_are_fetched_again),
        IN_FOLDER(an_address_that_expired_is_asked_for_again),
        IN_FOLDER(other_bytes_than_were_asked_for_are_refused),
        IN_FOLDER(a_partial_that_was_taken_over_is_left_to_who_has_it),
        IN_FOLDER(a_server_that_wants_us_to_wait_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
