/* test_worker_environment.c - host/workers/worker_environment.c: what a worker is given of the host's environment. */
#include "worker_environment.h"
#include "testing.h"

static void what_libraries_need_arrives_and_secrets_do_not(void **state)
{
    (void)state;
    char *const from[] = {
        (char *)(uintptr_t) "HF_TOKEN=secret",
        (char *)(uintptr_t) "PATH=/bin",
        (char *)(uintptr_t) "MODELHOST_REDIS_URL=redis://:secret@host",
        (char *)(uintptr_t) "LC_ALL=C",
        (char *)(uintptr_t) "MODELHOST_STORE=/store",
        (char *)(uintptr_t) "OMP_NUM_THREADS=2",
        (char *)(uintptr_t) "PATHS=no",
        (char *)(uintptr_t) "PAT=no",
        (char *)(uintptr_t) "SECRET_PATH=no",
        (char *)(uintptr_t) "LC=no",
        (char *)(uintptr_t) "AWS_SECRET_ACCESS_KEY=no",
        (char *)(uintptr_t) "ASAN_OPTIONS=handle_segv=0",
        (char *)(uintptr_t) "PATH",
        (char *)(uintptr_t) "=no",
        (char *)(uintptr_t) "",
        NULL,
    };
    static const char *const want[] = {"PATH=/bin", "LC_ALL=C", "OMP_NUM_THREADS=2",
                                       "ASAN_OPTIONS=handle_segv=0", "PATH"};
    char **made = worker_environment_make(from, NULL);
    assert_non_null(made);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_string_equal(made[i], want[i]);
    assert_null(made[sizeof want / sizeof *want]);
    free(made);
}

static void an_own_entry_takes_the_place_of_those_of_its_name(void **state)
{
    (void)state;
    char *const from[] = {
        (char *)(uintptr_t) "TMPDIR=/tmp",
        (char *)(uintptr_t) "TMPDIR=/other",
        (char *)(uintptr_t) "TMPDIR",
        (char *)(uintptr_t) "TZ=UTC",
        NULL,
    };
    char **made = worker_environment_make(from, "TMPDIR=/own");
    assert_non_null(made);
    assert_string_equal(made[0], "TZ=UTC");
    assert_string_equal(made[1], "TMPDIR=/own");
    assert_null(made[2]);
    free(made);
    made = worker_environment_make(NULL, "TMPDIR=/own");
    assert_non_null(made);
    assert_string_equal(made[0], "TMPDIR=/own");
    assert_null(made[1]);
    free(made);
}

static void no_environment_is_an_empty_one(void **state)
{
    (void)state;
    char **made = worker_environment_make(NULL, NULL);
    assert_non_null(made);
    assert_null(made[0]);
    free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_libraries_need_arrives_and_secrets_do_not),
        cmocka_unit_test(an_own_entry_takes_the_place_of_those_of_its_name),
        cmocka_unit_test(no_environment_is_an_empty_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
