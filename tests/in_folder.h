/* in_folder.h - tests that each run in a folder of their own: IN_FOLDER(test) makes and removes it.
 * Included once by a test program, after base/'s headers are visible; one thread. */
#ifndef IN_FOLDER_H
#define IN_FOLDER_H

#include "files.h"
#include "testing.h"

/* A scratch folder, and a path in it that lives until the next call. */
static char *folder;

static inline const char *in_folder(const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return path;
}

static inline int make_folder(void **state)
{
    (void)state;
    folder = scratch_dir();
    return 0;
}

static inline int remove_folder(void **state)
{
    (void)state;
    int failed = dir_remove_all(folder, NULL) != MODEL_OK || path_is_dir(folder);
    free(folder);
    return failed;
}

/* The sentence of err is `format` with the folder in place of its %s. */
static inline void expect_message(const struct model_error *err, const char *format)
{
    char want[MODEL_ERROR_BYTES];
    const char *gap = strstr(format, "%s");
    assert_non_null(gap);
    (void)snprintf(want, sizeof want, "%.*s%s%s", (int)(gap - format), format, folder, gap + 2);
    assert_string_equal(err->message, want);
}

static inline size_t n_names_in(const char *path)
{
    struct dir_list list;
    assert_int_equal(dir_read(path, &list, NULL), MODEL_OK);
    size_t n = list.n_names;
    dir_list_finish(&list);
    return n;
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

#endif
