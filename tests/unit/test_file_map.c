/* test_file_map.c - mapped files, what is no file, and pages given back. */
#include "errors.h"
#include "file_map.h"
#include "files.h"
#include "testing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (5 * 4096 + 123)

static char *folder, *path;

static int make_file(void **state)
{
    (void)state;
    static unsigned char data[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(i * 7 + i / 4096);
    folder = scratch_dir();
    path = path_join(folder, "weights");
    write_file(path, data, SIZE);
    return path == NULL;
}

static int remove_file(void **state)
{
    (void)state;
    int failed = dir_remove_all(folder, NULL) != MODEL_OK;
    free(folder);
    free(path);
    return failed;
}

static void expect_content(const struct file_map *map)
{
    assert_int_equal(map->size_bytes, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        if (map->data[i] != (unsigned char)(i * 7 + i / 4096))
            fail_msg("byte %zu differs", i);
}

static void open_maps_the_whole_file(void **state)
{
    (void)state;
    struct file_map map;
    assert_int_equal(file_map_open(path, &map, NULL), MODEL_OK);
    expect_content(&map);
    struct stat info;
    assert_int_equal(fstat(map.fd, &info), 0);
    assert_int_equal(info.st_size, SIZE);
    assert_true((fcntl(map.fd, F_GETFD) & FD_CLOEXEC) != 0);
    file_map_close(&map);
}

static void the_map_outlives_the_name(void **state)
{
    (void)state;
    struct file_map map;
    assert_int_equal(file_map_open(path, &map, NULL), MODEL_OK);
    assert_int_equal(unlink(path), 0);
    expect_content(&map);
    file_map_close(&map);
}

static void close_may_come_twice_and_gives_the_descriptor_back(void **state)
{
    (void)state;
    struct file_map map;
    assert_int_equal(file_map_open(path, &map, NULL), MODEL_OK);
    int fd = map.fd;
    file_map_close(&map);
    assert_null(map.data);
    assert_int_equal(map.fd, -1);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    file_map_close(&map);
}

static void close_of_a_map_that_is_all_zero_keeps_standard_input(void **state)
{
    (void)state;
    struct file_map map = {0};
    int before = fcntl(0, F_GETFD);
    file_map_close(&map);
    assert_int_equal(fcntl(0, F_GETFD), before);
}

static void an_empty_file_has_no_data(void **state)
{
    (void)state;
    write_file(path, "", 0);
    struct file_map map;
    assert_int_equal(file_map_open(path, &map, NULL), MODEL_OK);
    assert_null(map.data);
    assert_int_equal(map.size_bytes, 0);
    file_map_close(&map);
}

static void what_is_no_file_is_refused_and_the_result_untouched(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct file_map map, before;
    memset(&map, 0x5A, sizeof map);
    before = map;
    char want[PATH_MAX + 100];

    assert_int_equal(file_map_open(folder, &map, &err), MODEL_INVALID_ARGUMENT);
    (void)snprintf(want, sizeof want, "%s is not a regular file", folder);
    assert_string_equal(err.message, want);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(file_map_open(path, &map, &err), MODEL_NOT_FOUND);
    (void)snprintf(want, sizeof want, "cannot open %s: No such file or directory", path);
    assert_string_equal(err.message, want);

    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(file_map_open(path, &map, &err), MODEL_INVALID_ARGUMENT);
    assert_memory_equal(&map, &before, sizeof map);
}

static void discarded_pages_are_read_again(void **state)
{
    (void)state;
    struct file_map map;
    assert_int_equal(file_map_open(path, &map, NULL), MODEL_OK);
    file_map_discard(&map, map.data, map.size_bytes);
    expect_content(&map);
    file_map_discard(&map, map.data + 100, 9000);
    file_map_discard(&map, map.data + 1, 10);
    file_map_discard(&map, map.data + SIZE, 0);
    expect_content(&map);
    file_map_close(&map);
}

static void discard_ignores_ranges_outside(void **state)
{
    (void)state;
    struct file_map map;
    assert_int_equal(file_map_open(path, &map, NULL), MODEL_OK);
    file_map_discard(&map, NULL, 10);
    file_map_discard(&map, map.data, SIZE + 100000);
    expect_content(&map);
    file_map_close(&map);
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, make_file, remove_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILE(open_maps_the_whole_file),
        WITH_FILE(the_map_outlives_the_name),
        WITH_FILE(close_may_come_twice_and_gives_the_descriptor_back),
        WITH_FILE(close_of_a_map_that_is_all_zero_keeps_standard_input),
        WITH_FILE(an_empty_file_has_no_data),
        WITH_FILE(what_is_no_file_is_refused_and_the_result_untouched),
        WITH_FILE(discarded_pages_are_read_again),
        WITH_FILE(discard_ignores_ranges_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
