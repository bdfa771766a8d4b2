/* test_model_compiled.c - which models may keep what a framework compiled in the store: a worker may write there only where
 * a framework stands behind its plugin. */
#include "files.h"
#include "host.h"
#include "loaded_model.h"
#include "model_compiled.h"
#include "testing.h"

static bool may_keep(char *backend, int32_t isolation, const char *signed_sha256)
{
    char *store = scratch_dir();
    struct modelhost host = {.store_dir = store};
    struct modelhost_model model = {.host = &host, .package = {.backend = backend}};
    model.load.isolation = isolation;
    (void)snprintf(model.package.manifest_sha256, sizeof model.package.manifest_sha256, "%s",
                   signed_sha256);
    assert_int_equal(model_compiled_offer(&model, NULL, NULL), MODEL_OK);
    const bool may = model.services.compiled.folder != NULL;
    free((void *)(uintptr_t)model.services.compiled.folder);
    assert_int_equal(dir_remove_all(store, NULL), MODEL_OK);
    free(store);
    return may;
}

static void a_worker_keeps_models_where_a_framework_stands_behind_it(void **state)
{
    (void)state;
    char coreml[] = "coreml", cpu[] = "cpu", by_kernels[] = "coreml:cpu", other[] = "torch";
    assert_true(may_keep(coreml, MODELHOST_WORKER, ""));
    assert_true(may_keep(cpu, MODELHOST_INPROC, ""));
    assert_false(may_keep(cpu, MODELHOST_WORKER, ""));
    assert_false(may_keep(by_kernels, MODELHOST_WORKER, ""));
    assert_false(may_keep(other, MODELHOST_WORKER, ""));
}

static void nothing_is_kept_of_a_signed_package(void **state)
{
    (void)state;
    char coreml[] = "coreml", cpu[] = "cpu";
    assert_false(may_keep(coreml, MODELHOST_WORKER, "ab"));
    assert_false(may_keep(cpu, MODELHOST_INPROC, "ab"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_keeps_models_where_a_framework_stands_behind_it),
        cmocka_unit_test(nothing_is_kept_of_a_signed_package),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
