/* test_partial.c - what of a partial download is believed after a kill, a restart of the machine, and
 * damage. */
#include "in_folder.h"

#include "partial.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE 100000
#define G(n) ((uint64_t)(n)*16384)

static void open_it(struct partial *partial, const char *boot, bool must_copy,
                    struct range_map *map)
{
    assert_int_equal(partial_open(partial, folder, SIZE, boot, must_copy, map, NULL), MODEL_OK);
}

static void note(const struct partial *partial, struct range_map *map, uint64_t start, uint64_t to)
{
    uint64_t first, last;
    range_map_note(map, start, to, &first, &last);
    partial_note(partial, map, first, last);
}

static void close_it(struct partial *partial, struct range_map *map)
{
    partial_close(partial);
    range_map_finish(map);
}

static uint64_t bytes_after(const char *boot)
{
    struct partial partial;
    struct range_map map;
    open_it(&partial, boot, false, &map);
    uint64_t there_bytes = range_map_there_bytes(&map);
    close_it(&partial, &map);
    return there_bytes;
}

static void all_that_came_is_there_after_a_kill(void **state)
{
    struct partial partial;
    struct range_map map;
    (void)state;
    open_it(&partial, "boot-1", false, &map);
    note(&partial, &map, 0, G(2));
    note(&partial, &map, G(4), G(5));
    close_it(&partial, &map); /* no checkpoint: as a kill leaves it */
    assert_int_equal(bytes_after("boot-1"), G(3));
    assert_int_equal(bytes_after("boot-1"), G(3));
}

static void only_what_was_synced_is_there_after_a_restart(void **state)
{
    struct partial partial;
    struct range_map map;
    struct buffer text = BUFFER_INIT(RANGE_MAP_MAX_BYTES);
    (void)state;
    open_it(&partial, "boot-1", false, &map);
    note(&partial, &map, 0, G(2));
    assert_int_equal(range_map_write(&map, "", &text, NULL), MODEL_OK);
    assert_int_equal(partial_checkpoint(&partial, &text, NULL), MODEL_OK);
    note(&partial, &map, G(2), G(5));
    close_it(&partial, &map);
    assert_int_equal(bytes_after("boot-2"), G(2));
    buffer_finish(&text);
}

static void nothing_is_believed_where_the_boot_is_not_known_and_nothing_synced(void **state)
{
    struct partial partial;
    struct range_map map;
    (void)state;
    open_it(&partial, "", false, &map);
    note(&partial, &map, 0, G(2));
    close_it(&partial, &map);
    assert_int_equal(bytes_after(""), 0);
}

static void damaged_files_mean_that_nothing_is_there(void **state)
{
    static const char *const names[] = {"live", "data"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct partial partial;
        struct range_map map;
        open_it(&partial, "boot-1", false, &map);
        note(&partial, &map, 0, G(2));
        close_it(&partial, &map);
        assert_int_equal(truncate(in_folder(names[i]), 10), 0);
        assert_int_equal(bytes_after("boot-1"), 0);
    }
}

static void a_start_over_is_remembered(void **state)
{
    struct partial partial;
    struct range_map map;
    struct buffer text = BUFFER_INIT(RANGE_MAP_MAX_BYTES);
    (void)state;
    open_it(&partial, "boot-1", false, &map);
    note(&partial, &map, 0, G(2));
    assert_int_equal(range_map_write(&map, "", &text, NULL), MODEL_OK);
    assert_int_equal(partial_checkpoint(&partial, &text, NULL), MODEL_OK);
    range_map_clear(&map);
    partial_restart(&partial, &map);
    close_it(&partial, &map);
    assert_int_equal(bytes_after("boot-1"), 0);
    assert_int_equal(bytes_after("boot-2"), 0);
    buffer_finish(&text);
}

static void a_copy_is_out_of_reach_of_who_had_it_before(void **state)
{
    struct partial before, after;
    struct range_map map, copied;
    char byte = 0;
    (void)state;
    open_it(&before, "boot-1", false, &map);
    assert_int_equal(pwrite(before.data_fd, "right", 5, 0), 5);
    note(&before, &map, 0, G(1));
    open_it(&after, "boot-1", true, &copied);
    assert_int_equal(range_map_there_bytes(&copied), G(1));
    assert_int_equal(pwrite(before.data_fd, "wrong", 5, 0), 5);
    assert_int_equal(pread(after.data_fd, &byte, 1, 0), 1);
    assert_int_equal(byte, 'r');
    close_it(&before, &map);
    close_it(&after, &copied);
}

static void a_link_in_place_of_the_data_is_not_followed(void **state)
{
    struct partial partial;
    struct range_map map;
    struct model_error err = {.struct_size = sizeof err};
    (void)state;
    write_file(in_folder("precious"), "mine", 4);
    assert_int_equal(symlink(in_folder("precious"), in_folder("data")), 0);
    assert_int_equal(partial_open(&partial, folder, SIZE, "b", false, &map, &err), MODEL_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(all_that_came_is_there_after_a_kill),
        IN_FOLDER(only_what_was_synced_is_there_after_a_restart),
        IN_FOLDER(nothing_is_believed_where_the_boot_is_not_known_and_nothing_synced),
        IN_FOLDER(damaged_files_mean_that_nothing_is_there),
        IN_FOLDER(a_start_over_is_remembered),
        IN_FOLDER(a_copy_is_out_of_reach_of_who_had_it_before),
        IN_FOLDER(a_link_in_place_of_the_data_is_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
