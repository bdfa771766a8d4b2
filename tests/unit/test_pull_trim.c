/* test_pull_trim.c - the bound of what a mirror keeps: the blob that was not used for the longest time goes,
 * what is young stays. Times are given, nothing waits. */
#include "errors.h"
#include "in_folder.h"
#include "pull_trim.h"

#include <fcntl.h>
#include <sys/stat.h>

#define NOW_S 1000000

static const char *const digests[] = {"1111111111111111111111111111111111111111",
                                      "2222222222222222222222222222222222222222",
                                      "3333333333333333333333333333333333333333"};

static void put(const struct pull_cache *cache, size_t i, int64_t used_s)
{
    static const char text[100] = "content";
    const struct timespec times[2] = {{.tv_sec = used_s}, {.tv_sec = used_s}};
    struct model_error err = MODEL_ERROR_INIT;
    char *path = pull_cache_blob_path(cache, digests[i]);
    assert_int_equal(file_write_atomic(path, text, sizeof text, &err), MODEL_OK);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    free(path);
}

/* Three blobs of 100 bytes: the second is the oldest, then the third, then the first. */
static struct pull_cache *make(int64_t newest_s)
{
    struct pull_cache *cache = NULL;
    assert_int_equal(pull_cache_create(in_folder("mirror"), &cache, NULL), MODEL_OK);
    put(cache, 0, newest_s);
    put(cache, 1, newest_s - 2000);
    put(cache, 2, newest_s - 1000);
    return cache;
}

static void expect(const struct pull_cache *cache, uint64_t limit_bytes, uint64_t removed_bytes,
                   const char *kept)
{
    uint64_t removed = 0;
    char found[4] = "";
    assert_int_equal(pull_trim(cache, limit_bytes, NOW_S, &removed, NULL), MODEL_OK);
    assert_int_equal(removed, removed_bytes);
    for (size_t i = 0, n = 0; i < 3; i++)
        if (pull_cache_has_blob(cache, digests[i], 100))
            found[n++] = digests[i][0];
    assert_string_equal(found, kept);
}

static void what_fits_stays(void **state)
{
    (void)state;
    struct pull_cache *cache = make(NOW_S - 5000);
    expect(cache, 300, 0, "123");
    pull_cache_destroy(cache);
}

static void what_was_not_used_for_the_longest_time_goes_first(void **state)
{
    (void)state;
    struct pull_cache *cache = make(NOW_S - 5000);
    expect(cache, 299, 100, "13");
    expect(cache, 100, 100, "1");
    expect(cache, 1, 100, "");
    pull_cache_destroy(cache);
}

static void what_was_just_used_stays_whatever_the_bound(void **state)
{
    (void)state;
    struct pull_cache *cache = make(NOW_S - PULL_TRIM_YOUNG_S + 1);
    expect(cache, 1, 200, "1");
    pull_cache_destroy(cache);
}

static void use_makes_a_blob_young(void **state)
{
    (void)state;
    struct pull_cache *cache = make(1);
    pull_cache_use(cache, digests[1]); /* now, by the system's clock: long after NOW_S */
    expect(cache, 100, 200, "2");
    pull_cache_destroy(cache);
}

static void a_forgotten_blob_is_not_there(void **state)
{
    (void)state;
    struct pull_cache *cache = make(NOW_S);
    pull_cache_forget(cache, digests[2]);
    expect(cache, 300, 0, "12");
    pull_cache_destroy(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_fits_stays),
        IN_FOLDER(what_was_not_used_for_the_longest_time_goes_first),
        IN_FOLDER(what_was_just_used_stays_whatever_the_bound),
        IN_FOLDER(use_makes_a_blob_young),
        IN_FOLDER(a_forgotten_blob_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
