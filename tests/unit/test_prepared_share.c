/* test_prepared_share.c - prepared weights of a model in worker processes: the file goes to them by a descriptor, what
 * is new comes back through a pipe, and what comes is not believed. */
#include "clock.h"
#include "errors.h"
#include "packing_package.h"
#include "prepared_share.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct packing *packing;
static struct log_sink sink;

static int set_up(void **state)
{
    (void)state;
    packing = packing_create();
    sink =
        (struct log_sink){.level = MODEL_LOG_DEBUG, .write = packing_keep_line, .context = packing};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    packing_destroy(packing);
    return 0;
}

/* ---- whole workers */

static struct modelhost_load_options in_workers(uint32_t n)
{
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    options.isolation = MODELHOST_WORKER;
    options.workers = n;
    options.kill_grace_ms = 600000;
    return options;
}

static void a_second_worker_packs_nothing(void **state)
{
    (void)state;
    const struct modelhost_load_options options = in_workers(1);
    assert_int_equal(packing_once(packing, 1, &options), 2);
    char *path = NULL;
    struct stat file;
    assert_int_equal(packing_files(packing, &path), 1);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0444);
    free(path);
    assert_int_equal(packing_once(packing, 1, &options), 0);
    assert_int_equal(packing_once(packing, 1, NULL), 0); /* in this process, too */
}

static void workers_have_what_this_process_has_made(void **state)
{
    (void)state;
    const struct modelhost_load_options options = in_workers(2);
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    assert_int_equal(packing_once(packing, 1, &options), 0);
}

/* "opens ... kept" of the second process is in the log of the first load already. */
static void the_first_of_several_workers_prepares_for_the_others(void **state)
{
    (void)state;
    const struct modelhost_load_options options = in_workers(3);
    size_t n_kept = 0;
    assert_int_equal(packing_once(packing, 1, &options), 2);
    for (const char *at = packing->lines; (at = strstr(at, "weights are kept: 2")) != NULL; at++)
        n_kept++;
    assert_int_equal(n_kept, 2);
}

static void a_damaged_file_is_made_anew_by_a_worker(void **state)
{
    (void)state;
    const struct modelhost_load_options options = in_workers(1);
    char *path = NULL;
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    assert_int_equal(packing_files(packing, &path), 1);
    assert_int_equal(truncate(path, 5000), 0);
    assert_int_equal(packing_once(packing, 1, &options), 2);
    assert_int_equal(packing_once(packing, 1, &options), 0);
    free(path);
}

static void a_stale_file_is_replaced_by_a_worker(void **state)
{
    (void)state;
    const struct modelhost_load_options options = in_workers(1);
    char *salt = path_join(packing->dir, "salt");
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    write_file(salt, "negative", 8); /* in the second blob's key */
    assert_int_equal(packing_once(packing, 1, &options), 1);
    assert_int_equal(packing_once(packing, 1, &options), 0);
    free(salt);
}

/* Each is handed both files, and takes that of its own. */
static void workers_of_two_libraries_have_a_file_each(void **state)
{
    (void)state;
    const struct modelhost_load_options options = in_workers(1);
    char *salt = path_join(packing->dir, "salt"), *path = NULL;
    assert_int_equal(packing_once(packing, 1, &options), 2);
    write_file(salt, "2", 1);
    assert_int_equal(packing_once(packing, 1, &options), 2);
    assert_int_equal(packing_files(packing, &path), 2);
    free(path);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(packing_once(packing, 1, &options), 0);
        assert_int_equal(unlink(salt), 0);
        assert_int_equal(packing_once(packing, 1, &options), 0);
        write_file(salt, "2", 1);
    }
    assert_int_equal(packing_once(packing, 1, NULL), 0); /* in this process, too */
    free(salt);
}

/* ---- the host's end of the pipe, with the test as a worker */

static struct prepared_share *share_of(uint64_t max_bytes)
{
    struct prepared_share *share = NULL;
    const struct prepared_folder folder = {packing->store, max_bytes, &sink};
    assert_int_equal(prepared_share_create(&folder, KEY, &share, NULL), MODEL_OK);
    return share;
}

static void close_files(const struct prepared_ends *ends)
{
    for (size_t i = 0; i < PREPARED_MAX_FORMS; i++)
        if (ends->files[i] >= 0)
            assert_int_equal(close(ends->files[i]), 0);
}

/* Sends these bytes, and waits until the host has looked at them. */
static void send_bytes(struct prepared_share *share, const void *data, size_t size_bytes)
{
    struct prepared_ends ends;
    prepared_share_hand_over(share, &ends);
    assert_string_equal(ends.key, KEY);
    assert_true(ends.pipe >= 0);
    close_files(&ends);
    for (size_t sent = 0; sent < size_bytes;) {
        const ssize_t n = write(ends.pipe, (const char *)data + sent, size_bytes - sent);
        if (n <= 0)
            break; /* it wants no more of them */
        sent += (size_t)n;
    }
    assert_int_equal(close(ends.pipe), 0);
    prepared_share_wait(share, INT64_MAX, NULL);
}

