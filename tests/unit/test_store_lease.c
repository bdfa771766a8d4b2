/* test_store_lease.c - who is said to be there. Covers store/life/store_leases.c and
 * store/life/lease_process.c, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lease_process.h"
#include "store_lease.h"
#include "store_packages.h"

#include <sys/wait.h>

#define TARGET "x--m/0000000000000000000000000000000000000000000000000000000000000000"

/* A machine "here" with process 7, which started at "70". */
static const char *started(void *context, int64_t pid, char text[32])
{
    (void)context;
    if (pid != 7)
        return NULL;
    (void)snprintf(text, 32, "70");
    return text;
}
static const struct store_witness witness = {"here", started, NULL};

static bool is_alive(const char *machine, int64_t pid, const char *start, int64_t age_s)
{
    struct store_lease_record record = {.machine = (char *)(uintptr_t)machine,
                                        .started = (char *)(uintptr_t)start,
                                        .pid = pid,
                                        .renewed_s = 1000000 - age_s};
    return store_lease_is_alive(&record, 1000000, &witness);
}

static void a_lease_of_this_machine_lives_as_long_as_its_process(void **state)
{
    (void)state;
    assert_true(is_alive("here", 7, "70", 0));
    assert_true(is_alive("here", 7, "70", 10 * STORE_LEASE_STALE_S)); /* however old */
    assert_true(is_alive("here", 7, "", 0));                          /* start not known */
    assert_false(is_alive("here", 7, "69", 0));                       /* another with its number */
    assert_false(is_alive("here", 8, "70", 0));
}

static void a_lease_of_another_machine_lives_by_its_time(void **state)
{
    (void)state;
    assert_true(is_alive("there", 8, "1", STORE_LEASE_STALE_S));
    assert_false(is_alive("there", 8, "1", STORE_LEASE_STALE_S + 1));
    assert_false(is_alive("there", 7, "70", STORE_LEASE_STALE_S + 1));
    assert_true(is_alive(NULL, 0, NULL, 5)); /* one that cannot be read */
}

static void a_lease_is_seen_until_it_ends(void **state)
{
    struct store *store = open_store(*state);
    struct store_lease *lease = NULL;
    struct store_leases leases = {0};
    assert_int_equal(store_lease_take(store, STORE_LEASE_READER, "packages/" TARGET, &lease, NULL),
                     MODEL_OK);
    store_lease_renew(lease);
    assert_int_equal(store_leases_read(store, store_disk_time(store), NULL, &leases, NULL),
                     MODEL_OK);
    assert_true(store_leases_hold(&leases, "packages/" TARGET));
    assert_false(store_leases_hold(&leases, "packages/x"));
    assert_int_equal(store_leases_count(&leases, STORE_LEASE_READER), 1);
    assert_int_equal(store_leases_count(&leases, STORE_LEASE_WRITER), 0);
    assert_int_equal(leases.records[0].pid, getpid());
    store_leases_finish(&leases);
    store_lease_end(lease);
    assert_int_equal(count_in(store, "leases"), 0);
    assert_true(store_last_use(store, TARGET) > 0);
    assert_int_equal(store_last_use(store, "x--m/1"), 0);
    store_close(store);
}

static void work_in_progress_leaves_a_lease(void **state)
{
    struct store *store = open_store(*state);
    struct store_leases leases = {0};
    char *staging = NULL;
    assert_int_equal(store_make_staging(store, &staging, NULL), MODEL_OK);
    assert_int_equal(store_leases_read(store, 0, NULL, &leases, NULL), MODEL_OK);
    assert_int_equal(store_leases_count(&leases, STORE_LEASE_WRITER), 1);
    assert_string_equal(path_base(leases.records[0].subject), path_base(staging));
    store_leases_finish(&leases);
    store_end_staging(store, staging);
    assert_int_equal(count_in(store, "leases"), 0);
    store_close(store);
}

static void a_dead_process_leaves_a_dead_lease(void **state)
{
    struct store *store = open_store(*state);
    struct store_leases leases = {0};
    int code = 0;
    pid_t child = fork();
    if (child == 0) {
        struct store_lease *lease = NULL;
        _exit(store_lease_take(store, STORE_LEASE_WRITER, "tmp/x", &lease, NULL) == MODEL_OK ? 0
                                                                                             : 1);
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    assert_int_equal(store_leases_read(store, store_disk_time(store), NULL, &leases, NULL),
                     MODEL_OK);
    assert_int_equal(leases.n_records, 1);
    assert_false(leases.records[0].is_alive);
    store_leases_finish(&leases);
    store_close(store);
}

static void a_package_s_folder_finds_its_store(void **state)
{
    struct store *store = open_store(*state);
    struct store_lease *lease = NULL;
    char *dir = install_text(store, "x/m", "x/m", "main", COMMIT_A, "1");
    assert_int_equal(store_lease_package(dir, &lease, NULL), MODEL_OK);
    assert_non_null(lease);
    assert_int_equal(count_in(store, "leases"), 1);
    store_lease_end(lease);
    lease = NULL;
    assert_int_equal(store_lease_package(*state, &lease, NULL), MODEL_OK);
    assert_null(lease); /* an author's folder */
    free(dir);
    store_close(store);
}

static void other_texts_are_no_lease(void **state)
{
    static const char *const texts[] = {
        "",
        "{}",
        "[1]",
        "{\"format_version\":1,\"kind\":\"writer\"}",
        "{\"format_version\":2,\"kind\":\"writer\",\"subject\":\"tmp/x\",\"machine\":\"m\","
        "\"host\":\"h\",\"started\":\"1\",\"pid\":1}",
        "{\"format_version\":1,\"kind\":\"writer\",\"subject\":\"../x\",\"machine\":\"m\","
        "\"host\":\"h\",\"started\":\"1\",\"pid\":1}",
        "{\"format_version\":1,\"kind\":\"writer\",\"subject\":\"tmp/x\",\"machine\":\"m\","
        "\"host\":\"h\",\"started\":\"1\",\"pid\":-1}"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct store_lease_record record = {0};
        assert_int_equal(store_lease_parse(texts[i], strlen(texts[i]), &record, NULL),
                         MODEL_CORRUPT);
        assert_null(record.subject);
    }
}

static void this_process_is_there_and_has_a_start(void **state)
{
    char first[32], second[32], machine[LEASE_MACHINE_BYTES];
    (void)state;
    assert_non_null(lease_process_started(NULL, getpid(), first));
    assert_string_equal(lease_process_started(NULL, getpid(), second), first);
    assert_null(lease_process_started(NULL, 0, first));
    assert_null(lease_process_started(NULL, INT32_MAX, first));
    assert_true(strlen(lease_machine(machine)) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_of_this_machine_lives_as_long_as_its_process),
        cmocka_unit_test(a_lease_of_another_machine_lives_by_its_time),
        FOLDER_TEST(a_lease_is_seen_until_it_ends),
        FOLDER_TEST(work_in_progress_leaves_a_lease),
        FOLDER_TEST(a_dead_process_leaves_a_dead_lease),
        FOLDER_TEST(a_package_s_folder_finds_its_store),
        cmocka_unit_test(other_texts_are_no_lease),
        cmocka_unit_test(this_process_is_there_and_has_a_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
