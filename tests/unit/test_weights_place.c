/* test_weights_place.c - words for weights, and files that shrink while they are read. */
#include "file_map.h"
#include "in_folder.h"
#include "weights_place.h"

#include <sys/wait.h>
#include <unistd.h>

#define MAPPED_BYTES (1u << 20)

/* Maps a file, cuts it short, and reads behind its end. */
static void read_what_is_gone(const char *path)
{
    struct file_map map;
    weights_catch_truncation();
    if (file_map_open(path, &map, NULL) != MODEL_OK || truncate(path, 1) != 0)
        _exit(1);
    const volatile uint8_t *data = map.data;
    _exit(data[MAPPED_BYTES - 1] == 0 ? 2 : 3);
}

static void a_file_that_is_cut_short_ends_the_command_with_a_sentence(void **state)
{
    (void)state;
    int ends[2], code = 0;
    char said[512];
    size_t n = 0;
    char *zeros = calloc(1, MAPPED_BYTES);
    assert_non_null(zeros);
    assert_int_equal(file_write_atomic(in_folder("w"), zeros, MAPPED_BYTES, NULL), MODEL_OK);
    free(zeros);
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        read_what_is_gone(in_folder("w"));
    }
    (void)close(ends[1]);
    for (ssize_t got;
         n < sizeof said - 1 && (got = read(ends[0], said + n, sizeof said - 1 - n)) > 0;)
        n += (size_t)got;
    said[n] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    assert_int_equal(WEXITSTATUS(code), 7);
    assert_string_equal(said,
                        "pkgmgr: a file of weights was cut short while it was read; try again when "
                        "nobody writes to it\n");
}

static void files_and_archives_are_told_from_names(void **state)
{
    (void)state;
    assert_int_equal(file_write_atomic(in_folder("a.safetensors"), "x", 1, NULL), MODEL_OK);
    assert_int_equal(file_write_atomic(in_folder("a.mhp"), "x", 1, NULL), MODEL_OK);
    assert_true(weights_word_is_path(in_folder("a.safetensors")));
    assert_false(weights_word_is_archive(in_folder("a.safetensors")));
    assert_true(weights_word_is_archive(in_folder("a.mhp")));
    assert_false(weights_word_is_path(in_folder("a.mhp")));
    assert_false(weights_word_is_path(folder)); /* no weights in it */
    assert_false(weights_word_is_path("acme/tiny"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_file_that_is_cut_short_ends_the_command_with_a_sentence),
        IN_FOLDER(files_and_archives_are_told_from_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