/* A good file of one blob; *ret_bytes long, to be freed. */
static void *good_file(size_t *ret_bytes)
{
    static char content[3 << 20];
    struct prepared_blob blob = {"b", content, sizeof content, 0};
    char *path = path_join(packing->store, "f");
    FILE *file = fopen(path, "w+b");
    assert_non_null(file);
    assert_int_equal(prepared_file_write(fileno(file), path, KEY, &blob, 1, NULL), MODEL_OK);
    *ret_bytes = (size_t)prepared_file_bytes(&blob, 1);
    void *bytes = malloc(*ret_bytes);
    assert_non_null(bytes);
    rewind(file);
    assert_int_equal(fread(bytes, 1, *ret_bytes, file), *ret_bytes);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(unlink(path), 0);
    free(path);
    return bytes;
}

static void assert_kept(size_t n_wanted)
{
    char *path = NULL;
    assert_int_equal(packing_files(packing, &path), n_wanted);
    free(path);
}

static void a_good_file_is_kept(void **state)
{
    (void)state;
    size_t n = 0;
    char *bytes = good_file(&n);
    struct prepared_share *share = share_of(0);
    struct prepared_ends ends;
    send_bytes(share, bytes, n);
    assert_kept(1);
    prepared_share_hand_over(share, &ends);
    assert_true(ends.files[0] >= 0);
    assert_int_equal(ends.files[1], -1);
    char *found = malloc(n);
    assert_non_null(found);
    assert_int_equal(pread(ends.files[0], found, n, 0), n);
    assert_memory_equal(found, bytes, n);
    close_files(&ends);
    (void)close(ends.pipe);
    prepared_share_destroy(share);
    free(found);
    free(bytes);
}

static void a_worker_that_has_nothing_new_just_closes_the_pipe(void **state)
{
    (void)state;
    struct prepared_share *share = share_of(0);
    send_bytes(share, "", 0);
    assert_string_equal(packing->lines, "");
    assert_kept(0);
    prepared_share_destroy(share);
}

static void what_is_no_good_file_is_not_kept(void **state)
{
    (void)state;
    size_t n = 0;
    char *bytes = good_file(&n);
    struct prepared_share *share = share_of(0);
    send_bytes(share, "nonsense", 8);
    assert_kept(0);
    send_bytes(share, bytes, 128);
    assert_kept(0);
    send_bytes(share, bytes, n - 1);
    assert_non_null(strstr(packing->lines, "a worker ended before it had sent them all"));
    assert_kept(0);
    bytes[n - 1] ^= 1;
    send_bytes(share, bytes, n);
    assert_non_null(strstr(packing->lines, "'b' in it is damaged"));
    assert_kept(0);
    bytes[n - 1] ^= 1;
    bytes[33] ^= 1;
    send_bytes(share, bytes, n);
    assert_kept(0);
    bytes[33] ^= 1;
    send_bytes(share, bytes, n);
    assert_kept(1);
    prepared_share_destroy(share);
    free(bytes);
}

static void more_than_the_bound_is_not_taken(void **state)
{
    (void)state;
    size_t n = 0;
    char *bytes = good_file(&n);
    struct prepared_share *share = share_of(n - 1);
    send_bytes(share, bytes, n); /* the pipe ends before all is sent */
    assert_non_null(strstr(packing->lines, "prepared_max_bytes is"));
    assert_kept(0);
    prepared_share_destroy(share);
    free(bytes);
}

static void one_process_at_a_time_has_a_pipe(void **state)
{
    (void)state;
    struct prepared_share *share = share_of(0);
    struct prepared_ends first, second;
    prepared_share_hand_over(share, &first);
    prepared_share_hand_over(share, &second);
    assert_true(first.pipe >= 0);
    assert_int_equal(second.pipe, -1);
    prepared_share_wait(share, clock_now_ns(), NULL); /* patience that is over */
    assert_int_equal(close(first.pipe), 0);
    prepared_share_wait(share, INT64_MAX, NULL);
    prepared_share_hand_over(share, &second);
    assert_true(second.pipe >= 0);
    assert_int_equal(close(second.pipe), 0);
    prepared_share_destroy(share);
    prepared_share_destroy(NULL);
    prepared_share_wait(NULL, INT64_MAX, NULL);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_second_worker_packs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(workers_have_what_this_process_has_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_first_of_several_workers_prepares_for_the_others,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_made_anew_by_a_worker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stale_file_is_replaced_by_a_worker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(workers_of_two_libraries_have_a_file_each, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_good_file_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_worker_that_has_nothing_new_just_closes_the_pipe, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_good_file_is_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_than_the_bound_is_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_process_at_a_time_has_a_pipe, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
