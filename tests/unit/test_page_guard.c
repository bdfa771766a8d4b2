/* test_page_guard.c - files that shrink under their mapping. */
#include "errors.h"
#include "file_map.h"
#include "page_guard.h"
#include "testing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (64 * 1024)

struct guarded {
    char *path;
    struct file_map map;
    struct page_guard *guard;
};

static struct guarded open_guarded(void)
{
    struct guarded g = {.path = scratch_dir()};
    char *file = malloc(strlen(g.path) + 3), *data = malloc(SIZE);
    assert_non_null(file);
    assert_non_null(data);
    (void)snprintf(file, strlen(g.path) + 3, "%s/f", g.path);
    memset(data, 7, SIZE);
    write_file(file, data, SIZE);
    free(data);
    assert_int_equal(file_map_open(file, &g.map, NULL), MODEL_OK);
    assert_int_equal(page_guard_add(&g.map, &g.guard, NULL), MODEL_OK);
    free(g.path);
    g.path = file;
    return g;
}

static void close_guarded(struct guarded *g)
{
    page_guard_remove(g->guard);
    file_map_close(&g->map);
    assert_int_equal(unlink(g->path), 0);
    *strrchr(g->path, '/') = '\0';
    assert_int_equal(rmdir(g->path), 0);
    free(g->path);
}

static void a_whole_file_is_fine(void **state)
{
    (void)state;
    struct guarded g = open_guarded();
    assert_int_equal(g.map.data[SIZE - 1], 7);
    assert_int_equal(page_guard_check(g.guard, g.path, NULL), MODEL_OK);
    close_guarded(&g);
}

static void reading_past_a_truncation_is_an_error_and_no_crash(void **state)
{
    (void)state;
    struct guarded g = open_guarded();
    assert_int_equal(truncate(g.path, 5000), 0);
    volatile const uint8_t *data = g.map.data;
    assert_int_equal(data[SIZE - 1], 0); /* SIGBUS without the guard */
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(page_guard_check(g.guard, "model.safetensors", &err), MODEL_CORRUPT);
    assert_string_equal(err.message,
                        "model.safetensors was truncated while it was in use: 65536 bytes when "
                        "opened, 5000 now");
    close_guarded(&g);
}

static void a_truncation_that_nobody_touched_is_seen_too(void **state)
{
    (void)state;
    struct guarded g = open_guarded();
    assert_int_equal(truncate(g.path, SIZE - 1), 0);
    assert_int_equal(page_guard_check(g.guard, g.path, NULL), MODEL_CORRUPT);
    close_guarded(&g);
}

static void a_damaged_mapping_stays_damaged_when_the_file_grows_back(void **state)
{
    (void)state;
    struct guarded g = open_guarded();
    assert_int_equal(truncate(g.path, 0), 0);
    volatile const uint8_t *data = g.map.data;
    assert_int_equal(data[0], 0);
    assert_int_equal(truncate(g.path, SIZE), 0);
    assert_int_equal(page_guard_check(g.guard, g.path, NULL), MODEL_CORRUPT);
    close_guarded(&g);
}

static void a_file_that_is_written_to_in_place_is_seen(void **state)
{
    (void)state;
    struct guarded g = open_guarded();
    const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, g.path, long_ago, 0),
                     0); /* another time, as a writer leaves it */
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(page_guard_check(g.guard, "model.safetensors", &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "model.safetensors was written to while it was in use");
    close_guarded(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_is_fine),
        cmocka_unit_test(reading_past_a_truncation_is_an_error_and_no_crash),
        cmocka_unit_test(a_truncation_that_nobody_touched_is_seen_too),
        cmocka_unit_test(a_file_that_is_written_to_in_place_is_seen),
        cmocka_unit_test(a_damaged_mapping_stays_damaged_when_the_file_grows_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
