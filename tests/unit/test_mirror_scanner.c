/* test_mirror_scanner.c - scans on threads arrive on the loop, finished or cancelled, each once. */
#include "errors.h"
#include "in_folder.h"
#include "mirror_scanner.h"

#include <uv.h>

#define N_SCANS 50

struct fixture {
    uv_loop_t loop;
    struct mirror_scanner *scanner;
    unsigned n_ok, n_cancelled, n_missing;
    unsigned close_after;
    bool is_closed;
};

static void on_closed(void *context)
{
    struct fixture *fixture = context;
    fixture->is_closed = true;
}

static void on_done(struct mirror_scan *scan)
{
    struct fixture *fixture = scan->context;
    fixture->n_ok += scan->status == MODEL_OK;
    fixture->n_cancelled += scan->status == MODEL_CANCELLED;
    fixture->n_missing += scan->status == MODEL_NOT_FOUND;
    assert_true((scan->status == MODEL_OK) == (scan->snapshot != NULL));
    mirror_scan_destroy(scan);
    if (fixture->n_ok + fixture->n_missing == fixture->close_after && fixture->scanner != NULL) {
        struct mirror_scanner *scanner = fixture->scanner;
        fixture->scanner = NULL;
        mirror_scanner_close(scanner, on_closed, fixture);
    }
}

static void run(struct fixture *fixture)
{
    struct model_error err = MODEL_ERROR_INIT;
    write_file(in_folder("a.txt"), "hello\n", 6);
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    assert_int_equal(mirror_scanner_create(&fixture->loop, NULL, &fixture->scanner, &err),
                     MODEL_OK);
    for (unsigned i = 0; i < N_SCANS; i++)
        assert_int_equal(mirror_scanner_order(fixture->scanner, folder,
                                              i % 5 == 4 ? in_folder("none") : folder, NULL,
                                              on_done, fixture),
                         MODEL_OK);
    if (fixture->close_after == 0) {
        struct mirror_scanner *scanner = fixture->scanner;
        fixture->scanner = NULL;
        mirror_scanner_close(scanner, on_closed, fixture);
    }
    assert_int_equal(uv_run(&fixture->loop, UV_RUN_DEFAULT), 0);
    assert_true(fixture->is_closed);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    assert_int_equal(fixture->n_ok + fixture->n_missing + fixture->n_cancelled, N_SCANS);
}

static void every_scan_arrives_with_its_result(void **state)
{
    (void)state;
    struct fixture fixture = {.close_after = N_SCANS};
    run(&fixture);
    assert_int_equal(fixture.n_ok, 40);
    assert_int_equal(fixture.n_missing, 10);
}

static void scans_that_were_not_begun_are_cancelled(void **state)
{
    (void)state;
    struct fixture at_once = {.close_after = 0}, in_between = {.close_after = 5};
    run(&at_once);
    run(&in_between);
    assert_true(in_between.n_ok + in_between.n_missing >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(every_scan_arrives_with_its_result),
        IN_FOLDER(scans_that_were_not_begun_are_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
