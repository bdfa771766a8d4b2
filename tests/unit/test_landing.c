/* test_landing.c - bytes that come down in any order, and what becomes of them. The queue has no threads,
 * so that each step has an end. */
#include "in_folder.h"

#include "landing.h"

#include <stdlib.h>
#include <unistd.h>

#define SIZE 200000
#define G(n) ((uint64_t)(n)*16384)

static char content[SIZE];
static struct hub_file file = {(char *)"b.bin", SIZE, {HUB_DIGEST_SHA256, ""}};
static struct store *store;
static struct disk_queue *queue;

static void open_all(void)
{
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (char)(i * 31 >> 3);
    assert_int_equal(digest_bytes_sha256(content, SIZE, file.digest.hex, NULL), MODEL_OK);
    assert_int_equal(store_open(in_folder("store"), 1, &store, NULL), MODEL_OK);
    assert_int_equal(disk_queue_create(0, NULL, NULL, &queue, NULL), MODEL_OK);
}

static void close_all(void)
{
    disk_queue_destroy(queue);
    store_close(store);
}

static void open_partial(struct landing *landing, const char *boot)
{
    struct partial_owner owner;
    enum partial_origin origin;
    char *dir = NULL, *key = landing_key(&file);
    partial_owner_init(&owner);
    assert_int_equal(partial_claim(store_dir(store), key, &owner, 0, &dir, &origin, NULL),
                     MODEL_OK);
    assert_int_equal(landing_open_partial(landing, store, &file, dir, boot, origin, NULL),
                     MODEL_OK);
    free(key);
}

static void put(struct landing *landing, uint64_t start, uint64_t end)
{
    assert_int_equal(
        landing_write(landing, start, start, content + start, (size_t)(end - start), NULL),
        MODEL_OK);
}

static enum landing_news work(struct landing *landing)
{
    landing_start_work(landing, queue);
    assert_ptr_equal(disk_queue_take(queue), &landing->work.job);
    return landing_end_work(landing);
}

static void bytes_in_any_order_become_a_blob(void **state)
{
    struct landing landing;
    (void)state;
    open_all();
    open_partial(&landing, "boot");
    put(&landing, G(8), SIZE);
    put(&landing, 0, G(2));
    landing_start_work(&landing, queue);
    assert_null(disk_queue_take(queue)); /* nothing that is worth a job */
    put(&landing, G(2), G(8));
    assert_int_equal(work(&landing), LANDING_SETTLED);
    assert_string_equal(landing.sha256_hex, file.digest.hex);
    assert_true(store_blob_is_good(store, file.digest.hex, SIZE));
    landing_close(&landing, false);
    assert_int_equal(n_names_in(in_folder("store/partial")), 0);
    close_all();
}

static void a_landing_goes_on_where_another_stopped(void **state)
{
    struct landing landing;
    (void)state;
    open_all();
    open_partial(&landing, "boot");
    put(&landing, 0, G(6) + 100);
    landing_close(&landing, true);
    open_partial(&landing, "boot");
    assert_int_equal(landing.resumed_bytes, G(6));
    put(&landing, G(6), SIZE);
    assert_int_equal(work(&landing), LANDING_SETTLED);
    landing_close(&landing, false);
    close_all();
}

static void wrong_bytes_are_told_and_can_start_over(void **state)
{
    struct landing landing;
    (void)state;
    open_all();
    open_partial(&landing, "boot");
    put(&landing, 0, SIZE);
    assert_int_equal(landing_write(&landing, 0, 5, "!", 1, NULL), MODEL_OK);
    assert_int_equal(work(&landing), LANDING_WRONG);
    assert_non_null(strstr(landing.work.err.message, "came with wrong bytes: its SHA-256 is "));
    assert_false(store_has_blob(store, file.digest.hex, SIZE));
    landing_restart(&landing);
    put(&landing, 0, SIZE);
    assert_int_equal(work(&landing), LANDING_SETTLED);
    landing_close(&landing, false);
    close_all();
}

static void a_start_over_makes_work_under_way_void(void **state)
{
    struct landing landing;
    (void)state;
    open_all();
    open_partial(&landing, "boot");
    put(&landing, 0, SIZE);
    content[0] ^= 1; /* what is hashed now is not what comes later */
    landing.work.must_settle = false;
    landing.work.is_running = true;
    landing.work.hash_to = G(4);
    disk_queue_push(queue, &landing.work.job);
    landing_restart(&landing);
    assert_ptr_equal(disk_queue_take(queue), &landing.work.job);
    assert_int_equal(landing_end_work(&landing), LANDING_GOES_ON);
    content[0] ^= 1;
    put(&landing, 0, SIZE);
    assert_int_equal(work(&landing), LANDING_SETTLED);
    landing_close(&landing, false);
    close_all();
}

static void bytes_past_the_end_are_refused(void **state)
{
    struct landing landing;
    struct model_error err = {.struct_size = sizeof err};
    (void)state;
    open_all();
    assert_int_equal(landing_open_new(&landing, store, &file, in_folder("part"), NULL), MODEL_OK);
    assert_int_equal(landing_write(&landing, 0, SIZE - 1, "ab", 2, &err), MODEL_CORRUPT);
    assert_string_equal(err.message,
                        "the file 'b.bin' is longer than the 200000 bytes that the hub announced");
    assert_int_equal(landing_write(&landing, 0, UINT64_MAX, "ab", 2, &err), MODEL_CORRUPT);
    landing_close(&landing, false);
    assert_false(path_is_file(in_folder("part")));
    close_all();
}

static void a_file_in_the_way_is_not_overwritten(void **state)
{
    struct landing landing;
    (void)state;
    open_all();
    write_file(in_folder("part"), "mine", 4);
    assert_int_equal(landing_open_new(&landing, store, &file, in_folder("part"), NULL), MODEL_IO);
    assert_true(path_is_file(in_folder("part")));
    close_all();
}

static void small_files_and_those_without_a_digest_have_no_partial(void **state)
{
    struct hub_file small = {(char *)"a", 100, {HUB_DIGEST_SHA256, "ab"}};
    struct hub_file unknown = {(char *)"a", SIZE, {HUB_DIGEST_NONE, ""}};
    (void)state;
    assert_null(landing_key(&small));
    assert_null(landing_key(&unknown));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(bytes_in_any_order_become_a_blob),
        IN_FOLDER(a_landing_goes_on_where_another_stopped),
        IN_FOLDER(wrong_bytes_are_told_and_can_start_over),
        IN_FOLDER(a_start_over_makes_work_under_way_void),
        IN_FOLDER(bytes_past_the_end_are_refused),
        IN_FOLDER(a_file_in_the_way_is_not_overwritten),
        IN_FOLDER(small_files_and_those_without_a_digest_have_no_partial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
