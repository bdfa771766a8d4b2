/* testing.h - what unit tests share: cmocka with the headers it wants, skipping with a reason, and a
 * folder of the test's own. Included once by a test program; one thread. */
#ifndef TESTING_H
#define TESTING_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Ends the running test as skipped; scripts/run-tests.sh shows the reason. */
#define SKIP_BECAUSE(...)                                                                          \
    do {                                                                                           \
        printf("skip: " __VA_ARGS__);                                                              \
        printf("\n");                                                                              \
        skip();                                                                                    \
    } while (0)

/* A new folder below $TMPDIR, to be freed; removing it is the test's part (dir_remove_all()). */
static inline char *scratch_dir(void)
{
    const char *parent = getenv("TMPDIR");
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/test.XXXXXX", parent != NULL ? parent : "/tmp");
    assert_true(length > 0 && (size_t)length < sizeof path);
    assert_non_null(mkdtemp(path));
    char *copy = malloc((size_t)length + 1);
    assert_non_null(copy);
    memcpy(copy, path, (size_t)length + 1);
    return copy;
}

/* Writes a file as it is, by the C library alone. */
static inline void write_file(const char *path, const void *data, size_t size_bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size_bytes, file), size_bytes);
    assert_int_equal(fclose(file), 0);
}

#endif
