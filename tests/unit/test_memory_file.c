/* test_memory_file.c - a file of this process alone: written, sealed, opened by its path. */
#include "memory_file.h"
#include "testing.h"

#include <fcntl.h>
#include <unistd.h>

static void can_be_opened_by_its_path_and_not_changed_once_sealed(void **state)
{
    (void)state;
    struct memory_file file = MEMORY_FILE_NONE;
    char text[8] = "";
    assert_int_equal(memory_file_create("libmodel.so", &file, NULL), MODEL_OK);
    assert_int_equal(write(file.fd, "content", 7), 7);
    assert_int_equal(memory_file_seal(&file, NULL), MODEL_OK);
    const int again = open(file.path, O_RDONLY);
    assert_true(again >= 0);
    assert_int_equal(read(again, text, 7), 7);
    assert_string_equal(text, "content");
    assert_int_equal(close(again), 0);
#ifdef __linux__
    assert_int_equal(write(file.fd, "more", 4), -1);
    assert_int_equal(ftruncate(file.fd, 0), -1);
#endif
    assert_true((fcntl(file.fd, F_GETFD) & FD_CLOEXEC) != 0);
    memory_file_close(&file);
}

static void closes_once(void **state)
{
    (void)state;
    struct memory_file file = MEMORY_FILE_NONE;
    memory_file_close(&file);
    assert_int_equal(memory_file_create("x", &file, NULL), MODEL_OK);
    const int fd = file.fd;
    memory_file_close(&file);
    assert_int_equal(file.fd, -1);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    memory_file_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(can_be_opened_by_its_path_and_not_changed_once_sealed),
        cmocka_unit_test(closes_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
